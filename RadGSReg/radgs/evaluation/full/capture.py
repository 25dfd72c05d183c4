"""The capture range, by the rule of van de Kraats et al. (IEEE TMI 24, 2005)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from radgs.evaluation.benchmark import HARMFUL_MM
from radgs.evaluation.full.plan import StartPlan
from radgs.evaluation.full.records import FullTrial
from radgs.evaluation.statistics import Interval, clopper_pearson_interval

#: Of an interval's starts at least this share has to succeed.
LEAST_SUCCESS = 0.95


@dataclass(frozen=True)
class Point:
    """One point of a curve.

    Attributes:
        low, high: The interval that it stands for; both the same where it is one value.
        n: Trials.
        successes: Of these.
    """

    low: float
    high: float
    n: int
    successes: int

    @property
    def middle(self) -> float:
        """Where it is drawn."""
        return (self.low + self.high) / 2

    @property
    def share(self) -> float:
        """Successes over trials; NaN without trials."""
        return self.successes / self.n if self.n else math.nan

    @property
    def interval(self) -> Interval:
        """Clopper and Pearson's 95 % interval of the share."""
        return clopper_pearson_interval(self.successes, self.n)


@dataclass(frozen=True)
class CaptureRange:
    """How far off starts may be.

    Attributes:
        limit: Up to here every interval succeeded often enough; in the unit of the intervals.
        open_end: Nothing failed: the limit is how far starts went, and the range may reach further.
        unknown_beyond: What ended it was an interval without trials, not one that failed.
    """

    limit: float
    open_end: bool
    unknown_beyond: bool


def binned(at: ArrayLike, succeeded: ArrayLike, width: float, bins: int) -> list[Point]:
    """Trials in intervals [0, width), [width, 2 width), ...; what lies beyond the last is left out.

    Args:
        at: (N,) how far off each start was.
        succeeded: (N,) whether it was found.
        width: Of an interval.
        bins: How many.
    """
    where = np.floor(np.asarray(at, dtype=float) / width)
    flags = np.asarray(succeeded, dtype=bool)
    inside = [flags[where == number] for number in range(bins)]
    return [Point(n * width, (n + 1) * width, flags.size, int(flags.sum())) for n, flags in enumerate(inside)]


def capture_range(points: Sequence[Point], least: float = LEAST_SUCCESS) -> CaptureRange:
    """To the beginning of the first interval in which fewer than ``least`` of the starts succeed, whatever follows it.

    Args:
        points: Adjacent intervals, the nearest first.
        least: Share that has to succeed.
    """
    for point in points:
        if not point.n or point.share < least:
            return CaptureRange(point.low, open_end=False, unknown_beyond=not point.n)
    return CaptureRange(points[-1].high if points else 0.0, open_end=True, unknown_beyond=False)


def found(trial: FullTrial, stage: str = "refined") -> bool:
    """Whether a stage came to within 2 mm; the last one's pose is the result."""
    error = trial.trial.mtre_mm if stage == "refined" else trial.trial.stages_mm.get(stage, math.nan)
    return error < HARMFUL_MM


def by_start_mm(trials: Sequence[FullTrial], start: StartPlan, stage: str = "refined") -> list[Point]:
    """Success by mTRE of the start, mm."""
    at = [one.trial.start_mm for one in trials]
    return binned(at, [found(one, stage) for one in trials], start.bin_mm, start.bins)


def by_start_deg(trials: Sequence[FullTrial], start: StartPlan, stage: str = "refined") -> list[Point]:
    """Success by rotation of the start, degrees, whatever its shift."""
    at = [one.trial.start_rotation_deg for one in trials]
    bins = round(start.rotation_deg / start.bin_deg)
    return binned(at, [found(one, stage) for one in trials], start.bin_deg, bins)
