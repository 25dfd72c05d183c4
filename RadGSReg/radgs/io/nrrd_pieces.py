"""A volume written as uncompressed NRRD piece by piece, so that a program with a window can draw in between."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radgs.errors import InputFileError
from radgs.geometry import Volume
from radgs.io.atomic import write_atomically
from radgs.io.raster import LPS_TO_RAS

#: Takes some ten milliseconds on a slow disk.
PIECE_BYTES = 8 * 2**20

#: NRRD's names of the voxel types (https://teem.sourceforge.net/nrrd/format.html).
TYPE_NAMES = {
    **{f"i{size}": f"int{8 * size}" for size in (1, 2, 4, 8)},
    **{f"u{size}": f"uint{8 * size}" for size in (1, 2, 4, 8)},
    "f4": "float",
    "f8": "double",
}


def write_in_pieces(path: Path, volume: Volume) -> Iterator[float]:
    """Writes a volume; yields the fraction done after each piece.

    Args:
        path: A file with the suffix .nrrd.
        volume: Voxels of any whole or floating-point type, in any orientation.

    Raises:
        InputFileError: The voxels are of another type.
        OutputError: The file cannot be written.
    """
    array = np.ascontiguousarray(volume.array, dtype=volume.array.dtype.newbyteorder("="))
    header = _header(array, volume, path)
    flat = array.reshape(-1)
    step = max(1, PIECE_BYTES // array.itemsize)
    with write_atomically(path, durable=False) as aside, aside.open("wb") as file:
        file.write(header.encode("ascii"))
        for start in range(0, len(flat), step):
            file.write(flat[start : start + step].data)
            yield min(1.0, (start + step) / len(flat))


def _header(array: NDArray, volume: Volume, path: Path) -> str:
    kind = f"{array.dtype.kind}{array.dtype.itemsize}"
    if array.ndim != 3 or kind not in TYPE_NAMES:
        raise InputFileError(f"{path} cannot hold an array of {array.dtype}.", "Give a 3D volume of numbers.")
    index_to_lps = LPS_TO_RAS @ volume.index_to_ras
    lines = [
        "NRRD0004",
        f"type: {TYPE_NAMES[kind]}",
        "dimension: 3",
        "space: left-posterior-superior",
        "sizes: " + " ".join(str(count) for count in reversed(array.shape)),
        "space directions: " + " ".join(_vector(column) for column in index_to_lps[:3, :3].T),
        "kinds: domain domain domain",
        f"endian: {sys.byteorder}",
        "encoding: raw",
        f"space origin: {_vector(index_to_lps[:3, 3])}",
    ]
    return "\n".join(lines) + "\n\n"


def _vector(values: NDArray) -> str:
    return "(" + ",".join(repr(float(value)) for value in values) + ")"
