"""A run goes on where it stopped, tells how long it takes, and ends when its time is up."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from full_trials import full_trial

from radgs.errors import InputFileError
from radgs.evaluation.full import run, session
from radgs.evaluation.full.plan import CohortPlan, FullPlan, PlannedTrial, StartPlan, SubjectPlan
from radgs.evaluation.full.records import FullTrial, PeerTrial, append_record, read_peers, read_trials
from radgs.evaluation.full.run import due_trials, run_due, time_left
from radgs.evaluation.full.session import FullRequest, parse_share, run_full_benchmark

SUBJECTS = {
    "one": SubjectPlan("one", ("L2", "L4"), phantom=3),
    "real": SubjectPlan("real", ("T10",), ct="ct", labels="labels", moving={"T10": 34}),
}
COHORTS = {
    "clean": CohortPlan("clean", ("one", "real"), 3),
    "capture": CohortPlan("capture", ("one",), 4, "pose", start=StartPlan(shift_mm=20.0)),
}
PLAN = FullPlan(7, 96, SUBJECTS, COHORTS)


def test_finished_trials_are_not_due_again_and_missing_cts_are_told(tmp_path: Path) -> None:
    due, elsewhere = due_trials(PLAN, None, [])
    assert (len(due), len(elsewhere)) == (2 * 3 + 2 * 4, 3)
    finished = [full_trial(one) for one in due[:5]]
    rest, _ = due_trials(PLAN, None, finished)
    assert rest == due[5:]
    of_another_seed = [full_trial(one, seed=8) for one in due[:5]]
    assert due_trials(PLAN, None, of_another_seed)[0] == due


def test_a_phantom_with_a_patients_vertebrae_is_due_where_their_labels_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = FullPlan(
        7,
        96,
        {"patient": SubjectPlan("patient", ("L2",), phantom=3, shapes="RADGS_VERSE004")},
        {"clean": CohortPlan("clean", ("patient",), 3)},
    )
    monkeypatch.delenv("RADGS_VERSE004", raising=False)
    assert [len(part) for part in due_trials(plan, None, [])] == [0, 3]
    labels = tmp_path / "labels.nii.gz"
    labels.touch()
    monkeypatch.setenv("RADGS_VERSE004", str(labels))
    assert [len(part) for part in due_trials(plan, None, [])] == [3, 0]


def test_logs_of_shares_are_read_together_and_cut_off_lines_left_out(tmp_path: Path) -> None:
    planned = PLAN.trials()
    first, second = full_trial(planned[0]), full_trial(planned[1], math.nan)
    append_record(tmp_path / "trials.jsonl", first)
    append_record(tmp_path / "trials-2of2.jsonl", second)
    append_record(tmp_path / "trials-2of2.jsonl", first)  # a trial that was run twice counts once
    with (tmp_path / "trials.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"cohort": "cl')
    assert [one.planned for one in read_trials(tmp_path)] == [second.planned, first.planned]
    peer = PeerTrial(planned[0], 7, "other", math.nan, 9.0, 1.0)
    append_record(tmp_path / "peers.jsonl", peer)
    (read,) = read_peers(tmp_path)
    assert (read.key, read.found) == (peer.key, False)


def test_a_run_ends_when_its_time_is_up_and_the_next_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "run_planned", lambda bench, planned, device: full_trial(planned))
    due, _ = due_trials(PLAN, None, [])
    minutes = iter(range(0, 6000, 60))
    done: list[FullTrial] = []
    told: list[str] = []
    bench = run.Bench(PLAN, None)
    ran = run_due(
        bench,
        due,
        done.append,
        minutes=4.5,
        clock=lambda: float(next(minutes)),
        progress=lambda _, what: told.append(what),
    )
    assert 0 < ran == len(done) < len(due)
    assert "left" not in told[0]
    assert "left" in told[1]
    rest, _ = due_trials(PLAN, None, done)
    assert rest == due[ran:]


def test_time_left_is_at_the_pace_so_far() -> None:
    assert time_left(100.0, 0, 10) == ""
    assert time_left(120.0, 2, 12) == ", about 10 min left"
    assert time_left(3600.0, 1, 4) == ", about 3 h 00 min left"


def test_shares() -> None:
    assert parse_share("2/4") == (2, 4)
    for wrong in ("0/4", "5/4", "half", "1", "/", "-1/2"):
        with pytest.raises(InputFileError, match="no share"):
            parse_share(wrong)


CONFIG = """
schema = "radgs.benchmark/1"
seed = 7
detector_pixels = 96
[subjects.one]
phantom = 3
levels = ["L2", "L4"]
[[cohorts]]
name = "clean"
subjects = ["one"]
trials = 3
"""


def test_an_interrupted_session_keeps_what_it_has_and_the_next_one_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, out = tmp_path / "plan.toml", tmp_path / "out"
    config.write_text(CONFIG, encoding="utf-8")
    out.mkdir()
    ran: list[PlannedTrial] = []

    def interrupted(bench: object, planned: PlannedTrial, device: str) -> FullTrial:
        if len(ran) == 4:
            raise KeyboardInterrupt
        ran.append(planned)
        return full_trial(planned)

    monkeypatch.setattr(run, "run_planned", interrupted)
    request = FullRequest(out, config, command="radgs benchmark --full --out out")
    with pytest.raises(KeyboardInterrupt):
        run_full_benchmark(request)
    assert len(read_trials(out)) == 4
    monkeypatch.setattr(run, "run_planned", lambda bench, planned, device: ran.append(planned) or full_trial(planned))
    report = run_full_benchmark(request).read_text(encoding="utf-8")
    assert len(ran) == len(set(ran)) == 6
    assert "| clean | clicks | 6 of 6 |" in report
    runs = [json.loads(line) for line in (out / session.RUNS_NAME).read_text(encoding="utf-8").splitlines()]
    assert [one["trials"] for one in runs] == [4, 2]
    assert report.count("`radgs benchmark --full --out out`") == 2


def test_shares_of_a_session_have_logs_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "plan.toml"
    config.write_text(CONFIG, encoding="utf-8")
    monkeypatch.setattr(run, "run_planned", lambda bench, planned, device: full_trial(planned))
    for number in (1, 2):
        run_full_benchmark(FullRequest(tmp_path, config, share=(number, 2)))
    assert sorted(path.name for path in tmp_path.glob("trials*")) == ["trials-1of2.jsonl", "trials-2of2.jsonl"]
    assert len(read_trials(tmp_path)) == 6


def test_an_empty_folder_has_nothing_to_report(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="no trial"):
        run_full_benchmark(FullRequest(tmp_path, report_only=True))


def test_what_was_published_can_be_gone_on_from() -> None:
    """Its trials are older than the errors at the pedicles: `radgs benchmark --full` ended on them."""
    published = read_trials(Path(__file__).parents[4] / "docs" / "benchmarks")
    assert len(published) > 100
    assert all(math.isfinite(one.trial.mtre_mm) for one in published)
