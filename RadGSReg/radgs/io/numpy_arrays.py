"""Arrays that ``numpy.save`` wrote: numbers alone, as many as the header says."""

from __future__ import annotations

from pathlib import Path

from numpy.lib import format as npy

from radgs.errors import InputFileError
from radgs.io.input_files import byte_count, mismatch, open_input, read_exactly, size_of
from radgs.io.raster import Raster

ADVICE = "Write one array of numbers with numpy.save."


def read_npy(path: Path) -> Raster:
    """Reads a .npy file; an archive (.npz) by that name and pickled objects are refused.

    Raises:
        InputFileError: Not such a file, damaged, incomplete, too large, or not of real numbers.
    """
    with open_input(path) as file:
        try:
            version = npy.read_magic(file)
            header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, by_columns, dtype = header(file)
        except Exception as problem:  # the header is a Python literal, whose parser raises what it likes
            raise InputFileError(f"{path} is not a NumPy array that can be read.", ADVICE) from problem
        if dtype.hasobject:
            raise InputFileError(f"{path} is not a NumPy array that can be read: it holds Python objects.", ADVICE)
        if dtype.kind not in "iufb" or dtype.itemsize > 8:
            raise InputFileError("The image does not hold real numbers.", "Give one grey value per pixel.")
        if not shape or len(shape) > 5:
            raise InputFileError(f"{path} holds an array of {len(shape)} axes.", ADVICE)
        if byte_count(path, shape, dtype.itemsize) != size_of(file) - file.tell():
            raise mismatch(path, size_of(file) - file.tell(), byte_count(path, shape, dtype.itemsize))
        sizes = shape if by_columns else shape[::-1]
        array = read_exactly(file, path, sizes, dtype)
    return Raster(array.T if by_columns else array)
