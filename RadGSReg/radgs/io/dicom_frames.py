"""Where the slices of a DICOM CT stand: every frame's position, orientation, pixel size and scale from its own header.

Single-frame images say it in the Image Plane module (PS3.3 C.7.6.2), multi-frame ones in their functional groups
(C.7.6.16.2). ``stacked`` finds the one grid that they all stand on, or says why there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom

from radgs.errors import InputFileError
from radgs.geometry import FloatArray
from radgs.io.dicom_files import items, numbers, whole
from radgs.io.input_files import INCOMPLETE
from radgs.io.raster import LPS_TO_RAS, PLACE_TOLERANCE_MM

#: Two slices this close are one and the same, mm.
SAME_PLACE_MM = 0.01
#: Directions that differ by less are one, as texts of 6 digits write them.
SAME_DIRECTION = 1e-4

#: Functional group macros that place and scale a frame.
MACROS = (
    "PlanePositionSequence",
    "PlaneOrientationSequence",
    "PixelMeasuresSequence",
    "PixelValueTransformationSequence",
)


@dataclass(frozen=True, eq=False)
class Frame:
    """One slice.

    Attributes:
        path: Its file.
        number: Which frame of the file, from 0.
        position: (3,) centre of its first pixel, LPS mm.
        along_row, along_column: (3,) unit vectors: from column to column, and from row to row.
        spacing: Distance between rows, and between columns, mm.
        slope, intercept: Of the Modality LUT.
    """

    path: Path
    number: int
    position: FloatArray
    along_row: FloatArray
    along_column: FloatArray
    spacing: tuple[float, float]
    slope: float
    intercept: float

    @property
    def normal(self) -> FloatArray:
        """(3,) unit normal."""
        return np.cross(self.along_row, self.along_column)


@dataclass(frozen=True, eq=False)
class Stack:
    """Frames in their order along the normal, and the grid that they stand on.

    Attributes:
        frames: Each with the index k of its slice.
        index_to_ras: (4, 4) map of (column, row, slice, 1).
        depth: Number of slices of the grid.
    """

    frames: tuple[tuple[int, Frame], ...]
    index_to_ras: FloatArray
    depth: int


def frames_of(path: Path, dataset: pydicom.Dataset) -> list[Frame]:
    """The frames of a file.

    Raises:
        InputFileError: The file does not say where they lie.
    """
    count = whole(path, dataset, "NumberOfFrames", 1)
    per_frame = items(path, dataset, "PerFrameFunctionalGroupsSequence")
    shared = (items(path, dataset, "SharedFunctionalGroupsSequence") or [pydicom.Dataset()])[0]
    if per_frame is None:
        if count > 1:
            raise InputFileError(
                f"{path} holds {count} frames and does not say where they lie.",
                "Export it as an enhanced CT, or as single slices.",
            )
        return [_frame(path, 0, [dataset])]
    if len(per_frame) != count:
        raise InputFileError(f"{path} holds {count} frames and says of {len(per_frame)} where they lie.", INCOMPLETE)
    common = _groups(path, shared)
    return [_frame(path, number, [*_groups(path, group), *common]) for number, group in enumerate(per_frame)]


def _groups(path: Path, group: pydicom.Dataset) -> list[pydicom.Dataset]:
    """The items of the functional group macros that place and scale a frame."""
    return [item for keyword in MACROS for item in (items(path, group, keyword) or [])[:1]]


def _frame(path: Path, number: int, said: Sequence[pydicom.Dataset]) -> Frame:
    def stated(keyword: str, count: int) -> list[float] | None:
        return next((found for part in said if (found := numbers(path, part, keyword, count)) is not None), None)

    position, directions = stated("ImagePositionPatient", 3), stated("ImageOrientationPatient", 6)
    spacing = stated("PixelSpacing", 2)
    if position is None or directions is None or spacing is None:
        missing = "pixel size" if position is not None and directions is not None else "place"
        raise InputFileError(
            f"{path} does not state the {missing} of its slices.",
            "Export the CT again, with positions and pixel sizes.",
        )
    row, column = np.array(directions[:3]), np.array(directions[3:])
    lengths = np.linalg.norm([row, column], axis=1)
    if np.abs(lengths - 1).max() > 1e-3 or abs(row @ column) > 1e-3 or not 1e-3 < min(spacing) <= max(spacing) < 100:
        raise InputFileError(f"{path} states pixel axes or sizes that cannot be.", INCOMPLETE)
    slope, intercept = stated("RescaleSlope", 1), stated("RescaleIntercept", 1)
    return Frame(
        path=path,
        number=number,
        position=np.array(position),
        along_row=row / lengths[0],
        along_column=column / lengths[1],
        spacing=(spacing[0], spacing[1]),
        slope=1.0 if slope is None else slope[0],
        intercept=0.0 if intercept is None else intercept[0],
    )


def stacked(place: Path, frames: Sequence[Frame], shape: tuple[int, int], *, gaps: bool = False) -> Stack:
    """The grid that frames stand on.

    Args:
        place: The file or folder, for messages.
        frames: Two or more.
        shape: Rows and columns of each.
        gaps: Whether slices may be left out, as a segmentation leaves out empty ones.

    Raises:
        InputFileError: They do not stand on one: turned, of another pixel size, twice in one place, missing, unevenly
            spaced, or shifted against each other by a tilted gantry.
    """
    first = frames[0]
    for frame in frames:
        turned = max(
            np.abs(frame.along_row - first.along_row).max(), np.abs(frame.along_column - first.along_column).max()
        )
        if turned > SAME_DIRECTION:
            raise _changes(place, first, frame, "orientation")
        if max(abs(np.subtract(frame.spacing, first.spacing)) * (np.array(shape) - 1)) > PLACE_TOLERANCE_MM:
            raise _changes(place, first, frame, "pixel size")
    heights = np.array([frame.position @ first.normal for frame in frames])
    order = np.argsort(heights, kind="stable")
    steps = np.diff(heights[order])
    if gaps:
        places, step = _with_gaps(place, heights[order])
    else:
        _check_twice(place, frames, order, steps)
        step = float(steps.sum() / len(steps))
        _check_even(place, heights[order], step)
        places = np.arange(len(frames))
    low = frames[order[0]].position
    drift = np.array([frames[n].position - low for n in order])
    across = drift - np.outer(drift @ first.normal, first.normal)
    if np.linalg.norm(across, axis=1).max() > PLACE_TOLERANCE_MM:
        raise InputFileError(
            f"The DICOM series in {place} was taken with a tilted gantry: its slices are shifted against each other.",
            "Straighten it first, as 3D Slicer does when it loads the series (acquisition transform, hardened).",
        )
    index_to_lps = np.eye(4)
    index_to_lps[:3, 0] = first.along_row * first.spacing[1]
    index_to_lps[:3, 1] = first.along_column * first.spacing[0]
    index_to_lps[:3, 2] = first.normal * step
    index_to_lps[:3, 3] = low
    in_order = tuple((int(k), frames[n]) for k, n in zip(places, order, strict=True))
    return Stack(in_order, LPS_TO_RAS @ index_to_lps, int(places.max()) + 1)


def _changes(place: Path, one: Frame, other: Frame, what: str) -> InputFileError:
    return InputFileError(
        f"The DICOM series in {place} changes its {what}, between {_two(one, other)}.",
        "Give one series of parallel slices; a localizer or another reconstruction is to be taken out.",
    )


def _two(one: Frame, other: Frame) -> str:
    """Two frames as a person finds them."""
    if one.path == other.path:
        return f"frames {one.number + 1} and {other.number + 1} of {one.path.name}"
    return f"{one.path.name} and {other.path.name}"


def _check_twice(place: Path, frames: Sequence[Frame], order: np.ndarray, steps: FloatArray) -> None:
    for n in np.flatnonzero(steps < SAME_PLACE_MM):
        twice = _two(frames[order[n]], frames[order[n + 1]])
        raise InputFileError(
            f"The DICOM series in {place} holds two slices in one place: {twice}.",
            "Take out the duplicates, or all but one phase or reconstruction.",
        )


def _check_even(place: Path, heights: FloatArray, step: float) -> None:
    even = heights[0] + step * np.arange(len(heights))
    if np.abs(heights - even).max() > PLACE_TOLERANCE_MM:
        steps = np.diff(heights)
        raise InputFileError(
            f"The DICOM series in {place} has missing or unevenly spaced slices: their distances run from "
            f"{steps.min():.3g} to {steps.max():.3g} mm.",
            "Export the complete series, or resample it evenly.",
        )


def _with_gaps(place: Path, heights: FloatArray) -> tuple[np.ndarray, float]:
    """Slice indices of sorted heights on the finest even grid that holds them all, and its step."""
    steps = np.diff(heights)
    apart = steps[steps > SAME_PLACE_MM]
    if not apart.size:
        raise InputFileError(f"{place} holds a single slice.", "Give a segmentation of the whole vertebra.")
    step = float(apart.min())
    span = heights[-1] - heights[0]
    step = float(span / round(span / step))
    places = np.round((heights - heights[0]) / step)
    if np.abs(heights - heights[0] - places * step).max() > PLACE_TOLERANCE_MM:
        raise InputFileError(f"{place} has unevenly spaced slices.", "Save the segmentation as .nii.gz or .nrrd.")
    return places.astype(int), step
