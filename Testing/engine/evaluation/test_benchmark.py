"""Benchmarks: trials that can be told apart and taken up again, and reports that hide nothing."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import cast

import pytest

from radgs.evaluation import run
from radgs.evaluation.benchmark import benchmark_dict, score_verdicts, summarise
from radgs.evaluation.report import write_report
from radgs.evaluation.run import run_trials
from radgs.evaluation.trials import BenchmarkSubject, Trial, append_trial, read_trials
from radgs.phantom import make_spine
from radgs.simulation import ArticulatedAnatomy, SimulationSettings

#: What the contract of benchmark.json names in a summary.
SUMMARY_KEYS = {
    *("n", "median_mtre_mm", "mean_mtre_mm", "success_1mm", "success_2mm", "silent_failures", "false_rejects"),
    *("seconds_median", "ssim_3d", "psnr_3d_db", "capture_mm", "capture_deg"),
}

RECONSTRUCTION = {
    "ssim_3d": 0.9,
    "psnr_3d_db": 30.0,
    "ssim_inside": 0.5,
    "psnr_inside_db": 25.0,
    "ghost_share": 0.02,
    "correlation": 0.7,
}


def trial(index: int, mtre_mm: float, verdict: str = "accept", **changes: object) -> Trial:
    """A trial of a phantom's L2 that ended ``mtre_mm`` from the truth."""
    made = Trial(
        cohort="phantom",
        patient="phantom 1",
        level="L2",
        index=index,
        seed=5,
        mtre_mm=mtre_mm,
        surface_p95_mm=1.5 * mtre_mm,
        predicted_p95_mm=1.0,
        rotation_deg=0.4,
        start_rotation_deg=9.0,
        click_offset_mm=6.0,
        stages_mm={"start": 9.5, "refined": mtre_mm},
        reconstruction=RECONSTRUCTION,
        verdict=verdict,
        reasons=() if verdict == "accept" else ("uncertain",),
        seconds=2.0 + index,
        preparation_seconds=5.0,
    )
    return replace(made, **changes)


@pytest.fixture
def trials() -> list[Trial]:
    """Four good (one rejected, one in doubt), one 1.5 mm off, a silent failure, a told failure, one nowhere."""
    return [
        trial(0, 0.2),
        trial(1, 0.4),
        trial(2, 0.3, "reject"),
        trial(3, 0.9, "check"),
        trial(4, 1.5),
        trial(5, 7.25),
        trial(6, 12.5, "reject"),
        trial(7, math.nan, "reject", surface_p95_mm=math.nan, stages_mm={"start": 30.0}),
    ]


def test_a_summary_names_what_the_contract_names(trials: list[Trial]) -> None:
    summary = summarise(trials)
    assert set(summary) >= SUMMARY_KEYS
    assert summary["n"] == 8
    assert summary["success_1mm"] == pytest.approx(4 / 8)
    assert summary["success_2mm"] == pytest.approx(5 / 8)
    assert summary["median_mtre_mm"] == pytest.approx(0.9)
    assert summary["seconds_median"] == pytest.approx(5.5)
    assert summary["ssim_inside"] == pytest.approx(0.5)
    assert all(summary[key] is None for key in ("capture_mm", "capture_deg"))


def test_trials_without_a_reconstruction_do_not_count_in_its_scores(trials: list[Trial]) -> None:
    trials[0] = replace(trials[0], reconstruction={})
    trials[1] = replace(trials[1], reconstruction={**trials[1].reconstruction, "ssim_3d": 0.2})
    assert summarise(trials)["ssim_3d"] == pytest.approx((6 * 0.9 + 0.2) / 7)
    assert summarise([replace(one, reconstruction={}) for one in trials])["ssim_3d"] is None


def test_verdicts_are_scored_against_the_truth(trials: list[Trial]) -> None:
    scores = score_verdicts(trials)
    assert (scores.silent_failures.successes, scores.silent_failures.n) == (1, 8)
    assert (scores.not_accepted.successes, scores.not_accepted.n) == (2, 4)
    assert (scores.false_rejects.successes, scores.false_rejects.n) == (1, 4)
    assert (scores.covered.successes, scores.covered.n) == (3, 7)


def test_cohorts_are_apart_and_the_real_one_gives_the_headline(trials: list[Trial]) -> None:
    real = [trial(i, 0.5, cohort="real CT", patient="someone", level="T11") for i in range(3)]
    benchmark = benchmark_dict([*trials, *real])
    assert set(benchmark) >= {"summary", "cohorts", "stages", "peers", "trials"}
    assert benchmark["summary_of"] == "real CT"
    assert benchmark["summary"] == benchmark["cohorts"]["real CT"]
    assert (benchmark["cohorts"]["real CT"]["n"], benchmark["cohorts"]["phantom"]["n"]) == (3, 8)
    assert len(benchmark["trials"]) == 11


