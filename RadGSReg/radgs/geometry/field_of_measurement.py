"""Where an X-ray was measured: not behind collimator blades, beyond a round field, in a black surround or under text.

A field is convex: blades are half-planes, an intensifier's input is a disc. Beyond it an image holds its densest value
and the detector's own noise, or one constant, right up to its border. What is dark and dense but leaves no convex field
(lung, air, a metal plate) is part of the image.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

BoolArray = NDArray[np.bool_]

#: The field is looked for in an image of at most so many pixels a side.
SEARCH_PIXELS = 288
#: Between the value beyond the field (0) and the image's median (1): a pixel up to here may lie beyond the field. A
#: field's edge is a step, so that all of these find the same one.
STEPS = (0.07, 0.13, 0.2, 0.35, 0.5)
#: Fields found by two of these agree when they share this much of their union.
AGREEMENT = 0.985
#: Shares of the image: a smaller field is none, and a smaller rest is not worth cutting off.
MIN_FIELD, MIN_REST = 0.08, 0.003
#: A field fills this much of its convex hull.
MIN_SOLIDITY = 0.97
#: Beyond a field values spread this much of the image's own spread at most.
MAX_SPREAD = 0.2
#: Share of the pixels at the densest end beyond a field that are one constant, where that end is the open beam's.
MIN_CONSTANT = 0.9
#: Burnt-in letters: blobs of the extreme value of no more than this share of the image, this share of its range away
#: from what surrounds them.
MAX_LETTER, LETTER_CONTRAST = 2e-3, 0.35


def find_field(image: NDArray, *, dense_is_high: bool | None = True) -> BoolArray:
    """Where an X-ray was measured.

    Args:
        image: (H, W) finite values that rise or fall steadily with the line integral.
        dense_is_high: Whether they rise with it; None where that is not known.

    Returns:
        (H, W) True inside the field of measurement; True everywhere where no field's edge shows.
    """
    values = np.asarray(image, dtype=np.float32)
    factor = max(1, int(np.ceil(max(values.shape) / SEARCH_PIXELS)))
    small = _block_mean(values, factor)
    field = np.ones(values.shape, dtype=bool)
    for sign in (1.0, -1.0):
        dense_end = dense_is_high is None or (sign > 0) == dense_is_high
        if not dense_end and (values == (sign * values).max() * sign).mean() < MIN_REST:
            continue
        found = _convex_field(sign * small)
        if found is None or not (dense_end or _is_constant(sign * values, _enlarged(found, values.shape))):
            continue
        field &= _enlarged(found, values.shape)
    if not field.any():  # fields of both signs that exclude each other are none
        field[...] = True
    return field & ~_letters(values, field)


def _convex_field(dense_high: NDArray[np.float32]) -> BoolArray | None:
    """The convex region that the border's densest value surrounds, or None."""
    border = np.concatenate([dense_high[0], dense_high[-1], dense_high[:, 0], dense_high[:, -1]])
    beyond, median = float(np.percentile(border, 99.0)), float(np.median(dense_high))
    centre = tuple(n // 2 for n in dense_high.shape)
    if beyond < np.percentile(dense_high, 97.0):
        return None
    if dense_high[centre] < median:
        median = float(np.percentile(dense_high, 40.0))
    found: list[BoolArray] = []
    for step in STEPS:
        threshold = beyond - step * (beyond - float(np.percentile(dense_high, 25.0)))
        field = _inside_of(dense_high >= threshold)
        if field is not None:
            found.append(field)
    if len(found) < 2:
        return None
    for first, second in pairwise(found):
        if (first & second).sum() >= AGREEMENT * (first | second).sum():
            return second if _is_quiet(dense_high, second) else None
    return None


def _inside_of(dense: BoolArray) -> BoolArray | None:
    """The convex hull of what border-connected dense pixels leave, where that fills its hull."""
    labelled, _ = ndimage.label(dense)
    on_border = np.unique(np.concatenate([labelled[0], labelled[-1], labelled[:, 0], labelled[:, -1]]))
    rest = np.isin(labelled, on_border[on_border > 0])
    field = ndimage.binary_opening(~rest, iterations=1)
    parts, count = ndimage.label(field)
    if not count:
        return None
    field = parts == 1 + np.argmax(ndimage.sum_labels(field, parts, np.arange(1, count + 1)))
    field = ndimage.binary_fill_holes(field)
    hull = _convex_hull(field)
    area = hull.sum()
    if area < MIN_FIELD * hull.size or hull.size - area < MIN_REST * hull.size:
        return None
    return hull if field.sum() >= MIN_SOLIDITY * area else None


def _convex_hull(mask: BoolArray) -> BoolArray:
    """The mask's convex hull; pixels count with their centres."""
    points = np.argwhere(mask & ~ndimage.binary_erosion(mask)).astype(np.float64)
    try:
        planes = ConvexHull(points).equations
    except (QhullError, ValueError):
        return mask
    rows, columns = (np.arange(n) for n in mask.shape)
    across = planes[:, 1]
    with np.errstate(divide="ignore", invalid="ignore"):  # what is left of each row between the hull's sides
        bounds = -(planes[:, 2] + planes[:, 0] * rows[:, None]) / across
    left = np.where(across < -1e-9, bounds, -np.inf).max(axis=1) - 1e-6
    right = np.where(across > 1e-9, bounds, np.inf).min(axis=1) + 1e-6
    level = (np.abs(across) > 1e-9) | (planes[:, 0] * rows[:, None] + planes[:, 2] <= 1e-6)
    inside = (columns >= left[:, None]) & (columns <= right[:, None])
    return np.asarray(inside & level.all(axis=1)[:, None])


def _is_quiet(dense_high: NDArray[np.float32], field: BoolArray) -> bool:
    """Whether what lies beyond a field shows nothing of the image."""
    beyond = ndimage.binary_erosion(~field, border_value=1)
    if not beyond.any():
        return False
    low, middle, high = np.percentile(dense_high[beyond], [10, 50, 90])
    thinnest, dense, densest = np.percentile(dense_high[field], [5, 90, 95])
    return bool(middle >= dense and high - low <= MAX_SPREAD * max(densest - thinnest, middle - dense))


def _is_constant(values: NDArray[np.float32], field: BoolArray) -> bool:
    beyond = values[~field]
    return bool(beyond.size and (beyond == beyond.max()).mean() >= MIN_CONSTANT)


def _letters(values: NDArray[np.float32], field: BoolArray) -> BoolArray:
    """Text burnt into the image: small blobs of its very highest or lowest value, unlike what surrounds them."""
    low, high = float(values[field].min()), float(values[field].max())
    letters = np.zeros(values.shape, dtype=bool)
    for extreme in (low, high):
        at = (values == extreme) & field
        if not 0 < at.mean() <= MAX_LETTER:
            continue
        blobs, _ = ndimage.label(at, np.ones((3, 3)))
        for number, window in enumerate(ndimage.find_objects(blobs), start=1):
            grown = tuple(slice(max(0, s.start - 3), s.stop + 3) for s in window)
            blob = blobs[grown] == number
            around = ndimage.binary_dilation(blob, iterations=3) & ~ndimage.binary_dilation(blob) & (blobs[grown] == 0)
            if blob.sum() >= 4 and around.any():
                surround = float(np.median(values[grown][around]))
                if abs(surround - extreme) > LETTER_CONTRAST * (high - low):
                    letters[grown] |= ndimage.binary_dilation(blob, iterations=2)
    return letters


def _block_mean(values: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Means over ``factor`` x ``factor`` blocks; what is left over at the ends joins no block."""
    rows, columns = (n // factor * factor for n in values.shape)
    blocks = values[:rows, :columns].reshape(rows // factor, factor, columns // factor, factor)
    return blocks.mean(axis=(1, 3), dtype=np.float32)


def _enlarged(small: BoolArray, shape: tuple[int, ...]) -> BoolArray:
    """The mask on the full image's pixels, its edge interpolated."""
    rough = small.astype(np.float32)
    factor = max(1, int(np.ceil(max(shape) / SEARCH_PIXELS)))
    for axis, n in enumerate(shape):
        at = np.clip((np.arange(n) + 0.5) / factor - 0.5, 0, rough.shape[axis] - 1)
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, rough.shape[axis] - 1)
        weight = (at - low).astype(np.float32).reshape([-1, 1] if axis == 0 else [1, -1])
        rough = rough.take(low, axis) * (1 - weight) + rough.take(high, axis) * weight
    return np.asarray(rough >= 0.5)
