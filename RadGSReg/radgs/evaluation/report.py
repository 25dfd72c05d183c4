"""A benchmark's folder: report.md, the same as a page, plots and benchmark.json."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from radgs.case import STAGES, VERDICTS
from radgs.evaluation.benchmark import (
    GOOD_MM,
    HARMFUL_MM,
    benchmark_dict,
    cohorts_of,
    is_failure,
    is_silent_failure,
    reconstruction_means,
    score_verdicts,
)
from radgs.evaluation.diagnosis import Signs, diagnose
from radgs.evaluation.plots import save_plots
from radgs.evaluation.reliability import reliability_section
from radgs.evaluation.statistics import Interval, Proportion, TrialSummary, summarise_trials
from radgs.evaluation.tables import table
from radgs.evaluation.trials import Trial
from radgs.evaluation.world_summary import worlds_section
from radgs.io.atomic import write_text
from radgs.report.markdown import markdown_page
from radgs.report.markup import Markup, element
from radgs.simulation import SimulationSettings
from radgs.versions import versions

#: The report as a page.
PAGE_NAME = "report.html"

CAVEAT = (
    "The X-rays are simulated from the same CT that is registered to them: these are not clinical accuracies. "
    "Trials without a pose count as failures; median, mean, p90 and maximum are over the rest. "
    "Brackets: 95 % intervals, Wilson's for shares, bootstrap by vertebra for medians and means."
)


@dataclass(frozen=True)
class Additions:
    """What a report holds beside the trials that it tells of.

    Attributes:
        before: Sections in Markdown before all tables; pictures that they name lie in the report's folder.
        after: Sections at the end.
        members: Of benchmark.json, in place of those of the same name.
        others: How many trials its sections alone tell of.
    """

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    members: Mapping[str, Any] = field(default_factory=dict)
    others: int = 0


def write_report(
    trials: Sequence[Trial],
    folder: Path,
    title: str,
    settings: SimulationSettings | None = None,
    additions: Additions | None = None,
) -> Path:
    """Writes report.md, report.html that holds everything itself, benchmark.json and plots.

    Args:
        trials: At least one.
        folder: Where; it must exist.
        title: First line of the report.
        settings: What varied, told in the report.
        additions: What else the report holds.

    Returns:
        Path of the report.md.
    """
    additions = additions or Additions()
    plots = save_plots(trials, folder)
    benchmark = json.dumps({**benchmark_dict(trials), **additions.members}, indent=1, allow_nan=False)
    write_text(folder / "benchmark.json", benchmark + "\n", private=False)
    parts = [
        f"# {title}",
        _setting(trials, additions.others),
        *additions.before,
        _accuracy(trials),
        worlds_section(trials),
        _vertebrae(trials),
        _stages(trials),
        _reconstructions(trials),
        _verdicts(trials),
        reliability_section(trials),
        _times(trials),
        _failures(trials),
        "\n".join(f"![{plot.stem.replace('_', ' ')}]({plot.name})" for plot in plots),
        _settings(settings) if settings is not None else "",
        *additions.after,
    ]
    text = "\n\n".join(part for part in parts if part) + "\n"
    page = markdown_page(text, lambda name: (folder / name).read_bytes(), _headline(trials))
    write_text(folder / PAGE_NAME, page, private=False)
    report = folder / "report.md"
    write_text(report, text, private=False)
    return report


def _headline(trials: Sequence[Trial]) -> Markup:
    """What matters most of each cohort; none is a verdict, so none has a verdict's colour."""
    cards = []
    for cohort, members in cohorts_of(trials).items():
        errors = summarise_trials([trial.mtre_mm for trial in members], [trial.vertebra for trial in members])
        silent = score_verdicts(members).silent_failures
        figures = (
            (f"{_number(errors.median)} mm", "median mTRE"),
            (f"{errors.success_2mm.successes} of {errors.n}", "within 2 mm"),
            (f"{silent.successes} of {silent.n}", "accepted beyond 2 mm"),
            (f"{np.median([trial.seconds for trial in members]):.2f} s", "median time"),
        )
        shown = [element("div", element("strong", figure), " ", what) for figure, what in figures]
        cards.append(element("article", element("h2", cohort), element("div", *shown, class_="figures"), class_="card"))
    return element("section", *cards, id="headline")


