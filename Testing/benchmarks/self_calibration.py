"""Solves for the second view with three vertebrae, its geometry read off a display or wrong, and reports how well.

    python Testing/benchmarks/real_ct_data.py                                  # fetches the CT, once
    python Testing/benchmarks/self_calibration.py --out self-calibration       # T10 to T12 of the real CT
    python Testing/benchmarks/self_calibration.py --out self-calibration --phantom

What is off, each trial with poses, views, noise and clicks of its own (``radgs.simulation``):

- nominal: the three angles by 3 degrees and both distances by 20 mm, each with a random sign; solved as by
  ``radgs calibrate --case``;
- right: nothing, and detector-10mm, detector-5deg, source-10mm as ``radgs.simulation.faults`` has them; solved as by
  ``radgs register --self-calibrate``, from the clicks.

Each trial is a line of trials.jsonl: the same command takes up where an interrupted one stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.append(str(Path(__file__).resolve().parents[2] / "RadGSReg"))

import make_demo_case
import numpy as np
import real_ct
import real_ct_data

from radgs.calibration import calibrate_from_patient
from radgs.calibration.view_moves import numbers_between
from radgs.case import Level
from radgs.evaluation.trials import append_line
from radgs.geometry import FloatArray, ViewGeometry, XRayView, mean_distance
from radgs.geometry.sigma import USUAL_SIGMA
from radgs.phantom import make_spine
from radgs.simulation import ArticulatedAnatomy, SimulationSettings, simulate_case
from radgs.simulation.faults import fault_named, with_misplaced_view
from radgs.simulation.nominal_view import read_off
from radgs.vertebra import VertebraAnatomy, build_vertebra_anatomy

NOMINAL, RIGHT = "nominal", "right"
KINDS = (NOMINAL, RIGHT, "detector-10mm", "detector-5deg", "source-10mm")


def subject(phantom: bool) -> tuple[str, ArticulatedAnatomy, tuple[str, ...]]:
    """Who is on the X-rays, and three levels, the middle one near the isocentre."""
    if phantom:
        seed, voxel_mm, noise_hu = make_demo_case.PATIENT_SEED, make_demo_case.VOXEL_MM, make_demo_case.NOISE_HU
        spine = make_spine(seed, spacing_mm=voxel_mm, noise_hu=noise_hu)
        return "phantom", ArticulatedAnatomy(spine.ct, spine.labels, spine.levels), ("L2", "L3", "L4")
    folder = real_ct_data.real_ct_folder()
    if folder is None:
        raise SystemExit(real_ct_data.HOW_TO_GET_IT)
    return "real CT", real_ct.real_subject(folder, ()).load(), tuple(real_ct_data.LEVEL_LABELS)


def off_mm(found: ViewGeometry, true: ViewGeometry, points: FloatArray) -> float:
    """Root mean square distance of points' images in two views, at the points' depth, mm."""
    depth = (points - true.source_ras) @ true.normal / true.source_to_detector_mm
    away = np.linalg.norm(found.project(points) - true.project(points), axis=1)
    return float(np.sqrt(np.mean((away * depth * true.pixel_spacing[0]) ** 2)))


def run_trial(
    name: str, anatomy: ArticulatedAnatomy, vertebrae: Sequence[VertebraAnatomy], kind: str, index: int, seed: int
) -> dict[str, Any]:
    """One trial and its errors, mm."""
    rng = np.random.default_rng([seed, index, *name.encode()])
    levels = [one.level.name for one in vertebrae]
    case = simulate_case(anatomy, levels[1], rng, SimulationSettings(), levels=levels)
    true = case.views[1].geometry
    geometry = _believed(case.views[1], kind, rng)
    views = (case.views[0], replace(case.views[1], geometry=geometry))
    case = replace(case, views=views)
    starts = {one.level.name: case.start_pose(one.level.name, one.centre) for one in vertebrae}
    began = time.perf_counter()
    believed = None if kind == NOMINAL else USUAL_SIGMA
    solved = calibrate_from_patient(views, vertebrae, starts, believed=believed)
    seconds = time.perf_counter() - began
    found = solved.found.applied(views)[1].geometry
    posed = {one.level.name: case.truth[one.level.name].apply(one.surface) for one in vertebrae}
    ends = (vertebrae[0], vertebrae[-1])
    lengths = [
        float(np.linalg.norm(np.subtract(*(poses[one.level.name].apply(one.centre) for one in ends))))
        for poses in (solved.ct_to_world, case.truth)
    ]
    poses_off = [
        mean_distance(one.surface, solved.ct_to_world[one.level.name], case.truth[one.level.name]) for one in vertebrae
    ]
    error = numbers_between(true, found)
    covariance = solved.found.sigma.as_covariance
    return {
        "subject": name,
        "kind": kind,
        "index": index,
        "seed": seed,
        "before_mm": [off_mm(geometry, true, points) for points in posed.values()],
        "after_mm": [off_mm(found, true, points) for points in posed.values()],
        "length_mm": lengths[0] - lengths[1],
        "mtre_mm": poses_off,
        "similarity": float(solved.similarity.min()),
        "beyond_sigma": solved.found.beyond_sigma,
        "held": list(solved.found.held),
        "squares": float(error @ np.linalg.solve(covariance, error)),
        "seconds": seconds,
    }


def _believed(view: XRayView, kind: str, rng: np.random.Generator) -> ViewGeometry:
    if kind == NOMINAL:
        return read_off(view.geometry, rng)
    return view.geometry if kind == RIGHT else with_misplaced_view(view, fault_named(kind), rng).geometry


def report(trials: Sequence[dict[str, Any]]) -> str:
    """A table: one row for each subject and kind."""
    lines = [
        "| subject | geometry | n | before, mm | after, mm: median, largest | <= 0.5 mm "
        "| vertebra to vertebra, mm: largest | poses (mTRE), mm: median, largest | called beyond its sigma |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, kind in dict.fromkeys((trial["subject"], trial["kind"]) for trial in trials):
        mine = [trial for trial in trials if (trial["subject"], trial["kind"]) == (name, kind)]
        before, after, poses = (
            np.array([trial[key] for trial in mine]) for key in ("before_mm", "after_mm", "mtre_mm")
        )
        worst = after.max(axis=1)
        lengths = np.abs([trial["length_mm"] for trial in mine])
        beyond = sum(trial["beyond_sigma"] for trial in mine)
        lines.append(
            f"| {name} | {kind} | {len(mine)} | {np.median(before.max(axis=1)):.1f} | {np.median(worst):.2f}, "
            f"{worst.max():.2f} | {int((worst <= 0.5).sum())} of {len(mine)} | {lengths.max():.2f} "
            f"| {np.median(poses):.2f}, {poses.max():.2f} | {beyond} of {len(mine)} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    """Runs the trials that are not there yet and prints the table."""
    parser = argparse.ArgumentParser(description="Benchmark the calibration of a second view from the patient.")
    parser.add_argument("--out", type=Path, required=True, help="folder for trials.jsonl and report.md")
    parser.add_argument("--phantom", action="store_true", help="the demo's phantom instead of the real CT")
    parser.add_argument("--trials", type=int, default=10, help="of each kind (default 10)")
    parser.add_argument("--kinds", nargs="+", default=[NOMINAL, RIGHT], choices=KINDS)
    parser.add_argument("--seed", type=int, default=0, help="of poses, views, clicks, noise and errors (default 0)")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    log = arguments.out / "trials.jsonl"
    trials = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.is_file() else []
    done = {(trial["subject"], trial["kind"], trial["index"], trial["seed"]) for trial in trials}
    name = "phantom" if arguments.phantom else "real CT"
    wanted = [(kind, index) for index in range(arguments.trials) for kind in arguments.kinds]
    due = [(kind, index) for kind, index in wanted if (name, kind, index, arguments.seed) not in done]
    if due:
        name, anatomy, levels = subject(arguments.phantom)
        vertebrae = [
            build_vertebra_anatomy(anatomy.ct, anatomy.labels, Level(level, anatomy.levels[level])) for level in levels
        ]
        for kind, index in due:
            trials.append(run_trial(name, anatomy, vertebrae, kind, index, arguments.seed))
            append_line(log, json.dumps(trials[-1]))
            print(json.dumps(trials[-1]), flush=True)
    table = report(trials)
    (arguments.out / "report.md").write_text(table, encoding="utf-8")
    print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
