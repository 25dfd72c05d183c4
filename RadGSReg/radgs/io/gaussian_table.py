"""The vertices of a .ply file of Gaussians, the common layout of 3D Gaussian Splatting, as a table."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radgs.errors import InputFileError
from radgs.io.input_files import open_input

#: Ten million Gaussians; a header of hundreds of lines; logarithms of sizes from a nanometre to a kilometre.
MAX_BYTES, MAX_HEADER_BYTES, MAX_LOG_SCALE = 10**9, 100_000, 14.0

#: What a vertex needs for it to be a radiative Gaussian.
NEEDED = frozenset(
    ("x", "y", "z", "opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"),
)

#: Sizes of a ply file's scalar types, for files that other tools wrote.
TYPES = {
    **dict.fromkeys(("float", "float32"), "<f4"),
    **dict.fromkeys(("double", "float64"), "<f8"),
    **dict.fromkeys(("char", "int8"), "<i1"),
    **dict.fromkeys(("uchar", "uint8"), "<u1"),
    **dict.fromkeys(("short", "int16"), "<i2"),
    **dict.fromkeys(("ushort", "uint16"), "<u2"),
    **dict.fromkeys(("int", "int32"), "<i4"),
    **dict.fromkeys(("uint", "uint32"), "<u4"),
}


def read_gaussian_table(path: Path) -> NDArray:
    """Reads the vertices of a binary little-endian .ply file.

    Returns:
        (N,) structured array, with at least the fields of ``NEEDED``: centres x y z in mm, ``opacity`` the density in
        1/mm, ``scale_*`` the logarithms of the standard deviations in mm, ``rot_*`` the quaternion (w, x, y, z).

    Raises:
        InputFileError: The file is missing, or is not such a file.
    """
    try:
        with open_input(path) as file:
            content = file.read(MAX_BYTES + 1)
    except (InputFileError, OSError) as error:
        raise InputFileError(f"The Gaussians {path} cannot be read.", "Check that the file exists.") from error
    try:
        return _vertices(content)
    except (ValueError, LookupError, OverflowError) as problem:
        raise InputFileError(
            f"The file {path} does not hold Gaussians: {problem}.",
            "Give a binary little-endian .ply whose vertices have x y z, opacity, scale_0..2 and rot_0..3.",
        ) from problem


def _vertices(content: bytes) -> NDArray:
    """The structured array of a file's vertex element.

    Raises:
        ValueError: The file is something else.
    """
    if len(content) > MAX_BYTES:
        raise ValueError(f"it is longer than {MAX_BYTES} bytes")
    head, separator, body = content.partition(b"end_header\n")
    lines = [line.split() for line in head[:MAX_HEADER_BYTES].decode("ascii", errors="replace").splitlines()]
    if not separator or lines[:2] != [["ply"], ["format", "binary_little_endian", "1.0"]]:
        raise ValueError("it has another header")
    elements = [line for line in lines if line[:1] == ["element"]]
    properties = [line for line in lines if line[:1] == ["property"]]
    scalar = all(len(line) == 3 and line[1] in TYPES for line in properties)
    if len(elements) != 1 or elements[0][1:2] != ["vertex"] or len(elements[0]) != 3 or not scalar:
        raise ValueError("it has other elements")
    layout = np.dtype([(line[2], TYPES[line[1]]) for line in properties])  # refuses a name that stands twice
    if not re.fullmatch("[0-9]{1,9}", elements[0][2]):
        raise ValueError("it does not say how many")
    count = int(elements[0][2])
    if not set(layout.names or ()) >= NEEDED or len(body) < count * layout.itemsize:
        raise ValueError("some of their numbers are missing")
    table = np.frombuffer(body, dtype=layout, count=count)
    if not all(np.isfinite(table[name]).all() for name in NEEDED):
        raise ValueError("some of their numbers are none")
    if any((np.abs(table[f"scale_{axis}"]) > MAX_LOG_SCALE).any() for axis in range(3)):
        raise ValueError("their sizes are no sizes")
    rotations = np.stack([table[f"rot_{n}"].astype(np.float64) for n in range(4)])
    if not np.linalg.norm(rotations, axis=0).all():
        raise ValueError("some of their rotations are none")
    return table