def _setting(trials: Sequence[Trial], others: int) -> str:
    seeds = ", ".join(str(seed) for seed in sorted({trial.seed for trial in trials}))
    software = ", ".join(f"{name} {number}" for name, number in versions().items())
    count = f"{len(trials)} trials"
    if others:
        count = f"{len(trials) + others} trials ({len(trials)} in the tables of accuracy, the others in their own)"
    return f"{count}, seed {seeds}. {software}; {os.cpu_count()} CPU cores.\n\n{CAVEAT}"


def _accuracy(trials: Sequence[Trial]) -> str:
    rows = []
    for cohort, members in cohorts_of(trials).items():
        patients, vertebrae = {t.patient for t in members}, {t.vertebra for t in members}
        rows.append([cohort, str(len(patients)), str(len(vertebrae)), *_error_cells(members)])
    return "## Accuracy (mTRE, mm)\n\n" + table(["cohort", "patients", "vertebrae", *ERROR_HEADINGS], rows)


def _vertebrae(trials: Sequence[Trial]) -> str:
    rows = []
    for cohort, members in cohorts_of(trials).items():
        by_vertebra: dict[str, list[Trial]] = {}
        for trial in members:
            by_vertebra.setdefault(trial.vertebra, []).append(trial)
        rows += [[cohort, name, *_error_cells(own, interval=False)] for name, own in by_vertebra.items()]
    return "## By vertebra\n\n" + table(["cohort", "vertebra", *ERROR_HEADINGS], rows)


ERROR_HEADINGS = ("n", "median", "mean", "p90", "max", "< 1 mm", "< 2 mm", "no pose")


def _error_cells(trials: Sequence[Trial], interval: bool = True) -> list[str]:
    summary = summarise_trials([trial.mtre_mm for trial in trials], [trial.vertebra for trial in trials])
    return _summary_cells(summary, interval)


def _summary_cells(summary: TrialSummary, interval: bool = True) -> list[str]:
    return [
        str(summary.n),
        _number(summary.median) + (_bracket(summary.median_interval) if interval else ""),
        _number(summary.mean) + (_bracket(summary.mean_interval) if interval else ""),
        _number(summary.p90),
        _number(summary.maximum),
        _share(summary.success_1mm),
        _share(summary.success_2mm),
        str(summary.without_result),
    ]


def _stages(trials: Sequence[Trial]) -> str:
    rows = []
    for cohort, members in cohorts_of(trials).items():
        for stage in STAGES:
            ran = [trial for trial in members if stage in trial.stages_mm]
            if ran:
                summary = summarise_trials([t.stages_mm[stage] for t in ran], [t.vertebra for t in ran])
                rows.append([cohort, stage, *_summary_cells(summary, interval=False)])
    return "## By stage (mTRE, mm)\n\n" + table(["cohort", "stage", *ERROR_HEADINGS], rows)


def _reconstructions(trials: Sequence[Trial]) -> str:
    rows = []
    for cohort, members in cohorts_of(trials).items():
        seen = [trial for trial in members if trial.reconstruction]
        if seen:
            means = reconstruction_means(seen)
            cells = (f"{means[name]:.3f}" if name.startswith("ssim") else f"{means[name]:.1f}" for name in means)
            rows.append([cohort, str(len(seen)), *cells])
    if not rows:
        return ""
    headings = ["cohort", "n", "SSIM, ROI", "PSNR, ROI, dB", "SSIM, inside", "PSNR, inside, dB"]
    note = "RecM's volume against the CT's vertebra at its true pose; data range 0.04/mm; inside: mask dilated by 3 mm."
    return "\n\n".join(["## Reconstruction (means)", table(headings, rows), note, *_diagnoses(trials)])


