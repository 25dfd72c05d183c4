"""A DICOM Segmentation (SEG) as a label map whose labels are its segment numbers (PS3.3 A.51, C.8.20.2).

Binary and fractional segments and label maps are read. Frames that were left out, as writers leave out empty ones, are
background.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray

from radgs.errors import InputFileError
from radgs.geometry import FloatArray, Volume
from radgs.io.dicom_files import items, read_dataset, text, whole
from radgs.io.dicom_frames import frames_of, stacked
from radgs.io.dicom_pixels import stored_values
from radgs.io.input_files import byte_count

#: A voxel belongs to a fractional segment from this share on.
MEMBER_FROM = 0.5


def is_segmentation(header: pydicom.Dataset) -> bool:
    """Whether a DICOM object is a segmentation."""
    return text(header, "Modality") == "SEG"


def read_segmentation(path: Path) -> Volume:
    """Reads a SEG as a label map, one empty slice added at both ends.

    Raises:
        InputFileError: Not a SEG, damaged, on no even grid, or with segments that overlap.
    """
    dataset = read_dataset(path)
    if not is_segmentation(dataset):
        raise InputFileError(
            f"{path} is a DICOM object of the modality {text(dataset, 'Modality') or '(none)'}, not a segmentation.",
            "Give a DICOM SEG, or the label map as .nii.gz or .nrrd.",
        )
    kind = text(dataset, "SegmentationType")
    if kind not in ("BINARY", "FRACTIONAL", "LABELMAP"):
        raise InputFileError(f'{path} is a segmentation of the unknown type "{kind}".', "Save it as .nii.gz or .nrrd.")
    frames = frames_of(path, dataset)
    if len(frames) < 2:
        raise InputFileError(f"{path} holds a single slice.", "Give a segmentation of the whole vertebra.")
    values = stored_values(path, dataset)
    rows, columns = values.shape[1:3]
    stack = stacked(path, frames, (rows, columns), gaps=True)
    byte_count(path, (columns, rows, stack.depth + 2), 4)
    shares = _shares(path, dataset, kind, values)
    numbers = None if kind == "LABELMAP" else _segment_numbers(path, dataset, len(frames))
    labels = np.zeros((stack.depth + 2, rows, columns), np.uint16)
    for k, frame in stack.frames:
        share, there = shares[frame.number], labels[k + 1]
        if numbers is None:
            there[...] = share
            continue
        inside = share >= MEMBER_FROM
        if (there[inside] != 0).any():
            raise InputFileError(
                f"{path} holds segments that overlap, which a label map cannot show.",
                "Take the overlapping segments apart, or export the vertebrae alone.",
            )
        there[inside] = numbers[frame.number]
    return Volume(labels, _one_slice_lower(stack.index_to_ras))


def _shares(path: Path, dataset: pydicom.Dataset, kind: str, values: NDArray) -> NDArray:
    """Frames as membership 0..1, or, of a label map, as they are."""
    if kind != "FRACTIONAL":
        return values
    return values.astype(np.float32) / whole(path, dataset, "MaximumFractionalValue", 255)


def _segment_numbers(path: Path, dataset: pydicom.Dataset, count: int) -> list[int]:
    """Of which segment each frame is."""
    shared = (items(path, dataset, "SharedFunctionalGroupsSequence") or [pydicom.Dataset()])[0]
    per_frame = items(path, dataset, "PerFrameFunctionalGroupsSequence") or [pydicom.Dataset()] * count
    numbers = []
    for group in per_frame:
        keyword = "SegmentIdentificationSequence"
        named = items(path, group, keyword) or items(path, shared, keyword) or [pydicom.Dataset()]
        numbers.append(whole(path, named[0], "ReferencedSegmentNumber"))
    return numbers


def _one_slice_lower(index_to_ras: FloatArray) -> FloatArray:
    lower = index_to_ras.copy()
    lower[:3, 3] -= lower[:3, 2]
    return lower
