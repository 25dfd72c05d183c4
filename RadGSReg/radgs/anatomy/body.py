"""Telling a vertebra's body from its arch and processes, on an isotropic mask: thickness, and the spinal canal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from radgs.errors import CaseError

BoolArray = NDArray[np.bool_]

#: Voxel size at which a vertebra's parts are told apart, mm.
SPACING_MM = 1.5

#: The body is what a ball of this fraction of the largest inscribed radius can reach; processes are thinner.
CORE_FRACTION = 0.6

#: A body thinner than this (half height, mm) is no body: the worst crushed vertebrae keep about 3 mm.
MIN_BODY_RADIUS_MM = 2.5

#: The canal lies within this part of the vertebra's depth, counted from its back.
CANAL_DEPTH_RANGE = (0.25, 0.65)

#: A smaller hole is not the canal, mm^3 (found: 1000 to 2300).
MIN_CANAL_MM3 = 300.0

#: Neighbours within a slice across the first array axis.
IN_PLANE = np.zeros((3, 3, 3), dtype=bool)
IN_PLANE[1] = ndimage.generate_binary_structure(2, 1)


def thick_part(region: BoolArray, label: int) -> BoolArray:
    """The thick part of a region: its largest component after opening with a ball that processes cannot hold."""
    depth = ndimage.distance_transform_edt(region) * SPACING_MM
    if depth.max(initial=0.0) < MIN_BODY_RADIUS_MM:
        raise CaseError(f"Label {label} is too thin to hold a vertebral body.", "Choose the label of a whole vertebra.")
    radius = CORE_FRACTION * depth.max()
    return _largest_component(ndimage.distance_transform_edt(depth < radius) * SPACING_MM < radius) & region


def _largest_component(mask: BoolArray) -> BoolArray:
    components, count = ndimage.label(mask)
    if count < 2:
        return mask
    return components == 1 + np.bincount(components.ravel())[1:].argmax()


def spinal_canal(whole: BoolArray) -> BoolArray | None:
    """The canal of a vertebra (array axes superior, anterior, right) at ``SPACING_MM``; None where none is enclosed."""
    occupied = np.flatnonzero(whole.any(axis=(0, 2)))
    back, front = occupied[0], occupied[-1]
    first, last = (int(back + fraction * (front - back)) for fraction in CANAL_DEPTH_RANGE)
    closed = ndimage.binary_closing(whole, IN_PLANE)
    holes = ndimage.binary_fill_holes(closed, IN_PLANE) & ~closed
    holes[:, :first] = False
    holes[:, last + 1 :] = False
    canal = _largest_component(holes)
    return None if canal.sum() * SPACING_MM**3 < MIN_CANAL_MM3 else canal


def posterior_wall(whole: BoolArray) -> int | None:
    """First anterior index in front of the spinal canal near the midline, or None where no canal is enclosed."""
    canal = spinal_canal(whole)
    if canal is None:
        return None
    middle = round(float(np.argwhere(canal)[:, 2].mean()))
    strip = canal[:, :, max(middle - 3, 0) : middle + 4]
    foremost = strip.shape[1] - 1 - strip[:, ::-1].argmax(axis=1)
    return int(np.median(foremost[strip.any(axis=1)])) + 1
