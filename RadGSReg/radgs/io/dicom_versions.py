"""What pydicom 2.4 (3D Slicer 5.10's) and pydicom 3 name differently; everything else is asked of pydicom directly."""

from __future__ import annotations

from pathlib import Path

from numpy.typing import NDArray
from pydicom import Dataset, dcmwrite

try:
    from pydicom.pixels.processing import apply_modality_lut
except ImportError:  # before pydicom 3
    from pydicom.pixel_data_handlers.util import apply_modality_lut  # type: ignore[no-redef]

    WRITES_BY_SYNTAX = False
else:
    #: Whether the writer takes the encoding from the file's transfer syntax.
    WRITES_BY_SYNTAX = True


def modality_values(dataset: Dataset) -> NDArray:
    """A dataset's pixels through its Modality LUT.

    Returns:
        (H, W), (frames, H, W) or, in colour, (H, W, 3) values.

    Raises:
        Exception: Whatever pydicom's plugins raise where the pixels are missing or their compression is unknown.
    """
    return apply_modality_lut(dataset.pixel_array, dataset)


def write_dicom_file(path: Path, dataset: Dataset) -> None:
    """Writes a dataset as a DICOM file (PS3.10) in explicit VR, little endian, its file meta information completed.

    Args:
        path: The file.
        dataset: With ``file_meta`` that names Explicit VR Little Endian.

    Raises:
        OSError: The file cannot be written.
    """
    if WRITES_BY_SYNTAX:
        dcmwrite(path, dataset, enforce_file_format=True)
        return
    dataset.is_little_endian, dataset.is_implicit_VR = True, False
    dcmwrite(path, dataset, write_like_original=False)
