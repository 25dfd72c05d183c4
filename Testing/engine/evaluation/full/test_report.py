"""The full report tells every curve with its n, the peers on the very cases that they had, and what is missing."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from full_trials import full_trial
from matplotlib.figure import Figure

from radgs.evaluation.full.capture import Point
from radgs.evaluation.full.curves import draw_errors, draw_success, ranges_of
from radgs.evaluation.full.plan import CohortPlan, FullPlan, PlannedTrial, StartPlan, SubjectPlan
from radgs.evaluation.full.records import FullTrial, PeerTrial, read_trials
from radgs.evaluation.full.report import write_full_report
from radgs.evaluation.full.session import FullRequest, run_full_benchmark
from radgs.evaluation.full.voxel_grid import GridRecord

PLAN = FullPlan(
    7,
    96,
    {
        "one": SubjectPlan("one", ("L2",), phantom=3),
        "real": SubjectPlan("real", ("T10",), ct="ct", labels="labels", moving={"T10": 34}),
    },
    {
        "clean": CohortPlan("clean", ("one", "real"), 4),
        "capture": CohortPlan("capture", ("real",), 30, "pose", start=StartPlan(15.0, 10.0, bin_mm=5.0, bin_deg=5.0)),
        "along": CohortPlan("along", ("one",), 2, "along the spine", values=(0.55, 1.0)),
        "dose": CohortPlan("dose", ("one",), 2, "dose", values=(1e3, 1e5)),
    },
)


def planned(cohort: str, subject: str, index: int, value: float | None = None) -> PlannedTrial:
    return PlannedTrial(cohort, subject, PLAN.subjects[subject].levels[0], index, "clean", value)


def capture_trials() -> list[FullTrial]:
    """Ten starts in each of three intervals of 5 mm; two of the middle one fail, one is accepted. RegM fails all."""
    made = []
    for index in range(30):
        start_mm = 5.0 * (index % 3) + 2.5
        mtre_mm = 7.0 if index in (1, 4) else 0.3
        stages = {"start": start_mm, "kabsch": 1.0, "regm": 5.0, "refined": mtre_mm}
        verdict = "accept" if index != 4 else "reject"
        made.append(
            full_trial(
                planned("capture", "real", index),
                mtre_mm,
                stages_mm=stages,
                start_rotation_deg=2.0 if index < 15 else 7.0,
                verdict=verdict,
            )
        )
    return made


@pytest.fixture
def trials() -> list[FullTrial]:
    clean = [
        full_trial(planned("clean", name, index), 0.1 + 0.1 * index) for name in ("one", "real") for index in (0, 1)
    ]
    along = [
        full_trial(planned("along", "one", 0, 0.55), 0.4),
        full_trial(planned("along", "one", 1, 0.55), 31.0, verdict="check", reasons=("level",)),
        full_trial(planned("along", "one", 0, 1.0), 31.0, verdict="reject", reasons=("views",)),
        full_trial(planned("along", "one", 1, 1.0), 32.0),
    ]
    return [*clean, *along, full_trial(planned("dose", "one", 0, 1e3), math.nan), *capture_trials()]


def written(trials: list[FullTrial], folder: Path, peers: list[PeerTrial] | None = None) -> str:
    grids = [GridRecord(64, 200, 0.1, 0.5, math.nan, 0.3)]
    run = {"command": "radgs benchmark --full --out here", "commit": "abc", "trials": 9, "cpu_hours": 0.5, "hours": 0.7}
    return write_full_report(PLAN, trials, peers or [], grids, folder, [run]).read_text(encoding="utf-8")


def rows_of(section: str) -> list[list[str]]:
    """Cells of every row of a section's tables."""
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("|")]


def section(text: str, name: str) -> str:
    return text.split(f"## {name}\n")[1].split("\n## ")[0]


def test_what_was_run_and_what_of_the_plan_is_missing(trials: list[FullTrial], tmp_path: Path) -> None:
    text = written(trials, tmp_path)
    rows = {row[0]: row for row in rows_of(section(text, "What was run"))}
    assert rows["clean"][2:5] == ["4 of 8", "2", "2"]
    assert rows["capture"][2] == "30 of 30"
    assert rows["all"][2] == f"{len(trials)} of 46"
    assert "Not all of the plan has been run" in text
    assert "| `radgs benchmark --full --out here` | abc | 9 | 0.50 | 0.70 |" in text


