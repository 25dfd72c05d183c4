"""From trials to benchmark.json: accuracy, verdicts and time, cohort by cohort."""

from __future__ import annotations

import math
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from radgs.case import STAGES
from radgs.evaluation.statistics import Proportion, summarise_trials
from radgs.evaluation.trials import Trial
from radgs.io.json_fields import null_for_nan
from radgs.simulation.worlds import CLEAN_NAME
from radgs.versions import versions

#: A pose is good up to here, and harmful when accepted beyond there (mTRE, mm).
GOOD_MM, HARMFUL_MM = 1.0, 2.0
#: Of several cohorts the first of these that has trials gives the headline; cohorts are never pooled into one.
HEADLINE_ORDER = ("real CT", "real shape", "phantom")
#: Members of a summary that other measurements fill in.
NOT_MEASURED_HERE = ("capture_mm", "capture_deg")
#: Scores of RecM's volume, over the ROI and inside the vertebra's mask.
RECONSTRUCTION_SCORES = ("ssim_3d", "psnr_3d_db", "ssim_inside", "psnr_inside_db")


@dataclass(frozen=True)
class VerdictScores:
    """How far the verdicts can be trusted.

    Attributes:
        silent_failures: Trials accepted although off by more than 2 mm, of all trials.
        not_accepted: Good poses (up to 1 mm) that were not accepted, of the good ones.
        false_rejects: Good poses that were rejected, of the good ones.
        covered: Results whose true 95th-percentile surface error is within the predicted one, of those with both.
    """

    silent_failures: Proportion
    not_accepted: Proportion
    false_rejects: Proportion
    covered: Proportion


def is_silent_failure(trial: Trial) -> bool:
    """Accepted, and yet off by more than 2 mm."""
    return trial.verdict == "accept" and trial.mtre_mm > HARMFUL_MM


def is_failure(trial: Trial) -> bool:
    """Off by 2 mm or more, or without a pose."""
    return not trial.mtre_mm < HARMFUL_MM


def score_verdicts(trials: Sequence[Trial]) -> VerdictScores:
    """Verdicts against true errors."""
    good = [trial for trial in trials if trial.mtre_mm <= GOOD_MM]
    predicted = [t for t in trials if math.isfinite(t.predicted_p95_mm) and math.isfinite(t.surface_p95_mm)]
    return VerdictScores(
        silent_failures=Proportion.of([is_silent_failure(trial) for trial in trials]),
        not_accepted=Proportion.of([trial.verdict != "accept" for trial in good]),
        false_rejects=Proportion.of([trial.verdict == "reject" for trial in good]),
        covered=Proportion.of([trial.surface_p95_mm <= trial.predicted_p95_mm for trial in predicted]),
    )


def cohorts_of(trials: Sequence[Trial]) -> dict[str, list[Trial]]:
    """Trials by cohort and world, the headline's first."""
    groups: dict[str, list[Trial]] = {}
    for trial in sorted(trials, key=_headline_rank):
        groups.setdefault(trial.group, []).append(trial)
    return groups


def summarise(trials: Sequence[Trial]) -> dict[str, Any]:
    """One summary of benchmark.json; shares are fractions 0 to 1, numbers that do not exist are null."""
    errors = summarise_trials([trial.mtre_mm for trial in trials], [trial.vertebra for trial in trials])
    verdicts = score_verdicts(trials)
    return {
        **errors.to_json_dict(),
        "vertebrae": len({trial.vertebra for trial in trials}),
        "patients": len({trial.patient for trial in trials}),
        "silent_failures": _fraction(verdicts.silent_failures),
        "silent_failures_count": verdicts.silent_failures.successes,
        "false_rejects": _fraction(verdicts.false_rejects),
        "good_not_accepted": _fraction(verdicts.not_accepted),
        "predicted_error_covers": _fraction(verdicts.covered),
        "seconds_median": null_for_nan(float(np.median([trial.seconds for trial in trials]))) if trials else None,
        "preparation_seconds_median": _preparation_median(trials),
        **reconstruction_means(trials),
        **dict.fromkeys(NOT_MEASURED_HERE),
    }


def reconstruction_means(trials: Sequence[Trial]) -> dict[str, float | None]:
    """Mean scores of the reconstructions, over the trials that have one; null where none has."""
    scores = [trial.reconstruction for trial in trials if trial.reconstruction]
    return {
        name: float(np.mean([score[name] for score in scores])) if scores else None for name in RECONSTRUCTION_SCORES
    }


def summarise_stages(trials: Sequence[Trial]) -> dict[str, dict[str, Any] | None]:
    """Accuracy after each stage; null for stages that never ran."""
    return {stage: _summarise_stage(trials, stage) for stage in STAGES}


def benchmark_dict(trials: Sequence[Trial]) -> dict[str, Any]:
    """What benchmark.json holds.

    ``summary`` and ``stages`` are those of one cohort, named in ``summary_of``.
    """
    cohorts = cohorts_of(trials)
    headline = next(iter(cohorts), None)
    first = cohorts[headline] if headline is not None else []
    return {
        "summary": summarise(first),
        "summary_of": headline,
        "cohorts": {name: summarise(members) for name, members in cohorts.items()},
        "stages": summarise_stages(first),
        "peers": {},
        "versions": {**versions(), "machine": platform.machine()},
        "trials": [trial.to_json_dict() for trial in trials],
    }


def _summarise_stage(trials: Sequence[Trial], stage: str) -> dict[str, Any] | None:
    ran = [trial for trial in trials if stage in trial.stages_mm]
    if not ran:
        return None
    return summarise_trials([t.stages_mm[stage] for t in ran], [t.vertebra for t in ran]).to_json_dict()


def _preparation_median(trials: Sequence[Trial]) -> float | None:
    by_vertebra = {trial.vertebra: trial.preparation_seconds for trial in trials}
    return float(np.median(list(by_vertebra.values()))) if by_vertebra else None


def _headline_rank(trial: Trial) -> tuple[int, str, bool, str]:
    cohort = trial.cohort
    rank = HEADLINE_ORDER.index(cohort) if cohort in HEADLINE_ORDER else len(HEADLINE_ORDER)
    return rank, cohort, trial.world != CLEAN_NAME, trial.world


def _fraction(share: Proportion) -> float | None:
    return share.fraction if share.n else None
