"""Separating a CT into parts that may move apart: the vertebra sought, its neighbours, and everything else.

A part's *excess* is its attenuation above soft tissue. Subtracted from the CT voxel by voxel, it leaves soft tissue.
Excess and remainder add up to the CT exactly, and a moved part leaves no edge where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.sparse import csr_matrix

from radgs.anatomy import label_extent, label_mask
from radgs.drr import SOFT_TISSUE, attenuation_from_hu
from radgs.geometry import FloatArray, Volume

#: How far the soft mask reaches beyond the label, mm: partial-volume voxels belong to the bone they blur.
MASK_BLUR_MM = 0.7
MARGIN_MM = 4.0
#: Slices resampled at a time, and how far a Gaussian reaches, in standard deviations.
SLAB_VOXELS, SMOOTHED_TO_SIGMA = 32, 4.0


def soft_mask(labels: Volume, label: int, grid: Volume) -> Volume:
    """Membership 0..1 of a label on another grid, reaching about one voxel beyond it.

    Args:
        labels: Label map, any grid.
        label: The label.
        grid: Where the mask is wanted; array and index_to_ras.
    """
    region = label_mask(labels, label, margin_voxels=int(np.ceil(MARGIN_MM / labels.spacing.min())))
    # Half a voxel at least, or coarse slices would leave their partial-volume layer behind.
    sigma = np.maximum(MASK_BLUR_MM / region.spacing, 0.5)[::-1]
    blurred = ndimage.gaussian_filter(region.array.astype(np.float32), sigma)
    membership = Volume(np.clip(2.0 * blurred - 0.3, 0.0, 1.0), region.index_to_ras)
    return membership.resampled_to(grid)


def label_box(labels: Volume, label: int, grid: Volume | Attenuation, margin_mm: float = MARGIN_MM) -> Volume:
    """The part of ``grid`` around a label.

    Raises:
        CaseError: The label is not in the map.
    """
    first, stop = label_extent(labels, label)
    low, high = first - 0.5, stop - 0.5
    corners = np.stack(np.meshgrid(*zip(low, high, strict=True), indexing="ij"), axis=-1).reshape(-1, 3)
    indices = grid.to_index(labels.to_ras(corners))
    margin = margin_mm / grid.spacing
    return grid.box(np.floor(indices.min(axis=0) - margin), np.ceil(indices.max(axis=0) + margin) + 1)


@dataclass(frozen=True, eq=False)
class Attenuation:
    """A CT's attenuation, 1/mm, made box by box where it is asked for: of a large CT there is never a second copy.

    Attributes:
        ct: Hounsfield units.
        unknown: (D, H, W) voxels that count as soft tissue; None where none do.
        without: What is subtracted, 1/mm, in this order, each on a box of the CT's grid.
    """

    ct: Volume
    unknown: NDArray[np.bool_] | None = None
    without: tuple[Volume, ...] = ()

    @property
    def index_to_ras(self) -> FloatArray:
        """(4, 4) of the CT."""
        return self.ct.index_to_ras

    @property
    def spacing(self) -> FloatArray:
        """(3,) of the CT, mm."""
        return self.ct.spacing

    @property
    def size(self) -> tuple[int, int, int]:
        """Voxels of the CT along i, j, k."""
        return self.ct.size

    def to_ras(self, indices: ArrayLike) -> FloatArray:
        """Maps (..., 3) indices (i, j, k) to RAS mm."""
        return self.ct.to_ras(indices)

    def to_index(self, points: ArrayLike) -> FloatArray:
        """Maps (..., 3) RAS mm to continuous indices (i, j, k)."""
        return self.ct.to_index(points)

    def box(self, low: ArrayLike, high: ArrayLike) -> Volume:
        """The attenuation at indices low <= (i, j, k) < high, clipped to the grid."""
        box = self.ct.box(low, high)
        attenuation = Volume(attenuation_from_hu(box.array), box.index_to_ras)
        if self.unknown is not None:
            attenuation.array[Volume(self.unknown, self.index_to_ras).box(low, high).array] = SOFT_TISSUE
        for part in self.without:
            first = np.rint(attenuation.to_index(part.to_ras([0, 0, 0]))).astype(int)
            shared = attenuation.box(first, first + part.size)  # a view
            taken = part.box(-first, attenuation.size - first)
            shared.array[...] -= taken.array
        return attenuation

    def all(self) -> Volume:
        """All of it at once, in 4 bytes a voxel."""
        return self.box((0, 0, 0), self.size)


def parts_excess(attenuation: Attenuation, labels: Volume, parts: Sequence[int]) -> dict[int, Volume]:
    """Each part's signed attenuation above soft tissue, 1/mm, on a box of the CT's grid.

    Where parts overlap, the first takes its share and the next what that leaves.

    Args:
        attenuation: Of the CT, with nothing taken out.
        labels: Label map, on any grid.
        parts: Labels that may move on their own.
    """
    excess: dict[int, Volume] = {}
    for label in parts:
        box = label_box(labels, label, replace(attenuation, without=tuple(excess.values())))
        part = ((box.array - SOFT_TISSUE) * soft_mask(labels, label, box).array).astype(np.float32)
        excess[label] = Volume(part, box.index_to_ras)
    return excess


@dataclass(frozen=True, eq=False)
class SplitCT:
    """A CT separated into parts, in 1/mm; they add up to the whole.

    Attributes:
        remainder: The CT's attenuation with every part's excess removed, on the CT's grid.
        excess: Each label's signed attenuation above soft tissue, on a box of the CT's grid.
    """

    remainder: Volume
    excess: dict[int, Volume]


def split_parts(ct: Volume, labels: Volume, parts: list[int]) -> SplitCT:
    """Subtracts each part's excess from the CT, in the order given; all of it at once.

    Args:
        ct: Hounsfield units.
        labels: Label map, on any grid.
        parts: Labels that may move on their own.
    """
    attenuation = Attenuation(ct)
    excess = parts_excess(attenuation, labels, parts)
    return SplitCT(replace(attenuation, without=tuple(excess.values())).all(), excess)


def resampled_isotropic(
    volume: Volume | Attenuation,
    spacing_mm: float,
    centre: FloatArray | None = None,
    size_mm: FloatArray | None = None,
    values: Callable[[NDArray], NDArray] = lambda array: array,
) -> Volume:
    """The volume on a grid of cubic voxels along RAS, smoothed first where that grid is coarser.

    Slab by slab, so that of a large CT there is never a whole second copy.

    Args:
        volume: Values outside of which are zero.
        spacing_mm: Voxel size of the result.
        centre: (3,) centre of the result, RAS mm; by default the volume's own.
        size_mm: (3,) extent of the result, mm; by default all of the volume.
        values: What is resampled, of the volume's values; voxel by voxel.
    """
    corners = volume.to_ras(
        np.stack(np.meshgrid(*((0, n - 1) for n in volume.size), indexing="ij"), axis=-1).reshape(-1, 3)
    )
    low, high = corners.min(axis=0), corners.max(axis=0)
    counts = (
        np.maximum(1, np.ceil(((high - low) if size_mm is None else np.asarray(size_mm)) / spacing_mm)).astype(int) + 1
    )
    middle = (low + high) / 2 if centre is None else np.asarray(centre)
    index_to_ras = np.diag([spacing_mm] * 3 + [1.0])
    index_to_ras[:3, 3] = middle - (counts - 1) / 2 * spacing_mm
    grid = Volume(np.broadcast_to(np.float32(0), tuple(counts[::-1])), index_to_ras)
    sigma = np.sqrt(np.maximum(spacing_mm**2 - volume.spacing**2, 0.0)) / 2 / volume.spacing
    width, height, depth = grid.size
    slabs = [grid.box([0, 0, k], [width, height, k + SLAB_VOXELS]) for k in range(0, depth, SLAB_VOXELS)]
    return Volume(np.concatenate([_smoothed_on(slab, volume, sigma, values) for slab in slabs]), index_to_ras)


def _smoothed_on(
    grid: Volume, volume: Volume | Attenuation, sigma: FloatArray, values: Callable[[NDArray], NDArray]
) -> NDArray[np.float32]:
    """A volume's smoothed values on a grid, from the part of the volume that they depend on."""
    corners = np.stack(np.meshgrid(*((0, n - 1) for n in grid.size), indexing="ij"), axis=-1).reshape(-1, 3)
    indices = volume.to_index(grid.to_ras(corners))
    reach = np.ceil(SMOOTHED_TO_SIGMA * sigma) + 2
    part = volume.box(np.floor(indices.min(axis=0) - reach), np.ceil(indices.max(axis=0) + reach) + 1)
    if part.array.size == 0:
        return np.zeros(grid.array.shape, np.float32)
    array, along = values(part.array), part.places_along_axes(grid)
    if along is None:
        smoothed = ndimage.gaussian_filter(array, sigma[::-1], truncate=SMOOTHED_TO_SIGMA)
        return Volume(smoothed, part.index_to_ras).resampled_to(grid).array.astype(np.float32)
    # Smoothed where it is asked for alone, axis by axis; those that lose voxels first, for the others have fewer to do.
    for axis in sorted(range(3), key=lambda axis: len(along[axis]) / array.shape[axis]):
        rows = np.moveaxis(array, axis, 0)
        taken = _smoothed_rows(len(rows), float(sigma[2 - axis]), along[axis])
        found = taken @ rows.reshape(len(rows), -1).astype(np.float32, copy=False)
        array = np.moveaxis(found.reshape(-1, *rows.shape[1:]), 0, axis)
    return np.ascontiguousarray(array)


def _smoothed_rows(size: int, sigma: float, at: FloatArray) -> csr_matrix:
    """(len(at), size) what a smoothed row has at places along it, of each of its voxels; nothing beyond its ends.

    The same as SciPy's ``gaussian_filter``, which reflects a row at its ends, and linear interpolation.
    """
    far = int(SMOOTHED_TO_SIGMA * sigma + 0.5)
    kernel = np.exp(-0.5 * (np.arange(-far, far + 1) / max(sigma, 1e-12)) ** 2)
    low = np.clip(np.floor(at), 0, size - 1)
    share = (at - low)[:, None]
    weights = (1 - share) * np.append(kernel, 0.0) + share * np.append(0.0, kernel)
    weights *= ((at >= 0) & (at <= size - 1))[:, None] / kernel.sum()
    voxels = (low[:, None] + np.arange(-far, far + 2)).astype(int) % (2 * size)
    voxels = np.where(voxels < size, voxels, 2 * size - 1 - voxels)
    ends = np.arange(len(at) + 1) * weights.shape[1]
    rows = csr_matrix((weights.ravel().astype(np.float32), voxels.ravel(), ends), shape=(len(at), size))
    rows.sum_duplicates()
    return rows
