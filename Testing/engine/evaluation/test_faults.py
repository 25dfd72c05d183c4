"""Cases that are wrong on purpose: how they are counted, and a sample of them through the whole engine."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from radgs.case import Verdict
from radgs.evaluation.fault_benchmark import fault_report
from radgs.evaluation.fault_trials import (
    FaultTrial,
    PlannedTrial,
    append_fault_trial,
    read_fault_trials,
    run_fault_trials,
)
from radgs.evaluation.statistics import clopper_pearson_interval
from radgs.evaluation.trials import BenchmarkSubject
from radgs.phantom import make_spine
from radgs.phantom.morphometry import LABELS
from radgs.simulation import ArticulatedAnatomy


def trial(
    fault: str,
    verdict: Verdict,
    mtre_mm: float,
    revealable: bool = True,
    refused: str = "",
    flip_power: float = 0.4,
) -> FaultTrial:
    planned = PlannedTrial("phantom 1", "L3", fault, "clean", 0, 0, revealable)
    codes = () if verdict == "accept" else ("views",)
    grounds = {} if refused else {"flip_power": flip_power}
    return FaultTrial(planned, verdict, refused, codes, mtre_mm, 1.0, grounds)


def test_an_exact_interval_is_never_empty() -> None:
    assert clopper_pearson_interval(0, 370) == pytest.approx((0.0, 0.00992), abs=1e-4)
    assert clopper_pearson_interval(0, 0) == (0.0, 1.0)
    low, high = clopper_pearson_interval(1, 20)
    assert low < 0.05 < high


@pytest.mark.parametrize(
    ("verdict", "mtre_mm", "silent", "gross"),
    [
        ("accept", 1.9, False, False),
        ("accept", 2.1, True, False),
        ("accept", math.inf, True, True),
        ("check", 6.0, False, True),
        ("reject", 6.0, False, False),
        ("reject", math.nan, False, False),
    ],
)
def test_what_counts_against_a_verdict(verdict: Verdict, mtre_mm: float, silent: bool, gross: bool) -> None:
    made = trial("cropped", verdict, mtre_mm)
    assert (made.silent_failure, made.gross_and_not_rejected) == (silent, gross)
    assert json.loads(json.dumps(made.to_json_dict(), allow_nan=False))["no_right_pose"] == math.isinf(mtre_mm)


@pytest.mark.parametrize(
    ("fault", "expected"), [("mirrored-ap", False), ("mirrored-ct", False), ("detector-5deg", True)]
)
def test_a_mirror_without_a_trial_that_can_tell_it_counts_as_asked_for(fault: str, expected: bool) -> None:
    for verdict in ("accept", "check", "reject"):
        assert trial(fault, verdict, 9.0, flip_power=0.1).revealable == expected
    assert trial(fault, "check", 9.0, flip_power=0.2).revealable


def test_the_report_keeps_apart_what_can_be_revealed_and_hides_no_failure() -> None:
    trials = [
        trial("mirrored-ap", "accept", 28.0),
        trial("mirrored-ap", "reject", 5.0),
        trial("moved-along-beam-5mm", "accept", 5.0, revealable=False),
        trial("labels-5mm", "reject", math.nan, refused="The label and the bone do not coincide."),
        trial("none", "accept", 0.1, revealable=False),
        trial("none", "check", 0.2, revealable=False),
    ]
    report = fault_report(trials, "radgs benchmark --faults --seed 0")
    assert "`radgs benchmark --faults --seed 0`: 6 registrations" in report
    assert "| revealable, accepted beyond 2 mm | 1 of 3 |" in report
    assert "| not revealable, accepted beyond 2 mm | 1 of 1 |" in report
    assert "| right poses (<= 1 mm) not accepted | 1 of 2 |" in report
    assert "| mirrored-ap | 2 of 2 | 1 | 0 | 1 | 0 | 1 | views |" in report
    assert "| labels-5mm | 1 of 1 | 0 | 0 | 0 | 1 | 0 | views |" in report


@pytest.mark.slow
def test_a_seeded_sample_of_faults_is_not_accepted(tmp_path: Path) -> None:
    """One vertebra of one phantom; half a minute a fault on two quiet cores, the vertebra of the vertebra once."""

    def load() -> ArticulatedAnatomy:
        spine = make_spine(5, spacing_mm=2.0)
        return ArticulatedAnatomy(spine.ct, spine.labels, LABELS)

    faults = ("none", "mirrored-ap", "detector-10mm", "labels-5mm")
    plan = tmp_path / "planned.jsonl"
    patients = [BenchmarkSubject("phantom 5", "phantom", ("L3",), load)]
    trials = list(run_fault_trials(patients, faults, ("clean",), 1, 4, detector_pixels=192, plan=plan))
    assert len(plan.read_text(encoding="utf-8").splitlines()) == len(faults)
    by_fault = {one.planned.fault: one for one in trials}
    assert by_fault["none"].mtre_mm < 1.0
    assert by_fault["none"].verdict != "reject"
    assert "do not coincide" in by_fault["labels-5mm"].refused
    for one in trials:
        assert not one.silent_failure, one


def test_an_interrupted_run_takes_over_what_it_has(tmp_path: Path) -> None:
    """Where every trial is there nobody is loaded and nothing registered; numbers that JSON lacks come back."""

    def load() -> ArticulatedAnatomy:
        raise AssertionError("nothing is due")

    planned = [PlannedTrial("phantom 1", "L3", fault, "clean", 0, 7, True) for fault in ("none", "mirrored-ct")]
    trials = [
        FaultTrial(planned[0], "check", "", ("views",), 0.2, 1.0, {"views_mm": 1.3, "network_mm": math.nan}),
        FaultTrial(planned[1], "reject", "", (), math.inf, math.nan),
    ]
    log = tmp_path / "faults.jsonl"
    for one in trials:
        append_fault_trial(log, one)
    with log.open("a", encoding="utf-8") as stream:
        stream.write('{"planned": {"pat')
    patients = [BenchmarkSubject("phantom 1", "phantom", ("L3",), load)]
    finished = read_fault_trials(log)
    again = list(run_fault_trials(patients, ("none", "mirrored-ct"), ("clean",), 1, 7, finished=finished))
    assert [one.planned for one in again] == planned
    assert math.isinf(again[1].mtre_mm)
    assert again[0].grounds["views_mm"] == 1.3
    assert math.isnan(again[0].grounds["network_mm"])
