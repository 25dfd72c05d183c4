"""The names of the levels, and which label stands for which level in the segmentations people have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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

#: Voxels of this size, mm, show what is doubtful.
DOUBT_VOXEL_MM = 2.0
#: A piece of a label counts that has this share of its largest piece; a body and its arch may be apart, but not up and
#: down by so much, mm.
PIECE_SHARE, PIECES_APART_MM = 0.3, 20.0
#: A label that is so many times as tall, and as large, as its neighbours' median holds two vertebrae; so many levels up
#: and down are its neighbours.
MERGED_HEIGHT, MERGED_VOLUME = 1.3, 1.6
NEIGHBOURS = 3


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


def level_doubts(labels: Volume, numbering: str) -> list[str]:
    """What looks wrong with a label map's levels, a sentence each: one label on two vertebrae, two vertebrae in one.

    Args:
        labels: The label map.
        numbering: One of ``LABEL_NUMBERINGS``.
    """
    coarse = coarsened(labels)
    known = LABEL_NUMBERINGS[numbering]
    return doubts_about(
        {level: pieces_of(Volume(coarse.array == known[level], coarse.index_to_ras)) for level in LEVELS}
    )


def coarsened(labels: Volume) -> Volume:
    """So few voxels of a label map that what is doubtful still shows, every second or third of them along an axis."""
    spacing = np.linalg.norm(labels.index_to_ras[:3, :3], axis=0)
    i, j, k = (max(1, round(DOUBT_VOXEL_MM / size)) for size in spacing)
    return Volume(labels.array[::k, ::j, ::i], labels.index_to_ras @ np.diag([i, j, k, 1.0]))


def pieces_of(mask: Volume) -> list[FloatArray]:
    """The pieces of a mask that are not much smaller than its largest, (N, 3) points of each, RAS mm."""
    pieces, count = ndimage.label(mask.array)
    points = [mask.to_ras(np.argwhere(pieces == n)[:, ::-1]) for n in range(1, count + 1)]
    largest = max((len(piece) for piece in points), default=0)
    return [piece for piece in points if len(piece) > PIECE_SHARE * largest]


def doubts_about(pieces: Mapping[str, list[FloatArray]]) -> list[str]:
    """What looks wrong with levels, as of ``level_doubts``.

    Args:
        pieces: Of every level, as ``pieces_of`` has them.
    """
    found = {level: pieces[level] for level in LEVELS if pieces.get(level)}
    doubts = []
    for level, several in found.items():
        heights = sorted(float(piece[:, 2].mean()) for piece in several)
        if len(several) > 1 and heights[-1] - heights[0] > PIECES_APART_MM:
            doubts.append(f"{level} is there twice, {heights[-1] - heights[0]:.0f} mm apart: correct its label.")
    sizes = {level: _height_and_count(several) for level, several in found.items()}
    for level, (height, count) in sizes.items():
        near = range(LEVELS.index(level) - NEIGHBOURS, LEVELS.index(level) + NEIGHBOURS + 1)
        others = [size for other, size in sizes.items() if other != level and LEVELS.index(other) in near]
        if len(others) < 2:
            continue
        usual_height, usual_count = (float(np.median(one)) for one in zip(*others, strict=True))
        merged = height > MERGED_HEIGHT * usual_height and count > MERGED_VOLUME * usual_count
        if merged and not any(doubt.startswith(f"{level} ") for doubt in doubts):
            doubts.append(
                f"{level} is {height:.0f} mm tall, its neighbours {usual_height:.0f} mm: "
                "two vertebrae may have its label."
            )
    return doubts


def missing_between(levels: Iterable[str]) -> list[str]:
    """The levels that are missing between the uppermost and the lowest of those that there are."""
    there = sorted({LEVELS.index(level) for level in levels})
    return [LEVELS[number] for number in range(there[0], there[-1]) if number not in there] if there else []


def _height_and_count(pieces: list[FloatArray]) -> tuple[float, int]:
    """From the lowest to the highest point, mm, and the number of points."""
    points = np.concatenate(pieces)
    return float(np.ptp(points[:, 2])), len(points)


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