def test_capture_range_is_told_by_stage_and_by_vertebra_with_every_interval(
    trials: list[FullTrial], tmp_path: Path
) -> None:
    told = section(written(trials, tmp_path), "capture")
    rows = {row[0]: row for row in rows_of(told)}
    assert rows["RadGSReg"][1:3] == ["30", "5 mm"]  # the middle interval fails: 8 of 10
    assert rows["RadGSReg, real T10"][2] == "5 mm"
    assert rows["the paper's chain alone, Kabsch"][2] == "15 mm or more (no interval failed)"
    assert rows["the paper's chain alone, RegM"][2] == "0 mm"
    by_mm, by_degrees = (row for row in rows_of(told) if row[0] == "5 to 10")
    assert by_mm[1:] == ["8 of 10 = 80% (44% to 97%)", "1 of 10"]
    assert by_degrees[1] == "15 of 15 = 100% (78% to 100%)"
    assert "![capture](capture.png)" in told
    in_mm, in_deg = ranges_of(PLAN.cohorts["capture"], capture_trials())
    assert (in_mm.limit, in_deg.limit) == (5.0, 0.0)  # both that fail began 2 degrees off


def test_a_doubt_about_the_level_is_a_right_answer_and_a_rejection_for_another_reason_is_not(
    trials: list[FullTrial], tmp_path: Path
) -> None:
    rows = rows_of(section(written(trials, tmp_path), "along"))
    near, far = rows[2], rows[3]
    assert near[1:3] == ["0.55", near[2]]
    assert near[2].startswith("1 of 2")
    assert near[6].startswith("2 of 2")
    assert far[6].startswith("0 of 2")
    assert far[5] == "1 of 2"


def test_a_trial_without_a_pose_is_a_failure_of_its_curve(trials: list[FullTrial], tmp_path: Path) -> None:
    rows = rows_of(section(written(trials, tmp_path), "dose"))
    assert rows[2][:4] == ["phantom", "1000", "0 of 1 = 0% (0% to 98%)", "inf"]
    assert rows[3][2] == "-"


def test_peers_are_held_against_ours_on_the_cases_that_they_had(trials: list[FullTrial], tmp_path: Path) -> None:
    peers = [PeerTrial(planned("clean", "real", 1), 7, name, 2.5, 9.0, 100.0) for name in ("theirs", "others'")]
    rows = {row[2]: row for row in rows_of(section(written(trials, tmp_path, peers), "Peers"))}
    assert len(rows) == 2 + 2 + 3  # ours is told once, for both were given the same case
    assert rows["others'"][3:] == rows["theirs"][3:]
    assert rows["theirs"][3:5] == ["1", "0 of 1 = 0% (0% to 98%)"]
    assert rows["RadGSReg, on the cases above"][3:] == [
        "1",
        "1 of 1 = 100% (3% to 100%)",
        "1 of 1 = 100% (3% to 100%)",
        "0.20",
        "0.20",
        "3",
    ]
    assert rows["the paper's chain alone, Kabsch, on the cases above"][6] == "4.00"


