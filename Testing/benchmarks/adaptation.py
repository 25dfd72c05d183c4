"""What adaptation to X-rays of a world never trained on gains: networks before and after, on other cases of that world.

    python Testing/benchmarks/adaptation.py OUT --arm without-poses [--minutes 5] [--cases 3] [--trials 9]

L2 to L4 of a phantom: some cases to adapt to, without their poses or with them, and others that the adaptation does not
see. No refinement: the networks alone are looked at.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[2] / "RadGSReg"))

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
from radgs.training.adapt import AdaptationSettings, adapt
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
    parser.add_argument("--arm", choices=("without-poses", "with-poses"), required=True)
    parser.add_argument("--cases", type=int, default=3)
    parser.add_argument("--trials", type=int, default=9)
    parser.add_argument("--simulated", type=int, default=8, help="pairs of each vertebra of the cases")
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
    before = looked_at(load_generic(), others, vertebrae)
    print(json.dumps(before), flush=True)
    poses = given.arm == "with-poses"
    known = [AdaptationCase(f"case {n}", case, dict(case.truth) if poses else {}) for n, case in enumerate(learned)]
    made = adapt(
        known,
        load_generic(),
        given.out / f"{given.arm}.radgs.safetensors",
        minutes=given.minutes,
        seed=given.seed,
        device="cpu",
        settings=AdaptationSettings(simulated=given.simulated, held_out=max(2, given.simulated // 4)),
        progress=lambda fraction, message: print(f"{fraction:.2f} {message}", file=sys.stderr, flush=True),
    )
    assert made.networks.accuracy is not None
    report = {
        "options": {name: str(value) for name, value in vars(given).items() if name != "out"},
        "before": before,
        "after": looked_at(made.networks, others, vertebrae),
        "kept_after_steps": made.networks.record["steps"],
        "unexplained": {"before": made.unexplained_before, "after": made.unexplained_after},
        "held_out_simulated": asdict(made.networks.accuracy),
    }
    (given.out / f"{given.arm}.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2), flush=True)


if __name__ == "__main__":
    main()
