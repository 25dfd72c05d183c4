"""Statistics of trials: intervals and summaries."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest, bootstrap

from radgs.geometry import FloatArray
from radgs.io.json_fields import null_for_nan

Interval = tuple[float, float]


@dataclass(frozen=True)
class Proportion:
    """A share of trials with its Wilson interval; not a number with the interval 0 to 1 when there are no trials."""

    successes: int
    n: int
    interval: Interval

    @property
    def fraction(self) -> float:
        """Successes over trials."""
        return self.successes / self.n if self.n else float("nan")

    @classmethod
    def of(cls, successes: ArrayLike) -> Proportion:
        """The share of true values."""
        flags = np.asarray(successes, dtype=bool)
        return cls(int(flags.sum()), flags.size, wilson_interval(int(flags.sum()), flags.size))


@dataclass(frozen=True)
class TrialSummary:
    """Errors of a set of trials, mm.

    Trials that ended without a pose have no distance: they are counted in ``n`` and against success, and named in
    ``without_result``; median, mean, p90 and maximum are over the rest (not a number when there is no rest).
    """

    n: int
    without_result: int
    median: float
    median_interval: Interval
    mean: float
    mean_interval: Interval
    p90: float
    maximum: float
    success_1mm: Proportion
    success_2mm: Proportion

    def to_json_dict(self) -> dict[str, float | int | list[float] | None]:
        """The summary under the names of ``benchmark.json``; numbers that do not exist become null."""
        values: dict[str, float | int | Interval] = {
            "n": self.n,
            "without_result": self.without_result,
            "median_mtre_mm": self.median,
            "median_mtre_mm_interval": self.median_interval,
            "mean_mtre_mm": self.mean,
            "mean_mtre_mm_interval": self.mean_interval,
            "p90_mtre_mm": self.p90,
            "max_mtre_mm": self.maximum,
            "success_1mm": self.success_1mm.fraction,
            "success_1mm_interval": self.success_1mm.interval,
            "success_2mm": self.success_2mm.fraction,
            "success_2mm_interval": self.success_2mm.interval,
        }
        return {name: _json_value(value) for name, value in values.items()}


def _json_value(value: float | int | Interval) -> float | int | list[float] | None:
    """Null for a number, or an interval, that does not exist."""
    if not isinstance(value, tuple):
        return value if isinstance(value, int) else null_for_nan(value)
    ends = [end for end in map(null_for_nan, value) if end is not None]
    return ends if len(ends) == len(value) else None


def clopper_pearson_interval(successes: int, n: int) -> Interval:
    """95 % interval of a share that holds at least 95 % of the time, however few trials; 0 to 1 without any."""
    if n == 0:
        return 0.0, 1.0
    exact = binomtest(successes, n).proportion_ci(0.95, method="exact")
    return float(exact.low), float(exact.high)


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a proportion (Wilson, JASA 22, 1927); 0 to 1 when there are no trials."""
    if n == 0 and successes == 0:
        return 0.0, 1.0
    low, high = binomtest(successes, n).proportion_ci(confidence, "wilson")
    return float(low), float(high)


def clustered_bootstrap_interval(
    values: ArrayLike,
    clusters: Sequence[Hashable],
    statistic: Callable[[FloatArray], float] = np.median,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Percentile interval of a statistic of trials that resemble each other within a vertebra.

    Whole vertebrae are drawn with replacement, not trials: a hundred trials on one vertebra are not a hundred patients.

    Args:
        values: (N,) values, one per trial.
        clusters: The vertebra each trial belongs to.
        statistic: What to bound, of a (n,) array.
        confidence: Coverage.
        resamples: Number of bootstrap draws.
        seed: Seed of the draws.

    Returns:
        Lower and upper bound; with one vertebra both are the statistic itself, because nothing is known of others.

    Raises:
        ValueError: There are no values, or not one cluster per value.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if not numbers.size or numbers.shape != (len(clusters),):
        raise ValueError(f"{numbers.size} values in {len(clusters)} clusters' names.")
    groups: dict[Hashable, list[float]] = {}
    for number, cluster in zip(numbers, clusters, strict=True):
        groups.setdefault(cluster, []).append(float(number))
    members = [np.array(group) for group in groups.values()]
    if len(members) == 1:
        alone = float(statistic(members[0]))
        return alone, alone
    interval = bootstrap(
        (np.arange(len(members)),),
        lambda drawn: statistic(np.concatenate([members[index] for index in drawn])),
        n_resamples=resamples,
        vectorized=False,
        confidence_level=confidence,
        method="percentile",
        random_state=seed,
    ).confidence_interval
    return float(interval.low), float(interval.high)


def summarise_trials(errors_mm: ArrayLike, vertebrae: Sequence[Hashable], seed: int = 0) -> TrialSummary:
    """Summary of the errors (N,) of trials on the named vertebrae; NaN or infinity stands for a trial without a pose.

    Raises:
        ValueError: There is not one vertebra's name per trial.
    """
    errors = np.asarray(errors_mm, dtype=np.float64)
    if errors.shape != (len(vertebrae),):
        raise ValueError(f"{errors.size} errors of {len(vertebrae)} trials.")
    has_pose = np.isfinite(errors)
    found = errors[has_pose]
    owners = [vertebra for vertebra, kept in zip(vertebrae, has_pose, strict=True) if kept]
    nothing = float("nan")
    intervals = [
        clustered_bootstrap_interval(found, owners, statistic, seed=seed) if found.size else (nothing, nothing)
        for statistic in (np.median, np.mean)
    ]
    return TrialSummary(
        n=errors.size,
        without_result=int((~has_pose).sum()),
        median=float(np.median(found)) if found.size else nothing,
        median_interval=intervals[0],
        mean=float(found.mean()) if found.size else nothing,
        mean_interval=intervals[1],
        p90=float(np.percentile(found, 90)) if found.size else nothing,
        maximum=float(found.max()) if found.size else nothing,
        success_1mm=Proportion.of(has_pose & (errors < 1.0)),
        success_2mm=Proportion.of(has_pose & (errors < 2.0)),
    )
