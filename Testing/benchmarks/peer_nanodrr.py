"""The strongest public parts on the same cases: nanodrr, all of the CT first, then the vertebra alone.

    python Testing/benchmarks/peer_nanodrr.py --out peer --levels T11 --world clean ct-150 blades scatter-1.6

Adam moves all of the CT by multiscale normalised cross-correlation and that of gradients, and then the vertebra alone
by that of gradients, as a user of nanodrr could put it together. Cases, start and region are those of ``real_ct.py``;
peer.jsonl is taken up again. nanodrr (PyPI; its wheel, 0.1.7, states no licence) and einops are asked for by the tests'
requirements and are no part of the engine.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.append(str(Path(__file__).resolve().parents[2] / "RadGSReg"))

import real_ct_data
from real_ct import DEMO, demo_subject, real_subject

from radgs.case import RegistrationCase
from radgs.drr import attenuation_from_hu
from radgs.evaluation.metrics import mtre
from radgs.evaluation.statistics import clopper_pearson_interval
from radgs.evaluation.tables import table
from radgs.evaluation.trials import trial_case
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, Volume, XRayView, unit
from radgs.io.atomic import write_text
from radgs.simulation import SimulationSettings
from radgs.simulation.worlds import WORLDS, world_named
from radgs.vertebra import SeparatedCT
from radgs.vertebra.separation import resampled_isotropic

try:
    from nanodrr.data import Subject
    from nanodrr.drr import render
    from nanodrr.metrics import GradientNormalizedCrossCorrelation2d, MultiscaleNormalizedCrossCorrelation2d
except ImportError:
    HAS_NANODRR = False
else:
    HAS_NANODRR = True

WHOLE_VOXEL_MM, VERTEBRA_VOXEL_MM = 2.0, 1.0
#: Region about the clicks, its pixels, and samples along a ray through the volume.
REGION_MM, PIXELS, SAMPLES = 128.0, 128, 150
#: nanodrr's rays end at its detector. A crop's stands within the patient; behind all of it, at so many times its
#: distance, it shows the same rays.
DETECTOR_BEHIND = 1.8
#: Local windows of the correlations, pixels; None is global.
NCC_WINDOWS, GRADIENT_WINDOW = [None, 9], 11
#: Largest steps, mm, and one radian counts as so many.
STEP_MM, MM_PER_RADIAN = 0.6, 25.0


@dataclass(frozen=True, eq=False)
class PeerVertebra:
    """What a CT gives the peer: its volumes, and what its result is scored on.

    ``coarse`` is the vertebra alone on voxels as large as those of the whole CT.
    """

    whole: Any
    alone: Any
    coarse: Any
    centre: FloatArray
    surface: FloatArray

    @classmethod
    def of(cls, case: RegistrationCase) -> PeerVertebra:
        """Of a case's first level."""
        label = case.levels[0].label
        separated = SeparatedCT.around(case.ct, case.labels, label)
        whole = resampled_isotropic(case.ct, WHOLE_VOXEL_MM, values=attenuation_from_hu)
        alone, coarse = (subject_of(separated.sampled_excess(label, mm)) for mm in (VERTEBRA_VOXEL_MM, WHOLE_VOXEL_MM))
        return cls(subject_of(whole), alone, coarse, separated.frames.body_centre(label), separated.surface(label))


def subject_of(volume: Volume) -> Any:
    """A volume of attenuation, 1/mm, as nanodrr has it."""
    image = torch.from_numpy(np.ascontiguousarray(volume.array, dtype=np.float32))[None, None]
    to_world = torch.from_numpy(volume.index_to_ras).float()
    to_voxel = torch.from_numpy(np.linalg.inv(volume.index_to_ras)).float()
    to_grid = Subject._make_voxel_to_grid(image.shape)
    return Subject(image, torch.zeros_like(image), to_world, to_voxel, to_grid, torch.zeros(3), convert_to_mu=False)


@dataclass(frozen=True, eq=False)
class Camera:
    """A cropped view as nanodrr has it, its X-ray (1, 1, H, W), and what is drawn there besides the volume."""

    inverse_intrinsic: Tensor
    to_world: Tensor
    distance: Tensor
    image: Tensor
    still: Tensor

    @classmethod
    def of(cls, view: XRayView, centre: FloatArray, pixels: int = PIXELS, region_mm: float = REGION_MM) -> Camera:
        """The view around a point; all pixels are looked at, for nanodrr knows of no field of measurement."""
        everywhere = np.ones(view.image.shape, dtype=bool)
        seen, _ = XRayView(view.name, view.image, view.geometry, view.conversion, everywhere).crop(
            centre, region_mm, pixels
        )
        inverse_intrinsic, to_world, distance = camera_matrices(seen.geometry)
        return cls(
            torch.from_numpy(inverse_intrinsic)[None].float(),
            torch.from_numpy(to_world).float(),
            torch.tensor([distance], dtype=torch.float32),
            torch.from_numpy(seen.image)[None, None],
            torch.zeros(()),
        )


