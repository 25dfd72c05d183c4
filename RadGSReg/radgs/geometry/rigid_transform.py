"""Rigid transforms on SE(3), in millimetres and radians.

Transforms are named for what they map (``ct_to_world``); composition reads right to left, as matrices do:
``detector_to_world = ct_to_world @ detector_to_ct``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from radgs.errors import GeometryError

FloatArray = NDArray[np.float64]

#: How far R R^T may stray from the identity before a 4x4 matrix is not called rigid.
RIGIDITY_TOLERANCE = 1e-4
#: A radian counts as this many millimetres: a rotation about a vertebra's centre moves its surface about as far.
LEVER_MM = 25.0


@dataclass(frozen=True, eq=False)
class RigidTransform:
    """A proper rigid motion x -> R x + t.

    Attributes:
        rotation: (3, 3) proper rotation matrix.
        translation: (3,) translation in mm.
    """

    rotation: FloatArray
    translation: FloatArray

    @classmethod
    def identity(cls) -> RigidTransform:
        """The transform that moves nothing."""
        return cls(np.eye(3), np.zeros(3))

    @classmethod
    def from_matrix(cls, matrix: ArrayLike) -> RigidTransform:
        """Reads a homogeneous 4x4 matrix and projects its rotation to the nearest proper one.

        Raises:
            GeometryError: The matrix is not 4x4, not finite, or not rigid to ``RIGIDITY_TOLERANCE``.
        """
        try:
            values = np.asarray(matrix, dtype=np.float64)
        except (TypeError, ValueError):
            values = np.empty(0)
        if values.shape != (4, 4):
            raise GeometryError("A transform is not a 4x4 matrix of numbers.", "Write it as four rows of four numbers.")
        if not np.isfinite(values).all():
            raise GeometryError("A transform contains NaN or infinite numbers.", "Write finite numbers only.")
        rotation = values[:3, :3]
        rigid = np.allclose(rotation @ rotation.T, np.eye(3), atol=RIGIDITY_TOLERANCE) and np.linalg.det(rotation) > 0
        if not rigid or not np.allclose(values[3], [0, 0, 0, 1], atol=RIGIDITY_TOLERANCE):
            raise GeometryError(
                "A transform is not rigid: it scales, shears or mirrors.",
                "Give a rotation and a translation in millimetres, with last row 0 0 0 1.",
            )
        u, _, vt = np.linalg.svd(rotation)
        return cls(u @ vt, values[:3, 3].copy())

    @classmethod
    def from_rotation_vector(
        cls, rotation_vector: ArrayLike, translation: ArrayLike = (0.0, 0.0, 0.0)
    ) -> RigidTransform:
        """Builds a transform from an axis times an angle (radians) and a translation (mm)."""
        rotation = Rotation.from_rotvec(np.asarray(rotation_vector, dtype=np.float64)).as_matrix()
        return cls(rotation, np.asarray(translation, dtype=np.float64))

    @property
    def matrix(self) -> FloatArray:
        """Homogeneous (4, 4) matrix."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.rotation
        matrix[:3, 3] = self.translation
        return matrix

    @property
    def rotation_vector(self) -> FloatArray:
        """(3,) axis times angle, radians."""
        r = self.rotation
        across = 0.5 * np.array([r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]])
        sine, cosine = float(np.linalg.norm(across)), 0.5 * (float(np.trace(r)) - 1.0)
        if cosine < 0.0:  # towards half a turn the axis is lost to rounding
            return Rotation.from_matrix(r).as_rotvec()
        # A fiftieth of the time: refinement asks hundreds of times for turns of a few degrees.
        return across * (np.arctan2(sine, cosine) / sine if sine > 0.0 else 1.0)

    @property
    def angle(self) -> float:
        """Rotation angle in radians, 0 to pi."""
        return float(np.linalg.norm(self.rotation_vector))

    def inverse(self) -> RigidTransform:
        """The transform that undoes this one."""
        return RigidTransform(self.rotation.T, -self.rotation.T @ self.translation)

    def __matmul__(self, other: RigidTransform) -> RigidTransform:
        return RigidTransform(self.rotation @ other.rotation, self.rotation @ other.translation + self.translation)

    def apply(self, points: ArrayLike) -> FloatArray:
        """Maps points of shape (..., 3), mm."""
        return np.asarray(points, dtype=np.float64) @ self.rotation.T + self.translation

    def rotated_about(
        self, centre: ArrayLike, rotation_vector: ArrayLike, shift: ArrayLike = (0.0, 0.0, 0.0)
    ) -> RigidTransform:
        """This transform followed by a rotation about ``centre`` and a shift, both in the target frame.

        Args:
            centre: (3,) fixed point of the rotation, mm.
            rotation_vector: (3,) axis times angle, radians.
            shift: (3,) translation added after the rotation, mm.
        """
        fixed = np.asarray(centre, dtype=np.float64)
        turn = RigidTransform.from_rotation_vector(rotation_vector)
        about = RigidTransform(turn.rotation, fixed - turn.rotation @ fixed + np.asarray(shift, dtype=np.float64))
        return about @ self

    def geodesic_angle_to(self, other: RigidTransform) -> float:
        """Angle of the rotation between the two transforms on SO(3), radians."""
        return (self.inverse() @ other).angle


def mean_distance(points: ArrayLike, first: RigidTransform, second: RigidTransform) -> float:
    """Mean distance in mm between the images of ``points`` (N, 3) under two transforms: mTRE when one is the truth."""
    return float(np.linalg.norm(first.apply(points) - second.apply(points), axis=-1).mean())


def largest_distance(first: RigidTransform, second: RigidTransform) -> float:
    """The farthest that two transforms take a point of a one-metre cube about the origin apart, mm.

    The distance is a convex function of the point, so that the farthest is a corner.
    """
    corners = np.array(list(product((-500.0, 500.0), repeat=3)))
    return float(np.linalg.norm(first.apply(corners) - second.apply(corners), axis=-1).max())


def unit(vector: Sequence[float] | FloatArray) -> FloatArray:
    """The vector (3,) scaled to length one."""
    values = np.asarray(vector, dtype=np.float64)
    return values / np.linalg.norm(values)


def angle_between(first: FloatArray, second: FloatArray) -> float:
    """Angle between two directions (3,), radians."""
    return float(np.arccos(np.clip(unit(first) @ unit(second), -1.0, 1.0)))
