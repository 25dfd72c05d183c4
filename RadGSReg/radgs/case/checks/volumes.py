"""Checks that the CT is in Hounsfield units and that the label map shows a whole vertebra of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radgs.case.content import Level
from radgs.errors import CaseError, GeometryError, InputFileError
from radgs.geometry import FloatArray, Volume

#: Thicker slices lose the endplates and the facets (mm).
MAX_SPACING_MM = 5.0

#: A CT in HU reaches below this anywhere there is fat, gas or air, and above the other anywhere there is bone.
SOFTEST_HU, HARDEST_HU = -50.0, 200.0

#: The median of a vertebra's voxels lies in this range, from osteoporosis to sclerosis, screws included (HU).
VERTEBRA_MEDIAN_HU = (-50.0, 900.0)

#: A smaller label is no vertebra (mm^3).
MIN_VERTEBRA_MM3 = 2000.0


def check_ct(ct: Volume) -> None:
    """The CT is in Hounsfield units, finite where it is known (NaN says that it is not), and finely enough sliced."""
    if ct.array.ndim != 3 or min(ct.array.shape) < 2:
        raise InputFileError("The CT is not a 3D volume.", "Give the whole stack of slices.")
    _check_placement(ct, "CT")
    if ct.spacing.max() > MAX_SPACING_MM + 1e-6:
        raise InputFileError(
            f"The CT's slices are {ct.spacing.max():.3g} mm apart, more than {MAX_SPACING_MM:g} mm.",
            "Use a reconstruction with thinner slices, 1 mm if there is one.",
        )
    low, high = float(np.fmin.reduce(ct.array, axis=None)), float(np.fmax.reduce(ct.array, axis=None))
    if not np.isfinite([low, high]).all():
        raise InputFileError(
            "The CT contains infinite values, or none at all.", "Replace them with NaN, which stands for unknown."
        )
    if low > SOFTEST_HU or high < HARDEST_HU:
        raise InputFileError(
            f"The CT is not in Hounsfield units: its values run from {low:.4g} to {high:.4g}.",
            "Give the CT with air at -1000 and water at 0, neither windowed nor normalised.",
        )


def check_label(ct: Volume, labels: Volume, level: Level) -> FloatArray:
    """A level's vertebra is in the label map, whole, within the CT, and of bone.

    Returns:
        (N, 3) voxels of the vertebra, RAS mm in the CT.
    """
    if labels.array.ndim != 3 or labels.array.dtype.kind not in "iu":
        raise InputFileError("The labels are not a 3D map of whole numbers.", "Give one whole number per voxel.")
    _check_placement(labels, "label map")
    name = f"Level {level.name} (label {level.label})"
    found = np.flatnonzero(labels.array == level.label)  # a third of the time that ``argwhere`` takes
    voxels = np.stack(np.unravel_index(found, labels.array.shape)[::-1], axis=1)
    if len(voxels) == 0:
        present = ", ".join(str(value) for value in np.unique(labels.array) if value)
        raise CaseError(f"{name} is not in the label map.", f"Its labels are {present or 'none at all'}.")
    volume = len(voxels) * abs(np.linalg.det(labels.index_to_ras[:3, :3]))
    if volume < MIN_VERTEBRA_MM3:
        raise CaseError(f"{name} has only {volume:.0f} mm3 and is no vertebra.", "Choose the vertebra's own label.")
    points = labels.to_ras(voxels)
    indices = ct.to_index(points)
    last = np.array(ct.size) - 1
    inside = ((indices > -0.5) & (indices < last + 0.5)).all(axis=1)
    if not inside.any():
        raise CaseError(
            f"{name} lies outside the CT.", "Give the label map that was drawn on this CT, in the same coordinates."
        )
    if not inside.all() or (indices < 0.5).any() or (indices > last - 0.5).any():
        raise CaseError(
            f"{name} touches the border of the CT: the vertebra is cut off.",
            "Choose a vertebra that the CT shows whole.",
        )
    if _touches_own_border(labels, voxels):
        raise CaseError(
            f"{name} touches the border of the label map: the vertebra is cut off there.",
            "Give a label map that covers the whole vertebra.",
        )
    _check_bone(ct, indices, name)
    return points


def _check_placement(volume: Volume, what: str) -> None:
    matrix = volume.index_to_ras
    if not np.isfinite(matrix).all() or np.linalg.det(matrix[:3, :3]) == 0:
        raise GeometryError(
            f"The {what}'s index_to_ras cannot be inverted.", "Export the volume again with its geometry."
        )


def _touches_own_border(labels: Volume, voxels: NDArray[np.int64]) -> bool:
    """Whether the label reaches the label map's border, in a map that was not just trimmed to its content."""
    last = np.array(labels.size) - 1
    if not ((voxels == 0) | (voxels == last)).any():
        return False
    occupied = [np.flatnonzero((labels.array != 0).any(axis=axes)) for axes in ((0, 1), (0, 2), (1, 2))]
    trimmed = all(slices[0] == 0 and slices[-1] == end for slices, end in zip(occupied, last, strict=True))
    return not trimmed


def _check_bone(ct: Volume, indices: FloatArray, name: str) -> None:
    i, j, k = np.round(indices).astype(int).T
    values = ct.array[k, j, i]
    if np.isnan(values).any():
        raise CaseError(
            f"{name} reaches where the CT is unknown (NaN): the vertebra is cut off.",
            "Choose a vertebra that the CT shows whole.",
        )
    median = float(np.median(values))
    low, high = VERTEBRA_MEDIAN_HU
    if not low <= median <= high:
        raise CaseError(
            f"{name} marks voxels of {median:.0f} HU in the middle, which is not a vertebra in Hounsfield units.",
            "Check that the label map belongs to this CT, and that the CT has air at -1000 and water at 0.",
        )
