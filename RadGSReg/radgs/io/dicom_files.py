"""DICOM files opened by pydicom: what it raises becomes our own sentence, and what it warns of is kept to itself."""

from __future__ import annotations

import warnings
from pathlib import Path

import pydicom

from radgs.errors import InputFileError
from radgs.io.input_files import INCOMPLETE, head_of, open_input

SUFFIXES = frozenset((".dcm", ".dicom", ".ima"))

#: Numbers whose range is told before they are used: what they may be, by keyword.
RANGES = {
    "Rows": (1, 65535),
    "Columns": (1, 65535),
    "SamplesPerPixel": (1, 4),
    "BitsAllocated": (1, 64),
    "BitsStored": (1, 64),
    "HighBit": (0, 63),
    "PixelRepresentation": (0, 1),
    "PlanarConfiguration": (0, 1),
    "MaximumFractionalValue": (1, 255),
    "ReferencedSegmentNumber": (1, 65535),
    "NumberOfFrames": (1, 100_000),
}


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM: by its preamble, or its suffix.

    Raises:
        InputFileError: Missing, or not a regular file.
    """
    return head_of(path, 132)[128:] == b"DICM" or path.suffix.lower() in SUFFIXES


def read_dataset(path: Path, *, pixels: bool = True) -> pydicom.Dataset:
    """Reads a DICOM file.

    Args:
        path: The file.
        pixels: Whether to read the pixel data too.

    Raises:
        InputFileError: Missing, not a regular file, or not DICOM.
    """
    with open_input(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is wrong with the file is told in our own words
        try:
            dataset = pydicom.dcmread(file, stop_before_pixels=not pixels)
            dataset.filename = str(path)
        except Exception as problem:  # damaged files make it raise whatever its parsing stumbles over
            raise InputFileError(f"{path} is not a DICOM file that can be read.", INCOMPLETE) from problem
    return dataset


def whole(path: Path, dataset: pydicom.Dataset, keyword: str, default: int | None = None) -> int:
    """A whole number of a dataset, within the range that it can have.

    Raises:
        InputFileError: Missing without a default, no number, or out of range.
    """
    low, high = RANGES[keyword]
    try:
        value = dataset.get(keyword)
        number = default if value is None or value == "" else int(value)
    except Exception as problem:  # values are parsed when they are asked for
        raise InputFileError(f"{path} is damaged: its {keyword} cannot be read.", INCOMPLETE) from problem
    if number is None:
        raise InputFileError(f"{path} does not state its {keyword}: it holds no image.", "Give a DICOM image.")
    if not low <= number <= high:
        raise InputFileError(f"{path} is damaged: it says that its {keyword} is {number}.", INCOMPLETE)
    return number


def text(dataset: pydicom.Dataset, keyword: str) -> str:
    """An attribute as upper-case text; empty where it is missing or cannot be read."""
    try:
        return str(dataset.get(keyword, "") or "").strip().upper()
    except Exception:  # a damaged value says nothing
        return ""


def numbers(path: Path, dataset: pydicom.Dataset, keyword: str, count: int) -> list[float] | None:
    """``count`` finite numbers of a dataset; None where the attribute is missing or empty.

    Raises:
        InputFileError: More or fewer numbers, or not finite ones.
    """
    try:
        value = dataset.get(keyword)
        if value is None or value == "":
            return None
        found = [float(part) for part in (value if hasattr(value, "__iter__") else [value])]
    except Exception as problem:  # values are parsed when they are asked for
        raise InputFileError(f"{path} is damaged: its {keyword} cannot be read.", INCOMPLETE) from problem
    if not found:
        return None
    if len(found) != count or not all(abs(number) < 1e9 for number in found):
        raise InputFileError(f"{path} is damaged: its {keyword} is not {count} number(s).", INCOMPLETE)
    return found


def items(path: Path, dataset: pydicom.Dataset, keyword: str) -> list[pydicom.Dataset] | None:
    """The items of a sequence; None where it is missing.

    Raises:
        InputFileError: It is damaged.
    """
    try:
        found = dataset.get(keyword)
        if found is None:
            return None
        sequence = list(found)
    except Exception as problem:  # sequences are parsed when they are asked for
        raise InputFileError(f"{path} is damaged: its {keyword} cannot be read.", INCOMPLETE) from problem
    if not all(isinstance(item, pydicom.Dataset) for item in sequence):
        raise InputFileError(f"{path} is damaged: its {keyword} is no sequence.", INCOMPLETE)
    return sequence