def camera_matrices(geometry: ViewGeometry) -> tuple[FloatArray, FloatArray, float]:
    """Inverse intrinsic matrix (3, 3), camera to world (4, 4) and how far its rays go, mm; half-pixel centres."""
    axes = np.column_stack([unit(geometry.column_step), unit(geometry.row_step), geometry.normal])
    to_world = np.eye(4)
    to_world[:3, :3], to_world[:3, 3] = axes, geometry.source_ras
    column, row, depth = axes.T @ (geometry.detector_to_ras[:3, 3] - geometry.source_ras)
    across, down = geometry.pixel_spacing
    inverse_intrinsic = np.array(
        [[across / depth, 0, (column - across / 2) / depth], [0, down / depth, (row - down / 2) / depth], [0, 0, 1]]
    )
    return inverse_intrinsic, to_world, DETECTOR_BEHIND * float(depth)


def aligned(
    volume: Any, cameras: Sequence[Camera], pose: RigidTransform, centre: FloatArray, losses: Sequence[Any], steps: int
) -> RigidTransform:
    """Adam on the sum of the views' similarities; the best pose met.

    Args:
        volume: What is moved.
        cameras: The views.
        pose: Where it begins, ct_to_world.
        centre: (3,) what it turns about, world.
        losses: Similarities of a DRR and an X-ray, their sum is what counts.
        steps: How many.
    """
    start, about = torch.from_numpy(pose.matrix).float(), torch.from_numpy(np.asarray(centre)).float()
    twist = torch.zeros(6, requires_grad=True)
    optimizer = torch.optim.Adam([twist], lr=STEP_MM)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=0.05 * STEP_MM)
    best, best_pose = -math.inf, start
    for _ in range(steps):
        optimizer.zero_grad()
        moved = moved_by(start, twist, about, MM_PER_RADIAN)
        score = similarity(volume, cameras, moved, losses)
        if float(score.detach()) > best:
            best, best_pose = float(score.detach()), moved.detach()
        (-score).backward()
        optimizer.step()
        schedule.step()
    return RigidTransform.from_matrix(orthonormal(best_pose.double().numpy()))


def drawn(volume: Any, camera: Camera, ct_to_world: Tensor, samples: int = SAMPLES) -> Tensor:
    """(1, 1, H, W) a volume at a pose (4, 4) as a camera sees it, before what is still."""
    pixels = camera.image.shape[-1]
    pose = (torch.linalg.inv(ct_to_world) @ camera.to_world)[None]
    picture = render(volume, camera.inverse_intrinsic, pose, camera.distance, pixels, pixels, n_samples=samples)
    return camera.still + picture


def similarity(
    volume: Any, cameras: Sequence[Camera], ct_to_world: Tensor, losses: Sequence[Any], samples: int = SAMPLES
) -> Tensor:
    """The sum of the views' similarities with a volume at a pose (4, 4)."""
    score = torch.zeros(())
    for camera in cameras:
        picture = drawn(volume, camera, ct_to_world, samples)
        score = score + sum(loss(picture, camera.image).sum() for loss in losses)
    return score


def moved_by(start: Tensor, twist: Tensor, about: Tensor, mm_per_radian: float) -> Tensor:
    """(4, 4) the pose turned about a point and shifted; turns in units of as many mm as a radian counts for."""
    x, y, z = twist[:3] / mm_per_radian
    nothing = torch.zeros_like(x)
    skew = torch.stack([nothing, -z, y, z, nothing, -x, -y, x, nothing]).reshape(3, 3)
    turn = torch.linalg.matrix_exp(skew)
    shift = twist[3:] + about - turn @ about
    top = torch.cat([turn @ start[:3, :3], (turn @ start[:3, 3] + shift)[:, None]], dim=1)
    return torch.cat([top, start[3:]])


def orthonormal(pose: FloatArray) -> FloatArray:
    """(4, 4) the nearest rigid pose."""
    left, _, right = np.linalg.svd(pose[:3, :3])
    pose[:3, :3] = left @ right
    return pose


def whole_losses() -> tuple[Any, Any]:
    """Multiscale normalised correlation, and that of gradients: the first stage's; the second's is the latter alone."""
    return (
        MultiscaleNormalizedCrossCorrelation2d(NCC_WINDOWS, [0.5, 0.5]),
        GradientNormalizedCrossCorrelation2d(GRADIENT_WINDOW),
    )


