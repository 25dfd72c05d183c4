"""The bare matrix as four lines of four numbers, .csv: for a spreadsheet, MATLAB, or a few lines of any language."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from radgs.errors import GeometryError, InputFileError
from radgs.export.formats import PoseFileFormat
from radgs.export.released_poses import TRIAL_POINT, ReleasedPose, point_text
from radgs.geometry import RigidTransform
from radgs.io.atomic import write_text

HOLDS = (
    "ct_to_world as a 4x4 matrix, row by row, in RAS and millimetres. "
    "It multiplies a column vector: x_world = ct_to_world @ (x, y, z, 1)."
)


def write_table(path: Path, ct_to_world: RigidTransform) -> None:
    """Writes the 4x4 matrix (RAS, mm) with every digit a double has, commas between the numbers and no heading.

    Raises:
        OutputError: The file cannot be written.
    """
    lines = [",".join(repr(float(number)) for number in row) for row in ct_to_world.matrix]
    write_text(path, "\n".join(lines) + "\n")


def read_table(path: Path) -> RigidTransform:
    """Reads what ``write_table`` writes.

    Raises:
        InputFileError: Missing, or not numbers.
        GeometryError: Not a rigid 4x4 matrix.
    """
    try:
        matrix = np.loadtxt(path, delimiter=",", ndmin=2)
    except (OSError, ValueError) as problem:
        raise InputFileError(f"{path} is not a table of numbers.", "Give four lines of four numbers.") from problem
    try:
        return RigidTransform.from_matrix(matrix)
    except GeometryError as error:
        raise GeometryError(f"{path}: {error.problem}", error.remedy) from error


def _trial(pose: ReleasedPose) -> str:
    x, y, z = TRIAL_POINT
    arrives = point_text(pose.trial_point_in_world)
    return f"Try it: the matrix times ({x:g}, {y:g}, {z:g}, 1) must give {arrives} and 1."


MATRIX_TABLE = PoseFileFormat("csv", ".csv", "4x4 matrix, table (.csv)", HOLDS, _trial, write_table, read_table)
