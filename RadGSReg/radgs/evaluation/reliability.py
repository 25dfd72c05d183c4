"""Is a predicted error true? What a result said of its own error, against what the error was."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from radgs.colours import SERIES_COLOURS
from radgs.evaluation.statistics import clopper_pearson_interval
from radgs.evaluation.tables import table
from radgs.evaluation.trials import Trial
from radgs.simulation.worlds import WORLDS

#: A bound that holds for 95 % of the surface should lie above the surface's 95th percentile in about so many trials.
NOMINAL = 0.95
#: Trials are taken together by what was predicted, in so many groups of the same size.
GROUPS = 5
HEADINGS = ("n", "within the predicted error", "median predicted", "median actual", "predicted / actual")


def predicted_and_actual(trials: Sequence[Trial]) -> np.ndarray:
    """(n, 2) 95th percentiles of the surface's error, predicted and actual, mm, of the trials that have both."""
    return _finite([(trial.predicted_p95_mm, trial.surface_p95_mm) for trial in trials])


def predicted_and_actual_at_pedicles(trials: Sequence[Trial]) -> np.ndarray:
    """(n, 2) the same at a pedicle of each, mm."""
    return _finite([(trial.predicted_pedicle_mm, trial.pedicle_mm) for trial in trials])


def _finite(pairs: Sequence[tuple[float, float]]) -> np.ndarray:
    numbers = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    return numbers[np.isfinite(numbers).all(axis=1)]


def reliability_section(trials: Sequence[Trial]) -> str:
    """How often the error lies within the one predicted, and how sharp the prediction is, by world and altogether."""
    worlds = sorted({trial.world for trial in trials}, key=list(WORLDS).index)
    groups = [(world, [trial for trial in trials if trial.world == world]) for world in worlds]
    if len(worlds) > 1:
        groups.append(("all", list(trials)))
    rows = [_row(name, pairs) for name, members in groups if len(pairs := predicted_and_actual(members))]
    if not rows:
        return ""
    note = (
        "95th percentile of the surface's error, mm. Brackets: Clopper and Pearson's 95 % intervals. A prediction "
        "includes how uncertain the geometry is said to be; where a world's geometry is exact, it is too large by that."
    )
    parts = ["## Predicted error", table(("world", *HEADINGS), rows), note]
    if len(pairs := predicted_and_actual_at_pedicles(trials)):
        where = "At the middle of a pedicle, the one that is further off for what was predicted:"
        parts += [where, table(("", *HEADINGS), [_row("pedicles", pairs)])]
    return "\n\n".join(parts)


def _row(name: str, pairs: np.ndarray) -> list[str]:
    within = int((pairs[:, 1] <= pairs[:, 0]).sum())
    low, high = clopper_pearson_interval(within, len(pairs))
    predicted, actual = np.median(pairs, axis=0)
    shares = f"{within / len(pairs):.0%} ({low:.0%} to {high:.0%})"
    return [name, str(len(pairs)), shares, f"{predicted:.2f}", f"{actual:.2f}", f"{predicted / max(actual, 1e-9):.1f}"]


def draw_reliability(axis: Axes, trials: Sequence[Trial]) -> None:
    """The share of trials within their predicted error, from those with the least predicted to those with the most.

    Bars are 95 % intervals; the line is what the share should be.
    """
    pairs = predicted_and_actual(trials)
    axis.axhline(NOMINAL, color="0.5", linewidth=0.8, linestyle=(0, (2.0, 2.0)))
    for group in np.array_split(pairs[np.argsort(pairs[:, 0])], min(GROUPS, len(pairs))) if len(pairs) else ():
        within = int((group[:, 1] <= group[:, 0]).sum())
        share, interval = within / len(group), clopper_pearson_interval(within, len(group))
        around = np.abs(np.array(interval)[:, None] - share)
        axis.errorbar(np.median(group[:, 0]), share, around, fmt="o", color=SERIES_COLOURS[0], capsize=3)
    axis.set(
        xlabel="predicted 95 % surface error, mm",
        ylabel="share of trials within it",
        ylim=(0, 1.04),
        title=f"Predicted errors (n = {len(pairs)})",
    )
    axis.set_xlim(left=0)
    axis.grid(alpha=0.25)
