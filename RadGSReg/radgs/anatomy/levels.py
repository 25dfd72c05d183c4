"""The names of the levels, and which label stands for which level in the segmentations people have."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from types import MappingProxyType

import numpy as np
from scipy import ndimage

from radgs.geometry import FloatArray, Volume

#: Thoracic and lumbar levels from the head down.
LEVELS: tuple[str, ...] = (*(f"T{n}" for n in range(1, 13)), *(f"L{n}" for n in range(1, 6)))

#: Which label the common segmentations give each level.
LABEL_NUMBERINGS: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "VerSe": MappingProxyType({level: 8 + n for n, level in enumerate(LEVELS)}),
        "TotalSegmentator": MappingProxyType({level: 43 - n for n, level in enumerate(LEVELS)}),
        "TotalSegmentator v1": MappingProxyType({level: 34 - n for n, level in enumerate(LEVELS)}),
    }
)

#: Centres of neighbouring vertebrae lie this far apart along the spine, mm (T1 to L5, whole vertebrae, adults).
PLAUSIBLE_SPACING_MM = (10.0, 60.0)


def suggest_numbering(labels: Volume) -> str | None:
    """Which of ``LABEL_NUMBERINGS`` a label map follows, judged by the order of its labels along the spine.

    Returns:
        The numbering under which the most levels follow one another from the head down at a spine's spacing;
        None when none explains at least two levels.
    """
    centres = _label_centres(labels)
    scores = {name: _levels_in_order(centres, numbering) for name, numbering in LABEL_NUMBERINGS.items()}
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] >= 2 else None


def _label_centres(labels: Volume) -> dict[int, FloatArray]:
    """Rough centroid (3,) of every label, RAS mm; every second voxel along each axis is enough."""
    coarse = np.asarray(labels.array[::2, ::2, ::2]).astype(np.int64)
    found = [int(label) for label in np.unique(coarse) if label > 0]
    centres = ndimage.center_of_mass(coarse > 0, coarse, found)
    return {label: labels.to_ras(2.0 * np.asarray(kji)[::-1]) for label, kji in zip(found, centres, strict=True)}


def _levels_in_order(centres: Mapping[int, FloatArray], numbering: Mapping[str, int]) -> int:
    """How many levels form a spine from the head down under a numbering; 0 when any neighbours contradict it."""
    present = [level for level in LEVELS if numbering[level] in centres]
    for upper, lower in pairwise(present):
        steps = LEVELS.index(lower) - LEVELS.index(upper)
        gap = centres[numbering[upper]] - centres[numbering[lower]]
        nearest, farthest = PLAUSIBLE_SPACING_MM[0] * steps, PLAUSIBLE_SPACING_MM[1] * steps
        if gap[2] <= 0 or not nearest <= np.linalg.norm(gap) <= farthest:
            return 0
    return len(present)
