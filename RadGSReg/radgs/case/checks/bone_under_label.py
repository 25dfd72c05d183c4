"""Does a label lie on the bone that it names?

A vertebra's shell is the brightest of it, and what surrounds it is softer. Where a label map was drawn on another scan
or shifted, that contrast is larger a few millimetres away than where the label lies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from radgs.case.content import Level
from radgs.errors import CaseError
from radgs.geometry import FloatArray, Volume

#: A label this far from the bone under it is not the bone's, mm.
REFUSED_OFFSET_MM = 2.5
#: By how much, of the contrast at its best, the bone must fit better there than where the label lies.
CLEAR_GAIN = 0.2
#: How far around the label bone is looked for, and in which steps, first and then about the best, mm.
REACH_MM, COARSE_MM, FINE_MM = 8.0, 4.0, 2.0
#: Points on either side of the label's surface.
POINTS = 800
#: Beyond these, metal and gas would outvote bone, HU.
HU_RANGE = (-200.0, 800.0)


@dataclass(frozen=True, eq=False)
class LabelOffset:
    """Where the bone lies that a label should mark.

    Attributes:
        shift: (3,) from the label to the bone, mm along the CT's RAS.
        gain: How much better the contrast is there, as a share of the contrast there.
    """

    shift: FloatArray
    gain: float

    @property
    def distance_mm(self) -> float:
        """How far off the label lies."""
        return float(np.linalg.norm(self.shift))


def check_bone_under_label(ct: Volume, labels: Volume, level: Level) -> None:
    """Refuses a label that lies beside its bone.

    Raises:
        CaseError: It does.
    """
    offset = label_offset(ct, labels, level.label)
    if offset.distance_mm > REFUSED_OFFSET_MM and offset.gain > CLEAR_GAIN:
        right, anterior, superior = offset.shift
        raise CaseError(
            f"Level {level.name}'s label and the bone in the CT do not coincide: the bone lies about "
            f"{offset.distance_mm:.0f} mm off ({right:+.0f} right, {anterior:+.0f} anterior, "
            f"{superior:+.0f} superior).",
            "Give the label map that was drawn on this CT, in the same coordinates.",
        )


def label_offset(ct: Volume, labels: Volume, label: int) -> LabelOffset:
    """Looks for the bone around a label.

    Args:
        ct: Hounsfield units.
        labels: Label map, on any grid; it has the label.
        label: The label.
    """
    inside, outside = _shells(labels, label)
    region = _around(ct, np.concatenate([inside, outside]))
    here = float(_contrast(region, inside, outside, np.zeros((1, 3)))[0])
    best, shift = here, np.zeros(3)
    for reach, step in ((REACH_MM, COARSE_MM), (FINE_MM, FINE_MM)):
        steps = np.arange(-reach, reach + 0.1, step)
        shifts = shift + np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
        contrasts = _contrast(region, inside, outside, shifts)
        best, shift = float(contrasts.max()), shifts[int(np.argmax(contrasts))]
    return LabelOffset(shift, 1.0 - here / max(best, 1.0))


def _shells(labels: Volume, label: int) -> tuple[FloatArray, FloatArray]:
    """(N, 3) voxels just inside and (M, 3) just outside the label, RAS mm, evenly thinned."""
    found = labels.array == label
    occupied = [np.flatnonzero(found.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    low, high = np.array([along[[0, -1]] for along in occupied]).T + [[0], [1]]
    mask = np.pad(labels.array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] == label, 1)
    shells = (mask & ~ndimage.binary_erosion(mask), ndimage.binary_dilation(mask) & ~mask)
    return tuple(_thinned(labels.to_ras((np.argwhere(shell) + low - 1)[:, ::-1])) for shell in shells)  # type: ignore[return-value]


def _thinned(points: FloatArray) -> FloatArray:
    return points[:: max(1, len(points) // POINTS)]


def _around(ct: Volume, points: FloatArray) -> Volume:
    """The CT's box that every shifted point falls in, clipped in HU."""
    ends = np.stack([points.min(axis=0) - REACH_MM - FINE_MM, points.max(axis=0) + REACH_MM + FINE_MM])
    corners = ct.to_index(np.array(np.meshgrid(*ends.T, indexing="ij")).reshape(3, -1).T)
    box = ct.box(np.floor(corners.min(axis=0)) - 1, np.ceil(corners.max(axis=0)) + 2)
    known = np.nan_to_num(np.asarray(box.array, np.float32), nan=0.0)
    return Volume(np.clip(known, *HU_RANGE), box.index_to_ras)


def _contrast(region: Volume, inside: FloatArray, outside: FloatArray, shifts: FloatArray) -> NDArray[np.float64]:
    """(S,) by how much the CT is brighter inside the label than outside, under each shift (S, 3)."""
    return _mean_hu(region, inside, shifts) - _mean_hu(region, outside, shifts)


def _mean_hu(region: Volume, points: FloatArray, shifts: FloatArray) -> NDArray[np.float64]:
    """(S,) mean of the CT at points moved by each shift."""
    turn = np.linalg.inv(region.index_to_ras)[:3, :3]
    at, moves = region.to_index(points), shifts @ turn.T
    values = [
        ndimage.map_coordinates(region.array, (at + move).T[::-1], order=1, mode="nearest").mean() for move in moves
    ]
    return np.array(values, dtype=np.float64)
