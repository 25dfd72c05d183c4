"""Rigid transforms on SE(3), volumes, calibrated X-ray views and, in ``radgs.geometry.roi``, the region of interest."""

from radgs.geometry.rigid_transform import (
    LEVER_MM,
    FloatArray,
    RigidTransform,
    angle_between,
    largest_distance,
    mean_distance,
    unit,
)
from radgs.geometry.views import Triangulation, ViewGeometry, XRayView, triangulate
from radgs.geometry.volume import Volume

__all__ = [
    "LEVER_MM",
    "FloatArray",
    "RigidTransform",
    "Triangulation",
    "ViewGeometry",
    "Volume",
    "XRayView",
    "angle_between",
    "largest_distance",
    "mean_distance",
    "triangulate",
    "unit",
]
