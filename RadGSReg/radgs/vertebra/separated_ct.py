"""SeparatedCT: vertebrae that may move on their own, each as excess, and the rest of the CT.

Refinement, training, trials and pictures all begin here; each samples what it needs at its own resolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from radgs.anatomy import VertebraFrames, surface_points
from radgs.geometry import FloatArray, Volume
from radgs.vertebra.separation import Attenuation, label_box, parts_excess, resampled_isotropic, soft_mask

#: A label one above or below is taken for the neighbouring vertebra when its body is no further away than this.
NEIGHBOUR_REACH_MM = 60.0


class SeparatedCT:
    """A CT, its label map, and the vertebrae that are parts of their own; nothing is computed before it is asked for.

    Args:
        ct: Hounsfield units.
        labels: Label map, on any grid.
        vertebrae: Labels of the vertebrae that may move on their own.
        unknown: (D, H, W) voxels of the CT that count as soft tissue; None where none do.
    """

    def __init__(
        self, ct: Volume, labels: Volume, vertebrae: Sequence[int], unknown: NDArray[np.bool_] | None = None
    ) -> None:
        self.ct, self.labels, self.vertebrae = ct, labels, tuple(vertebrae)
        self._attenuation = Attenuation(ct, unknown)
        self.frames = VertebraFrames(labels)

    @classmethod
    def around(cls, ct: Volume, labels: Volume, label: int, unknown: NDArray[np.bool_] | None = None) -> SeparatedCT:
        """A vertebra and its neighbours, the vertebra first.

        Raises:
            CaseError: The label map has no such vertebra, or it is too small to have a body.
        """
        separated = cls(ct, labels, (label,), unknown)
        neighbours = neighbouring_labels(labels, label, separated.frames.body_centre(label))
        separated.vertebrae = (label, *neighbours)
        return separated

    @property
    def neighbours(self) -> tuple[int, ...]:
        """Every vertebra but the first."""
        return self.vertebrae[1:]

    @property
    def remainder(self) -> Attenuation:
        """The CT's attenuation without the vertebrae's excess."""
        return replace(self._attenuation, without=tuple(self.excess.values()))

    @cached_property
    def excess(self) -> dict[int, Volume]:
        """Each vertebra's signed attenuation above soft tissue, 1/mm, on a box of the CT's grid."""
        return parts_excess(self._attenuation, self.labels, self.vertebrae)

    def sampled_excess(self, label: int, spacing_mm: float) -> Volume:
        """A vertebra's excess on cubic voxels."""
        return resampled_isotropic(self.excess[label], spacing_mm)

    def sampled_ct(self, spacing_mm: float) -> Volume:
        """All of the CT on cubic voxels, 1/mm."""
        return resampled_isotropic(self._attenuation, spacing_mm)

    def sampled_mask(self, label: int, spacing_mm: float) -> Volume:
        """Membership 0..1 of a vertebra on cubic voxels."""
        return resampled_isotropic(soft_mask(self.labels, label, label_box(self.labels, label, self.ct)), spacing_mm)

    def surface(self, label: int, count: int = 2000) -> FloatArray:
        """(count, 3) area-uniform points on a vertebra's surface, the CT's RAS, mm."""
        return surface_points(self.labels, label, count)

    def joint(self, label: int, other: int) -> FloatArray:
        """(3,) the point halfway between two vertebral bodies, about which they move, the CT's RAS, mm."""
        return (self.frames.body_centre(label) + self.frames.body_centre(other)) / 2


def neighbouring_labels(labels: Volume, label: int, centre: FloatArray) -> list[int]:
    """The labels next in number that lie next to a vertebra: common numberings count vertebrae along the spine."""
    present = [n for n in (label - 1, label + 1) if n > 0 and (labels.array == n).any()]
    neighbours = []
    for candidate in present:
        indices = np.argwhere(labels.array == candidate)[:, ::-1]
        offset = labels.to_ras(indices.mean(axis=0)) - centre
        if np.linalg.norm(offset) < NEIGHBOUR_REACH_MM and abs(offset[2]) > 0.5 * np.linalg.norm(offset):
            neighbours.append(candidate)
    return neighbours
