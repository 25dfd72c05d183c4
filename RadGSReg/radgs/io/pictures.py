"""PNG, JPEG, TIFF and BMP: ITK decodes them, once their containers are seen to be whole and of a size that can be held.

What these formats let pass is looked at here: ITK fills what a cut file lacks with black, and knows nothing of a
camera's note on how to turn the picture.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from radgs.errors import InputFileError
from radgs.io.input_files import INCOMPLETE, byte_count, open_input, size_of
from radgs.io.raster import Raster
from radgs.io.tiff import read_tiff_directory

#: The largest picture file that is opened: one page, at 8 bytes a pixel of 16,384 x 16,384.
MAX_FILE_BYTES = 2**31

TURNED = (
    "carries a note that it is to be turned when shown",
    "Turn it once and for all (save it upright, without the note), and click in that image.",
)


@dataclass(frozen=True)
class Claim:
    """What a picture's container says of it.

    Attributes:
        size: Columns and rows.
        ceiling: The largest value, where larger values are shown darker; None otherwise.
    """

    size: tuple[int, int]
    ceiling: float | None = None


def picture_kind(head: bytes) -> str | None:
    """Names the kind, "PNG", "JPEG", "TIFF" or "BMP", from a file's first bytes; None for any other."""
    for kind, magics in (
        ("PNG", (b"\x89PNG\r\n\x1a\n",)),
        ("JPEG", (b"\xff\xd8\xff",)),
        ("TIFF", (b"II*\0", b"MM\0*")),
        ("BMP", (b"BM",)),
    ):
        if head.startswith(magics):
            return kind
    return None


def read_picture(path: Path, kind: str) -> Raster:
    """Reads one PNG, JPEG, TIFF or BMP.

    Raises:
        InputFileError: Damaged, incomplete, too large, several pages, or with a note on how to turn it.
    """
    with open_input(path) as file:
        if size_of(file) > MAX_FILE_BYTES:
            raise InputFileError(f"{path} is larger than any X-ray.", "Give the one image to be registered.")
        content = file.read()
    try:
        claim = CHECKS[kind](path, content)
    except (struct.error, IndexError, zlib.error) as problem:
        raise InputFileError(f"{path} is a {kind} image that is damaged or cut short.", INCOMPLETE) from problem
    byte_count(path, (*claim.size, 4), 8)
    image = _decoded(path, kind)
    if image.GetSize() != claim.size:
        raise InputFileError(f"{path} does not decode to the size that it states.", INCOMPLETE)
    array = SimpleITK.GetArrayFromImage(image)
    return Raster(array, image.GetNumberOfComponentsPerPixel(), ceiling=claim.ceiling)


def _decoded(path: Path, kind: str) -> SimpleITK.Image:
    """The picture as ITK's reader of just this kind decodes it, its warnings kept off the terminal."""
    warned = SimpleITK.ProcessObject.GetGlobalWarningDisplay()
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        return SimpleITK.ReadImage(str(path), imageIO=f"{kind}ImageIO")
    except RuntimeError as problem:
        raise InputFileError(f"{path} is a {kind} image that cannot be decoded.", INCOMPLETE) from problem
    finally:
        SimpleITK.ProcessObject.SetGlobalWarningDisplay(warned)


def _png(path: Path, content: bytes) -> Claim:
    """Every chunk's checksum, and the length of what is compressed (https://www.w3.org/TR/png-3)."""
    place, packed, size = 8, [], (0, 0)
    bits = colour = interlaced = 0
    while True:
        length, name = struct.unpack_from(">I4s", content, place)
        data = content[place + 8 : place + 8 + length]
        (crc,) = struct.unpack_from(">I", content, place + 8 + length)
        if crc != zlib.crc32(name + data):
            raise InputFileError(f"{path} is a PNG image with a wrong checksum.", INCOMPLETE)
        if name == b"IHDR":
            *size_, bits, colour, _, _, interlaced = struct.unpack(">IIBBBBB", data)
            size = (size_[0], size_[1])
        elif name == b"IDAT":
            packed.append(data)
        elif name == b"IEND":
            break
        place += 12 + length
    byte_count(path, (*size, 4), 8)
    if not interlaced:
        per_row = 1 + (size[0] * bits * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 1) + 7) // 8
        decoder = zlib.decompressobj()
        unpacked = decoder.decompress(b"".join(packed), per_row * size[1] + 1)
        if len(unpacked) != per_row * size[1]:
            raise InputFileError(f"{path} is a PNG image of more or fewer pixels than it states.", INCOMPLETE)
    return Claim(size)


