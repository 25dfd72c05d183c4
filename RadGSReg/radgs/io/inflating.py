"""Compressed voxels, unpacked to the length that a header states, their checksum compared."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from radgs.errors import InputFileError
from radgs.io.input_files import INCOMPLETE, MAX_DEFLATED, byte_count, mismatch, size_of

CHUNK = 2**20


def read_gzipped(stream: gzip.GzipFile, file: BinaryIO, path: Path, sizes: Sequence[int], dtype: np.dtype) -> NDArray:
    """The rest of a gzip stream as an array; its CRC and length are those of the stream's end.

    Args:
        stream: Where the values begin.
        file: The file beneath it.
        path: The file, for messages.
        sizes: Sizes, the fastest first.
        dtype: Of one value.

    Raises:
        InputFileError: Damaged, cut short, or of another length than the sizes make.
    """
    array = _empty(path, sizes, dtype, size_of(file))
    flat = memoryview(array.reshape(-1).view(np.uint8).data)
    filled = 0
    try:
        while filled < len(flat) and (count := stream.readinto(flat[filled : filled + 16 * CHUNK])):
            filled += count
        beyond = len(stream.read(1))  # the end, where the checksum is compared
    except (OSError, EOFError, zlib.error) as problem:
        raise InputFileError(f"{path} is compressed, and its data are damaged or cut short.", INCOMPLETE) from problem
    if filled != len(flat) or beyond:
        raise mismatch(path, filled + beyond, len(flat))
    return array


def read_deflated(file: BinaryIO, path: Path, sizes: Sequence[int], dtype: np.dtype) -> NDArray:
    """The rest of a file, one zlib (or gzip) stream, as an array.

    Raises:
        InputFileError: Damaged, cut short, or of another length than the sizes make.
    """
    array = _empty(path, sizes, dtype, size_of(file) - file.tell())
    flat = array.reshape(-1).view(np.uint8)
    filled, decoder = 0, zlib.decompressobj(wbits=47)  # 15 bits, and 32 to tell zlib from gzip
    try:
        while not decoder.eof:
            data = decoder.unconsumed_tail or file.read(CHUNK)
            if not data:
                break
            piece = decoder.decompress(data, min(16 * CHUNK, len(flat) - filled + 1))
            if filled + len(piece) > len(flat):
                raise mismatch(path, filled + len(piece), len(flat))
            flat[filled : filled + len(piece)] = np.frombuffer(piece, np.uint8)
            filled += len(piece)
    except zlib.error as problem:
        raise InputFileError(f"{path} is compressed, and its data are damaged.", INCOMPLETE) from problem
    if filled != len(flat):
        raise mismatch(path, filled, len(flat))
    if not decoder.eof or decoder.unused_data or file.read(1):
        raise InputFileError(f"{path} is compressed, and its data do not end where they should.", INCOMPLETE)
    return array


def _empty(path: Path, sizes: Sequence[int], dtype: np.dtype, packed: int) -> NDArray:
    """Memory for the values, asked for only where the packed bytes can hold so many."""
    expected = byte_count(path, sizes, dtype.itemsize)
    if expected > packed * MAX_DEFLATED:
        raise mismatch(path, packed * MAX_DEFLATED, expected)
    return np.empty(tuple(reversed(sizes)), dtype)
