"""A level's pose as a person moves it: a copy beside the result, with handles in the views; the result stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import slicer

from radgs.colours import OTHER, rgb
from radgs.geometry import FloatArray, RigidTransform
from RadGSRegLib.scene.node_contract import (
    LEVEL_ATTRIBUTE,
    NUDGE_ROLE,
    NUDGED_ATTRIBUTE,
    NUDGED_VERTEBRA_ROLE,
    RESULT_ATTRIBUTE,
    VERTEBRA_ROLE,
)
from RadGSRegLib.scene.placement import add_transform, in_scene, remove

#: How much of the nudged vertebra lets the result's be seen through.
OPACITY = 0.6


def nudge_of(transform: Any) -> Any:
    """The transform that a person moves beside a level's; None where there is none."""
    nudge: Any = None if transform is None else transform.GetNodeReference(NUDGE_ROLE)
    # It is not saved: in a scene that was, its ID may have become another node's.
    return nudge if in_scene(nudge) and nudge.GetAttribute(NUDGED_ATTRIBUTE) is not None else None


def is_out_of_date(transform: Any) -> bool:
    """Whether the copy was made of another result than a level's transform holds now."""
    nudge = nudge_of(transform)
    return nudge is not None and nudge.GetAttribute(NUDGED_ATTRIBUTE) != transform.GetAttribute(RESULT_ATTRIBUTE)


def begin_nudge(transform: Any, pose: RigidTransform) -> Any:
    """Puts a copy of a level's pose into the scene, with handles, and returns its transform.

    Neither it nor its vertebra is saved with the scene.

    Args:
        transform: The level's transform, which is left as it is.
        pose: Where the copy stands at first, ``ct_to_world``.
    """
    end_nudge(transform)
    level = transform.GetAttribute(LEVEL_ATTRIBUTE)
    nudge = add_transform(f"{level} nudged", pose)
    nudge.SetSaveWithScene(False)
    nudge.SetHideFromEditors(True)  # nobody shall take it for a result
    nudge.SetAttribute(NUDGED_ATTRIBUTE, transform.GetAttribute(RESULT_ATTRIBUTE) or "")
    transform.SetNodeReferenceID(NUDGE_ROLE, nudge.GetID())
    vertebra = transform.GetNodeReference(VERTEBRA_ROLE)
    if in_scene(vertebra) and vertebra.GetPolyData() is not None:
        nudge.SetCenterOfTransformation(vertebra.GetPolyData().GetCenter())  # in the CT's RAS; the handles stand there
        copy = _copy_vertebra(vertebra, nudge, level)
        transform.SetNodeReferenceID(NUDGED_VERTEBRA_ROLE, copy.GetID())
    _show_handles(nudge)
    return nudge


def show_handles_in(nudge: Any, views: Sequence[str]) -> None:
    """Shows the handles in some views alone, by their IDs: on a film they would not lie where the vertebra is cast."""
    display = nudge.GetDisplayNode()
    if set(display.GetViewNodeIDs()) != set(views):
        display.SetViewNodeIDs(list(views))


def end_nudge(transform: Any) -> None:
    """Takes the copy out of the scene, as far as it is there: somebody may have deleted a part of it."""
    if transform is None:
        return
    vertebra = transform.GetNodeReference(NUDGED_VERTEBRA_ROLE)
    if in_scene(vertebra) and vertebra.GetAttribute(NUDGED_ATTRIBUTE) is not None:
        remove(vertebra)
    remove(nudge_of(transform))
    for role in (NUDGE_ROLE, NUDGED_VERTEBRA_ROLE):
        transform.SetNodeReferenceID(role, None)


def turning_point(nudge: Any) -> FloatArray:
    """(3,) the point about which the vertebra is turned, the CT's own RAS, mm."""
    return np.array(nudge.GetCenterOfTransformation())


def _copy_vertebra(vertebra: Any, nudge: Any, level: str) -> Any:
    model = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", f"{level} vertebra, nudged")
    model.SetSaveWithScene(False)
    model.SetAttribute(NUDGED_ATTRIBUTE, "")
    model.SetAndObservePolyData(vertebra.GetPolyData())
    model.CreateDefaultDisplayNodes()
    display = model.GetDisplayNode()
    display.SetSaveWithScene(False)
    display.SetColor(*rgb(OTHER))
    display.SetOpacity(OPACITY)
    display.SetVisibility2D(True)
    model.SetAndObserveTransformNodeID(nudge.GetID())
    return model


def _show_handles(nudge: Any) -> None:
    """In slices and in 3D, to shift and to turn; a bone is not scaled."""
    nudge.CreateDefaultDisplayNodes()
    display = nudge.GetDisplayNode()
    display.SetSaveWithScene(False)
    for set_on in (
        display.SetEditorVisibility,
        display.SetEditorVisibility3D,
        display.SetEditorSliceIntersectionVisibility,
        display.SetEditorTranslationEnabled,
        display.SetEditorTranslationSliceEnabled,
        display.SetEditorRotationEnabled,
        display.SetEditorRotationSliceEnabled,
    ):
        set_on(True)
    display.SetEditorScalingEnabled(False)
    display.SetEditorScalingSliceEnabled(False)
