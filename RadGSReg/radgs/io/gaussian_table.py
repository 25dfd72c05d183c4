"""The vertices of a .ply file of Gaussians, the common layout of 3D Gaussian Splatting, as a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radgs.errors import InputFileError

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
        content = path.read_bytes()
    except OSError as error:
        raise InputFileError(f"The Gaussians {path} cannot be read.", "Check that the file exists.") from error
    return _vertices(content, path)


def _vertices(content: bytes, path: Path) -> NDArray:
    """The structured array of a file's vertex element."""
    problem = InputFileError(
        f"The file {path} does not hold Gaussians.",
        "Give a binary little-endian .ply whose vertices have x y z, opacity, scale_0..2 and rot_0..3.",
    )
    head, separator, body = content.partition(b"end_header\n")
    lines = [line.split() for line in head.decode("ascii", errors="replace").splitlines()]
    if not separator or lines[:2] != [["ply"], ["format", "binary_little_endian", "1.0"]]:
        raise problem
    elements = [line for line in lines if line[:1] == ["element"]]
    properties = [line for line in lines if line[:1] == ["property"]]
    scalar = all(len(line) == 3 and line[1] in TYPES for line in properties)
    if len(elements) != 1 or elements[0][1] != "vertex" or not scalar:
        raise problem
    layout = np.dtype([(line[2], TYPES[line[1]]) for line in properties])
    count = int(elements[0][2])
    names = set(layout.names or ())
    if not names >= NEEDED or len(body) < count * layout.itemsize:
        raise problem
    return np.frombuffer(body, dtype=layout, count=count)
