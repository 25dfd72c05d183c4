"""NIfTI-1 and NIfTI-2 in one file, plain or gzipped, read by its own header (https://nifti.nimh.nih.gov).

The place is what both of its statements, qform and sform, and its voxel sizes agree on: readers differ in which of them
they believe, so that a file in which they differ lies in two places at once.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from radgs.errors import InputFileError
from radgs.geometry import FloatArray
from radgs.io.inflating import read_gzipped
from radgs.io.input_files import INCOMPLETE, open_input, read_exactly
from radgs.io.raster import PLACE_TOLERANCE_MM, Raster, farthest_apart
from radgs.io.rescaling import rescaled

#: Numpy's names of NIfTI's data types, and how many of them a voxel has.
TYPES = {
    2: ("u1", 1),
    4: ("i2", 1),
    8: ("i4", 1),
    16: ("f4", 1),
    64: ("f8", 1),
    256: ("i1", 1),
    512: ("u2", 1),
    768: ("u4", 1),
    1024: ("i8", 1),
    1280: ("u8", 1),
    128: ("u1", 3),
    2304: ("u1", 4),
}

#: Millimetres in NIfTI's units of length; files often leave them out and mean millimetres.
UNITS_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}

_NAMES = ["sizeof_hdr", "magic", "datatype", "bitpix", "dim", "pixdim", "vox_offset", "scl_slope", "scl_inter"]
_NAMES += ["qform_code", "sform_code", "quatern", "qoffset", "srow", "xyzt_units"]

#: The fields that are read, of the two headers as their definitions nifti1.h and nifti2.h lay them out.
NIFTI_1 = np.dtype(
    {
        "names": _NAMES,
        "formats": ["i4", "S4", "i2", "i2", "8i2", "8f4", "f4", "f4", "f4", "i2", "i2", "3f4", "3f4", "(3,4)f4", "u1"],
        "offsets": [0, 344, 70, 72, 40, 76, 108, 112, 116, 252, 254, 256, 268, 280, 123],
        "itemsize": 348,
    }
)
NIFTI_2 = np.dtype(
    {
        "names": _NAMES,
        "formats": ["i4", "S8", "i2", "i2", "8i8", "8f8", "i8", "f8", "f8", "i4", "i4", "3f8", "3f8", "(3,4)f8", "i4"],
        "offsets": [0, 4, 12, 14, 16, 104, 168, 176, 184, 344, 348, 352, 376, 400, 500],
        "itemsize": 540,
    }
)
LAYOUTS = {348: (NIFTI_1, b"n+1"), 540: (NIFTI_2, b"n+2\0\r\n\x1a\n")}

#: Between header and voxels there may be extensions; more than this is none.
MAX_OFFSET = 2**26


def looks_like_nifti(head: bytes) -> bool:
    """Whether a file that begins so is NIfTI, or gzipped, which nothing else that is read is."""
    return head[:2] == b"\x1f\x8b" or _byte_order(head) is not None


def read_nifti(path: Path) -> Raster:
    """Reads a NIfTI file whole; every byte is accounted for.

    Raises:
        InputFileError: Not NIfTI, damaged, incomplete, too large, or of a kind of voxels that is not read.
    """
    with open_input(path) as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if not packed:
            return _read(path, file, file, None)
        with gzip.GzipFile(fileobj=file) as stream:
            return _read(path, file, stream, stream)


def _read(path: Path, file: BinaryIO, stream: BinaryIO | gzip.GzipFile, unpacked: gzip.GzipFile | None) -> Raster:
    try:
        head = stream.read(NIFTI_2.itemsize)
        order = _byte_order(head)
        if order is None:
            raise InputFileError(
                f"{path} is not a NIfTI image that can be read.", "Check that the file is a complete .nii or .nii.gz."
            )
        layout = LAYOUTS[int(np.frombuffer(head[:4], order + "i4")[0])][0].newbyteorder(order)
        header = np.frombuffer(head[: layout.itemsize], layout)[0]
        stream.seek(_offset(path, header, layout.itemsize))
    except (OSError, EOFError, zlib.error) as problem:
        raise InputFileError(f"{path} is damaged.", INCOMPLETE) from problem
    sizes, components, dtype = _voxels(path, header)
    wanted = sizes if components == 1 else (components, *sizes)
    dtype = dtype.newbyteorder(order)
    if unpacked is None:
        array = read_exactly(file, path, wanted, dtype)
    else:
        array = read_gzipped(unpacked, file, path, wanted, dtype)
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope != 0.0 or not np.isfinite(slope):  # a slope of zero means that there is none
        array = rescaled(path, array, slope, intercept)
    place, unplaced = _place(path, header, sizes) if len(sizes) == 3 else (None, "is not a volume")
    return Raster(array, components, place, unplaced)


def _byte_order(head: bytes) -> Literal["<", ">"] | None:
    """The byte order of a NIfTI header; None where it is none."""
    orders: tuple[Literal["<"], Literal[">"]] = ("<", ">")
    for order in orders:
        size = int.from_bytes(head[:4], "little" if order == "<" else "big")
        if size in LAYOUTS and len(head) >= size:
            layout, magic = LAYOUTS[size]
            if np.frombuffer(head[:size], layout)["magic"][0] == magic:
                return order
    return None


def _offset(path: Path, header: np.void, least: int) -> int:
    offset = float(header["vox_offset"])
    if not least <= offset <= MAX_OFFSET or offset != int(offset):
        raise InputFileError(f"{path} says that its voxels begin at byte {offset:g}.", INCOMPLETE)
    return int(offset)


def _voxels(path: Path, header: np.void) -> tuple[tuple[int, ...], int, np.dtype]:
    """Sizes without the trailing ones beyond the third, components, and numpy's type."""
    count, sizes = int(header["dim"][0]), [int(size) for size in header["dim"][1:]]
    if not 1 <= count <= 7:
        raise InputFileError(f"{path} says that it has {count} dimensions.", INCOMPLETE)
    sizes = sizes[:count]
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes.pop()
    if int(header["datatype"]) not in TYPES:
        raise InputFileError(
            f"{path} holds voxels of NIfTI's type {int(header['datatype'])}, which is not read.",
            "Save it with whole or real numbers.",
        )
    name, components = TYPES[int(header["datatype"])]
    dtype = np.dtype(name)
    if int(header["bitpix"]) != 8 * dtype.itemsize * components:
        raise InputFileError(f"{path} contradicts itself in the size of its voxels.", INCOMPLETE)
    return tuple(sizes), components, dtype


