"""Where nodes stand: linear transforms to the world, matrices, and points."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk

from radgs.errors import GeometryError
from radgs.geometry import FloatArray, RigidTransform


def parent_to_world(node: Any) -> FloatArray:
    """(4, 4) map from a node's own coordinates to the world, through all its parents; RAS mm.

    Raises:
        GeometryError: A parent is not linear.
    """
    parent = node.GetParentTransformNode()
    if parent is None:
        return np.eye(4)
    if not parent.IsTransformToWorldLinear():
        raise GeometryError(
            f"{node.GetName()} stands under {parent.GetName()}, which is not a linear transform.",
            "Harden the transform in the Transforms module, or take the node out of it.",
        )
    matrix = vtk.vtkMatrix4x4()
    parent.GetMatrixTransformToWorld(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def rigid_parent_to_world(node: Any) -> RigidTransform:
    """``parent_to_world`` of a node whose shape has to stay what it is.

    Raises:
        GeometryError: A parent is not linear, or it scales, shears or mirrors.
    """
    matrix = parent_to_world(node)
    try:
        return RigidTransform.from_matrix(matrix)
    except GeometryError as error:
        parent = node.GetParentTransformNode().GetName()
        raise GeometryError(
            f"{node.GetName()} stands under {parent}, which scales, shears or mirrors it.",
            "Harden the transform in the Transforms module, or take the node out of it.",
        ) from error


def ijk_to_own_ras(volume: Any) -> FloatArray:
    """(4, 4) map from a volume's (i, j, k, 1) to its own RAS, under no transform."""
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def world_point(fiducial: Any) -> FloatArray:
    """(3,) world position of a fiducial's only control point.

    Raises:
        GeometryError: The node holds none, or more than one.
    """
    if fiducial.GetNumberOfDefinedControlPoints() != 1:
        raise GeometryError(
            f"{fiducial.GetName()} has {fiducial.GetNumberOfDefinedControlPoints()} points instead of one.",
            "Delete it, and place the point again.",
        )
    position = [0.0, 0.0, 0.0]
    fiducial.GetNthControlPointPositionWorld(0, position)
    return np.array(position)


def add_point(name: str, position: FloatArray) -> Any:
    """Adds a one-point fiducial at a world position (3,), mm."""
    fiducial = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
    fiducial.CreateDefaultDisplayNodes()
    fiducial.AddControlPointWorld(vtk.vtkVector3d(*position), name)
    fiducial.SetLocked(True)
    return fiducial


def add_transform(name: str, pose: RigidTransform) -> Any:
    """Adds a linear transform whose MatrixToParent is the pose, RAS mm."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
    set_pose(node, pose)
    return node


def set_pose(transform: Any, pose: RigidTransform) -> None:
    """Sets a linear transform's MatrixToParent."""
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(pose.matrix))


def pose_of(transform: Any) -> RigidTransform:
    """A linear transform's map to the world.

    Raises:
        GeometryError: It is not rigid.
    """
    matrix = slicer.util.arrayFromTransformMatrix(transform, toWorld=True)
    try:
        return RigidTransform.from_matrix(matrix)
    except GeometryError as error:
        raise GeometryError(f"{transform.GetName()}: {error.problem}", error.remedy) from error


def in_scene(node: Any) -> bool:
    """Whether a node is still part of the scene."""
    return node is not None and bool(slicer.mrmlScene.IsNodePresent(node))


def remove(node: Any) -> None:
    """Takes a displayable node out of the scene together with what only serves to show it; None is let pass."""
    if not in_scene(node):
        return
    for index in reversed(range(node.GetNumberOfDisplayNodes())):
        display = node.GetNthDisplayNode(index)
        if display.IsA("vtkMRMLVolumeRenderingDisplayNode"):
            remove(display.GetROINode())
            slicer.mrmlScene.RemoveNode(display.GetVolumePropertyNode())
        slicer.mrmlScene.RemoveNode(display)
    slicer.mrmlScene.RemoveNode(node)
