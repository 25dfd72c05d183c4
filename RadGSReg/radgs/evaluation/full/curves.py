"""Curves: how many trials succeed, and how near they come, over what was varied; as tables and as pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from radgs.colours import SERIES_COLOURS
from radgs.evaluation.benchmark import HARMFUL_MM, is_silent_failure
from radgs.evaluation.full.capture import (
    LEAST_SUCCESS,
    CaptureRange,
    Point,
    by_start_deg,
    by_start_mm,
    capture_range,
    found,
)
from radgs.evaluation.full.plan import CohortPlan
from radgs.evaluation.full.records import FullTrial
from radgs.evaluation.tables import table
from radgs.geometry import FloatArray
from radgs.io.atomic import write_atomically

#: What the values of a kind are called on an axis.
AXIS_NAMES: Mapping[str, str] = {
    "click offset": "offset of both clicks, mm",
    "along the spine": "offset along the spine, distances to the next level",
    "view angle": "angle between the views, degrees",
    "dose": "quanta per pixel in the open beam",
    "slice thickness": "slice thickness of the CT, mm",
}
#: Names a level that may be another one.
NAMES_THE_LEVEL = frozenset({"level", "other_level"})
#: The stages whose capture range is told, with what they are called.
STAGES: Mapping[str, str] = {
    "refined": "RadGSReg",
    "kabsch": "the paper's chain alone, Kabsch",
    "regm": "the paper's chain alone, RegM",
}
#: A capture range in degrees is counted over starts that lie no further off than the goal in mm.
NEAR_MM = 40.0
MARKERS = ("o", "s", "^", "D")
#: Height of a row of numbers above the curves, as a share of the trials.
ROW_OF_N = 0.06
#: Errors on their logarithmic axis: none is drawn below, and the axis reaches so far at least.
LEAST_DRAWN_MM, LEAST_TOP_MM = 0.02, 3.0


def percent(point: Point) -> str:
    """Successes of all, with the share and its interval."""
    if not point.n:
        return "-"
    low, high = point.interval
    return f"{point.successes} of {point.n} = {point.share:.0%} ({low:.0%} to {high:.0%})"


def by_value(cohort: CohortPlan, trials: Sequence[FullTrial]) -> list[Point]:
    """Success at each value of a cohort."""
    points = []
    for value in cohort.values:
        flags = [found(one) for one in trials if one.planned.value == value]
        points.append(Point(float(value), float(value), len(flags), sum(flags)))
    return points


def errors_mm(trials: Sequence[FullTrial]) -> FloatArray:
    """(N,) the trials' mTRE, mm; infinite where there is no pose."""
    errors = np.array([one.trial.mtre_mm for one in trials])
    return np.where(np.isnan(errors), math.inf, errors)


def errors_by_value(cohort: CohortPlan, trials: Sequence[FullTrial]) -> dict[float, FloatArray]:
    """``errors_mm`` of the trials at each value of a cohort."""
    errors = {}
    for value in cohort.values:
        errors[float(value)] = errors_mm([one for one in trials if one.planned.value == value])
    return errors


def curve_section(cohort: CohortPlan, trials: Sequence[FullTrial], picture: Path) -> str:
    """A cohort's table, real CT and phantoms apart, and its picture."""
    name = AXIS_NAMES[cohort.kind]
    kinds = sorted({one.trial.cohort for one in trials})
    of_kind = {kind: [one for one in trials if one.trial.cohort == kind] for kind in kinds}
    rows = []
    for kind, members in of_kind.items():
        for point in by_value(cohort, members):
            at = [one for one in members if one.planned.value == point.low]
            rows.append([kind, f"{point.low:g}", *_cells(cohort, point, at)])
    doubt = ["right, or the level named in doubt"] if cohort.kind == "along the spine" else []
    headings = ["CT", name, "< 2 mm", "median mTRE, mm", "worst", "accepted beyond 2 mm", *doubt]
    draw_curves(
        picture,
        cohort.name,
        name,
        {kind: by_value(cohort, members) for kind, members in of_kind.items()},
        errors={kind: errors_by_value(cohort, members) for kind, members in of_kind.items()},
        logarithmic=cohort.kind == "dose",
    )
    return "\n\n".join([f"## {cohort.name}", _who(trials), table(headings, rows), f"![{cohort.name}]({picture.name})"])


