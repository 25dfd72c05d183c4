"""Text files of numbers: tables with commas, semicolons, tabs or blanks, and blocks of them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from radgs.errors import InputFileError
from radgs.geometry import FloatArray

_SEPARATOR = re.compile(r"[,;\s]+")


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, without what surrounds them.

    Raises:
        InputFileError: Missing, or no text.
    """
    if not path.is_file():
        raise InputFileError(f"There is no file {path}.", "Check the path.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as problem:
        raise InputFileError(f"{path} is not a text file that can be read.", "Export it again.") from problem
    if "\0" in text:
        raise InputFileError(f"{path} is not a text file.", "Give the calibration as text.")
    return [line.strip() for line in text.splitlines()]


def numbers_of(line: str) -> list[float] | None:
    """The numbers of one line; None where something else stands there. ``NaN`` is a number here."""
    parts = [part for part in _SEPARATOR.split(line.strip(" \t[](){}")) if part]
    try:
        return [float(part) for part in parts] or None
    except ValueError:
        return None


def read_rows(path: Path) -> list[list[float]]:
    """Every line of numbers, lines of words and comments left out.

    Raises:
        InputFileError: Missing, no text, or no number in it.
    """
    rows = [row for line in read_lines(path) if not line.startswith(("#", "//", "%")) and (row := numbers_of(line))]
    if not rows:
        raise InputFileError(f"{path} holds no numbers.", "Give the file that the calibration program wrote.")
    return rows


def table(path: Path, rows: list[list[float]], columns: int) -> FloatArray:
    """Rows as an array of finite numbers with so many columns.

    Raises:
        InputFileError: A row is longer or shorter, or holds NaN.
    """
    for number, row in enumerate(rows, start=1):
        if len(row) != columns:
            raise InputFileError(
                f"{path}: row {number} of numbers has {len(row)} of them where {columns} were expected.",
                "Give the file as the calibration program wrote it.",
            )
    array = np.array(rows, dtype=np.float64)
    if not np.isfinite(array).all():
        raise InputFileError(f"{path} holds NaN or infinite numbers.", "Write finite numbers only.")
    return array
