"""NRRD, attached or with its data in one file beside it, read by its own header (https://teem.sourceforge.net/nrrd)."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from radgs.errors import InputFileError
from radgs.geometry import FloatArray
from radgs.io.inflating import read_gzipped
from radgs.io.input_files import INCOMPLETE, MAX_HEADER_BYTES, file_beside, open_input, read_exactly
from radgs.io.raster import Raster

#: Numpy's types by NRRD's names of them.
TYPES = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), "i2"),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "u2"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
    **dict.fromkeys(("longlong", "long long", "long long int", "signed long long", "int64", "int64_t"), "i8"),
    **dict.fromkeys(("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"), "u8"),
    "float": "f4",
    "double": "f8",
}

#: Signs that turn a space's axes into RAS.
SPACES = {
    **dict.fromkeys(("left-posterior-superior", "lps"), (-1.0, -1.0, 1.0)),
    **dict.fromkeys(("right-anterior-superior", "ras"), (1.0, 1.0, 1.0)),
    **dict.fromkeys(("left-anterior-superior", "las"), (-1.0, 1.0, 1.0)),
}

FIELD = re.compile(r"([^:=]+): (.*)")
#: Fields that change what the values or their places are, in ways that are not read.
UNREAD = ("line skip", "lineskip", "byte skip", "byteskip", "block size", "blocksize")


def read_nrrd(path: Path) -> Raster:
    """Reads a NRRD file whole; every byte is accounted for.

    Raises:
        InputFileError: Not NRRD, damaged, incomplete, too large, or of a kind that is not read.
    """
    with open_input(path) as file:
        fields = _fields(path, file)
        sizes, dtype = _layout(path, fields)
        name = fields.get("data file", fields.get("datafile"))
        if name is None:
            array = _values(path, file, fields, sizes, dtype)
        else:
            beside = file_beside(path, name)
            with open_input(beside) as data:
                array = _values(beside, data, fields, sizes, dtype)
    components = _components(path, fields, sizes)
    place, unplaced = _place(path, fields, len(sizes), components)
    return Raster(array, components, place, unplaced)


def _fields(path: Path, file: BinaryIO) -> dict[str, str]:
    """The header's fields by name; leaves the file where the data begin."""
    magic = file.readline(16)
    fields: dict[str, str] = {}
    if not re.fullmatch(rb"NRRD000[1-5]\r?\n", magic):
        raise InputFileError(f"{path} is not a NRRD image that can be read.", INCOMPLETE)
    while line := file.readline(MAX_HEADER_BYTES):
        text = line.decode("latin-1").rstrip("\r\n")
        if not text:
            return fields
        found = FIELD.fullmatch(text)
        if found and not text.startswith("#"):
            name = found[1].strip().lower()
            if name in fields:
                raise InputFileError(f"{path} says twice what its {name} is.", INCOMPLETE)
            fields[name] = found[2].strip()
        elif not text.startswith("#") and ":=" not in text:
            raise InputFileError(f"{path} has a damaged header.", INCOMPLETE)
        if file.tell() > MAX_HEADER_BYTES:
            break
    if "data file" in fields or "datafile" in fields:
        return fields  # a header of its own may end without an empty line
    raise InputFileError(f"{path} has a header without an end.", INCOMPLETE)


def _layout(path: Path, fields: dict[str, str]) -> tuple[tuple[int, ...], np.dtype]:
    """Sizes, the fastest axis first, and the type of a value."""
    for name in UNREAD:
        if fields.get(name, "0") != "0":
            raise InputFileError(f'{path} uses NRRD\'s "{name}", which is not read.', "Save it again in one file.")
    kind = TYPES.get(fields.get("type", "").lower())
    if kind is None:
        raise InputFileError(
            f'{path} holds voxels of the type "{fields.get("type", "")}", which is not read.',
            "Save it with whole or real numbers.",
        )
    sizes = tuple(int(number) for number in _numbers(path, fields, "sizes"))
    if fields.get("dimension") != str(len(sizes)) or not 1 <= len(sizes) <= 5:
        raise InputFileError(f"{path} contradicts itself in its dimension and sizes.", INCOMPLETE)
    dtype = np.dtype(kind)
    if dtype.itemsize > 1 and fields.get("endian", "").lower() not in ("little", "big"):
        raise InputFileError(f"{path} does not say in which order its bytes are.", "Save it again.")
    return sizes, dtype.newbyteorder(">" if fields.get("endian", "").lower() == "big" else "<")


def _values(path: Path, file: BinaryIO, fields: dict[str, str], sizes: tuple[int, ...], dtype: np.dtype) -> NDArray:
    encoding = fields.get("encoding", "").lower()
    if encoding == "raw":
        return read_exactly(file, path, sizes, dtype)
    if encoding not in ("gzip", "gz"):
        raise InputFileError(f'{path} has the encoding "{encoding}", which is not read.', "Save it as raw or gzip.")
    return read_gzipped(gzip.GzipFile(fileobj=file), file, path, sizes, dtype)


def _components(path: Path, fields: dict[str, str], sizes: tuple[int, ...]) -> int:
    """How many values a voxel has: as many as the first axis is long, where it is none of space."""
    directions = _directions(fields)
    kinds = fields.get("kinds", "").lower().split()
    of_space = ("domain", "space", "time", "???", "none")
    first = bool(directions and directions[0] is None) or bool(kinds and kinds[0] not in of_space)
    others = any(direction is None for direction in directions[1:]) or any(kind not in of_space for kind in kinds[1:])
    if others:
        raise InputFileError(f"{path} has an axis of values behind one of space.", "Give a value per voxel.")
    return sizes[0] if first else 1


def _place(path: Path, fields: dict[str, str], dimensions: int, components: int) -> tuple[FloatArray | None, str]:
    """The (4, 4) index_to_ras of a volume, or why there is none."""
    space = fields.get("space", "").lower()
    if space not in SPACES:
        return None, f'says of its space "{space}" and not one of LPS, RAS and LAS' if space else "names no space"
    directions = [direction for direction in _directions(fields) if direction is not None]
    origin = _vector(fields.get("space origin", ""))
    if [len(vector) for vector in (*directions, origin)] != [3] * 4 or dimensions - (components > 1) != 3:
        return None, "does not say where it lies: it needs 3 space directions and a space origin"
    units = set(re.findall(r'"([^"]*)"', fields.get("space units", "")))
    if units - {"mm", "", "millimeter", "millimetre"}:
        return None, f"has its place in {', '.join(sorted(units))}, not in mm"
    index_to_space = np.eye(4)
    index_to_space[:3, :3] = np.stack(directions, axis=1)
    index_to_space[:3, 3] = origin
    return np.diag([*SPACES[space], 1.0]) @ index_to_space, ""


def _directions(fields: dict[str, str]) -> list[FloatArray | None]:
    """The axes' directions; None for an axis that is none of space."""
    parts = re.findall(r"none|\([^)]*\)", fields.get("space directions", "").lower())
    return [None if part == "none" else _vector(part) for part in parts]


def _vector(text: str) -> FloatArray:
    """The numbers of "(x,y,z)"; of anything else an empty array."""
    try:
        return np.array([float(part) for part in text.strip("() ").split(",")])
    except ValueError:
        return np.empty(0)


def _numbers(path: Path, fields: dict[str, str], name: str) -> list[int]:
    parts = fields.get(name, "").split()
    if not parts or not all(re.fullmatch(r"\d{1,9}", part) for part in parts):
        raise InputFileError(f"{path} does not say its {name} in whole numbers.", INCOMPLETE)
    return [int(part) for part in parts]
