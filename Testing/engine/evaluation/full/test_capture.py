"""The capture range ends where the 95 % rule first fails."""

from __future__ import annotations

import pytest

from radgs.evaluation.full.capture import CaptureRange, Point, binned, capture_range


def points(*successes_of: tuple[int, int]) -> list[Point]:
    return [Point(5.0 * n, 5.0 * (n + 1), of, good) for n, (good, of) in enumerate(successes_of)]


def test_starts_are_counted_in_the_interval_that_holds_them() -> None:
    made = binned([0.0, 4.999, 5.0, 9.0, 12.0, 15.0, 40.0], [1, 1, 1, 0, 1, 1, 1], 5.0, 3)
    assert [(one.low, one.high, one.n, one.successes) for one in made] == [
        (0.0, 5.0, 2, 2),
        (5.0, 10.0, 2, 1),
        (10.0, 15.0, 1, 1),
    ]


def test_a_middle_interval_that_fails_ends_the_range_whatever_follows() -> None:
    made = points((20, 20), (19, 20), (18, 20), (20, 20), (20, 20))
    assert made[1].share == 0.95  # just enough
    assert capture_range(made) == CaptureRange(10.0, open_end=False, unknown_beyond=False)


def test_a_first_interval_that_fails_leaves_no_range() -> None:
    assert capture_range(points((18, 20), (20, 20))).limit == 0.0


def test_where_nothing_fails_the_range_is_how_far_starts_went_and_says_so() -> None:
    assert capture_range(points((20, 20), (20, 20))) == CaptureRange(10.0, open_end=True, unknown_beyond=False)


def test_an_interval_without_trials_ends_what_is_known() -> None:
    assert capture_range(points((20, 20), (0, 0), (20, 20))) == CaptureRange(5.0, open_end=False, unknown_beyond=True)


def test_intervals_are_clopper_and_pearsons() -> None:
    low, high = Point(0.0, 5.0, 10, 10).interval
    assert low == pytest.approx(0.025 ** (1 / 10))
    assert high == 1.0
