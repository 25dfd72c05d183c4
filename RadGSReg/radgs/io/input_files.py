"""Opening what a user names: regular files alone, and never more bytes than they can hold."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from radgs.errors import InputFileError

#: The largest image that is read, as its voxels lie in memory: 512 x 512 x 4,000 of 4 bytes.
MAX_BYTES = 4 * 2**30

#: Deflate, the method of gzip, zlib and PNG, makes data at most 1032 times smaller (https://zlib.net/zlib_tech.html).
MAX_DEFLATED = 1032

#: Image headers are texts of hundreds of bytes; what is longer is none.
MAX_HEADER_BYTES = 2**20

#: File systems know no longer names.
MAX_NAME_LENGTH = 200

INCOMPLETE = "Copy or export it again: it is incomplete or damaged."


def open_input(path: Path) -> BinaryIO:
    """Opens a regular file for reading.

    A pipe or a device may never end, and opening one may wait for ever: neither is opened.

    Raises:
        InputFileError: Missing, not a regular file, or not readable.
    """
    try:
        # A pipe put in the file's place must not make us wait; the flag has no meaning for files.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (FileNotFoundError, NotADirectoryError, ValueError) as problem:
        raise InputFileError(
            f"There is no file {path}.", "Check the path; paths in a case.json are relative to it."
        ) from problem
    except OSError as problem:
        if path.is_dir():
            raise InputFileError(f"{path} is a folder, not a file.", "Name the file itself.") from problem
        raise InputFileError(f"{path} cannot be opened.", "Check the path and who may read the file.") from problem
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
    os.close(descriptor)
    if is_folder:
        raise InputFileError(f"{path} is a folder, not a file.", "Name the file itself.")
    raise InputFileError(f"{path} is a pipe or a device, not a file.", "Give a regular file.")


def size_of(file: BinaryIO) -> int:
    """Bytes in an open file."""
    return os.fstat(file.fileno()).st_size


def head_of(path: Path, count: int = 512) -> bytes:
    """The first bytes of a regular file.

    Raises:
        InputFileError: As ``open_input``.
    """
    with open_input(path) as file:
        return file.read(count)


def file_beside(header: Path, name: str) -> Path:
    """The data file that a header names, which must lie in the header's own folder.

    Raises:
        InputFileError: The name leads elsewhere: a header cannot make us read any other file of the computer.
    """
    plain = name.strip()
    beside = header.parent / plain
    elsewhere = not plain or Path(plain).name != plain or "\\" in plain or "\0" in plain or len(plain) > MAX_NAME_LENGTH
    if elsewhere or beside.is_symlink() or beside.resolve() == header.resolve():
        raise InputFileError(
            f'{header} takes its voxels from "{plain}", which is not a file beside it.',
            "Put both files in one folder, or save the image as a single file such as .nrrd or .nii.gz.",
        )
    return beside


def byte_count(path: Path, sizes: Sequence[int], itemsize: int) -> int:
    """How many bytes an image of these sizes takes.

    Raises:
        InputFileError: A size is not positive, or the image is larger than ``MAX_BYTES``.
    """
    shape = " x ".join(str(size) for size in sizes)
    if not sizes or min(sizes) < 1:
        raise InputFileError(f"{path} says that it holds {shape or 'no'} voxels.", INCOMPLETE)
    count = math.prod(sizes) * itemsize
    if count > MAX_BYTES:
        raise InputFileError(
            f"{path} says that it holds {shape} voxels, {count / 2**30:.3g} GiB.",
            f"Crop it around the vertebrae: images up to {MAX_BYTES / 2**30:g} GiB are read.",
        )
    return count


def read_exactly(file: BinaryIO, path: Path, sizes: Sequence[int], dtype: np.dtype) -> NDArray:
    """The rest of a file as an array, which must be all of it and no more.

    Args:
        file: Where the values begin.
        path: The file, for messages.
        sizes: Sizes, the fastest first.
        dtype: Of one value.

    Returns:
        Array with the slowest axis first.

    Raises:
        InputFileError: The file holds more or fewer bytes.
    """
    expected, there = byte_count(path, sizes, dtype.itemsize), size_of(file) - file.tell()
    if there != expected:
        raise mismatch(path, there, expected)
    array = np.empty(tuple(reversed(sizes)), dtype)
    if file.readinto(array.reshape(-1).view(np.uint8).data) != expected:  # type: ignore[attr-defined]
        raise mismatch(path, there, expected)
    return array


def mismatch(path: Path, there: int, expected: int) -> InputFileError:
    """The error of a file whose values are not as many as its header says."""
    return InputFileError(f"{path} holds {there} bytes of values, and its header asks for {expected}.", INCOMPLETE)
