"""The user's judgement of a level's pose, kept with its transform; a new result takes it away."""

from __future__ import annotations

from typing import Any

from radgs.errors import CaseError
from RadGSRegLib.levels import level_transform
from RadGSRegLib.node_contract import ACCEPTED_ATTRIBUTE, RESULT_ATTRIBUTE
from RadGSRegLib.result_import import result_of


def accept(ct: Any, level: str) -> None:
    """Marks a level of a CT as accepted.

    Raises:
        CaseError: The level has no pose, or one that was rejected.
    """
    transform = level_transform(ct, level)
    result = result_of(transform)
    if result is None or result["ct_to_world"] is None or result["verdict"] == "reject":
        raise CaseError(
            f"The pose of {level} was rejected and cannot be accepted.", "Correct the inputs, and register again."
        )
    transform.SetAttribute(ACCEPTED_ATTRIBUTE, result["verdict"])


def withdraw_acceptance(transform: Any) -> None:
    """Forgets that a level was accepted."""
    transform.RemoveAttribute(ACCEPTED_ATTRIBUTE)


def is_accepted(transform: Any) -> bool:
    """Whether the user accepted the pose that a level's transform holds."""
    return (
        transform.GetAttribute(ACCEPTED_ATTRIBUTE) is not None and transform.GetAttribute(RESULT_ATTRIBUTE) is not None
    )
