"""Predicted errors are held against the errors."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from matplotlib.figure import Figure

from radgs.evaluation.reliability import draw_reliability, predicted_and_actual, reliability_section
from radgs.evaluation.trials import Trial


def trial(predicted_mm: float, actual_mm: float, world: str = "clean") -> Trial:
    return Trial(
        cohort="phantom",
        patient="phantom 1",
        level="L2",
        index=0,
        seed=5,
        mtre_mm=0.7 * actual_mm,
        surface_p95_mm=actual_mm,
        predicted_p95_mm=predicted_mm,
        rotation_deg=0.4,
        start_rotation_deg=9.0,
        click_offset_mm=6.0,
        stages_mm={},
        reconstruction={},
        verdict="accept",
        reasons=(),
        seconds=2.0,
        preparation_seconds=5.0,
        world=world,
    )


@pytest.fixture
def trials() -> list[Trial]:
    """Nine of ten within what was predicted, four times as much as the error; and one without a pose."""
    right = [trial(1.0 + 0.1 * number, 0.25 + 0.025 * number) for number in range(9)]
    return [*right, trial(1.0, 3.0, "blades"), trial(math.nan, math.nan)]


def test_worlds_and_all_are_counted_apart(trials: list[Trial]) -> None:
    rows = [line.split(" | ") for line in reliability_section(trials).splitlines() if line.startswith("| ")]
    cells = {row[0].strip("| "): row[1:] for row in rows}
    assert cells["clean"][0] == "9"
    assert cells["clean"][1].startswith("100% (66%")
    assert cells["clean"][4].strip(" |") == "4.0"
    assert cells["blades"][1].startswith("0% (0% to")
    assert cells["all"][1].startswith("90% (55%")


def test_pedicles_have_a_row_of_their_own(trials: list[Trial]) -> None:
    there = [
        replace(one, pedicle_mm=0.4, predicted_pedicle_mm=wide)
        for one, wide in zip(trials[:2], (0.8, 0.2), strict=True)
    ]
    (row,) = [line for line in reliability_section([*there, *trials[2:]]).splitlines() if line.startswith("| pedicles")]
    assert row.startswith("| pedicles | 2 | 50% (1% to 99%) | 0.50 | 0.40 |")
    assert "pedicle" not in reliability_section(trials)


def test_trials_without_a_pose_are_not_in_it(trials: list[Trial]) -> None:
    assert len(predicted_and_actual(trials)) == 10
    assert reliability_section(trials[-1:]) == ""


def test_the_diagram_shows_where_predictions_were_too_small(trials: list[Trial]) -> None:
    axis = Figure().add_subplot()
    draw_reliability(axis, [*trials[:9], replace(trials[0], predicted_p95_mm=0.1)])
    shares = [float(container.lines[0].get_ydata()[0]) for container in axis.containers]
    assert shares == [0.5, 1.0, 1.0, 1.0, 1.0]


def test_no_trial_leaves_an_empty_diagram() -> None:
    axis = Figure().add_subplot()
    draw_reliability(axis, [])
    assert not axis.containers
