"""What was planned in the CT, such as a screw, and where it falls on the films.

A markups line is a plan when it stands where the CT stands, or stood before a registration moved it, and lies within
the CT: its own coordinates then are the CT's own RAS, and every pose of the CT says where it is in the world. A line
that was drawn on a film is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import slicer
import vtk

from radgs.colours import PLAN, rgb
from radgs.geometry import FloatArray, RigidTransform
from RadGSRegLib.scene import xray_nodes
from RadGSRegLib.scene.levels import unmoved_parent
from RadGSRegLib.scene.node_contract import ON_FILM_ATTRIBUTE, PLAN_ROLE, PLANNED_ON_ROLE
from RadGSRegLib.scene.placement import ijk_to_own_ras, in_scene, remove


def planned_lines(ct: Any) -> list[Any]:
    """The markups lines of a scene that were planned in a CT."""
    if not in_scene(ct) or ct.GetImageData() is None:
        return []
    stands = (ct.GetParentTransformNode(), unmoved_parent(ct))
    lines = slicer.util.getNodesByClass("vtkMRMLMarkupsLineNode")
    return [
        line
        for line in lines
        if line.GetAttribute(ON_FILM_ATTRIBUTE) is None
        and line.GetParentTransformNode() in stands
        and line.GetNumberOfDefinedControlPoints() == 2
        and _is_within(ct, ends_in_ct(line))
    ]


def ends_in_ct(line: Any) -> FloatArray:
    """(2, 3) a planned line's ends in the CT's own RAS, mm."""
    ends = np.zeros((2, 3))
    for number in range(2):
        line.GetNthControlPointPosition(number, ends[number])
    return ends


def show_on_films(ct: Any, xrays: Sequence[Any], pose: RigidTransform | None) -> list[Any]:
    """Lays every planned line on every X-ray's film, where the source casts it at a pose, and returns these lines.

    Args:
        ct: The CT.
        xrays: X-rays with their geometry.
        pose: ``ct_to_world``; None takes all lines off the films.
    """
    wanted = [] if pose is None else [(line, xray) for line in planned_lines(ct) for xray in xrays]
    keys = [(line.GetID(), xray.GetID()) for line, xray in wanted]
    for node in _on_films():
        if _what_it_shows(node) not in keys:
            remove(node)
    shown = {_what_it_shows(node): node for node in _on_films()}
    found = []
    for line, xray in wanted:
        geometry = xray_nodes.geometry_of(xray)
        pixels = geometry.project(pose.apply(ends_in_ct(line))) if pose is not None else np.full((2, 2), np.nan)
        node = shown.get((line.GetID(), xray.GetID()))
        if not np.isfinite(pixels).all():
            remove(node)
            continue
        node = node or _new_line(line, xray)
        _move(node, geometry.pixel_to_ras(pixels))
        found.append(node)
    return found


def _is_within(ct: Any, points: FloatArray) -> bool:
    index = (np.column_stack([points, np.ones(len(points))]) @ np.linalg.inv(ijk_to_own_ras(ct)).T)[:, :3]
    size = np.array(ct.GetImageData().GetDimensions())
    return bool(((index >= -0.5) & (index <= size - 0.5)).all())


def _on_films() -> list[Any]:
    lines = slicer.util.getNodesByClass("vtkMRMLMarkupsLineNode")
    return [line for line in lines if line.GetAttribute(ON_FILM_ATTRIBUTE) is not None]


def _what_it_shows(node: Any) -> tuple[str | None, str | None]:
    return node.GetNodeReferenceID(PLAN_ROLE), node.GetNodeReferenceID(PLANNED_ON_ROLE)


def _new_line(line: Any, xray: Any) -> Any:
    node = slicer.mrmlScene.AddNewNodeByClass(
        "vtkMRMLMarkupsLineNode", f"{line.GetName()} on {xray_nodes.view_name(xray)}"
    )
    node.SetSaveWithScene(False)  # it follows from the plan and the pose
    node.SetAttribute(ON_FILM_ATTRIBUTE, "yes")
    node.SetNodeReferenceID(PLAN_ROLE, line.GetID())
    node.SetNodeReferenceID(PLANNED_ON_ROLE, xray.GetID())
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetSaveWithScene(False)
    node.GetDisplayNode().SetSelectedColor(*rgb(PLAN))
    node.GetDisplayNode().SetPropertiesLabelVisibility(False)
    for _ in range(2):
        node.AddControlPointWorld(vtk.vtkVector3d(0.0, 0.0, 0.0))
    node.SetLocked(True)
    return node


def _move(node: Any, ends: FloatArray) -> None:
    """Moves a line's ends (2, 3), world mm; where they are already, nobody is told of a change."""
    for number, end in enumerate(ends):
        now = [0.0, 0.0, 0.0]
        node.GetNthControlPointPositionWorld(number, now)
        if not np.allclose(now, end, atol=1e-6):
            node.SetNthControlPointPositionWorld(number, *end)
