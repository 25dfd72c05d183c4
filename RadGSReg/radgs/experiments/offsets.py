"""Third experiment: clicks off by known distances, 0 to 30 mm; what is left of them after each stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from radgs.case import InitialPose, RegistrationCase
from radgs.evaluation.benchmark import is_silent_failure
from radgs.evaluation.statistics import Proportion
from radgs.evaluation.tables import table
from radgs.evaluation.trials import BenchmarkSubject, TimedAnatomy, Trial, append_trial, run_trial, trial_case
from radgs.experiments.figures import save_offsets
from radgs.experiments.setting import FIRST_SEED, LEVEL, Progress
from radgs.geometry import FloatArray, unit
from radgs.io.atomic import write_text
from radgs.phantom import make_spine
from radgs.phantom.morphometry import LABELS
from radgs.simulation import ArticulatedAnatomy, SimulationSettings

OFFSETS_MM = (0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0)
STAGES = ("start", "kabsch", "regm", "refined")


def synthetic_subject(seed: int) -> BenchmarkSubject:
    """The patient of the experiment, when no other is given."""

    def load() -> ArticulatedAnatomy:
        spine = make_spine(FIRST_SEED + seed, spacing_mm=1.2)
        return ArticulatedAnatomy(spine.ct, spine.labels, LABELS)

    return BenchmarkSubject(f"phantom {FIRST_SEED + seed}", "phantom", (LEVEL,), load)


def offsets_experiment(
    folder: Path,
    *,
    trials: int = 6,
    seed: int = 0,
    device: str = "auto",
    subject: BenchmarkSubject | None = None,
    progress: Progress = lambda fraction, message: None,
) -> Path:
    """Registers one vertebra from clicks off by known distances, and writes report.md with a plot.

    Args:
        folder: Where the report goes; it must exist.
        trials: For each distance, in random directions.
        seed: Of poses, views, directions and noise.
        device: "auto", "cpu" or "cuda".
        subject: Whose first level is registered; a synthetic one by default.
        progress: Told the fraction done and what is being done.

    Returns:
        Path of the report.md.
    """
    subject = subject or synthetic_subject(seed)
    level = subject.levels[0]
    progress(0.0, f"{subject.name} {level}: separating it from the CT")
    anatomy = subject.load()
    settings = SimulationSettings()
    log = folder / "trials.jsonl"
    log.unlink(missing_ok=True)
    prepared: TimedAnatomy | None = None
    done: dict[float, list[Trial]] = {offset: [] for offset in OFFSETS_MM}
    for index in range(trials):
        case = trial_case(subject, anatomy, level, index, seed, settings)
        prepared = prepared or TimedAnatomy.of(case, level)
        for which, offset in enumerate(OFFSETS_MM):
            number = index * len(OFFSETS_MM) + which
            away = offset * unit(np.random.default_rng([seed, number]).normal(size=3))
            shifted = clicked_off(case, level, anatomy.centres[level], away)
            trial = run_trial(subject, anatomy, shifted, prepared, number, seed, device)
            done[offset].append(trial)
            append_trial(log, trial)
            progress((number + 1) / (trials * len(OFFSETS_MM)), f"clicks {offset:.0f} mm off")
    save_offsets(folder / "offsets.png", done, STAGES)
    report = folder / "report.md"
    write_text(report, _report(done, subject, seed, settings), private=False)
    return report


def clicked_off(case: RegistrationCase, level: str, centre_ct: FloatArray, offset: FloatArray) -> RegistrationCase:
    """The case with clicks that meet exactly ``offset`` (3,) mm from where the level's body truly is."""
    place = case.truth[level].apply(centre_ct) + offset
    clicks = {}
    for view in case.views:
        column, row = view.geometry.project(place)
        clicks[view.name] = (float(column), float(row))
    return replace(case, initial={level: InitialPose(clicks, None)})


def _report(done: dict[float, list[Trial]], subject: BenchmarkSubject, seed: int, settings: SimulationSettings) -> str:
    rows = []
    for offset, trials in done.items():
        medians = (_median(trials, stage) for stage in STAGES)
        good = Proportion.of([trial.mtre_mm < 2.0 for trial in trials])
        low, high = good.interval
        verdicts = " / ".join(str(sum(t.verdict == v for t in trials)) for v in ("accept", "check", "reject"))
        silent = str(sum(map(is_silent_failure, trials)))
        share = f"{good.successes}/{good.n} [{low:.0%}, {high:.0%}]"
        rows.append([f"{offset:.0f}", str(len(trials)), *medians, share, verdicts, silent])
    headings = ["clicks off, mm", "n", *(f"{stage}, median, mm" for stage in STAGES)]
    headings += ["refined < 2 mm", "accept / check / reject", "silent failures"]
    return (
        "\n\n".join(
            [
                "# Known offsets of the clicks",
                f"{subject.name} {subject.levels[0]}, {subject.cohort}; rotations up to {settings.rotation_deg:.0f} "
                f"degrees on top of the offset, neighbours and soft tissue moved, seed {seed}. Networks: "
                f"{'prepared' if subject.networks else 'generic'}.",
                table(headings, rows),
                "![error against offset](offsets.png)",
            ]
        )
        + "\n"
    )


def _median(trials: Sequence[Trial], stage: str) -> str:
    errors = [trial.stages_mm[stage] for trial in trials if stage in trial.stages_mm]
    return f"{np.median(errors):.2f}" if errors else "-"
