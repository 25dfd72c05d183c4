"""Five levels of articulated phantoms: one by one, as five cases of one level, and as one case of five, in one run.

    python Testing/benchmarks/several_levels.py --patients 2 --cases 5 --out levels.json

Joints move by up to 4 degrees and 2 mm each, as everywhere in ``radgs.simulation``; the X-rays are
43 cm wide, so that both show all five. Vertebrae are at hand before the clock runs; the two forms take turns.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

# Runs from a bare checkout too, before the package is installed.
sys.path.append(str(Path(__file__).resolve().parents[2] / "RadGSReg"))

from radgs.case import LevelResult, RegistrationCase
from radgs.evaluation.metrics import mtre
from radgs.phantom import make_spine
from radgs.pipeline import register
from radgs.simulation import ArticulatedAnatomy, SimulationSettings, simulate_case
from radgs.vertebra import VertebraAnatomy, build_vertebra_anatomy

LEVELS = ("L1", "L2", "L3", "L4", "L5")
T12 = 19
VOXEL_MM = 1.5
BONE_LOSS = 0.4
#: Patients of this script, apart from those of other benchmarks.
FIRST_PATIENT = 2000
SETTINGS = SimulationSettings(detector_pixels=512, detector_mm=430.0)
RESAMPLES = 10_000

Vertebrae = dict[str, VertebraAnatomy]


def cases_of(patient: int, count: int) -> tuple[list[RegistrationCase], Vertebrae]:
    """A patient's cases, all of one CT, and its vertebrae."""
    seed = FIRST_PATIENT + patient
    spine = make_spine(seed, spacing_mm=VOXEL_MM, osteoporosis=BONE_LOSS * patient)
    anatomy = ArticulatedAnatomy(spine.ct, spine.labels, {"T12": T12, **spine.levels})
    cases = [
        simulate_case(anatomy, "L3", np.random.default_rng([seed, index]), SETTINGS, levels=LEVELS)
        for index in range(count)
    ]
    first = cases[0]
    return cases, {level.name: build_vertebra_anatomy(first.ct, first.labels, level) for level in first.levels}


def registered(case: RegistrationCase, vertebrae: Vertebrae) -> tuple[dict[str, LevelResult], dict[str, float]]:
    """The levels, and wall and CPU seconds that they took together."""
    wall, cpu = time.perf_counter(), time.process_time()
    levels = register(case, device="cpu", vertebrae=vertebrae).result.levels
    return dict(levels), {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def only(case: RegistrationCase, name: str) -> RegistrationCase:
    """The same X-rays with one of the levels."""
    return replace(case, levels=(case.level(name),), initial={name: case.initial[name]}, truth={name: case.truth[name]})


def scored(level: LevelResult, case: RegistrationCase, vertebra: VertebraAnatomy) -> dict[str, Any]:
    """A level's error and verdict."""
    pose = level.ct_to_world
    error = float("nan") if pose is None else mtre(vertebra.surface, case.truth[vertebra.level.name], pose)
    return {"mtre_mm": error, "verdict": level.verdict, "reasons": [reason.code for reason in level.reasons]}


def compared(case: RegistrationCase, vertebrae: Vertebrae) -> dict[str, Any]:
    """One case in both forms."""
    alone = {name: registered(only(case, name), vertebrae) for name in LEVELS}
    together, seconds = registered(case, vertebrae)
    return {
        "alone_seconds": {name: taken for name, (_, taken) in alone.items()},
        "together_seconds": seconds,
        "alone": {name: scored(levels[name], case, vertebrae[name]) for name, (levels, _) in alone.items()},
        "together": {name: scored(together[name], case, vertebrae[name]) for name in LEVELS},
    }


def summary(records: list[dict[str, Any]]) -> dict[str, Any]:
    """What is compared: errors in pairs, verdicts, and what five levels cost in units of one."""
    errors = np.array(
        [[[record[form][name]["mtre_mm"] for name in LEVELS] for form in ("alone", "together")] for record in records]
    )
    by_case = (errors[:, 1] - errors[:, 0]).mean(axis=1)
    rng = np.random.default_rng(0)
    means = by_case[rng.integers(0, len(by_case), (RESAMPLES, len(by_case)))].mean(axis=1)
    verdicts = Counter(
        f"{record['alone'][name]['verdict']} -> {record['together'][name]['verdict']}"
        for record in records
        for name in LEVELS
    )
    costs = {}
    for clock in ("wall", "cpu"):
        five = np.array([record["together_seconds"][clock] for record in records])
        each = np.array([[taken[clock] for taken in record["alone_seconds"].values()] for record in records])
        costs[clock] = {
            "five_over_the_mean_of_one": float(np.median(five / each.mean(axis=1))),
            "five_over_the_middle_one": float(np.median(five / np.median(each, axis=1))),
            "five_over_one_by_one": float(np.median(five / each.sum(axis=1))),
            "medians_s": {"five": float(np.median(five)), "one": float(np.median(each))},
        }
    return {
        "cases": len(records),
        "levels": errors[:, 0].size,
        "mean_mtre_mm": errors.mean(axis=(0, 2)).tolist(),
        "median_mtre_mm": np.median(errors, axis=(0, 2)).tolist(),
        "p95_mtre_mm": np.percentile(errors, 95, axis=(0, 2)).tolist(),
        "above_1_mm": (errors > 1).sum(axis=(0, 2)).tolist(),
        "difference_mm": [float(by_case.mean()), *np.percentile(means, [2.5, 97.5]).tolist()],
        "verdicts": dict(verdicts),
        "costs": costs,
    }


def main() -> None:
    """Runs the cases and prints the summary after each, so that an interrupted run tells what it has."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=2)
    parser.add_argument("--cases", type=int, default=5, help="of each patient")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    records: list[dict[str, Any]] = []
    for patient in range(arguments.patients):
        cases, vertebrae = cases_of(patient, arguments.cases)
        registered(only(cases[0], "L3"), vertebrae)  # kernels are compiled, parts are made
        registered(cases[0], vertebrae)
        for case in cases:
            records.append(compared(case, vertebrae))
            print(json.dumps(summary(records)), flush=True)
            content = {"summary": summary(records), "records": records}
            arguments.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
