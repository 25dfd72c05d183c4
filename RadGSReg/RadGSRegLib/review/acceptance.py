"""The user's judgement of a level's pose, kept with its transform; a new result, or another pose, takes it away."""

from __future__ import annotations

from typing import Any

from radgs.errors import CaseError
from RadGSRegLib.engine.result_import import result_of
from RadGSRegLib.scene.levels import level_transform
from RadGSRegLib.scene.node_contract import ACCEPTED_ATTRIBUTE
from RadGSRegLib.scene.provenance import STILL_MM, moved_by_mm


def accept(ct: Any, level: str) -> None:
    """Marks a level of a CT as accepted.

    Raises:
        CaseError: The level has no pose, one that was rejected, or one that was moved since.
    """
    transform = level_transform(ct, level)
    result = result_of(transform)
    if result is None or result["ct_to_world"] is None or result["verdict"] == "reject":
        raise CaseError(
            f"The pose of {level} was rejected and cannot be accepted.", "Correct the inputs, and register again."
        )
    if is_moved(transform):
        raise CaseError(f"The transform of {level} was moved since it was registered.", "Register again.")
    transform.SetAttribute(ACCEPTED_ATTRIBUTE, result["verdict"])


def withdraw_acceptance(transform: Any) -> None:
    """Forgets that a level was accepted."""
    transform.RemoveAttribute(ACCEPTED_ATTRIBUTE)


def is_accepted(transform: Any) -> bool:
    """Whether the user accepted the pose that a level's transform holds now."""
    return transform.GetAttribute(ACCEPTED_ATTRIBUTE) is not None and not is_moved(transform)


def is_moved(transform: Any) -> bool:
    """Whether a level's transform holds another pose than its result, such as one that was turned by hand."""
    result = result_of(transform)
    if result is None or result["ct_to_world"] is None:
        return False
    return not moved_by_mm(transform, result["ct_to_world"]) <= STILL_MM
