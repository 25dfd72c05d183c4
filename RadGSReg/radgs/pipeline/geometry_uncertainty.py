"""What an uncertain geometry adds to the uncertainty of a pose.

A source or a detector that stands elsewhere than it is believed to moves every image of the vertebra, and the pose with
it: by as much as a least-squares fit of the vertebra's points to all views passes on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, XRayView
from radgs.geometry.sigma import USUAL_SIGMA
from radgs.refine.solver import TWIST_SCALE

#: Points of the vertebra that stand for it.
POINTS = 40
#: Steps of the finite differences, mm or degrees.
STEP = 0.1


def geometry_covariance(views: Sequence[XRayView], points_world: FloatArray, centre: FloatArray) -> NDArray[np.float64]:
    """(6, 6) covariance of the vertebra's twist that comes from the views' geometry, in units of ``TWIST_SCALE``.

    Args:
        views: The X-rays, with how uncertain each one's geometry is; ``USUAL_SIGMA`` where they do not say.
        points_world: (N, 3) surface points at the pose found.
        centre: (3,) the twist's centre, world mm.
    """
    points = points_world[:: max(1, len(points_world) // POINTS)]
    by_pose = np.concatenate([_by_pose(view.geometry, points, centre) for view in views])
    passed_on = np.linalg.pinv(by_pose)
    covariance = np.zeros((6, 6))
    rows = by_pose.shape[0] // len(views)
    for number, view in enumerate(views):
        sigma = view.geometry_sigma or USUAL_SIGMA
        moved = passed_on[:, number * rows : (number + 1) * rows] @ _by_geometry(view.geometry, points)
        covariance += moved @ sigma.as_covariance @ moved.T
    return covariance


def _at_vertebra(geometry: ViewGeometry, points: FloatArray, seen: FloatArray) -> NDArray[np.float64]:
    """Pixels (N, 2) as millimetres at the points' depth, flat."""
    depth = (points - geometry.source_ras) @ geometry.normal / geometry.source_to_detector_mm
    return (seen * np.array(geometry.pixel_spacing) * depth[:, None]).ravel()


def _by_pose(geometry: ViewGeometry, points: FloatArray, centre: FloatArray) -> NDArray[np.float64]:
    """(2 N, 6) how the points' images move with the pose, mm per unit."""
    columns = []
    for axis in np.eye(6) * TWIST_SCALE * STEP:
        motion = RigidTransform.identity().rotated_about(centre, axis[:3], axis[3:])
        moved = geometry.project(motion.apply(points)) - geometry.project(points)
        columns.append(_at_vertebra(geometry, points, moved) / STEP)
    return np.column_stack(columns)


def _by_geometry(geometry: ViewGeometry, points: FloatArray) -> NDArray[np.float64]:
    """(2 N, 9) how they move with source (per mm), detector (per mm) and its rotation (per degree), mm."""
    seen, columns = geometry.project(points), []
    for axis in np.eye(3):
        other = ViewGeometry(geometry.source_ras + STEP * axis, geometry.detector_to_ras, geometry.shape)
        columns.append(_at_vertebra(geometry, points, other.project(points) - seen) / STEP)
    for kind in ("shift", "turn"):
        for axis in np.eye(3):
            turn, shift = (np.zeros(3), STEP * axis) if kind == "shift" else (np.radians(STEP) * axis, np.zeros(3))
            motion = RigidTransform.identity().rotated_about(geometry.centre_ras, turn, shift)
            other = ViewGeometry(geometry.source_ras, motion.matrix @ geometry.detector_to_ras, geometry.shape)
            columns.append(_at_vertebra(geometry, points, other.project(points) - seen) / STEP)
    return np.column_stack(columns)
