"""A scalar volume and where it stands: array (D, H, W) = (k, j, i) with an explicit index_to_ras."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from radgs.geometry.rigid_transform import FloatArray

#: Points whose places are in memory together while a volume is resampled.
POINTS_AT_A_TIME = 2**20
#: Places that differ by less, in voxels, are one: rounding must not push a point on the outermost voxels off the grid.
SAME_PLACE = 1e-6


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
        indices = _snapped(self.to_index(points), np.asarray(self.size) - 1.0)
        coordinates = np.moveaxis(np.atleast_2d(indices)[..., ::-1], -1, 0)
        values = ndimage.map_coordinates(
            self.array, coordinates, output=self._between(order), order=order, mode="constant", cval=outside
        )
        return values.reshape(indices.shape[:-1])

    def resampled_to(self, grid: Volume, order: int = 1, outside: float = 0.0) -> Volume:
        """This volume's values on another volume's grid."""
        along = self.places_along_axes(grid) if order <= 1 else None
        if along is not None:
            values = self.array.astype(self._between(order), copy=False)
            # Axes that lose voxels first: what comes after them has fewer to do.
            for axis in sorted(range(3), key=lambda axis: len(along[axis]) / self.array.shape[axis]):
                values = _interpolated(values, axis, along[axis], order, outside)
            return Volume(values, grid.index_to_ras)
        depth, height, width = grid.array.shape
        # Places take a hundred bytes a voxel: slab by slab, unless splines would be fitted anew for each.
        thickness = depth if order > 1 else max(1, POINTS_AT_A_TIME // max(1, height * width))
        slabs = []
        for start in range(0, depth, thickness):
            k, j, i = np.mgrid[start : min(start + thickness, depth), :height, :width]
            slabs.append(self.sample(grid.to_ras(np.stack([i, j, k], axis=-1)), order=order, outside=outside))
        return Volume(np.concatenate(slabs), grid.index_to_ras)

    def _between(self, order: int) -> np.dtype:
        """Type of what is sampled: between whole numbers lie real ones; the nearest voxel's value is its own."""
        return np.dtype(np.float32) if order > 0 and self.array.dtype.kind in "biu" else self.array.dtype

    def places_along_axes(self, grid: Volume) -> list[FloatArray] | None:
        """Where a grid's voxels lie along k, j and i of this one, in voxels; None where its axes run otherwise."""
        to_own = np.linalg.inv(self.index_to_ras) @ grid.index_to_ras
        turned = np.abs(to_own[:3, :3] * (1 - np.eye(3)))
        if not self.array.size or (turned @ np.asarray(grid.size)).max() > SAME_PLACE:
            return None
        lines = [to_own[axis, axis] * np.arange(grid.size[axis]) + to_own[axis, 3] for axis in (2, 1, 0)]
        return [_snapped(line, n - 1.0) for line, n in zip(lines, self.array.shape, strict=True)]

    def box(self, low: ArrayLike, high: ArrayLike) -> Volume:
        """The sub-volume with indices low <= (i, j, k) < high, clipped to the grid."""
        start = np.clip(np.asarray(low, dtype=int), 0, self.size)
        stop = np.clip(np.asarray(high, dtype=int), 0, self.size)
        (i0, j0, k0), (i1, j1, k1) = start, stop
        index_to_ras = self.index_to_ras.copy()
        index_to_ras[:3, 3] = self.to_ras(start)
        return Volume(self.array[k0:k1, j0:j1, i0:i1], index_to_ras)


def _snapped(indices: FloatArray, last: ArrayLike) -> FloatArray:
    """Indices, those next to the first or the last voxel's centre on it."""
    on_grid = np.clip(indices, 0.0, last)
    return np.where(np.abs(indices - on_grid) < SAME_PLACE, on_grid, indices)


def _interpolated(array: NDArray, axis: int, at: FloatArray, order: int, outside: float) -> NDArray:
    """An array's values at places along one axis, in voxels: the nearest, or linear between two; ``outside`` beyond."""
    last = array.shape[axis] - 1
    inside = (at >= 0.0) & (at <= last)
    low = np.clip(np.floor(at + (0.5 if order == 0 else 0.0)), 0, last).astype(np.intp)
    values = array.take(low, axis)
    share = np.where(inside, at - low, 0.0) if order == 1 else np.zeros(len(at))
    shape = [-1 if other == axis else 1 for other in range(array.ndim)]
    if share.any():
        share = share.astype(values.dtype).reshape(shape)
        values *= 1 - share
        values += share * array.take(np.minimum(low + 1, last), axis)
    if not inside.all():
        values[(slice(None),) * axis + (~inside,)] = outside
    return values
