"""Cameras as plain matrices in text or .npy files: P (3 x 4), or K (3 x 3) with [R|t] (3 x 4)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from radgs.errors import InputFileError
from radgs.geometry.projection import Pinhole
from radgs.io.calibrations.number_text import read_rows, table

EXPECTED = "Give P as 3 rows of 4 numbers, or K as 3 rows of 3 followed by [R|t] as 3 rows of 4."


def read_matrices(path: Path, size: tuple[int, int]) -> Pinhole:
    """One camera from a file that holds P, or K and [R|t]; a last row 0 0 0 1 is allowed.

    Args:
        path: Text with lines of numbers, or a .npy array of P.
        size: Columns and rows of the image, which such a file does not say.

    Raises:
        InputFileError: Missing, unreadable, or other matrices than these.
    """
    if path.suffix.lower() == ".npy":
        try:
            rows = np.atleast_2d(np.load(path, allow_pickle=False)).astype(np.float64).tolist()
        except (OSError, ValueError, EOFError, TypeError) as problem:
            raise InputFileError(f"{path} is not a NumPy array of numbers.", EXPECTED) from problem
    else:
        rows = read_rows(path)
    if len(rows) in (4, 7) and rows[-1] == [0, 0, 0, 1]:
        rows = rows[:-1]
    if len(rows) == 3:
        return Pinhole(size, table(path, rows, 4))
    if len(rows) == 6:
        intrinsics = table(path, rows[:3], 3)
        if not np.allclose(intrinsics[2], [0, 0, 1]) or intrinsics[1, 0] != 0:
            raise InputFileError(f"{path}: the first three rows are no camera matrix K.", EXPECTED)
        return Pinhole(size, table(path, rows[3:], 4), intrinsics)
    raise InputFileError(f"{path} holds {len(rows)} rows of numbers.", EXPECTED)