def test_the_json_is_strict_and_holds_curves_ranges_and_every_trial(trials: list[FullTrial], tmp_path: Path) -> None:
    written(trials, tmp_path)
    held = json.loads((tmp_path / "benchmark.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert held["summary_of"] == "real CT"
    assert (held["summary"]["capture_mm"], held["summary"]["capture_deg"]) == (5.0, 0.0)
    assert held["summary"]["n"] == 2
    assert held["capture_ranges"]["capture"]["by_stage"]["refined"]["mm"]["limit"] == 5.0
    assert [one["n"] for one in held["curves"]["capture"]["all"]] == [10, 10, 10]
    assert held["curves"]["dose"]["phantom"][0]["successes"] == 0
    assert len(held["trials"]) == len(trials)
    assert held["voxel_grids"][0]["peak_mib"] is None


def test_every_picture_that_is_named_is_there_and_in_the_page(trials: list[FullTrial], tmp_path: Path) -> None:
    named = re.findall(r"\]\((\w+\.png)\)", written(trials, tmp_path))
    assert {"capture.png", "along.png", "dose.png"} <= set(named)
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in named)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == len(named)


def test_a_curve_shows_its_n_and_leaves_out_points_without_trials() -> None:
    axis = Figure().add_subplot()
    draw_success(
        axis, {"ours": [Point(0, 5, 20, 19), Point(5, 10, 0, 0), Point(10, 15, 4, 0)], "none": [Point(0, 5, 0, 0)]}
    )
    (line,) = axis.containers
    assert list(line.lines[0].get_xdata()) == [2.5, 12.5]
    assert list(line.lines[0].get_ydata()) == [0.95, 0.0]
    assert [text.get_text() for text in axis.texts] == ["20", "4"]


TINY = """
schema = "radgs.benchmark/1"
seed = 7
detector_pixels = 192
[subjects.someone]
phantom = 3
levels = ["L3"]
voxel_mm = 2.0
[[cohorts]]
name = "clean"
subjects = ["someone"]
trials = 1
[[cohorts]]
name = "capture"
kind = "pose"
subjects = ["someone"]
trials = 3
[cohorts.start]
shift_mm = 15.0
rotation_deg = 10.0
sigma_mm = 15.0
[[cohorts]]
name = "slices"
kind = "slice thickness"
subjects = ["someone"]
values = [3.0]
trials = 1
[voxel_grid]
voxels = [32]
kept = [0.5, 1.0]
subject = "someone"
level = "L3"
"""


@pytest.mark.slow
def test_a_tiny_benchmark_from_config_to_report(tmp_path: Path) -> None:
    config, out = tmp_path / "tiny.toml", tmp_path / "out"
    config.write_text(TINY, encoding="utf-8")
    out.mkdir()
    text = run_full_benchmark(FullRequest(out, config)).read_text(encoding="utf-8")
    assert len(read_trials(out)) == 5
    assert "| all |  | 5 of 5 |" in text
    assert "Not all of the plan" not in text
    found = [one for one in read_trials(out) if one.trial.mtre_mm < 2.0]
    assert len(found) >= 4
    capture = [one for one in read_trials(out) if one.planned.cohort == "capture"]
    assert [int(one.trial.start_mm // 5.0) for one in capture] == [0, 1, 2]
    grids = rows_of(section(text, "Voxel grids"))
    assert [row[0] for row in grids[2:]] == ["32^3", "32^3"]
    assert grids[3][4] == "0.0%"
    assert float(grids[2][4].rstrip("%")) > 1.0


def test_in_short_every_kind_of_ct_has_its_row(trials: list[FullTrial], tmp_path: Path) -> None:
    text = written(trials, tmp_path)
    assert f"{len(trials)} trials (4 in the tables of accuracy" in text
    rows = {row[0]: row[1:] for row in rows_of(section(text, "In short"))}
    assert rows["real CT, clean"] == ["2", "0.15", "0.20", "2", "2", "2 / 0 / 0", "0"]
    assert rows["phantom, along"] == ["4", "31.00", "32.00", "1", "1", "2 / 1 / 1", "1"]
    assert rows["phantom, dose"][:3] == ["1", "inf", "inf"]
    assert rows["real CT, capture"] == ["30", "0.30", "7.00", "28", "28", "29 / 0 / 1", "1"]


def test_errors_are_drawn_for_every_trial_one_without_a_pose_at_the_top() -> None:
    axis = Figure().add_subplot()
    errors = {"real CT": {1.0: np.array([0.2, 0.4, math.inf]), 2.0: np.array([0.1])}, "phantom": {1.0: np.array([5.0])}}
    draw_errors(axis, errors)
    dots = sorted(float(y) for line in axis.lines if line.get_marker() == "." for y in np.asarray(line.get_ydata()))
    assert dots == [0.1, 0.2, 0.4, 5.0, 5.0]
    medians = {str(line.get_label()): line.get_ydata() for line in axis.lines if "median" in str(line.get_label())}
    assert np.asarray(medians["real CT, median"]).tolist() == [0.4, 0.1]


def test_what_is_published_says_what_the_command_says() -> None:
    """The evidence's table is the report's, row for row, and the report is of the logs beside it."""
    folder = Path(__file__).parents[4] / "docs" / "benchmarks"
    published, report = (folder / "README.md").read_text(encoding="utf-8"), (folder / "report.md").read_text("utf-8")
    short = [line for line in section(report, "In short").splitlines() if line.startswith("|")]
    assert len(short) > 2
    assert "\n".join(short) in published
    assert report.split("\n\n")[1].startswith(f"{len(read_trials(folder))} trials ")