def _jpeg(path: Path, content: bytes) -> Claim:
    """Every segment up to the end-of-image marker (ITU-T T.81, annex B)."""
    place, size = 2, (0, 0)
    while True:
        marker = content[place + 1]
        if content[place] != 0xFF:
            raise InputFileError(f"{path} is a JPEG image that is damaged.", INCOMPLETE)
        if marker == 0xFF:  # fill bytes
            place += 1
            continue
        if marker == 0xD9:
            break
        (length,) = struct.unpack_from(">H", content, place + 2)
        segment = content[place + 4 : place + 2 + length]
        if marker in (0xC0, 0xC1, 0xC2):
            rows, columns = struct.unpack_from(">HH", segment, 1)
            size = (columns, rows)
        if marker == 0xE1 and segment[:6] == b"Exif\0\0" and read_tiff_directory(segment[6:]).first(274, 1) != 1:
            raise InputFileError(f"{path} {TURNED[0]}.", TURNED[1])
        place += 2 + length
        if marker == 0xDA:
            found = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]").search(content, place)
            if found is None:
                raise InputFileError(f"{path} is a JPEG image that is cut short.", INCOMPLETE)
            place = found.start()
    return Claim(size)


def _tiff(path: Path, content: bytes) -> Claim:
    """One page, whose strips or tiles lie within the file (TIFF 6.0)."""
    directory = read_tiff_directory(content)
    if directory.next_page:
        raise InputFileError(f"{path} holds several pages, not a single image.", "Export the one to be registered.")
    size = (directory.first(256), directory.first(257))
    if directory.first(274, 1) != 1:
        raise InputFileError(f"{path} {TURNED[0]}.", TURNED[1])
    bits, samples = directory.first(258, 1), directory.first(277, 1)
    ends = [*zip(directory.all(273), directory.all(279), strict=False)]
    ends += [*zip(directory.all(324), directory.all(325), strict=False)]
    if not ends or any(start + count > len(content) for start, count in ends):
        raise InputFileError(f"{path} is a TIFF image that is cut short.", INCOMPLETE)
    byte_count(path, (*size, max(1, samples)), max(8, bits) // 8)
    plain = directory.first(259, 1) == 1 and not directory.all(324)
    if plain and sum(count for _, count in ends) < size[1] * ((size[0] * samples * bits + 7) // 8):
        raise InputFileError(f"{path} is a TIFF image of fewer pixels than it states.", INCOMPLETE)
    min_is_white = directory.first(262, 1) == 0 and directory.first(339, 1) == 1
    return Claim(size, float(2**bits - 1) if min_is_white else None)


def _bmp(path: Path, content: bytes) -> Claim:
    """Uncompressed rows that lie within the file (Microsoft's BITMAPFILEHEADER and BITMAPINFOHEADER)."""
    (start, header, columns, rows, planes, bits, packing) = struct.unpack_from("<10xIIiiHHI", content)
    if header < 40 or planes != 1 or columns < 1 or rows == 0 or bits not in (8, 24, 32) or packing not in (0, 3):
        raise InputFileError(f"{path} is a BMP image of a kind that is not read.", "Save it as .png or .tif.")
    needed = start + (columns * bits + 31) // 32 * 4 * abs(rows)
    if needed > len(content) or start < 14 + header:
        raise InputFileError(f"{path} is a BMP image that is cut short.", INCOMPLETE)
    return Claim((columns, abs(rows)))


CHECKS: dict[str, Callable[[Path, bytes], Claim]] = {"PNG": _png, "JPEG": _jpeg, "TIFF": _tiff, "BMP": _bmp}


def shown_values(raster: Raster) -> NDArray:
    """Values in the sense in which they are shown: larger is brighter."""
    return raster.array if raster.ceiling is None else np.subtract(raster.ceiling, raster.array)
