"""Plots of a benchmark: how errors accumulate, where they come from, what each stage adds, what was predicted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from radgs.case import STAGES, VERDICTS
from radgs.colours import AREA_COLOUR, SERIES_COLOURS, VERDICT_COLOURS
from radgs.evaluation.benchmark import GOOD_MM, HARMFUL_MM, cohorts_of
from radgs.evaluation.reliability import draw_reliability
from radgs.evaluation.trials import Trial
from radgs.io.atomic import write_atomically

#: A colour and a line style for each cohort: those that share one differ in the other.
LINE_STYLES = ("solid", "dashed", "dashdot", "dotted")
COHORT_STYLES = tuple(
    (colour, LINE_STYLES[(order + turn) % len(LINE_STYLES)])
    for turn in range(len(LINE_STYLES))
    for order, colour in enumerate(SERIES_COLOURS)
)
VERDICT_MARKERS = {"accept": "o", "check": "^", "reject": "X"}
#: More cohorts than these have their names beside the plot.
FEW_COHORTS = 5
#: Errors are drawn on a logarithmic axis, which has no zero.
MIN_PLOTTED_MM = 0.02


def save_plots(trials: Sequence[Trial], folder: Path) -> list[Path]:
    """Writes a picture of each kind, a PNG; trials without a pose lie beyond the axis."""
    drawings = {
        "cumulative_error.png": _draw_cumulative,
        "error_vs_start.png": _draw_error_vs_start,
        "stages.png": _draw_stages,
        "predicted_error.png": draw_reliability,
    }
    paths = []
    for name, draw in drawings.items():
        figure = Figure(figsize=(6.4, 4.4), dpi=120, facecolor="white", layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure.add_subplot(), trials)
        paths.append(folder / name)
        with write_atomically(paths[-1], private=False) as aside:
            figure.savefig(aside, bbox_inches="tight")
    return paths


def _draw_cumulative(axis: Axes, trials: Sequence[Trial]) -> None:
    """Share of trials up to each error, one line per cohort."""
    for (cohort, members), (colour, style) in zip(cohorts_of(trials).items(), cycle(COHORT_STYLES), strict=False):
        errors = np.sort([trial.mtre_mm for trial in members if np.isfinite(trial.mtre_mm)])
        share = np.arange(1, errors.size + 1) / len(members)
        x = np.concatenate([[MIN_PLOTTED_MM], np.maximum(errors, MIN_PLOTTED_MM)])
        label = f"{cohort} (n = {len(members)})"
        axis.step(x, np.concatenate([[0.0], share]), where="post", color=colour, linestyle=style, label=label)
    axis.set_xscale("log")
    _draw_limits(axis.axvline)
    axis.set(xlabel="mTRE of the result, mm", ylabel="share of trials", ylim=(0, 1.02), title="Errors, accumulated")
    _write_plain_numbers(axis.xaxis)
    if len(cohorts_of(trials)) > FEW_COHORTS:
        axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))  # it would hide the lines
    else:
        axis.legend(loc="upper left")
    axis.grid(alpha=0.25)


def _draw_error_vs_start(axis: Axes, trials: Sequence[Trial]) -> None:
    """The result's error over the start's, marked by verdict."""
    for verdict in VERDICTS:
        chosen = [t for t in trials if t.verdict == verdict and np.isfinite(t.mtre_mm)]
        if chosen:
            axis.scatter(
                [trial.start_mm for trial in chosen],
                [max(trial.mtre_mm, MIN_PLOTTED_MM) for trial in chosen],
                c=VERDICT_COLOURS[verdict],
                marker=VERDICT_MARKERS[verdict],
                edgecolors="black",
                linewidths=0.4,
                label=f"{verdict} ({len(chosen)})",
            )
    axis.set_yscale("log")
    _draw_limits(axis.axhline)
    axis.set(xlabel="mTRE of the start, mm", ylabel="mTRE of the result, mm", title="Result against start")
    axis.set_xlim(left=0)
    _write_plain_numbers(axis.yaxis)
    axis.legend(title="verdict")
    axis.grid(alpha=0.25)


def _draw_stages(axis: Axes, trials: Sequence[Trial]) -> None:
    """Box plots of the error after each stage that ran: quartiles, whiskers to the 5th and 95th percentile."""
    values = {stage: [t.stages_mm[stage] for t in trials if stage in t.stages_mm] for stage in STAGES}
    ran = {stage: np.maximum(errors, MIN_PLOTTED_MM) for stage, errors in values.items() if errors}
    if ran:
        labels = [f"{stage}\n(n = {len(errors)})" for stage, errors in ran.items()]
        axis.boxplot(
            list(ran.values()),
            tick_labels=labels,
            whis=(5, 95),
            patch_artist=True,
            boxprops={"facecolor": AREA_COLOUR},
            medianprops={"color": "black"},
            flierprops={"marker": ".", "markersize": 4},
        )
    axis.set_yscale("log")
    _draw_limits(axis.axhline)
    axis.set(ylabel="mTRE, mm", title="Error after each stage")
    _write_plain_numbers(axis.yaxis)
    axis.grid(alpha=0.25, axis="y")


def _draw_limits(draw_line: Callable[..., object]) -> None:
    """Lines at 1 mm and 2 mm."""
    for limit in (GOOD_MM, HARMFUL_MM):
        draw_line(limit, color="0.5", linewidth=0.8, linestyle=(0, (2.0, 2.0)))


def _write_plain_numbers(axis: Axis) -> None:
    """0.1 instead of a power of ten."""
    axis.set_major_formatter("{x:g}")
