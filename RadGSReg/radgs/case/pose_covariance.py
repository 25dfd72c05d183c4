"""How uncertain a pose is, in every direction: what a predicted error sums up in one number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radgs.geometry import FloatArray
from radgs.io.json_fields import JsonObject

#: How far the two halves of a covariance may differ, of its largest entry.
SYMMETRY = 1e-6
#: A Gaussian displacement in space stays within so many standard deviations with a probability of 95 %.
ELLIPSOID_95 = 2.7955
#: Directions and lengths that the distance within which a point lies is read from.
DRAWS = 4096


@dataclass(frozen=True, eq=False)
class PoseCovariance:
    """The covariance of a small motion that is applied after the pose.

    Attributes:
        centre: (3,) the point about which the motion turns, world mm.
        matrix: (6, 6) covariance of rotation vector (radians) and shift (mm), world axes.
    """

    centre: FloatArray
    matrix: NDArray[np.float64]

    def of_points(self, points: ArrayLike) -> NDArray[np.float64]:
        """(N, 3, 3) covariance of where the points (N, 3), world mm at the pose, truly are, mm^2."""
        arms = np.asarray(points, dtype=np.float64) - self.centre
        moved = np.zeros((len(arms), 3, 6))
        moved[:, :, 3:] = np.eye(3)
        for axis in range(3):  # rotation about an axis moves a point by axis x arm
            moved[:, :, axis] = np.cross(np.eye(3)[axis], arms)
        return moved @ self.matrix @ moved.transpose(0, 2, 1)

    def distances_95(self, points: ArrayLike) -> FloatArray:
        """(N,) within which distance points (N, 3), world mm at the pose, truly lie with a probability of 95 %, mm."""
        size = np.linalg.eigvalsh(self.of_points(points)).clip(min=0.0)
        drawn = np.random.default_rng(0).normal(size=(DRAWS, 3))
        distances: FloatArray = np.percentile(np.linalg.norm(drawn * np.sqrt(size)[:, None], axis=-1), 95, axis=-1)
        return distances

    def to_json_dict(self) -> dict[str, Any]:
        """As result.json holds it."""
        return {"centre": self.centre.tolist(), "matrix": self.matrix.tolist()}

    @classmethod
    def read(cls, values: JsonObject) -> PoseCovariance:
        """What ``to_json_dict`` wrote.

        Raises:
            InputFileError: It is no covariance: of another shape, not symmetric, or negative in some direction.
        """
        matrix = values.numbers("matrix", 6, 6)
        largest = max(float(np.abs(matrix).max()), 1e-300)
        symmetric = np.abs(matrix - matrix.T).max() <= SYMMETRY * largest
        if not symmetric or np.linalg.eigvalsh(matrix).min() < -SYMMETRY * largest:
            raise values.fail("matrix", "a covariance: symmetric, and negative in no direction")
        return cls(values.numbers("centre", 3), matrix)
