"""OpenCV's FileStorage in YAML: numbers, texts and matrices, which is what calibration programs write with it.

A strict reader of that subset and nothing more: YAML at large can hold far more than a calibration, and what is not
understood is told with its line.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from radgs.errors import InputFileError
from radgs.geometry import FloatArray
from radgs.io.calibrations.number_text import numbers_of, read_lines

_KEY = re.compile(r"^(\s*)([A-Za-z_][\w.-]*)\s*:\s*(.*)$")


def read_storage(path: Path) -> dict[str, FloatArray]:
    """Every matrix, list of numbers and number of a FileStorage, by its name at the top.

    Returns:
        Arrays: (rows, cols) of a matrix, (n,) of a list, () of a number. Texts, nodes of nodes and what stands in
        them are left out.

    Raises:
        InputFileError: Missing, not YAML of OpenCV's kind, or a matrix whose numbers do not fill it.
    """
    lines = read_lines_with_indent(path)
    if not lines or not lines[0].startswith("%YAML"):
        raise InputFileError(
            f"{path} does not begin with %YAML.", "Give the calibration as OpenCV's FileStorage writes it in YAML."
        )
    nodes: dict[str, FloatArray] = {}
    name = ""
    members: dict[str, str] = {}
    for statement in _statements(path, lines[1:]):
        found = _KEY.match(statement)
        if found is None:
            continue
        indent, key, value = found.groups()
        if not indent:
            _keep_matrix(path, name, members, nodes)
            name, members = key, {}
            if value and not value.startswith("!!"):
                row = numbers_of(value)
                if row is not None:
                    nodes[key] = np.array(row) if value.startswith("[") else np.array(row[0])
            elif value.startswith("!!opencv-matrix"):
                members["kind"] = value
        elif "kind" in members:
            members[key] = value
    _keep_matrix(path, name, members, nodes)
    return nodes


def read_lines_with_indent(path: Path) -> list[str]:
    """The lines of a text file as they stand, comments taken off."""
    read_lines(path)  # says what is wrong with a file that is not text
    text = path.read_text(encoding="utf-8-sig")
    return [re.sub(r"\s#.*$", "", line).rstrip() for line in text.splitlines() if not line.lstrip().startswith("#")]


def _statements(path: Path, lines: list[str]) -> list[str]:
    """Lines with every bracketed list gathered onto the line where it began."""
    statements: list[str] = []
    depth = 0
    for line in lines:
        if depth > 0 and statements:
            statements[-1] += " " + line.strip()
        elif line.strip() and line.strip() not in ("---", "..."):
            statements.append(line)
        depth += line.count("[") - line.count("]")
        if depth < 0:
            raise InputFileError(f"{path} closes a list that was not opened.", "Write the file with OpenCV again.")
    if depth:
        raise InputFileError(f"{path} ends within a list.", "The file is not complete: write it again.")
    return statements


def _keep_matrix(path: Path, name: str, members: dict[str, str], nodes: dict[str, FloatArray]) -> None:
    if "kind" not in members:
        return
    try:
        shape = (int(members["rows"]), int(members["cols"]))
        array = np.array(numbers_of(members["data"]) or [], dtype=np.float64).reshape(shape)
    except (KeyError, ValueError) as problem:
        raise InputFileError(
            f'{path}: the matrix "{name}" is not complete.', "Write the file with OpenCV's FileStorage again."
        ) from problem
    if not np.isfinite(array).all():
        raise InputFileError(f'{path}: the matrix "{name}" holds NaN or infinite numbers.', "Calibrate again.")
    nodes[name] = array
