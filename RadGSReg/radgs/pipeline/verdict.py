"""What a verdict can be at best, whatever the images say."""

from __future__ import annotations

from collections.abc import Sequence

from radgs.case import Reason, Verdict


def capped(
    verdict: Verdict, reasons: Sequence[Reason], cautions: Sequence[Reason]
) -> tuple[Verdict, tuple[Reason, ...]]:
    """A verdict under cautions: where inputs contradict each other, nothing is accepted.

    Args:
        verdict: What the images say.
        reasons: Its grounds.
        cautions: What a person must look at.
    """
    if cautions and verdict == "accept":
        verdict = "check"
    return verdict, (*reasons, *cautions)
