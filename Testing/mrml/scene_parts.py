"""Small things to put into a scene."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

from radgs.geometry import RigidTransform, ViewGeometry

POSE = RigidTransform.from_rotation_vector([0.2, -0.1, 0.3], [11.0, -22.0, 33.0])

AP = ViewGeometry(
    np.array([5.0, 600.0, -3.0]),
    np.array([[-0.5, 0.02, 0.0, 30.0], [0.0, 0.05, 1.0, -400.0], [0.0, -0.8, 0.0, 40.0], [0.0, 0.0, 0.0, 1.0]]),
    (96, 128),
)
LAT = ViewGeometry(
    np.array([600.0, 4.0, 2.0]),
    np.array([[0.0, 0.0, 1.0, -400.0], [0.5, 0.0, 0.0, -32.0], [0.0, -0.5, 0.0, 24.0], [0.0, 0.0, 0.0, 1.0]]),
    (96, 128),
)


def add_transform(pose: RigidTransform, name: str = "Parent", scale: float = 1.0) -> Any:
    """A linear transform, rigid but for a scale."""
    matrix = pose.matrix
    matrix[:3, :3] *= scale
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
    slicer.util.updateTransformMatrixFromArray(node, matrix)
    return node


def add_bent_transform() -> Any:
    """A transform that is not linear: a grid of displacements."""
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLGridTransformNode", "Bent")


def pixels(seed: int, shape: tuple[int, int] = AP.shape) -> NDArray[np.float32]:
    """An image like no other."""
    return np.random.default_rng(seed).gamma(4.0, 0.7, shape).astype(np.float32)


def world_points(node: Any, points: NDArray) -> NDArray:
    """(N, 3) own points of a transformable node, in the world."""
    matrix = np.eye(4)
    if node.GetParentTransformNode() is not None:
        matrix = slicer.util.arrayFromTransformMatrix(node.GetParentTransformNode(), toWorld=True)
    return points @ matrix[:3, :3].T + matrix[:3, 3]
