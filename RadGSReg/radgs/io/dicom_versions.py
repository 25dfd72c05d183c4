"""What pydicom 2.4 (3D Slicer 5.10's) and pydicom 3 name differently; everything else is asked of pydicom directly."""

from __future__ import annotations

from pathlib import Path

import pydicom
from pydicom import Dataset, dcmwrite

#: Whether the writer takes the encoding from the file's transfer syntax.
WRITES_BY_SYNTAX = int(pydicom.__version_info__[0]) >= 3


def write_dicom_file(path: Path, dataset: Dataset) -> None:
    """Writes a dataset as a DICOM file (PS3.10) in explicit VR, little endian, its file meta information completed.

    Args:
        path: The file.
        dataset: With ``file_meta`` that names Explicit VR Little Endian, or a compression, whose attributes are so too.

    Raises:
        OSError: The file cannot be written.
    """
    if WRITES_BY_SYNTAX:
        dcmwrite(path, dataset, enforce_file_format=True)
        return
    dataset.is_little_endian, dataset.is_implicit_VR = True, False
    dcmwrite(path, dataset, write_like_original=False)
