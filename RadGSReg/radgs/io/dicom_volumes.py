"""A CT from DICOM: a folder with one series of slices, or one multi-frame file; geometry from its own headers alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray

from radgs.errors import InputFileError
from radgs.geometry import Volume
from radgs.io.dicom_files import SUFFIXES, read_dataset, text, whole
from radgs.io.dicom_frames import Frame, Stack, frames_of, stacked
from radgs.io.dicom_pixels import decoded_together, pixel_layout
from radgs.io.input_files import byte_count, head_of
from radgs.io.rescaling import rescaled

#: Compressed slices decoded at a time.
BATCH = 64

#: What all slices of a series have in common, and how it is called.
COMMON = {
    "Rows": "size",
    "Columns": "size",
    "FrameOfReferenceUID": "frame of reference",
    "PatientID": "patient",
    "SamplesPerPixel": "kind of pixels",
}


def read_dicom_volume(path: Path) -> Volume:
    """Reads the one series in a folder, or a multi-frame file, through its Modality LUT.

    Returns:
        Whole numbers wherever slope and intercept are whole.

    Raises:
        InputFileError: No series, several, or one whose slices do not stand on one grid.
    """
    headers = _one_series(path) if path.is_dir() else [(path, read_dataset(path, pixels=False))]
    for file, header in headers:
        _check_image(path, file, header)
        for keyword, called in COMMON.items():
            if text(header, keyword) != text(headers[0][1], keyword):
                raise InputFileError(
                    f"The DICOM series in {path} changes its {called}, as at {file.name}.",
                    "Put the CT's own slices alone in a folder.",
                )
    frames = [frame for file, header in headers for frame in frames_of(file, header)]
    if len(frames) < 2:
        raise InputFileError(
            f"{path} holds a single slice, not a 3D volume.", "Give the folder with all the slices of the series."
        )
    rows, columns = whole(path, headers[0][1], "Rows"), whole(path, headers[0][1], "Columns")
    stack = stacked(path, frames, (rows, columns))
    return Volume(_filled(path, stack, (rows, columns)), stack.index_to_ras)


def _one_series(folder: Path) -> list[tuple[Path, pydicom.Dataset]]:
    """The files of the one series in a folder, with their headers; whatever is no DICOM image is passed over."""
    series: dict[str, list[tuple[Path, pydicom.Dataset]]] = {}
    for file, header in _images(folder):
        series.setdefault(text(header, "SeriesInstanceUID"), []).append((file, header))
    if not series:
        raise InputFileError(
            f"The folder {folder} holds no DICOM series.", "Give the folder with the CT's slices, or one file."
        )
    if len(series) > 1:
        counts = ", ".join(str(len(files)) for files in series.values())
        raise InputFileError(
            f"The folder {folder} holds {len(series)} DICOM series (of {counts} files).",
            "Put the CT's series in a folder of its own.",
        )
    return next(iter(series.values()))


def _images(folder: Path) -> Iterator[tuple[Path, pydicom.Dataset]]:
    for file in sorted(folder.iterdir()):
        if not file.is_file() or (head_of(file, 132)[128:] != b"DICM" and file.suffix.lower() not in SUFFIXES):
            continue
        header = read_dataset(file, pixels=False)
        if "Rows" in header and "Columns" in header:
            yield file, header


def _check_image(place: Path, file: Path, header: pydicom.Dataset) -> None:
    """A slice of a CT, and not a localizer, a picture or another object."""
    if "LOCALIZER" in text(header, "ImageType") or "SCOUT" in text(header, "ImageType"):
        raise InputFileError(f"{file} is a localizer (a scout view), not a slice of {place}.", "Take it out.")
    if "Rows" not in header:
        modality = text(header, "Modality") or "(none)"
        raise InputFileError(
            f"{file} is a DICOM object of the modality {modality}, without an image.",
            "Give the CT's slices; as labels, a DICOM SEG or a label map such as .nii.gz.",
        )
    if whole(file, header, "SamplesPerPixel", 1) != 1 or text(header, "PhotometricInterpretation") not in (
        "MONOCHROME1",
        "MONOCHROME2",
    ):
        raise InputFileError(
            f"{file} holds a picture of {text(header, 'PhotometricInterpretation') or 'no stated kind'}, not grey "
            "values.",
            "Give the CT's original slices.",
        )
    if text(header, "Modality") == "SEG":
        raise InputFileError(f"{file} is a segmentation, not a CT.", "Give it as the labels.")
    if "ModalityLUTSequence" in header:
        raise InputFileError(f"{file} has a Modality LUT, which no CT has.", "Give the CT's original slices.")


def _filled(place: Path, stack: Stack, shape: tuple[int, int]) -> NDArray:
    """The stack's voxels (D, H, W), each frame through its own slope and intercept."""
    byte_count(place, (shape[1], shape[0], stack.depth), 4)
    by_file: dict[Path, list[tuple[int, Frame]]] = {}
    for k, frame in stack.frames:
        by_file.setdefault(frame.path, []).append((k, frame))
    array: NDArray | None = None
    files = list(by_file)
    for start in range(0, len(files), BATCH):
        read = [(file, read_dataset(file)) for file in files[start : start + BATCH]]
        for (file, dataset), stored in zip(read, decoded_together(read), strict=True):
            if stored.shape[1:] != shape or len(stored) != pixel_layout(file, dataset).frames:
                raise InputFileError(f"{file} is not of the size that its series has.", "Export the series again.")
            for k, frame in by_file[file]:
                values = rescaled(file, stored[frame.number], frame.slope, frame.intercept)
                array = _roomy(array, values.dtype, (stack.depth, *shape))
                array[k] = values
    assert array is not None
    return array


def _roomy(array: NDArray | None, dtype: np.dtype, shape: tuple[int, int, int]) -> NDArray:
    """The array so far, in a type that also holds values of another; the first time a new one."""
    if array is None:
        return np.zeros(shape, dtype)
    if np.can_cast(dtype, array.dtype):
        return array
    wider = np.result_type(dtype, array.dtype)
    return array.astype(np.float32 if wider.kind == "f" else wider)