def _diagnoses(trials: Sequence[Trial]) -> list[str]:
    """The failure signatures of each cohort's networks, if they show."""
    lines = []
    for cohort, members in cohorts_of(trials).items():
        signs = [
            Signs(t.reconstruction["ghost_share"], t.reconstruction["correlation"], t.stages_mm.get("regm", math.inf))
            for t in members
            if t.reconstruction
        ]
        lines += [f"- {cohort}: {found.message}" for found in diagnose(signs)] if signs else []
    return ["\n".join(lines)] if lines else []


def _verdicts(trials: Sequence[Trial]) -> str:
    counts, scores = [], []
    for cohort, members in cohorts_of(trials).items():
        for verdict in VERDICTS:
            of_verdict = [trial.mtre_mm for trial in members if trial.verdict == verdict]
            good = sum(error <= GOOD_MM for error in of_verdict)
            middling = sum(GOOD_MM < error <= HARMFUL_MM for error in of_verdict)
            counts.append([cohort, verdict, str(good), str(middling), str(len(of_verdict) - good - middling)])
        score = score_verdicts(members)
        scores.append(
            [cohort, *map(_share, (score.silent_failures, score.not_accepted, score.false_rejects, score.covered))]
        )
    return "\n\n".join(
        [
            "## Verdicts",
            table(["cohort", "verdict", "up to 1 mm", "1 to 2 mm", "beyond 2 mm or no pose"], counts),
            table(
                ["cohort", "silent failures", "good, not accepted", "good, rejected", "within predicted error"], scores
            ),
            "Silent failure: accepted, though off by more than 2 mm. Good: up to 1 mm.",
        ]
    )


def _times(trials: Sequence[Trial]) -> str:
    rows = []
    for cohort, members in cohorts_of(trials).items():
        seconds = [trial.seconds for trial in members]
        preparation = list({trial.vertebra: trial.preparation_seconds for trial in members}.values())
        rows.append(
            [cohort, *(f"{np.percentile(seconds, q):.2f}" for q in (50, 90, 100)), f"{np.median(preparation):.1f}"]
        )
    headings = ["cohort", "registration, median", "p90", "max", "preparation per vertebra, median"]
    return "## Time (s)\n\n" + table(headings, rows)


def _failures(trials: Sequence[Trial]) -> str:
    failures = [trial for trial in trials if is_failure(trial)]
    if not failures:
        return "## Failures\n\nNone: every result is within 2 mm."
    rows = [
        [
            trial.group,
            trial.vertebra,
            str(trial.index),
            _number(trial.mtre_mm),
            trial.verdict + (" (silent)" if is_silent_failure(trial) else ""),
            _number(trial.start_mm),
            f"{trial.start_rotation_deg:.0f}",
            ", ".join(trial.reasons) or "-",
        ]
        for trial in failures
    ]
    headings = ["cohort", "vertebra", "trial", "mTRE, mm", "verdict", "start, mm", "start, degrees", "reasons"]
    return "## Failures (2 mm or more, or no pose)\n\n" + table(headings, rows)


def _settings(settings: SimulationSettings) -> str:
    rows = [[one.name, str(getattr(settings, one.name))] for one in fields(settings) if one.name != "world"]
    return "## What varied\n\n" + table(["setting", "value"], rows)


def _number(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "-"


def _bracket(interval: Interval) -> str:
    return f" [{_number(interval[0])}, {_number(interval[1])}]"


def _share(share: Proportion) -> str:
    if not share.n:
        return "-"
    low, high = share.interval
    return f"{share.successes}/{share.n} = {share.fraction:.0%} [{low:.0%}, {high:.0%}]"
