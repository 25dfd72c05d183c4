"""The values that a DICOM image stores, before any LUT: decoded here, by pydicom, or by ITK in a process of its own."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray

from radgs.errors import InputFileError
from radgs.io.dicom_child import decode_with_itk
from radgs.io.dicom_files import text, whole
from radgs.io.input_files import INCOMPLETE, byte_count

#: Little-endian transfer syntaxes without compression of the pixels: implicit and explicit VR, and deflated files.
PLAIN = frozenset(("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"))


@dataclass(frozen=True)
class PixelLayout:
    """The Image Pixel module (PS3.3 C.7.6.3) of a file, its numbers within their ranges.

    Attributes:
        frames, rows, columns, samples: Sizes.
        allocated, stored: Bits.
        signed: Whether values are two's complement.
        syntax: The transfer syntax.
    """

    frames: int
    rows: int
    columns: int
    samples: int
    allocated: int
    stored: int
    signed: bool
    syntax: str

    @property
    def ceiling(self) -> int:
        """The largest value that the stored bits express."""
        return 2 ** (self.stored - 1) - 1 if self.signed else 2**self.stored - 1


def pixel_layout(path: Path, dataset: pydicom.Dataset) -> PixelLayout:
    """The layout of a file's pixels.

    Raises:
        InputFileError: The file holds no pixels, or states numbers that cannot be.
    """
    allocated = whole(path, dataset, "BitsAllocated")
    stored = whole(path, dataset, "BitsStored", allocated)
    high = whole(path, dataset, "HighBit", stored - 1)
    if allocated not in (1, 8, 16, 32) or stored > allocated or high != stored - 1:
        raise InputFileError(
            f"{path} is damaged: of {allocated} bits per pixel it says that {stored} are used, up to bit {high}.",
            INCOMPLETE,
        )
    layout = PixelLayout(
        frames=whole(path, dataset, "NumberOfFrames", 1),
        rows=whole(path, dataset, "Rows"),
        columns=whole(path, dataset, "Columns"),
        samples=whole(path, dataset, "SamplesPerPixel", 1),
        allocated=allocated,
        stored=stored,
        signed=whole(path, dataset, "PixelRepresentation", 0) == 1,
        syntax=str(getattr(dataset.file_meta, "TransferSyntaxUID", "1.2.840.10008.1.2")),
    )
    byte_count(path, (layout.columns, layout.rows, layout.frames, layout.samples), max(1, allocated // 8))
    return layout


def stored_values(path: Path, dataset: pydicom.Dataset) -> NDArray:
    """The stored values of one file, read whole.

    Returns:
        (frames, rows, columns) or (frames, rows, columns, samples) whole numbers.

    Raises:
        InputFileError: The pixels are missing, incomplete, or of a compression that cannot be undone.
    """
    return decoded_together([(path, dataset)])[0]


def decoded_together(files: Sequence[tuple[Path, pydicom.Dataset]]) -> list[NDArray]:
    """``stored_values`` of several files; those that only ITK can decode share one process.

    Raises:
        InputFileError: As ``stored_values``.
    """
    arrays: list[NDArray | None] = []
    for path, dataset in files:
        layout = pixel_layout(path, dataset)
        if "PixelData" not in dataset:
            raise InputFileError(f"{path} holds no pixels.", "Give a DICOM image.")
        arrays.append(_plain(path, dataset, layout) if layout.syntax in PLAIN else _by_pydicom(path, dataset, layout))
    left = [n for n, array in enumerate(arrays) if array is None]
    for n, array in zip(left, decode_with_itk([files[n] for n in left]), strict=True):
        arrays[n] = _shaped(files[n][0], array, pixel_layout(*files[n]))
    return [array for array in arrays if array is not None]


def _plain(path: Path, dataset: pydicom.Dataset, layout: PixelLayout) -> NDArray:
    """Pixels without compression, exactly as many bytes as there must be."""
    content = _content(path, dataset)
    count = layout.frames * layout.rows * layout.columns * layout.samples
    expected = (count + 7) // 8 if layout.allocated == 1 else count * layout.allocated // 8
    if len(content) - expected not in (0, expected % 2):
        raise InputFileError(
            f"{path} holds {len(content)} bytes of pixels, and its header asks for {expected}.", INCOMPLETE
        )
    if layout.allocated == 1:
        return _shaped(path, np.unpackbits(np.frombuffer(content, np.uint8), count=count, bitorder="little"), layout)
    dtype = np.dtype(f"<{'i' if layout.signed else 'u'}{layout.allocated // 8}")
    values = np.frombuffer(content, dtype, count=count).astype(dtype.newbyteorder("="))
    if layout.samples > 1 and whole(path, dataset, "PlanarConfiguration", 0) == 1:
        planes = values.reshape(layout.frames, layout.samples, layout.rows, layout.columns)
        values = np.ascontiguousarray(np.moveaxis(planes, 1, -1))
    return _shaped(path, values, layout)


def _content(path: Path, dataset: pydicom.Dataset) -> bytes:
    """The pixel data as stored."""
    try:
        return bytes(dataset.PixelData)
    except Exception as problem:  # values are parsed when they are asked for
        raise InputFileError(f"{path} is damaged: its pixels cannot be read.", INCOMPLETE) from problem


def _by_pydicom(path: Path, dataset: pydicom.Dataset, layout: PixelLayout) -> NDArray | None:
    """Pixels that pydicom or a plugin of its own decodes; None where it cannot."""
    if text(dataset, "PhotometricInterpretation").startswith("YBR"):
        return None  # whether they come back as colours depends on plugin and version
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _shaped(path, np.array(dataset.pixel_array), layout)
    except Exception:  # its plugins raise what they like
        return None


def _shaped(path: Path, values: NDArray, layout: PixelLayout) -> NDArray:
    """The values by frame, row and column, bits that are not stored taken away."""
    colours = (layout.samples,) if layout.samples > 1 else ()
    shape = (layout.frames, layout.rows, layout.columns, *colours)
    if values.size != int(np.prod(shape)) or values.dtype.kind not in "iu":
        raise InputFileError(f"{path} does not decode to the image that its header states.", INCOMPLETE)
    unused = 8 * values.dtype.itemsize - layout.stored
    if unused > 0 and layout.allocated == 8 * values.dtype.itemsize:
        values = values << unused  # overlays may lie in the bits above, and a sign must reach up to the top
        values = values >> unused
    return values.reshape(shape)
