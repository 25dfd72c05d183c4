"""From a rough start to a final pose: the CT as scanned, the possible beginnings, the parts apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from radgs.geometry import RigidTransform, XRayView, mean_distance
from radgs.refine.apart import End, parts_apart, refine_apart
from radgs.refine.candidates import CLICK_SIGMA_MM, compare_candidates, finalists, first_of_the_best, score
from radgs.refine.observation import Observation
from radgs.refine.other_levels import OtherLevel, try_other_levels
from radgs.refine.resolutions import COARSE_PIXELS, DIRECT, seen_around
from radgs.refine.solver import Estimate, Part
from radgs.refine.whole_ct import SURE, align_whole, intensity_tells_more
from radgs.vertebra import VertebraAnatomy


@dataclass(frozen=True, eq=False)
class Refinement:
    """What refinement found.

    Attributes:
        start: Where it began.
        whole: The CT as scanned, aligned: every part at one pose.
        final: Bodies apart, at full resolution: vertebra, surroundings, neighbours.
        observation: The X-rays at full resolution.
        parts: The parts of ``final`` as its verdict draws them, vertebra first.
        restarted: Whether the given start was poor and another was taken.
        other_level: What a start one level above or below leads to.
        stray_mm: Mean surface distance of the result from the nearest candidate for where to begin.
    """

    start: RigidTransform
    whole: Estimate
    final: Estimate
    observation: Observation
    parts: tuple[Part, ...]
    restarted: bool
    other_level: OtherLevel
    stray_mm: float = 0.0

    @property
    def ct_to_world(self) -> RigidTransform:
        """The vertebra's pose."""
        return self.final.poses[0]


def refine(
    views: Sequence[XRayView],
    vertebra: VertebraAnatomy,
    start: RigidTransform,
    progress: Callable[[float, str], None] = lambda fraction, message: None,
    *,
    proposals: Sequence[RigidTransform] = (),
    start_sigma_mm: float = CLICK_SIGMA_MM,
) -> Refinement:
    """Refines a vertebra's pose on the X-rays.

    Args:
        views: Two views or more.
        vertebra: The vertebra and its surroundings.
        start: CT-to-world pose to start from; tens of millimetres and degrees off at most.
        progress: Called with the fraction done and what is being done.
        proposals: Poses that may be better than the start, such as those of Kabsch and RegM; the images decide.
        start_sigma_mm: How far off the start may be, one standard deviation.
    """
    progress(0.0, "aligning the CT as it was scanned")
    whole, restarted = align_whole(views, vertebra, start, proposals, start_sigma_mm)
    in_intensity = intensity_tells_more(views, vertebra, whole)
    candidates = [("start", start), *(("network", pose) for pose in proposals), ("whole", whole.poses[0])]
    if whole.correlation.min() >= SURE and start_sigma_mm >= CLICK_SIGMA_MM:
        progress(0.2, "refining vertebra, neighbours and the rest together")
        end = refine_apart(views, vertebra, whole.poses[0], in_intensity)
        begins = [end.begin]
    else:
        progress(0.2, "comparing the possible starts")
        end, begins = best_end(views, vertebra, candidates, start_sigma_mm, in_intensity)
    final = end.final

    progress(0.8, "trying the levels above and below")
    other_level = OtherLevel(0.0, "above")
    if vertebra.neighbours:
        other_level = try_other_levels(views, vertebra, parts_apart(vertebra), final.poses[0], in_intensity)
    progress(1.0, "refined")
    known = [*(pose for _, pose in candidates), *begins]
    stray = min(mean_distance(vertebra.surface, final.poses[0], pose) for pose in known)
    return Refinement(start, whole, final, end.observation, end.parts, restarted, other_level, stray)


def best_end(
    views: Sequence[XRayView],
    vertebra: VertebraAnatomy,
    candidates: Sequence[tuple[str, RigidTransform]],
    start_sigma_mm: float,
    in_intensity: bool,
) -> tuple[End, list[RigidTransform]]:
    """Follows the candidates that fare well to the end, and the start by the finest scales alone.

    Args:
        views: The X-rays.
        vertebra: The vertebra.
        candidates: Names and poses; the start first.
        start_sigma_mm: How far off the start may be, one standard deviation.
        in_intensity: How X-rays and parts are compared.

    Returns:
        The best of the ends, and where all of them began.
    """
    start = candidates[0][1]
    coarse = seen_around(views, vertebra, start.apply(vertebra.centre), COARSE_PIXELS).seen_in_intensity(in_intensity)
    compared = compare_candidates(coarse, parts_apart(vertebra), vertebra, candidates, start_sigma_mm)
    begins = [finalist.tried.poses[0] for finalist in finalists(compared, vertebra)]
    ends = [
        refine_apart(views, vertebra, start, in_intensity, DIRECT),
        *(refine_apart(views, vertebra, begin, in_intensity) for begin in begins),
    ]
    best = first_of_the_best(ends, [score(end.final, vertebra, start, start_sigma_mm) for end in ends])
    return best, [end.begin for end in ends]