def _place(path: Path, header: np.void, size: tuple[int, ...]) -> tuple[FloatArray | None, str]:
    """The one (4, 4) index_to_ras, mm, that the header's statements agree on, or why there is none."""
    unit = int(header["xyzt_units"]) & 7
    if unit not in UNITS_MM:
        return None, f"is in the unknown unit of length {unit}"
    spacing = np.abs(np.asarray(header["pixdim"][1:4], dtype=np.float64))
    stated = {}
    if int(header["qform_code"]) > 0:
        stated["qform"] = _qform(header, spacing)
    if int(header["sform_code"]) > 0:
        stated["sform"] = np.vstack([np.asarray(header["srow"], dtype=np.float64), [0.0, 0.0, 0.0, 1.0]])
    for name, matrix in stated.items():
        if not np.isfinite(matrix).all():
            return None, f"has a {name} that is not finite"
    if not stated:
        return None, "says neither by qform nor by sform where it lies"
    if len(stated) == 2 and (gap := farthest_apart(stated["qform"], stated["sform"], size)) > PLACE_TOLERANCE_MM:
        return None, f"lies in two places: its qform and its sform place a corner {gap:.1f} mm apart"
    if "sform" in stated:
        lengths = np.linalg.norm(stated["sform"][:3, :3], axis=0)
        gap = float((np.abs(lengths - spacing) * (np.array(size) - 1)).max())
        if not gap <= PLACE_TOLERANCE_MM:
            return None, f"contradicts itself: by its voxel sizes and by its sform it differs by {gap:.1f} mm in length"
    place = stated.get("sform", stated.get("qform"))
    assert place is not None
    return np.diag([UNITS_MM[unit]] * 3 + [1.0]) @ place, ""


def _qform(header: np.void, spacing: NDArray[np.float64]) -> FloatArray:
    """The map by quaternion, METHOD 2 of nifti1.h."""
    vector = np.asarray(header["quatern"], dtype=np.float64)
    b, c, d = vector
    squared = float(vector @ vector)
    if squared > 1.0:  # rounding makes unit quaternions a little longer
        b, c, d = vector / np.sqrt(squared)
    a = np.sqrt(max(0.0, 1.0 - (b * b + c * c + d * d)))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    sides = spacing * [1.0, 1.0, -1.0 if header["pixdim"][0] < 0 else 1.0]
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * sides
    matrix[:3, 3] = header["qoffset"]
    return matrix