def _cells(cohort: CohortPlan, point: Point, at: Sequence[FullTrial]) -> list[str]:
    errors = errors_mm(at)
    silent = sum(is_silent_failure(one.trial) for one in at)
    cells = [
        percent(point),
        f"{np.median(errors):.2f}" if errors.size else "-",
        f"{errors.max():.2f}" if errors.size else "-",
        f"{silent} of {len(at)}",
    ]
    if cohort.kind == "along the spine":
        honest = [found(one) or (one.trial.verdict != "accept" and names_the_level(one)) for one in at]
        cells.append(percent(Point(point.low, point.high, len(honest), sum(honest))))
    return cells


def names_the_level(trial: FullTrial) -> bool:
    """Whether the verdict says that it may be another level."""
    return not NAMES_THE_LEVEL.isdisjoint(trial.trial.reasons)


def ranges_of(cohort: CohortPlan, trials: Sequence[FullTrial], stage: str = "refined") -> tuple[CaptureRange, ...]:
    """Capture range in mm of mTRE, and in degrees of the starts up to 40 mm off."""
    near = [one for one in trials if one.trial.start_mm < NEAR_MM]
    return (
        capture_range(by_start_mm(trials, cohort.start, stage)),
        capture_range(by_start_deg(near, cohort.start, stage)),
    )


def range_words(found_range: CaptureRange, unit: str) -> str:
    """A capture range for people."""
    words = f"{found_range.limit:g} {unit}"
    if found_range.open_end:
        return f"{words} or more (no interval failed)"
    return f"{words} (no trials beyond)" if found_range.unknown_beyond else words


def capture_section(cohort: CohortPlan, trials: Sequence[FullTrial], picture: Path) -> str:
    """Capture ranges by stage and by vertebra, success by interval, and the picture."""
    start = cohort.start
    rows = []
    for stage, words in STAGES.items():
        in_mm, in_deg = ranges_of(cohort, trials, stage)
        rows.append([words, str(len(trials)), range_words(in_mm, "mm"), range_words(in_deg, "degrees")])
    for vertebra in sorted({one.trial.vertebra for one in trials}):
        own = [one for one in trials if one.trial.vertebra == vertebra]
        in_mm, in_deg = ranges_of(cohort, own)
        rows.append([f"RadGSReg, {vertebra}", str(len(own)), range_words(in_mm, "mm"), range_words(in_deg, "degrees")])
    curves = {words: by_start_mm(trials, start, stage) for stage, words in STAGES.items()}
    draw_curves(picture, cohort.name, "mTRE of the start, mm", curves)
    intervals = [
        [f"{point.low:g} to {point.high:g}", percent(point), *_beyond(trials, point, "start_mm")]
        for point in curves[STAGES["refined"]]
    ]
    near = [one for one in trials if one.trial.start_mm < NEAR_MM]
    angles = [
        [f"{point.low:g} to {point.high:g}", percent(point), *_beyond(near, point, "start_rotation_deg")]
        for point in by_start_deg(near, start)
    ]
    note = (
        f"Starts are poses up to {start.shift_mm:g} mm and {start.rotation_deg:g} degrees off, spread evenly over "
        f"intervals of {start.bin_mm:g} mm of their mTRE, along the spine at most half a level. A start succeeds that "
        f"ends within 2 mm. The range ends at the first interval in which fewer than {LEAST_SUCCESS:.0%} do, whatever "
        "follows it; with fewer than 20 trials in an interval one failure ends it."
    )
    tail = ["< 2 mm", "accepted beyond 2 mm"]
    return "\n\n".join(
        [
            f"## {cohort.name}",
            note,
            _who(trials),
            table(["way", "n", "capture range, mTRE", f"of starts up to {NEAR_MM:g} mm off, by rotation"], rows),
            table(["mTRE of the start, mm", *tail], intervals),
            table([f"rotation of the start, degrees (mTRE up to {NEAR_MM:g} mm)", *tail], angles),
            f"![{cohort.name}]({picture.name})",
        ]
    )


def _beyond(trials: Sequence[FullTrial], point: Point, attribute: str) -> list[str]:
    inside = [one for one in trials if point.low <= getattr(one.trial, attribute) < point.high]
    return [f"{sum(is_silent_failure(one.trial) for one in inside)} of {len(inside)}"]


def _who(trials: Sequence[FullTrial]) -> str:
    vertebrae = sorted({one.trial.vertebra for one in trials})
    return f"{len(trials)} trials on {len(vertebrae)} vertebrae: {', '.join(vertebrae)}."


