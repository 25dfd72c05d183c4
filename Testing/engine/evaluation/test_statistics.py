"""Intervals cover what they promise, and a summary hides no failure."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radgs.evaluation.statistics import (
    clustered_bootstrap_interval,
    summarise_trials,
    wilson_interval,
)


def test_wilson_gives_the_published_interval_of_28_successes_in_30():
    assert wilson_interval(28, 30) == pytest.approx((0.787, 0.982), abs=5e-4)


def test_wilson_does_not_call_300_of_300_certain():
    low, high = wilson_interval(300, 300)
    assert low == pytest.approx(300 / (300 + 1.959964**2), abs=1e-6)
    assert high == 1.0
    assert wilson_interval(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="31"):
        wilson_interval(31, 30)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_proportion_and_mirrors_success_and_failure(trial):
    successes, n = trial
    low, high = wilson_interval(successes, n)
    assert 0.0 <= low <= successes / n <= high <= 1.0
    assert wilson_interval(n - successes, n) == pytest.approx((1 - high, 1 - low))


def test_trials_on_few_vertebrae_are_not_as_good_as_trials_on_many():
    random = np.random.default_rng(0)
    level_of_vertebra = random.normal(1.0, 0.3, 6)
    errors = (level_of_vertebra[:, None] + random.normal(0, 0.05, (6, 50))).ravel()
    by_vertebra = clustered_bootstrap_interval(errors, np.repeat(np.arange(6), 50).tolist(), np.mean)
    as_if_independent = clustered_bootstrap_interval(errors, list(range(300)), np.mean)
    assert by_vertebra[0] < as_if_independent[0] < errors.mean() < as_if_independent[1] < by_vertebra[1]
    assert np.ptp(by_vertebra) > 3 * np.ptp(as_if_independent)


def test_the_bootstrap_interval_of_independent_values_is_the_textbook_one():
    values = np.random.default_rng(2).normal(0.0, 1.0, 400)
    low, high = clustered_bootstrap_interval(values, list(range(400)), np.mean)
    half_width = 1.96 * values.std() / 20.0
    assert (low, high) == pytest.approx((values.mean() - half_width, values.mean() + half_width), abs=0.01)


def test_the_bootstrap_is_repeatable_and_one_vertebra_says_nothing_of_others():
    values, names = [0.3, 0.5, 0.4, 0.9], ["L1", "L1", "L2", "L3"]
    assert clustered_bootstrap_interval(values, names) == clustered_bootstrap_interval(values, names)
    assert clustered_bootstrap_interval(values, ["L1"] * 4) == pytest.approx((0.45, 0.45))
    with pytest.raises(ValueError, match="4 values"):
        clustered_bootstrap_interval(values, names[:3])


def test_a_summary_counts_a_trial_without_a_pose_as_a_failure():
    summary = summarise_trials([0.2, 0.4, 1.5, float("nan")], ["a/L1", "a/L2", "b/L1", "b/L2"])
    assert (summary.n, summary.without_result) == (4, 1)
    assert summary.median == pytest.approx(0.4)
    assert summary.mean == pytest.approx(0.7)
    assert summary.maximum == pytest.approx(1.5)
    assert summary.p90 == pytest.approx(np.percentile([0.2, 0.4, 1.5], 90))
    assert summary.success_1mm.fraction == pytest.approx(0.5)
    assert summary.success_2mm.fraction == pytest.approx(0.75)
    assert summary.success_2mm.interval == wilson_interval(3, 4)


def test_success_is_below_the_threshold_not_at_it():
    summary = summarise_trials([1.0, 2.0, 0.999], ["a", "b", "c"])
    assert summary.success_1mm.successes == 1
    assert summary.success_2mm.successes == 2


def test_a_summary_of_nothing_but_failures_is_still_written():
    written = json.loads(json.dumps(summarise_trials([float("inf")] * 2, ["a", "b"]).to_json_dict(), allow_nan=False))
    assert written["n"] == written["without_result"] == 2
    assert written["median_mtre_mm"] is None
    assert written["success_2mm"] == 0.0
