"""A colour means one thing, and is told from the others by readers who do not see red or do not see green."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from radgs.colours import AGREEING, DOUBTFUL, NEIGHBOUR, OTHER, PLAN, RESULT, START, rgb
from radgs.overlay.figures import VERDICT_COLOURS

MEANINGS = {
    "start": START,
    "result": RESULT,
    "neighbour": NEIGHBOUR,
    "agreeing": AGREEING,
    "doubtful": DOUBTFUL,
    "plan": PLAN,
    "other": OTHER,
    **VERDICT_COLOURS,
}

#: What is left of linear red, green and blue (Vienot, Brettel, Mollon: Digital video colourmaps, 1999).
SEEN_BY = {
    "everybody": np.eye(3),
    "protanopes": np.array([[0.1124, 0.8876, 0.0], [0.1124, 0.8876, 0.0], [0.0040, -0.0040, 1.0]]),
    "deuteranopes": np.array([[0.2928, 0.7072, 0.0], [0.2928, 0.7072, 0.0], [-0.0223, 0.0223, 1.0]]),
}


def test_no_colour_means_two_things() -> None:
    assert len({colour.upper() for colour in MEANINGS.values()}) == len(MEANINGS)


@pytest.mark.parametrize("reader", SEEN_BY)
def test_what_is_drawn_together_is_told_apart(reader: str) -> None:
    """By their distance in sRGB; black and white are 1.7 apart."""
    for together in (
        ("start", "result", "other"),
        ("agreeing", "doubtful"),
        ("plan", "result"),
        ("plan", "other"),
        ("accept", "check", "reject"),
    ):
        for first, second in combinations(together, 2):
            seen = [_as_seen(MEANINGS[name], SEEN_BY[reader]) for name in (first, second)]
            assert np.linalg.norm(seen[0] - seen[1]) > 0.15, (first, second)


def _as_seen(colour: str, left: np.ndarray) -> np.ndarray:
    return np.clip(left @ np.array(rgb(colour)) ** 2.2, 0.0, 1.0) ** (1 / 2.2)
