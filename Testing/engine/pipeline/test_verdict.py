"""Whatever the images say, inputs that contradict each other are not accepted."""

from __future__ import annotations

import pytest

from radgs.case import Reason, Verdict
from radgs.pipeline.verdict import capped

CAUTION = Reason("header", "View AP is mirrored by case.json against its header.")
GROUND = Reason("dissimilar", "The model explains view AP poorly.")


@pytest.mark.parametrize(("verdict", "expected"), [("accept", "check"), ("check", "check"), ("reject", "reject")])
def test_a_caution_caps_the_verdict_and_is_told(verdict: Verdict, expected: Verdict) -> None:
    grounds = () if verdict == "accept" else (GROUND,)
    assert capped(verdict, grounds, (CAUTION,)) == (expected, (*grounds, CAUTION))


def test_without_a_caution_the_images_decide() -> None:
    assert capped("accept", (), ()) == ("accept", ())
