"""Levels in the scene: a transform each, a vertebra that always follows it, and the CT that follows the active one."""

from __future__ import annotations

from typing import Any

import slicer

from radgs.errors import CaseError
from radgs.geometry import RigidTransform
from RadGSRegLib.scene.node_contract import (
    ATTRIBUTES_OF_A_LEVEL,
    CT_ROLE,
    FORMER_PARENT_ROLE,
    LEVEL_ATTRIBUTE,
    ROLES_OF_A_LEVEL,
    VERTEBRA_ROLE,
)
from RadGSRegLib.scene.placement import add_transform, set_pose
from RadGSRegLib.scene.segments import surface

#: Colours of the vertebrae, by turns: bone, and tints of it that can be told apart.
COLOURS = ((0.89, 0.84, 0.68), (0.62, 0.79, 0.88), (0.88, 0.69, 0.62), (0.71, 0.85, 0.65), (0.80, 0.72, 0.88))


def level_transforms(ct: Any) -> dict[str, Any]:
    """The level transforms of a CT in the scene, by level."""
    nodes = slicer.util.getNodesByClass("vtkMRMLLinearTransformNode")
    mine = [node for node in nodes if node.GetAttribute(LEVEL_ATTRIBUTE) and node.GetNodeReference(CT_ROLE) is ct]
    return {node.GetAttribute(LEVEL_ATTRIBUTE): node for node in mine}


def level_transform(ct: Any, level: str) -> Any:
    """The transform of a CT's level.

    Raises:
        CaseError: The level has not been registered.
    """
    known = level_transforms(ct)
    if level not in known:
        raise CaseError(f"Level {level} has not been registered.", f"Registered are: {', '.join(known) or 'none'}.")
    return known[level]


def is_level_transform(node: Any) -> bool:
    """Whether a transform is one that this module moves a CT with."""
    return node is not None and node.GetAttribute(LEVEL_ATTRIBUTE) is not None


def active_level(ct: Any) -> str | None:
    """The level whose transform a CT follows; None where it follows none, or there is no CT."""
    parent = None if ct is None else ct.GetParentTransformNode()
    return None if parent is None else parent.GetAttribute(LEVEL_ATTRIBUTE)


def level_looked_at(parameters: Any) -> str | None:
    """The level that the CT follows, or else the first of those chosen."""
    return active_level(parameters.ct) or next(iter(parameters.segments), None)


def transform_looked_at(parameters: Any) -> Any:
    """The transform of that level; None where it has none, or there is no scene."""
    if parameters is None or parameters.ct is None:
        return None
    return level_transforms(parameters.ct).get(level_looked_at(parameters) or "")


def put_level(ct: Any, level: str, pose: RigidTransform, name: str = "", into: Any = None) -> Any:
    """Gives a level of a CT its pose, and returns its transform, made where there is none yet.

    Args:
        ct: The CT.
        level: The level's name.
        pose: Its ``ct_to_world``.
        name: What the transform is called when it is made.
        into: The linear transform that is the level's from now on; the one it had becomes a plain transform.
    """
    former = level_transforms(ct).get(level)
    transform = into or former
    if transform is None:
        transform = add_transform(name or f"{level}CTToWorld", pose)
    else:
        set_pose(transform, pose)
    transform.SetAttribute(LEVEL_ATTRIBUTE, level)
    transform.SetNodeReferenceID(CT_ROLE, ct.GetID())
    if former is not None and former is not transform:
        _hand_over(former, transform)
    return transform


def _hand_over(former: Any, heir: Any) -> None:
    """What belongs to a level goes to the transform that is the level's now; the former keeps pose and name alone."""
    for role in ROLES_OF_A_LEVEL:
        heir.SetNodeReferenceID(role, former.GetNodeReferenceID(role))
        former.SetNodeReferenceID(role, None)
    for attribute in ATTRIBUTES_OF_A_LEVEL:
        former.RemoveAttribute(attribute)
    former.SetNodeReferenceID(CT_ROLE, None)
    for node in slicer.util.getNodesByClass("vtkMRMLTransformableNode"):
        if node.GetParentTransformNode() is former:
            node.SetAndObserveTransformNodeID(heir.GetID())


def put_vertebra(transform: Any, segmentation: Any, identifier: str) -> Any:
    """Shows a level's vertebra as a model under its transform, and returns it; made where there is none yet."""
    model = transform.GetNodeReference(VERTEBRA_ROLE)
    level = transform.GetAttribute(LEVEL_ATTRIBUTE)
    if model is None:
        model = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", f"{level} vertebra")
        model.SetAttribute(LEVEL_ATTRIBUTE, level)
        model.CreateDefaultDisplayNodes()
        model.GetDisplayNode().SetColor(*COLOURS[sum(map(ord, level)) % len(COLOURS)])
        model.GetDisplayNode().SetVisibility2D(True)
        transform.SetNodeReferenceID(VERTEBRA_ROLE, model.GetID())
    model.SetAndObservePolyData(surface(segmentation, identifier))
    model.SetAndObserveTransformNodeID(transform.GetID())
    return model


def activate(transform: Any, *nodes: Any) -> None:
    """Puts the CT and its segmentation under a level's transform, and remembers the parents they had before."""
    for node in nodes:
        parent = node.GetParentTransformNode()
        if not is_level_transform(parent):
            node.SetNodeReferenceID(FORMER_PARENT_ROLE, None if parent is None else parent.GetID())
        node.SetAndObserveTransformNodeID(transform.GetID())


def revert(*nodes: Any) -> None:
    """Puts nodes back under the parents they had before ``activate``; others are left where they are."""
    for node in nodes:
        if is_level_transform(node.GetParentTransformNode()):
            former = node.GetNodeReference(FORMER_PARENT_ROLE)
            node.SetAndObserveTransformNodeID(None if former is None else former.GetID())
            node.SetNodeReferenceID(FORMER_PARENT_ROLE, None)


def unmoved_parent(node: Any) -> Any:
    """The transform that the user put a node under, whether or not a level's transform moves it now; None for none."""
    parent = node.GetParentTransformNode()
    return node.GetNodeReference(FORMER_PARENT_ROLE) if is_level_transform(parent) else parent
