"""Applying slope and intercept to stored values, in as few bytes as hold the result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radgs.errors import InputFileError


def rescaled(path: Path, stored: NDArray, slope: float, intercept: float) -> NDArray:
    """``slope * stored + intercept``: whole numbers where all three are, else float32.

    Raises:
        InputFileError: A slope of zero, or one of the two is not finite.
    """
    if not np.isfinite([slope, intercept]).all() or slope == 0.0 or max(abs(slope), abs(intercept)) > 1e12:
        raise InputFileError(
            f"{path} scales its values by {slope:g} and {intercept:g}.", "Export it again with a slope above zero."
        )
    if (slope, intercept) == (1.0, 0.0):
        return stored
    if stored.dtype.kind in "iu" and slope == int(slope) and intercept == int(intercept) and stored.size:
        ends = [int(slope) * int(stored.min()) + int(intercept), int(slope) * int(stored.max()) + int(intercept)]
        kinds: tuple[type[np.int16], type[np.int32]] = (np.int16, np.int32)
        for kind in kinds:
            limits = np.iinfo(kind)
            if limits.min <= min(ends) and max(ends) <= limits.max:
                # In the result's own arithmetic, modulo its range, in which the end is right whatever comes between.
                values = stored.astype(kind)
                np.multiply(values, _wrapped(int(slope), kind), out=values)
                return np.add(values, _wrapped(int(intercept), kind), out=values)
    scaled = np.multiply(stored, np.float32(slope), dtype=np.float32)
    return np.add(scaled, np.float32(intercept), out=scaled)


def _wrapped(number: int, kind: type[np.int16] | type[np.int32]) -> NDArray:
    """A whole number modulo the range of a type, in an array without axes."""
    return np.array(number % 2 ** (8 * np.dtype(kind).itemsize), np.uint64).astype(kind)
