"""The user's word that the right vertebra is meant, and how long it holds.

It holds for one CT, one segmentation, and the levels with their segments as they were called when it was given.
Anything else is another choice, for which the word was not given.
"""

from __future__ import annotations

import json
from typing import Any


def confirm(parameters: Any) -> None:
    """Takes the user's word for the levels chosen now."""
    parameters.confirmedLevels = _what_is_confirmed(parameters)


def withdraw(parameters: Any) -> None:
    """Forgets the user's word."""
    parameters.confirmedLevels = ""


def is_confirmed(parameters: Any) -> bool:
    """Whether the levels chosen now are those that the user confirmed."""
    return bool(parameters.segments) and parameters.confirmedLevels == _what_is_confirmed(parameters)


def _what_is_confirmed(parameters: Any) -> str:
    ct, segmentation = parameters.ct, parameters.segmentation
    if ct is None or segmentation is None:
        return ""
    held = segmentation.GetSegmentation()
    segments = sorted(
        (level, identifier, segment.GetName() if (segment := held.GetSegment(identifier)) else None)
        for level, identifier in parameters.segments.items()
    )
    return json.dumps([ct.GetID(), segmentation.GetID(), segments])
