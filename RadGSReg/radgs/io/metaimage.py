"""MetaImage (.mha, or .mhd with its data in one file beside it), read by its own header.

The fields are those of https://itk.org/Wiki/ITK/MetaIO/Documentation; the place is in LPS mm, as ITK takes it.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from radgs.errors import InputFileError
from radgs.geometry import FloatArray
from radgs.io.inflating import read_deflated
from radgs.io.input_files import INCOMPLETE, MAX_HEADER_BYTES, file_beside, open_input, read_exactly
from radgs.io.raster import LPS_TO_RAS, Raster

TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}

#: Other names of the same fields.
ALIASES = {
    **dict.fromkeys(("Position", "Origin"), "Offset"),
    **dict.fromkeys(("Rotation", "Orientation"), "TransformMatrix"),
    "ElementByteOrderMSB": "BinaryDataByteOrderMSB",
}
#: Fields that change the values, by what they say where they change nothing.
NEUTRAL = {"HeaderSize": 0.0, "ElementToIntensityFunctionSlope": 1.0, "ElementToIntensityFunctionOffset": 0.0}

YES, NO = ("true", "1", "yes"), ("false", "0", "no", "")


def looks_like_metaimage(head: bytes) -> bool:
    """Whether a file that begins so is a MetaImage."""
    return re.match(rb"\s*(Comment|ObjectType|NDims)\s*=", head) is not None


def read_metaimage(path: Path) -> Raster:
    """Reads a MetaImage whole; every byte is accounted for.

    Raises:
        InputFileError: Not a MetaImage, damaged, incomplete, too large, or of a kind that is not read.
    """
    with open_input(path) as file:
        fields = _fields(path, file)
        sizes, dtype, components = _layout(path, fields)
        wanted = sizes if components == 1 else (components, *sizes)
        name = fields["ElementDataFile"]
        if name.upper() == "LOCAL":
            array = _values(path, file, fields, wanted, dtype)
        else:
            beside = file_beside(path, name)
            with open_input(beside) as data:
                array = _values(beside, data, fields, wanted, dtype)
    place = _place(path, fields) if len(sizes) == 3 else None
    unplaced = "does not say where it lies: it needs ElementSpacing, Offset and TransformMatrix"
    return Raster(array, components, place, unplaced)


def _fields(path: Path, file: BinaryIO) -> dict[str, str]:
    """The header's fields by name; leaves the file where the data begin."""
    fields: dict[str, str] = {}
    while file.tell() < MAX_HEADER_BYTES and (line := file.readline(MAX_HEADER_BYTES)):
        name, separator, value = line.decode("latin-1").partition("=")
        name = ALIASES.get(name.strip(), name.strip())
        if not separator or not re.fullmatch(r"[\w-]+", name) or not line.endswith(b"\n"):
            break
        if name in fields and name != "Comment":
            raise InputFileError(f"{path} says twice what its {name} is.", INCOMPLETE)
        fields[name] = value.strip()
        if name == "ElementDataFile":
            return fields
    raise InputFileError(f"{path} is not a MetaImage that can be read: its header is damaged.", INCOMPLETE)


def _layout(path: Path, fields: dict[str, str]) -> tuple[tuple[int, ...], np.dtype, int]:
    """Sizes, the fastest axis first, the type of a value, and how many a voxel has."""
    if fields.get("ObjectType", "Image") != "Image" or not _flag(path, fields, "BinaryData", default="true"):
        raise InputFileError(f"{path} does not hold an image of binary values.", "Save it as .mha or .nrrd.")
    kind = TYPES.get(fields.get("ElementType", "").removesuffix("_ARRAY"))
    if kind is None:
        raise InputFileError(
            f'{path} holds voxels of the type "{fields.get("ElementType", "")}", which is not read.',
            "Save it with whole or real numbers.",
        )
    for name, neutral in NEUTRAL.items():
        if name in fields and _numbers(path, fields, name, 1)[0] != neutral:
            raise InputFileError(f"{path} uses MetaImage's {name}, which is not read.", "Save it as .mha or .nrrd.")
    dimensions, *more = _numbers(path, fields, "NDims", 1)
    if dimensions not in (2, 3, 4) or more:
        raise InputFileError(f"{path} says that it has {dimensions:g} dimensions.", INCOMPLETE)
    sizes = _whole(path, fields, "DimSize", int(dimensions))
    components = _whole(path, fields, "ElementNumberOfChannels", 1)[0] if "ElementNumberOfChannels" in fields else 1
    big = _flag(path, fields, "BinaryDataByteOrderMSB", default="false")
    if not 1 <= components <= 4:
        raise InputFileError(f"{path} says that a voxel has {components} values.", INCOMPLETE)
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes = sizes[:-1]
    return sizes, np.dtype(kind).newbyteorder(">" if big else "<"), components


def _values(path: Path, file: BinaryIO, fields: dict[str, str], sizes: tuple[int, ...], dtype: np.dtype) -> NDArray:
    if _flag(path, fields, "CompressedData", default="false"):
        return read_deflated(file, path, sizes, dtype)
    return read_exactly(file, path, sizes, dtype)


def _place(path: Path, fields: dict[str, str]) -> FloatArray | None:
    """(4, 4) index_to_ras; None where the header leaves out a part of it."""
    if not {"ElementSpacing", "Offset", "TransformMatrix"} <= set(fields):
        return None
    count = len(fields["ElementSpacing"].split())  # a fourth dimension of one has a place too
    spacing = _numbers(path, fields, "ElementSpacing", count)[:3]
    index_to_lps = np.eye(4)
    matrix = np.array(_numbers(path, fields, "TransformMatrix", count * count)).reshape(count, count)
    index_to_lps[:3, :3] = matrix[:3, :3].T * spacing  # its rows are the axes' directions
    index_to_lps[:3, 3] = _numbers(path, fields, "Offset", count)[:3]
    if len(spacing) != 3 or min(spacing) <= 0 or not np.allclose(np.linalg.norm(matrix[:3, :3], axis=1), 1, atol=1e-4):
        raise InputFileError(f"{path} has voxel sizes or axes that cannot be.", INCOMPLETE)
    return LPS_TO_RAS @ index_to_lps


def _flag(path: Path, fields: dict[str, str], name: str, *, default: str) -> bool:
    said = fields.get(name, default).lower()
    if said not in YES + NO:
        raise InputFileError(f"{path} says {name} = {said[:20]}, not True or False.", INCOMPLETE)
    return said in YES


def _whole(path: Path, fields: dict[str, str], name: str, count: int) -> tuple[int, ...]:
    numbers = _numbers(path, fields, name, count)
    if any(number != int(number) for number in numbers):
        raise InputFileError(f"{path} does not say its {name} in whole numbers.", INCOMPLETE)
    return tuple(int(number) for number in numbers)


def _numbers(path: Path, fields: dict[str, str], name: str, count: int) -> list[float]:
    try:
        numbers = [float(part) for part in fields.get(name, "").split()]
    except ValueError:
        numbers = []
    if len(numbers) != count or not all(math.isfinite(number) and abs(number) < 1e12 for number in numbers):
        raise InputFileError(f"{path} does not say its {name} in {count} number(s).", INCOMPLETE)
    return numbers