def draw_curves(
    path: Path,
    title: str,
    name: str,
    curves: Mapping[str, Sequence[Point]],
    errors: Mapping[str, Mapping[float, FloatArray]] | None = None,
    logarithmic: bool = False,
) -> None:
    """Writes a PNG: success over what was varied, with Clopper and Pearson's intervals and n of each point.

    Args:
        path: Of the picture.
        title: Over it.
        name: What was varied.
        curves: By kind of CT, or by way.
        errors: The same trials' mTRE, mm, at each value: drawn above, where success alone would say little.
        logarithmic: Whether values are on a logarithmic axis.
    """
    figure = Figure(figsize=(6.4, 6.8 if errors else 4.4), dpi=100, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axis: Axes
    if errors:
        above, axis = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        draw_errors(above, errors, logarithmic)
        above.set_title(title)
    else:
        axis = figure.add_subplot(title=title)
    draw_success(axis, curves)
    axis.axhline(LEAST_SUCCESS, color="0.5", linewidth=0.8, linestyle=(0, (2.0, 2.0)))
    axis.set(xlabel=name, ylabel="share of trials below 2 mm", ylim=(-0.02, 1.02 + ROW_OF_N * (len(curves) + 0.5)))
    axis.set_yticks(np.linspace(0.0, 1.0, 6))
    if logarithmic:
        axis.set_xscale("log")
    axis.legend(loc="best", fontsize="small")
    axis.grid(alpha=0.25)
    with write_atomically(path, private=False) as aside:
        figure.savefig(aside)


def draw_errors(axis: Axes, errors: Mapping[str, Mapping[float, FloatArray]], logarithmic: bool = False) -> None:
    """A dot for each trial and a line through the medians, for each kind of CT beside the others.

    One without a pose lies where the farthest of all does.
    """
    places = sorted({value for by_value in errors.values() for value in by_value})
    farthest = max(
        LEAST_TOP_MM, *(float(e[np.isfinite(e)].max(initial=0.0)) for by in errors.values() for e in by.values())
    )
    for number, (label, by_value) in enumerate(errors.items()):
        colour, aside = SERIES_COLOURS[number % len(SERIES_COLOURS)], number - (len(errors) - 1) / 2
        for value, at in by_value.items():
            x = _beside(value, aside, places, logarithmic)
            drawn = np.clip(np.where(np.isfinite(at), at, farthest), LEAST_DRAWN_MM, None)
            axis.plot(np.full(at.size, x), drawn, ".", color=colour, alpha=0.35, markeredgewidth=0)
        there = {value: float(np.median(at)) for value, at in by_value.items() if at.size}
        middle = [_beside(value, aside, places, logarithmic) for value in there]
        axis.plot(
            middle,
            np.clip(list(there.values()), LEAST_DRAWN_MM, farthest),
            MARKERS[number % len(MARKERS)] + "-",
            color=colour,
            label=f"{label}, median",
        )
    axis.set_yscale("log")
    axis.axhline(HARMFUL_MM, color="0.5", linewidth=0.8, linestyle=(0, (2.0, 2.0)))
    axis.set(ylabel="mTRE of the result, mm")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.legend(loc="best", fontsize="small")
    axis.grid(alpha=0.25)


def _beside(value: float, aside: float, places: Sequence[float], logarithmic: bool) -> float:
    """Where a value's dots are drawn: next to those of other kinds of CT."""
    if logarithmic:
        return value * 10.0 ** (0.04 * aside)
    across = places[-1] - places[0] if len(places) > 1 else 1.0
    return value + 0.012 * aside * across


def draw_success(axis: Axes, curves: Mapping[str, Sequence[Point]]) -> None:
    """One line for each curve; points without trials are left out."""
    for number, (label, points) in enumerate(curves.items()):
        there = [point for point in points if point.n]
        if not there:
            continue
        share = np.array([point.share for point in there])
        around = np.abs(np.array([point.interval for point in there]).T - share)
        middles = [point.middle for point in there]
        colour = SERIES_COLOURS[number % len(SERIES_COLOURS)]
        axis.errorbar(
            middles,
            share,
            around,
            fmt=MARKERS[number % len(MARKERS)] + "-",
            markersize=4,
            capsize=2,
            color=colour,
            label=f"{label} (n = {sum(point.n for point in there)})",
        )
        for x, point in zip(middles, there, strict=True):
            above = 1.02 + ROW_OF_N * number
            axis.annotate(str(point.n), (x, above), ha="center", va="bottom", fontsize=7, color=colour)
