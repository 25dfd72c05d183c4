"""Refinement of a level beside one that was found: its pose is where to begin, and where the neighbour stands.

Nothing is searched for. What a search must rule out, another level above all, the level that was found has ruled out
already, as long as the two lie to each other about as they did in the CT. Whether they do, the caller judges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from radgs.geometry import RigidTransform, XRayView, mean_distance
from radgs.refine.apart import parts_apart, parts_judged, parts_polished
from radgs.refine.observation import Observation
from radgs.refine.other_levels import OtherLevel
from radgs.refine.parts import linearised
from radgs.refine.resolutions import APART, BINNING, COMPARE, FINE_PIXELS, POLISH, seen_around
from radgs.refine.schedule import Refinement
from radgs.refine.solver import Estimate, Part, Refiner, Resolution
from radgs.refine.whole_ct import whole_refiner
from radgs.vertebra import VertebraAnatomy

#: A joint's motion is small: half of the scales lead to the same end.
SCALES = (APART[0], APART[-1])
#: A neighbour's excess lies no further than this, mm, from the body's centre of the vertebra that it is the excess of;
#: the next one's is a level away.
SAME_BONE_MM = 25.0


@dataclass(frozen=True, eq=False)
class FoundLevel:
    """A level whose pose is believed.

    Attributes:
        vertebra: Which.
        refinement: How it was found.
    """

    vertebra: VertebraAnatomy
    refinement: Refinement


def are_neighbours(one: VertebraAnatomy, other: VertebraAnatomy) -> bool:
    """Whether a vertebra is one of another's neighbouring parts, and the other one of its own."""
    return _part_of(one, other) is not None and _part_of(other, one) is not None


def refine_beside(
    views: Sequence[XRayView],
    vertebra: VertebraAnatomy,
    start: RigidTransform,
    found: Sequence[FoundLevel],
    progress: Callable[[float, str], None] = lambda fraction, message: None,
) -> Refinement:
    """Refines a vertebra's pose from that of its neighbour.

    Args:
        views: Two views or more.
        vertebra: The vertebra and its surroundings.
        start: CT-to-world pose that the user gave; what is found is compared with it, nothing begins there.
        found: Neighbours that were found, one or two; all begins at the first one's poses.
        progress: Called with the fraction done and what is being done.
    """
    progress(0.0, "beginning where the neighbour was found")
    first = found[0].refinement
    begin, in_intensity = first.ct_to_world, first.observation.in_intensity
    known = {}
    for level in found:
        part = _part_of(vertebra, level.vertebra)
        if part is not None:
            known[2 + part] = level.refinement.ct_to_world  # parts: vertebra, surroundings, neighbours
    poses = [known.get(order, begin) for order in range(2 + len(vertebra.neighbours))]
    poses[1] = first.final.poses[1]

    centre = begin.apply(vertebra.centre)
    fine = seen_around(views, vertebra, centre, FINE_PIXELS).seen_in_intensity(in_intensity)
    coarse = fine.binned(BINNING)
    whole = whole_refiner(coarse.seen_in_intensity(False), vertebra, centre).run(Estimate([begin]), COMPARE)
    progress(0.1, "refining vertebra, neighbours and the rest together")
    moved = _descended(coarse, parts_apart(vertebra), vertebra, Estimate(poses), known, SCALES)
    final = _descended(fine, parts_polished(vertebra), vertebra, moved, known, POLISH)
    progress(1.0, "refined")
    stray = mean_distance(vertebra.surface, final.poses[0], begin)
    judged = parts_judged(vertebra)
    return Refinement(start, whole, final, fine, judged, False, OtherLevel(0.0, "above"), stray)


def _descended(
    seen: Observation,
    parts: Sequence[Part],
    vertebra: VertebraAnatomy,
    estimate: Estimate,
    known: Mapping[int, RigidTransform],
    resolutions: Sequence[Resolution],
) -> Estimate:
    centre = estimate.poses[0].apply(vertebra.centre)
    refiner = Refiner(seen, linearised(parts), centre, doubt=vertebra.doubt_part, known=known)
    return refiner.run(estimate, resolutions)


def _part_of(vertebra: VertebraAnatomy, other: VertebraAnatomy) -> int | None:
    """Which of a vertebra's neighbouring parts another vertebra is; None where it is none of them."""
    if abs(vertebra.level.label - other.level.label) != 1:
        return None
    for number, volume in enumerate(vertebra.neighbours):
        middle = volume.to_ras((np.array(volume.size) - 1) / 2)
        if np.linalg.norm((middle - other.centre) * [1.0, 0.0, 1.0]) < SAME_BONE_MM:
            return number
    return None