def test_stages_that_never_ran_are_null(trials: list[Trial]) -> None:
    stages = benchmark_dict(trials)["stages"]
    assert stages["kabsch"] is None
    assert stages["regm"] is None
    assert (stages["start"]["n"], stages["refined"]["n"]) == (8, 7)


def test_the_report_lists_every_failure_and_marks_the_silent_one(trials: list[Trial], tmp_path: Path) -> None:
    text = write_report(trials, tmp_path, "A title", SimulationSettings()).read_text(encoding="utf-8")
    assert text.startswith("# A title\n")
    assert "8 trials, seed 5" in text
    failures = text.split("## Failures")[1].split("\n\n")[1].splitlines()[2:]
    assert [line.split(" | ")[2] for line in failures] == ["5", "6", "7"]
    assert [("(silent)" in line) for line in failures] == [True, False, False]
    assert "1/8 = 12% [2%, 47%]" in text  # Wilson's interval of the silent failures
    assert "click_error_mm" in text


def test_the_report_names_plots_that_are_there_and_strict_json(trials: list[Trial], tmp_path: Path) -> None:
    text = write_report(trials, tmp_path, "A title").read_text(encoding="utf-8")
    plots = ["cumulative_error.png", "error_vs_start.png", "stages.png", "predicted_error.png"]
    assert all(f"]({name})" in text for name in plots)
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in plots)

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    written = json.loads((tmp_path / "benchmark.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert written["trials"][7]["mtre_mm"] is None


def test_trials_read_back_from_their_log_even_after_an_interruption(trials: list[Trial], tmp_path: Path) -> None:
    log = tmp_path / "trials.jsonl"
    assert read_trials(log) == []
    for each in trials[:7]:
        append_trial(log, each)
    with log.open("a", encoding="utf-8") as stream:
        stream.write('{"cohort": "phan')
    assert read_trials(log) == trials[:7]
    append_trial(log, trials[7])
    read = read_trials(log)[-1]
    assert read.key == trials[7].key
    assert math.isnan(read.mtre_mm)


def test_numbers_that_do_not_exist_survive_the_log(tmp_path: Path) -> None:
    log = tmp_path / "trials.jsonl"
    nothing_seen = trial(0, 0.3, reconstruction={**RECONSTRUCTION, "correlation": math.nan}, grounds={"a": math.nan})
    append_trial(log, nothing_seen)
    (read,) = read_trials(log)
    assert math.isnan(read.reconstruction["correlation"])
    assert math.isnan(read.grounds["a"])
    assert read.reconstruction["ssim_3d"] == RECONSTRUCTION["ssim_3d"]
    assert read.key == nothing_seen.key


def test_finished_trials_are_taken_over_without_loading_the_subject(trials: list[Trial]) -> None:
    def load() -> ArticulatedAnatomy:
        raise AssertionError("the subject was loaded")

    subject = BenchmarkSubject("phantom 1", "phantom", ("L2",), load)
    told: list[float] = []
    again = run_trials([subject], 3, 5, SimulationSettings(), lambda done, _: told.append(done), finished=trials)
    assert again == trials[:3]


def test_a_report_names_the_failure_signatures(trials: list[Trial], tmp_path: Path) -> None:
    assert "ghosted" not in write_report(trials, tmp_path, "Healthy").read_text(encoding="utf-8")
    ghosted = [replace(one, reconstruction={**RECONSTRUCTION, "ghost_share": 0.4}) for one in trials]
    assert "attention fails" in write_report(ghosted, tmp_path, "Ghosted").read_text(encoding="utf-8")


def test_worlds_are_reported_apart_with_exact_intervals(trials: list[Trial], tmp_path: Path) -> None:
    in_blades = [replace(one, world="blades") for one in trials[:5]]
    text = write_report([*in_blades, *trials], tmp_path, "Worlds").read_text(encoding="utf-8")
    rows = text.split("## Worlds")[1].split("\n\n")[1].splitlines()[2:]
    assert [row.split(" | ")[:3] for row in rows] == [["| clean", "phantom", "8"], ["| blades", "phantom", "5"]]
    assert "5 (48% to 100%)" in rows[1]  # 1 - 0.025^(1/5): Clopper and Pearson's; Wilson's begins at 57 %
    assert rows[0].split(" | ")[6] == "inf"  # the trial without a pose
    failures = text.split("## Failures")[1]
    assert "phantom, blades" not in failures
    assert "## Worlds" not in write_report(trials, tmp_path, "Clean").read_text(encoding="utf-8")
    assert set(benchmark_dict([*in_blades, *trials])["cohorts"]) == {"phantom", "phantom, blades"}


def test_a_log_older_than_worlds_is_of_the_clean_one(trials: list[Trial], tmp_path: Path) -> None:
    log = tmp_path / "trials.jsonl"
    append_trial(log, replace(trials[0], world="blades"))
    old = {name: value for name, value in trials[0].to_json_dict().items() if name != "world"}
    with log.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(old) + "\n")
    assert [one.world for one in read_trials(log)] == ["blades", "clean"]


def test_in_turn_every_world_has_its_share_whenever_a_run_is_stopped(
    trials: list[Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[str, int, str]] = []

    class StopError(Exception):
        pass

    def refuse(*case: object) -> None:
        raise StopError

    monkeypatch.setattr(run, "trial_case", refuse)
    subjects = [
        BenchmarkSubject(name, "phantom", ("L2",), lambda: cast("ArticulatedAnatomy", None)) for name in ("a", "b")
    ]
    worlds = ("clean", "blades")
    while len(ran) < 5:  # each round stops at the next trial that is due
        done = [trial(i, 0.1, patient=name, world=world) for name, i, world in ran]
        told: list[str] = []
        with pytest.raises(StopError):
            run_trials(
                subjects,
                2,
                5,
                SimulationSettings(),
                lambda fraction, message, told=told: told.append(message),
                worlds=worlds,
                order="in turn",
                finished=done,
            )
        who, world = told[-1].split(":")[0].split(", ")
        ran.append((who.split()[0], len(ran) // 4, world))
    assert ran == [("a", 0, "clean"), ("a", 0, "blades"), ("b", 0, "clean"), ("b", 0, "blades"), ("a", 1, "clean")]


@pytest.fixture(scope="module")
def phantom() -> BenchmarkSubject:
    def load() -> ArticulatedAnatomy:
        spine = make_spine(3, spacing_mm=2.0)
        return ArticulatedAnatomy(spine.ct, spine.labels, spine.levels)

    return BenchmarkSubject("phantom 3", "phantom", ("L3",), load)


SETTINGS = SimulationSettings(rotation_deg=5.0, click_error_mm=4.0, detector_pixels=192)


@pytest.mark.slow
def test_trials_on_a_phantom_end_near_the_truth_and_share_their_vertebra(phantom: BenchmarkSubject) -> None:
    logged: list[Trial] = []
    worlds = ("clean", "blades")
    clean, blades = run_trials(
        [phantom], 1, 0, SETTINGS, on_trial=logged.append, worlds=worlds, order="in turn", vertebrae_kept=2
    )
    assert logged == [clean, blades]
    assert (clean.world, blades.world) == worlds
    assert clean.stages_mm["start"] == pytest.approx(blades.stages_mm["start"], abs=2.0)  # clicks differ by their noise
    assert clean.preparation_seconds == blades.preparation_seconds > 0
    for one in (clean, blades):
        assert one.mtre_mm < 2.0 < one.start_mm
        assert one.stages_mm["refined"] == pytest.approx(one.mtre_mm)
        assert one.mtre_mm <= one.surface_p95_mm
        assert one.start_rotation_deg <= 5.0
        assert one.click_offset_mm < 8.0
        assert one.seconds > 0


@pytest.mark.slow
def test_a_trial_starts_at_the_truth_where_that_is_asked_for(phantom: BenchmarkSubject) -> None:
    (one,) = run_trials([phantom], 1, 0, SETTINGS, worlds=("clean",), order="in turn", start="truth")
    assert one.stages_mm["start"] == pytest.approx(0.0, abs=1e-9)
    assert one.start_rotation_deg == pytest.approx(0.0, abs=1e-5)
    assert one.mtre_mm < 1.0


def test_the_page_says_first_what_matters_most_and_holds_everything(trials: list[Trial], tmp_path: Path) -> None:
    write_report(trials, tmp_path, "Of phantoms")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.index("<h1>Of phantoms</h1>") < page.index('id="headline"') < page.index("Accuracy (mTRE, mm)")
    headline = page[page.index('id="headline"') : page.index("</section>")]
    for figure in (
        "0.90 mm</strong> median mTRE",
        "5 of 8</strong> within 2 mm",
        "1 of 8</strong> accepted beyond 2 mm",
    ):
        assert figure in headline
    for heading in re.findall(r"^## (.*)$", (tmp_path / "report.md").read_text(encoding="utf-8"), re.MULTILINE):
        assert f"<h2>{escape(heading)}</h2>" in page
    assert page.count("data:image/png;base64,") == 4
