"""How trials end in each of the worlds that images come from."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from radgs.case import VERDICTS
from radgs.evaluation.benchmark import HARMFUL_MM, is_failure, is_silent_failure
from radgs.evaluation.statistics import clopper_pearson_interval
from radgs.evaluation.tables import table
from radgs.evaluation.trials import Trial
from radgs.simulation.worlds import CLEAN_NAME, WORLDS

HEADINGS = ("world", "cohort", "n", f"< {HARMFUL_MM:.0f} mm", "median", "p95", "max", *VERDICTS, "silent failures")


def worlds_section(trials: Sequence[Trial]) -> str:
    """The worlds, each apart, and in it each cohort apart; nothing where there is only the clean one."""
    worlds = sorted({trial.world for trial in trials}, key=list(WORLDS).index)
    if worlds == [CLEAN_NAME]:
        return ""
    rows = []
    for world in worlds:
        cohorts = sorted({trial.cohort for trial in trials if trial.world == world})
        rows += [_row([t for t in trials if (t.world, t.cohort) == (world, cohort)]) for cohort in cohorts]
    note = "Brackets: Clopper and Pearson's 95 % intervals. A trial without a pose counts as beyond every distance."
    return "\n\n".join(["## Worlds (mTRE, mm)", table(HEADINGS, rows), note])


def _row(trials: Sequence[Trial]) -> list[str]:
    errors = np.array([math.inf if math.isnan(trial.mtre_mm) else trial.mtre_mm for trial in trials])
    near = sum(not is_failure(trial) for trial in trials)
    low, high = clopper_pearson_interval(near, len(trials))
    return [
        trials[0].world,
        trials[0].cohort,
        str(len(trials)),
        f"{near} ({low:.0%} to {high:.0%})",
        *(f"{np.percentile(errors, q, method='higher' if q > 50 else 'linear'):.2f}" for q in (50, 95, 100)),
        *(str(sum(trial.verdict == verdict for trial in trials)) for verdict in VERDICTS),
        str(sum(is_silent_failure(trial) for trial in trials)),
    ]
