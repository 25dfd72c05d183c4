"""The phantom's points and the picks on its X-rays, as tables with commas."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radgs.errors import InputFileError
from radgs.geometry import FloatArray


@dataclass(frozen=True)
class Pick:
    """A fiducial found on an X-ray.

    Attributes:
        view: The view's name.
        point: The fiducial's name.
        pixel: (column, row), pixel centres at integers.
    """

    view: str
    point: str
    pixel: tuple[float, float]


def read_phantom(path: Path) -> dict[str, FloatArray]:
    """The fiducials of a phantom: a table of name, x, y, z in mm, with or without a heading.

    Raises:
        InputFileError: Missing, a row of another form, or a name that stands twice.
    """
    points: dict[str, FloatArray] = {}
    for place, name, *numbers in _rows(path, "name,x,y,z", texts=1):
        if name in points:
            raise InputFileError(f"{place}: the point {name} stands twice.", "Give every point a name of its own.")
        points[name] = np.array(numbers, dtype=np.float64)
    return points


def read_picks(path: Path, phantom: dict[str, FloatArray]) -> list[Pick]:
    """Picks: a table of view, name, column, row, with or without a heading.

    Raises:
        InputFileError: Missing, a row of another form, a point that the phantom does not have, or a pick made twice.
    """
    picks: dict[tuple[str, str], Pick] = {}
    for place, view, name, column, row in _rows(path, "view,name,column,row", texts=2):
        if name not in phantom:
            raise InputFileError(f"{place}: the phantom has no point {name}.", "Use the names of the table of points.")
        if (view, name) in picks:
            raise InputFileError(f"{place}: {name} is picked twice in view {view}.", "Pick every point once in a view.")
        picks[view, name] = Pick(view, name, (float(column), float(row)))
    return list(picks.values())


def _rows(path: Path, form: str, texts: int) -> Iterator[tuple]:
    """Each row with its place in the file: so many texts, then finite numbers."""
    if not path.is_file():
        raise InputFileError(f"There is no file {path}.", "Check the path.")
    wanted = len(form.split(","))
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [[cell.strip() for cell in row] for row in csv.reader(file)]
    except (OSError, ValueError, csv.Error) as problem:
        raise InputFileError(f"{path} is not a table that can be read.", f"Write rows of {form}.") from problem
    found = False
    for number, row in enumerate(rows, start=1):
        if not any(row) or row[0].startswith("#"):
            continue
        try:
            numbers = [float(cell) for cell in row[texts:]]
        except ValueError:
            numbers = []
        if len(row) == wanted and len(numbers) == wanted - texts and all(math.isfinite(n) for n in numbers):
            found = True
            yield (f"{path}, row {number}", *row[:texts], *numbers)
        elif found or number > 1:
            raise InputFileError(f"{path}, row {number} is not {form}.", f"Write rows of {form}.")
    if not found:
        raise InputFileError(f"{path} holds no row of {form}.", f"Write rows of {form}.")
