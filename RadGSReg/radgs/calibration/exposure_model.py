"""One exposure as nine numbers: where the source is, how the film is turned, and where the film is.

    pixel = middle + f (x', y') / z',   (x', y', z') = M R (point - source)

R is a rotation (three numbers), M mirrors y where the image is mirrored, f is the film's distance in pixels and
*middle* the foot of the perpendicular from the source. Pixels are square.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import rq
from scipy.spatial.transform import Rotation

from radgs.geometry import FloatArray, ViewGeometry

#: Of an exposure's numbers: rotation vector (rad), source (mm), f (pixels), middle (pixels).
PARAMETERS = 9
ROTATION, SOURCE, FOCAL, MIDDLE = slice(0, 3), slice(3, 6), 6, slice(7, 9)


@dataclass(frozen=True)
class ExposureModel:
    """How nine numbers become pixels.

    Attributes:
        mirrored: Whether the image shows the film mirrored.
        size: Columns and rows.
    """

    mirrored: bool
    size: tuple[int, int]

    @property
    def _mirror(self) -> FloatArray:
        return np.array([1.0, -1.0 if self.mirrored else 1.0, 1.0])

    def project(self, parameters: FloatArray, points: FloatArray) -> FloatArray:
        """(N, 2) pixels of (N, 3) points."""
        rotation = Rotation.from_rotvec(parameters[ROTATION]).as_matrix()
        x, y, z = ((points - parameters[SOURCE]) @ rotation.T * self._mirror).T
        return parameters[MIDDLE] + parameters[FOCAL] * np.column_stack([x / z, y / z])

    def view(self, parameters: FloatArray, pixel_mm: float) -> ViewGeometry:
        """Source and film, with pixels of that size."""
        axes = Rotation.from_rotvec(parameters[ROTATION]).as_matrix() * self._mirror[:, None]
        detector_to_ras = np.eye(4)
        detector_to_ras[:3, 0], detector_to_ras[:3, 1] = axes[0] * pixel_mm, axes[1] * pixel_mm
        detector_to_ras[:3, 2] = axes[2]
        corner = np.array([-parameters[MIDDLE][0], -parameters[MIDDLE][1], parameters[FOCAL]]) * pixel_mm
        detector_to_ras[:3, 3] = parameters[SOURCE] + corner @ axes
        return ViewGeometry(parameters[SOURCE].copy(), detector_to_ras, (self.size[1], self.size[0]))


def model_of_projection(projection: FloatArray, size: tuple[int, int]) -> tuple[ExposureModel, FloatArray]:
    """The exposure nearest to a projection matrix: its skew dropped, its pixels made square.

    Args:
        projection: (3, 4), positive in front of the source.
        size: Columns and rows.
    """
    mirrored = bool(np.linalg.det(projection[:, :3]) < 0)
    mirror = np.diag([1.0, -1.0 if mirrored else 1.0, 1.0])
    intrinsics, rotation = rq(projection[:, :3] @ np.eye(3))
    signs = np.diag(np.sign(np.diag(intrinsics)))
    intrinsics, rotation = intrinsics @ signs, signs @ rotation
    if np.linalg.det(rotation) < 0:
        rotation = mirror @ rotation
    intrinsics = intrinsics / intrinsics[2, 2]
    source = -np.linalg.solve(projection[:, :3], projection[:, 3])
    focal = float(np.sqrt(abs(intrinsics[0, 0] * intrinsics[1, 1])))
    vector = Rotation.from_matrix(rotation).as_rotvec()
    return ExposureModel(mirrored, size), np.concatenate([vector, source, [focal], intrinsics[:2, 2]])
