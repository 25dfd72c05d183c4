"""Splitting a CT into parts that may move apart: the vertebra sought, its neighbours, and everything else.

A part's *excess* is its attenuation above soft tissue. Taken out of the CT voxel by voxel, it leaves soft tissue, so
excess and remainder add up to the CT exactly, and a moved part leaves no edge where it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from radgs.anatomy import label_mask
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


def label_box(labels: Volume, label: int, grid: Volume, margin_mm: float = MARGIN_MM) -> Volume:
    """The part of ``grid`` around a label."""
    inside = np.argwhere(labels.array == label)[:, ::-1]
    low, high = inside.min(axis=0) - 0.5, inside.max(axis=0) + 0.5
    corners = np.stack(np.meshgrid(*zip(low, high, strict=True), indexing="ij"), axis=-1).reshape(-1, 3)
    indices = grid.to_index(labels.to_ras(corners))
    margin = margin_mm / grid.spacing
    return grid.box(np.floor(indices.min(axis=0) - margin), np.ceil(indices.max(axis=0) + margin) + 1)


@dataclass(frozen=True, eq=False)
class SplitCT:
    """A CT taken apart, in 1/mm; the parts add up to the whole.

    Attributes:
        remainder: The CT's attenuation with every part's excess removed, on the CT's grid.
        excess: Each label's signed attenuation above soft tissue, on a box of the CT's grid.
    """

    remainder: Volume
    excess: dict[int, Volume]


def split_parts(ct: Volume, labels: Volume, parts: list[int]) -> SplitCT:
    """Takes each part's excess out of the CT, in the order given.

    Args:
        ct: Hounsfield units.
        labels: Label map, on any grid.
        parts: Labels that may move on their own.
    """
    remainder = Volume(attenuation_from_hu(ct.array), ct.index_to_ras)
    excess = {}
    for label in parts:
        box = label_box(labels, label, remainder)
        part = ((box.array - SOFT_TISSUE) * soft_mask(labels, label, box).array).astype(np.float32)
        excess[label] = Volume(part, box.index_to_ras)
        box.array[...] -= part  # box is a view into the remainder
    return SplitCT(remainder, excess)


def resampled_isotropic(
    volume: Volume,
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
    grid: Volume, volume: Volume, sigma: FloatArray, values: Callable[[NDArray], NDArray]
) -> NDArray[np.float32]:
    """A volume's smoothed values on a grid, from the part of the volume that they depend on."""
    corners = np.stack(np.meshgrid(*((0, n - 1) for n in grid.size), indexing="ij"), axis=-1).reshape(-1, 3)
    indices = volume.to_index(grid.to_ras(corners))
    reach = np.ceil(SMOOTHED_TO_SIGMA * sigma) + 2
    part = volume.box(np.floor(indices.min(axis=0) - reach), np.ceil(indices.max(axis=0) + reach) + 1)
    if part.array.size == 0:
        return np.zeros(grid.array.shape, np.float32)
    smoothed = ndimage.gaussian_filter(values(part.array), sigma[::-1], truncate=SMOOTHED_TO_SIGMA)
    return Volume(smoothed, part.index_to_ras).resampled_to(grid).array.astype(np.float32)
