"""What a CT does not show is unknown, not air: beyond a cut field of view, past the last slice, around a masked bone.

An X-ray passes through all of the patient. Where the CT ends within the patient, its own boundary values go on and fade
to soft tissue; where it ends in air, air goes on. Inside a field of view cut from the patient everything counts as
excess over soft tissue, so that the endless soft tissue around it has no edge at all. How much of a ray is made up in
this way is kept as *doubt*: its pixels weigh less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from radgs.drr import SOFT_TISSUE
from radgs.geometry import Volume
from radgs.vertebra.separation import Attenuation, resampled_isotropic

BoolArray = NDArray[np.bool_]

#: Values that no scanner measures, HU: what lies below was never reconstructed.
IMPOSSIBLE_HU = -1500.0
#: A constant lowest value that fills less than this share of a CT is no padding.
MIN_PADDING = 0.03
#: A disc explains the padding's inside when they share this much of their union.
DISC_AGREEMENT = 0.97
#: A CT whose known voxels are labelled to this share shows segmented bones alone.
LABELLED_SHARE = 0.8
#: Boundary values fade to soft tissue over this distance, mm.
FADING_MM = 30.0
#: Boundary values are taken from, and fade on, voxels of this size, mm.
COARSE_MM = 4.0
#: Less attenuation than this share of soft tissue's is air; where this share of the CT's side walls is more than air,
#: its field of view was cut from the patient.
AIR_SHARE, CUT_SHARE = 0.1, 0.25
#: A wall with less tissue on it than this needs nothing beyond it.
EMPTY_WALL = 0.02
#: A wall is so thick that it meets the side of a disc, mm.
WALL_MM = 12.0


@dataclass(frozen=True, eq=False)
class Completed:
    """A CT, or a part of one, that goes on beyond what it shows.

    Attributes:
        excess: Attenuation above the background, 1/mm, on cubic voxels along RAS.
        doubt: What of it was invented and differs from the background by how much, 1/mm, on coarse voxels; None where
            nothing was.
        background: Attenuation of the endless surroundings, 1/mm: soft tissue's or none.
    """

    excess: Volume
    doubt: Volume | None
    background: float


def unknown_voxels(ct: Volume, labels: Volume | None = None) -> tuple[BoolArray, bool]:
    """Voxels of a CT (D, H, W) that were never reconstructed, and whether it shows segmented bones alone.

    Args:
        ct: Hounsfield units; NaN counts as unknown.
        labels: Label map on any grid.
    """
    array = ct.array
    unknown = ~(array > IMPOSSIBLE_HU)
    known = ~unknown
    lowest = np.fmin.reduce(array, axis=None, where=known, initial=np.fmax.reduce(array, axis=None))
    padding = unknown | (array <= lowest) if known.any() else unknown
    del known
    if padding.mean() < MIN_PADDING:
        return unknown, False
    for axis in range(3):
        disc = _disc(np.asarray(~padding.all(axis=axis)))
        if disc is not None:
            return unknown | np.broadcast_to(np.expand_dims(~disc, axis), array.shape), False
    alone = labels is not None and _mostly_labelled(ct, ~padding, labels)
    return (padding if alone else unknown), alone


def _mostly_labelled(ct: Volume, known: BoolArray, labels: Volume) -> bool:
    """Whether most known voxels are labelled, or lie beside one that is."""
    some = ct.to_ras(_every(known, max(1, int(known.sum()) // 5000))[:, ::-1])
    steps = np.concatenate([np.zeros((1, 3)), np.eye(3), -np.eye(3)]) @ ct.index_to_ras[:3, :3].T
    beside = labels.sample(some[:, None] + steps, order=0)
    return bool((beside > 0).any(axis=1).mean() >= LABELLED_SHARE)


def _every(chosen: BoolArray, step: int) -> NDArray[np.int64]:
    """(N, 3) indices of every ``step``-th chosen voxel; slice by slice, for a list of all takes 24 bytes a voxel."""
    found, before = [], 0
    for k, layer in enumerate(chosen):
        flat = np.flatnonzero(layer)
        rows, columns = np.unravel_index(flat[-before % step :: step], layer.shape)
        found.append(np.stack([np.full(len(rows), k), rows, columns], axis=1))
        before += len(flat)
    return np.concatenate(found)


def _disc(known: BoolArray) -> BoolArray | None:
    """The disc that a region (rows, columns) is, where it is one."""
    if known.all() or not known.any():
        return None
    rows, columns = np.nonzero(known)
    middle = (rows.min() + rows.max()) / 2, (columns.min() + columns.max()) / 2
    radius = max(np.ptp(rows), np.ptp(columns)) / 2 + 0.5
    at = np.meshgrid(*(np.arange(n) for n in known.shape), indexing="ij")
    disc = np.hypot(at[0] - middle[0], at[1] - middle[1]) <= radius
    return disc if (disc & known).sum() >= DISC_AGREEMENT * (disc | known).sum() else None


def completed(
    attenuation: Volume | Attenuation, unknown: BoolArray, spacing_mm: float, *, alone: bool = False
) -> Completed:
    """A CT on cubic voxels that goes on beyond what it shows.

    Args:
        attenuation: 1/mm, on the CT's own grid; soft tissue's where it is unknown.
        unknown: (D, H, W) voxels that were never reconstructed.
        spacing_mm: Voxel size of the result.
        alone: Whether it shows segmented bones alone: they are known to their edge, and nothing of them goes on.
    """
    if alone:
        resampled = resampled_isotropic(attenuation, spacing_mm, values=lambda array: array - np.float32(SOFT_TISSUE))
        return Completed(resampled, None, SOFT_TISSUE)
    fine = resampled_isotropic(attenuation, spacing_mm)
    factor = max(1, round(COARSE_MM / spacing_mm))
    seen = _seen(attenuation, unknown, fine, factor)
    values = np.where(seen, fine.array, np.float32(0.0))
    for axis in range(3):  # the outermost voxels lie up to half a voxel off the grid
        layers = np.moveaxis(values, axis, 0)
        layers[0], layers[-1] = layers[1], layers[-2]

    cut = _is_cut(*_coarse(values, seen, factor))
    # Where a whole patient's skin touches the side of a CT nothing goes on; along the spine all of it does.
    depth, most = (int(np.ceil(mm / spacing_mm)) for mm in (WALL_MM, FADING_MM))
    margins = _margins(values, seen, most, depth)
    margins = margins if cut else [margins[0], (0, 0), (0, 0)]
    values, seen = np.pad(values, margins), np.pad(seen, margins)
    index_to_ras = fine.index_to_ras.copy()
    index_to_ras[:3, 3] -= index_to_ras[:3, :3] @ [margin[0] for margin in reversed(margins)]
    means, inside = _coarse(values, seen, factor)
    background = SOFT_TISSUE if cut else 0.0
    beyond = _beyond(means, inside, factor * spacing_mm)
    target = np.where(beyond < AIR_SHARE * SOFT_TISSUE, np.float32(0.0), np.float32(SOFT_TISSUE))
    invented = np.where(inside, np.float32(0.0), np.abs(beyond - (background if background else target)))
    if not background:  # past the last slice we do not even know whether there is a patient
        invented = np.where(inside, np.float32(0.0), beyond)
    rows_spread = _block_spread(beyond, factor, values.shape[:2])
    for layer, known, rough in zip(values, seen, rows_spread, strict=True):  # there is never a second copy of all
        np.copyto(layer, _block_spread_along(rough, 1, factor, layer.shape[1]), where=~known)
        layer -= np.float32(background)
    doubt = (
        Volume(invented, _coarse_grid(index_to_ras, factor)) if invented.max(initial=0.0) > 0.05 * SOFT_TISSUE else None
    )
    return Completed(Volume(values, index_to_ras), doubt, background)


def _coarse(values: NDArray[np.float32], seen: BoolArray, factor: int) -> tuple[NDArray[np.float32], BoolArray]:
    """Means over blocks of what is known in them, and which blocks are known."""
    weights = _block_mean(seen.astype(np.float32), factor)
    means = _block_mean(values, factor) / np.maximum(weights, 1e-3)
    return means.astype(np.float32), weights > 0.5


def _seen(grid: Volume | Attenuation, unknown: BoolArray, fine: Volume, factor: int) -> BoolArray:
    """Voxels of ``fine``, in blocks of ``factor``, in which nothing unknown and nothing off the grid has a part."""
    known = np.ones(unknown.shape, dtype=np.uint8)
    if unknown.any():
        reach = np.maximum(1, np.ceil(factor * fine.spacing / 2 / grid.spacing)).astype(int)[::-1]
        known[_spread(unknown, reach.tolist())] = 0
    coarse = _coarse_grid(fine.index_to_ras, factor)
    shape = tuple(-(-n // factor) for n in fine.array.shape)
    blocks = Volume(known, grid.index_to_ras).resampled_to(Volume(np.broadcast_to(0, shape), coarse), order=0).array > 0
    for axis, n in enumerate(fine.array.shape):
        blocks = blocks.repeat(factor, axis=axis).take(range(n), axis=axis)
    return blocks


def _spread(mask: BoolArray, reach: Sequence[int]) -> BoolArray:
    """What lies within a box of ``reach`` voxels to either side, along each axis, of the mask.

    By shifts one way and the other, each of what the ones before it have covered: faster than a maximum filter.
    """
    if len(mask) > 1 and (mask == mask[:1]).all():  # a round field of measurement is the same in every slice
        return np.broadcast_to(_spread(mask[:1], (0, *reach[1:])), mask.shape)
    for axis, far in enumerate(reach):
        onward, back = mask.copy(), mask.copy()
        covered = 1
        while covered <= far:
            step = min(covered, far + 1 - covered)
            before, behind = ((slice(None),) * axis + (part,) for part in (slice(-step), slice(step, None)))
            onward[behind] |= onward[before]
            back[before] |= back[behind]
            covered += step
        mask = onward | back
    return mask


def _coarse_grid(index_to_ras: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    """(4, 4) index_to_ras of blocks of ``factor`` voxels a side."""
    coarse = index_to_ras @ np.diag([factor] * 3 + [1.0])
    coarse[:3, 3] = index_to_ras[:3, 3] + index_to_ras[:3, :3] @ np.full(3, (factor - 1) / 2)
    return coarse


def _margins(values: NDArray[np.float32], seen: BoolArray, most: int, depth: int) -> list[tuple[int, int]]:
    """Voxels to be added before and behind each array axis: none where the CT ends in air."""
    margins = []
    tissue = (values > AIR_SHARE * SOFT_TISSUE) & seen
    for axis in range(3):
        deep = min(depth, values.shape[axis])
        walls = [tissue.take(range(deep), axis).any(axis), tissue.take(range(-deep, 0), axis).any(axis)]
        margins.append(tuple(most if wall.mean() > EMPTY_WALL else 0 for wall in walls))
    return [(before, behind) for before, behind in margins]


def _is_cut(means: NDArray[np.float32], inside: BoolArray) -> bool:
    """Whether the side walls of what is known (not its ends along the spine) lie in tissue."""
    ring = np.ones((1, 3, 3), dtype=bool)
    wall = inside & ~ndimage.binary_erosion(inside, ring)
    return bool(wall.any() and (means[wall] > AIR_SHARE * SOFT_TISSUE).mean() > CUT_SHARE)


def _beyond(means: NDArray[np.float32], inside: BoolArray, voxel_mm: float) -> NDArray[np.float32]:
    """What goes on beyond the known voxels: their nearest values, fading to soft tissue; air stays air."""
    if inside.all():
        return means
    distance, nearest = ndimage.distance_transform_edt(~inside, return_indices=True)
    edge = means[tuple(nearest)]
    fading = 0.5 + 0.5 * np.cos(np.pi * np.clip(distance * voxel_mm / FADING_MM, 0.0, 1.0))
    faded = SOFT_TISSUE + (edge - SOFT_TISSUE) * fading
    return np.where(inside, means, np.where(edge < AIR_SHARE * SOFT_TISSUE, edge, faded)).astype(np.float32)


def _block_mean(values: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Means over cubes of ``factor`` voxels a side; incomplete cubes repeat the last voxel."""
    values = np.pad(values, [(0, -n % factor) for n in values.shape], mode="edge")
    for axis in range(values.ndim):
        layers = np.moveaxis(values, axis, 0)
        values = np.moveaxis(sum(layers[first::factor] for first in range(1, factor)) + layers[::factor], 0, axis)
    return values / np.float32(factor**values.ndim)


def _block_spread(values: NDArray[np.float32], factor: int, shape: Sequence[int]) -> NDArray[np.float32]:
    """The inverse of ``_block_mean``, interpolated along the first axes, as many as there are sizes."""
    for axis, n in enumerate(shape):
        values = _block_spread_along(values, axis, factor, n)
    return values


def _block_spread_along(values: NDArray[np.float32], axis: int, factor: int, n: int) -> NDArray[np.float32]:
    at = np.clip((np.arange(n) + 0.5) / factor - 0.5, 0, values.shape[axis] - 1)
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, values.shape[axis] - 1)
    weight = (at - low).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(values.ndim)])
    return values.take(low, axis) * (1 - weight) + values.take(high, axis) * weight
