"""The user's judgement of a level's pose, kept with its transform; a new result, or another pose, takes it away."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer

from radgs.errors import CaseError
from RadGSRegLib.engine.result_import import result_of
from RadGSRegLib.scene.levels import level_transform
from RadGSRegLib.scene.node_contract import ACCEPTED_ATTRIBUTE

#: A pose that differs from the result's by no more than this in any number is the result's, mm or without unit.
SAME_POSE = 1e-6


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
    pose = slicer.util.arrayFromTransformMatrix(transform)
    return not np.allclose(pose, result["ct_to_world"], rtol=0.0, atol=SAME_POSE)