def register_by_peer(case: RegistrationCase, vertebra: PeerVertebra, steps: int) -> dict[str, RigidTransform]:
    """Poses by stage: "start", "whole" and "alone"."""
    start = case.start_pose(case.levels[0].name, vertebra.centre)
    ncc, gradient = whole_losses()
    centre = start.apply(vertebra.centre)
    cameras = [Camera.of(view, centre) for view in case.views]
    whole = aligned(vertebra.whole, cameras, start, centre, (ncc, gradient), steps)
    centre = whole.apply(vertebra.centre)
    cameras = [Camera.of(view, centre) for view in case.views]
    return {
        "start": start,
        "whole": whole,
        "alone": aligned(vertebra.alone, cameras, whole, centre, (gradient,), steps),
    }


def write_report(records: Sequence[dict[str, Any]], out: Path) -> Path:
    """report.md: each world and each number of steps apart, every failure named."""
    rows, failures = [], []
    for world, steps in sorted(
        {(r["world"], r["steps"]) for r in records}, key=lambda at: (list(WORLDS).index(at[0]), at[1])
    ):
        members = [r for r in records if (r["world"], r["steps"]) == (world, steps)]
        errors = np.array([r["stages_mm"]["alone"] for r in members])
        near = int((errors < 2.0).sum())
        low, high = clopper_pearson_interval(near, len(members))
        seconds = np.median([r["cpu_seconds"] for r in members])
        whole = np.median([r["stages_mm"]["whole"] for r in members])
        cells = (f"{near} ({low:.0%} to {high:.0%})", f"{np.median(errors):.2f}", f"{errors.max():.2f}", f"{whole:.2f}")
        rows.append([world, str(steps), str(len(members)), *cells, f"{seconds:.0f}"])
        failures += [
            f"- {world}, {steps} steps: {r['level']} {r['index']}: {r['stages_mm']['alone']:.1f} mm"
            for r in members
            if not r["stages_mm"]["alone"] < 2.0
        ]
    headings = [
        "world",
        "steps a stage",
        "n",
        "< 2 mm",
        "median",
        "max",
        "median of the whole CT",
        "processor s, median",
    ]
    parts = [
        "# nanodrr on the same cases (mTRE, mm)",
        table(headings, rows),
        "## 2 mm or more",
        "\n".join(failures) or "None.",
    ]
    path = out / "report.md"
    write_text(path, "\n\n".join(parts) + "\n", private=False)
    return path


def main() -> int:
    """Runs what is missing of peer.jsonl and reports; exit status 1 without nanodrr or the CT."""
    parser = argparse.ArgumentParser(description="Register the benchmark's cases by nanodrr.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=8, help="the first so many of each vertebra and world")
    parser.add_argument("--levels", nargs="+", default=["T11"], choices=[*real_ct_data.LEVEL_LABELS, DEMO])
    parser.add_argument("--world", nargs="+", default=["clean", "ct-150", "blades", "scatter-1.6"])
    parser.add_argument("--steps", type=int, default=150, help="of Adam, in each of the two stages")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    folder = real_ct_data.real_ct_folder()
    if not HAS_NANODRR or folder is None:
        missing = "nanodrr and einops are not installed" if not HAS_NANODRR else real_ct_data.HOW_TO_GET_IT
        print(missing, file=sys.stderr)
        return 1
    arguments.out.mkdir(parents=True, exist_ok=True)
    log = arguments.out / "peer.jsonl"
    records = [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []
    known = {(r["world"], r["level"], r["index"], r["seed"], r["steps"]) for r in records}
    real = real_subject(folder, tuple(name for name in arguments.levels if name != DEMO))
    subjects = [(real, level) for level in real.levels]
    subjects += [(demo_subject(), demo_subject().levels[0])] if DEMO in arguments.levels else []
    anatomies: dict[str, Any] = {}
    vertebrae: dict[tuple[str, Any, float], PeerVertebra] = {}
    for index in range(arguments.trials):
        for subject, level in subjects:
            for name in arguments.world:
                world = world_named(name)
                if (name, level, index, arguments.seed, arguments.steps) in known:
                    continue
                if subject.name not in anatomies:
                    anatomies[subject.name] = subject.load()
                settings = replace(SimulationSettings(), world=world)
                case = trial_case(subject, anatomies[subject.name], level, index, arguments.seed, settings)
                shown = (level, world.extent, world.extent_mm)
                if shown not in vertebrae:
                    vertebrae[shown] = PeerVertebra.of(case)
                vertebra = vertebrae[shown]
                began = time.process_time()
                poses = register_by_peer(case, vertebra, arguments.steps)
                seconds = time.process_time() - began
                errors = {stage: mtre(vertebra.surface, case.truth[level], pose) for stage, pose in poses.items()}
                which = {"world": name, "level": level, "index": index, "seed": arguments.seed}
                records.append({**which, "steps": arguments.steps, "stages_mm": errors, "cpu_seconds": seconds})
                with log.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(records[-1]) + "\n")
                print(
                    which, {stage: round(error, 2) for stage, error in errors.items()}, f"{seconds:.0f} s", flush=True
                )
    print(write_report(records, arguments.out).read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
