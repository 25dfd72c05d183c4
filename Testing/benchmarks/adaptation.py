"""What adaptation to X-rays of a world never trained on gains: networks before and after, on other cases of that world.

    python Testing/benchmarks/adaptation.py OUT [--minutes 5] [--cases 4] [--trials 12] [--world mixture]

L2 to L4 of a phantom: some cases for an adaptation without poses, the same for one with them, and others that neither
sees. No refinement: the networks alone are looked at.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from radgs.case import RegistrationCase
from radgs.drr import WATER
from radgs.evaluation.metrics import volume_similarity
from radgs.geometry import RigidTransform, Volume, mean_distance
from radgs.geometry.roi import roi_index_to_ras, roi_to_world
from radgs.networks import Networks, load_generic
from radgs.networks.recm import crop_views
from radgs.networks.recm.loss import OCCUPIED
from radgs.networks.reconstruction import reconstruct
from radgs.phantom import make_spine
from radgs.phantom.morphometry import LABELS
from radgs.simulation import ArticulatedAnatomy, SimulationSettings, simulate_case
from radgs.simulation.worlds import world_named
from radgs.training.adapt import adapt
from radgs.training.adaptation_cases import AdaptationCase
from radgs.training.scoring import NOTHING_SEEN_MM
from radgs.training.training_vertebra import TrainingVertebra
from radgs.vertebra import PosedVertebra

#: No training, test or benchmark has this patient.
PATIENT = 810_000
LEVELS = ("L2", "L3", "L4")


def looked_at(networks: Networks, cases: Sequence[RegistrationCase], vertebrae: dict[str, TrainingVertebra]) -> dict:
    """Similarity inside the mask, and errors of Kabsch's and RegM's pose, over cases; medians of lengths in mm."""
    networks.recm.eval()
    networks.regm.eval()
    voxels = networks.recm.config.voxels
    ssim: list[float] = []
    kabsch: list[float] = []
    regm: list[float] = []
    for case in cases:
        (level,) = case.levels
        vertebra = vertebrae[level.name]
        posed = PosedVertebra(vertebra.excess, voxels)
        centre = case.triangulated_centre(level.name)
        assert centre is not None
        goal = roi_to_world(centre).inverse() @ case.truth[level.name] @ vertebra.frame_to_ct
        made = reconstruct(networks, crop_views(case.views, centre), posed.posed)
        truth, grid = posed.posed(goal).numpy(), roi_index_to_ras(voxels)
        like = volume_similarity(Volume(made.volume.numpy(), grid), Volume(truth, grid), truth > OCCUPIED * WATER)
        ssim.append(like.inside.ssim)
        for poses, pose in ((kabsch, made.kabsch), (regm, made.regm)):
            poses.append(_error(vertebra, goal, pose))
    return {
        "n": len(cases),
        "ssim_inside": round(float(np.mean(ssim)), 4),
        "kabsch_median_mm": round(float(np.median(kabsch)), 2),
        "kabsch_p95_mm": round(float(np.percentile(kabsch, 95)), 2),
        "regm_median_mm": round(float(np.median(regm)), 2),
        "regm_p95_mm": round(float(np.percentile(regm, 95)), 2),
    }


def _error(vertebra: TrainingVertebra, goal: RigidTransform, pose: RigidTransform | None) -> float:
    return NOTHING_SEEN_MM if pose is None else mean_distance(vertebra.surface, goal, pose)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--cases", type=int, default=4)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--world", default="mixture")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    spine = make_spine(PATIENT, spacing_mm=1.5, osteoporosis=0.4)
    anatomy = ArticulatedAnatomy(spine.ct, spine.labels, LABELS)
    settings = SimulationSettings(detector_pixels=384, world=world_named(given.world))

    def cases(stream: int, count: int) -> list[RegistrationCase]:
        return [
            simulate_case(anatomy, LEVELS[n % 3], np.random.default_rng([given.seed, stream, n]), settings)
            for n in range(count)
        ]

    learned, others = cases(0, given.cases), cases(1, given.trials)
    vertebrae = {}
    for case in others:
        (level,) = case.levels
        if level.name not in vertebrae:
            vertebrae[level.name] = TrainingVertebra.of(case.ct, case.labels, level)
    rows: dict[str, dict] = {"before": looked_at(load_generic(), others, vertebrae)}
    for name, poses in (("without poses", False), ("with poses", True)):
        known = [AdaptationCase(f"case {n}", case, dict(case.truth) if poses else {}) for n, case in enumerate(learned)]
        out = given.out / f"{name.replace(' ', '_')}.radgs.safetensors"
        made = adapt(known, load_generic(), out, minutes=given.minutes, seed=given.seed, device="cpu")
        rows[name] = looked_at(made.networks, others, vertebrae) | {
            "steps": made.networks.record["steps"],
            "unexplained": [round(made.unexplained_before, 3), round(made.unexplained_after, 3)],
        }
        assert made.networks.accuracy is not None
        rows[name]["held_out_simulated"] = asdict(made.networks.accuracy)
        (given.out / "adaptation.json").write_text(json.dumps({"options": str(vars(given)), **rows}, indent=2) + "\n")
        print(name, json.dumps(rows[name], indent=2), flush=True)
    print(json.dumps(rows["before"]), flush=True)


if __name__ == "__main__":
    main()
