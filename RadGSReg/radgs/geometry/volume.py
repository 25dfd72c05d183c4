"""A scalar volume and where it stands: array (D, H, W) = (k, j, i) with an explicit index_to_ras."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from radgs.geometry.rigid_transform import FloatArray

#: Points whose places are in memory together while a volume is resampled.
POINTS_AT_A_TIME = 2**20


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels and their place in RAS millimetres.

    Attributes:
        array: (D, H, W) values, indexed [k, j, i].
        index_to_ras: (4, 4) homogeneous map from (i, j, k, 1) to RAS mm; voxel centres at integers.
    """

    array: NDArray
    index_to_ras: FloatArray

    @property
    def spacing(self) -> FloatArray:
        """(3,) voxel spacing along i, j, k in mm."""
        return np.linalg.norm(self.index_to_ras[:3, :3], axis=0)

    @property
    def size(self) -> tuple[int, int, int]:
        """Number of voxels along i, j, k."""
        depth, height, width = self.array.shape
        return width, height, depth

    def to_ras(self, indices: ArrayLike) -> FloatArray:
        """Maps (..., 3) indices (i, j, k) to RAS mm."""
        return np.asarray(indices, dtype=np.float64) @ self.index_to_ras[:3, :3].T + self.index_to_ras[:3, 3]

    def to_index(self, points: ArrayLike) -> FloatArray:
        """Maps (..., 3) RAS mm to continuous indices (i, j, k)."""
        ras_to_index = np.linalg.inv(self.index_to_ras)
        return np.asarray(points, dtype=np.float64) @ ras_to_index[:3, :3].T + ras_to_index[:3, 3]

    def sample(self, points: ArrayLike, order: int = 1, outside: float = 0.0) -> NDArray:
        """Values at (..., 3) RAS points by spline interpolation of the given order; ``outside`` beyond the grid."""
        indices = self.to_index(points)
        # Rounding must not push a point on the outermost voxel centres off the grid.
        on_grid = np.clip(indices, 0.0, np.asarray(self.size) - 1.0)
        indices = np.where(np.abs(indices - on_grid) < 1e-6, on_grid, indices)
        coordinates = np.moveaxis(np.atleast_2d(indices)[..., ::-1], -1, 0)
        # Between whole numbers lie real ones; the nearest voxel's value is its own.
        output = np.float32 if order > 0 and self.array.dtype.kind in "iu" else self.array.dtype
        values = ndimage.map_coordinates(
            self.array, coordinates, output=output, order=order, mode="constant", cval=outside
        )
        return values.reshape(indices.shape[:-1])

    def resampled_to(self, grid: Volume, order: int = 1, outside: float = 0.0) -> Volume:
        """This volume's values on another volume's grid."""
        depth, height, width = grid.array.shape
        # Places take a hundred bytes a voxel: slab by slab, unless splines would be fitted anew for each.
        thickness = depth if order > 1 else max(1, POINTS_AT_A_TIME // max(1, height * width))
        slabs = []
        for start in range(0, depth, thickness):
            k, j, i = np.mgrid[start : min(start + thickness, depth), :height, :width]
            slabs.append(self.sample(grid.to_ras(np.stack([i, j, k], axis=-1)), order=order, outside=outside))
        return Volume(np.concatenate(slabs), grid.index_to_ras)

    def box(self, low: ArrayLike, high: ArrayLike) -> Volume:
        """The sub-volume with indices low <= (i, j, k) < high, clipped to the grid."""
        start = np.clip(np.asarray(low, dtype=int), 0, self.size)
        stop = np.clip(np.asarray(high, dtype=int), 0, self.size)
        (i0, j0, k0), (i1, j1, k1) = start, stop
        index_to_ras = self.index_to_ras.copy()
        index_to_ras[:3, 3] = self.to_ras(start)
        return Volume(self.array[k0:k1, j0:j1, i0:i1], index_to_ras)
