"""XMALab's DLT coefficients: eleven numbers per camera, a column each, rows from the bottom and pixels from 1.

Its MayaCam exports are read by :mod:`radgs.io.calibrations.mayacam`; its project files are not, because they hold raw
calibration images.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from radgs.errors import InputFileError
from radgs.geometry.projection import Convention, Pinhole
from radgs.io.calibrations.number_text import read_rows, table

CONVENTION = Convention(None, "up", "one")
COEFFICIENTS = 11


def read_dlt(path: Path, size: tuple[int, int]) -> list[Pinhole]:
    """Every camera of a table of DLT coefficients (11 rows; a twelfth, which is 1, may follow).

    Args:
        path: The file, such as ``MergedDlts_Frame1.csv``.
        size: Columns and rows of the images, which it does not say.

    Raises:
        InputFileError: Missing, or not 11 rows of numbers.
    """
    rows = read_rows(path)
    if len(rows) == COEFFICIENTS + 1 and all(number == 1 for number in rows[-1]):
        rows = rows[:-1]
    if len(rows) != COEFFICIENTS:
        raise InputFileError(
            f"{path} holds {len(rows)} rows of numbers where DLT coefficients are {COEFFICIENTS}.",
            "Give the file as XMALab exports it.",
        )
    coefficients = table(path, rows, len(rows[0]))
    return [Pinhole(size, np.append(column, 1.0).reshape(3, 4)) for column in coefficients.T]
