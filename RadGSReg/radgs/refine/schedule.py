"""From a rough start to a final pose: the CT as scanned, its parts apart, the vertebra at full resolution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from radgs.geometry import FloatArray, RigidTransform, XRayView, mean_distance
from radgs.geometry.roi import ROI_SIZE_MM
from radgs.refine.candidates import CLICK_SIGMA_MM, TRIAL, best_candidate, support
from radgs.refine.observation import Observation
from radgs.refine.parts import HalfResolution, LinearisedPart, linearised
from radgs.refine.solver import Estimate, Part, Refiner, Resolution
from radgs.vertebra import VertebraAnatomy

#: Pixels of one resolution that, along a side, make one of the next coarser.
BINNING = 2
FINE_PIXELS = 128
COARSE_PIXELS = FINE_PIXELS // BINNING
COARSEST_PIXELS = COARSE_PIXELS // BINNING

#: Tells which of several starts the images support, without moving any.
AS_GIVEN = (Resolution(sigma_mm=8.0, iterations=0, surround_weight=0.15, dilation_mm=6.0),)
#: Tells how X-ray and rendered CT are to be compared, and by how much intensity must do better than line integrals.
COMPARE = (Resolution(sigma_mm=3.0, iterations=0, surround_weight=0.15, dilation_mm=4.0),)
CLEARLY_MORE = 0.003
SEARCH = (Resolution(sigma_mm=10.0, iterations=8, surround_weight=0.3, dilation_mm=10.0),)
WHOLE_COARSEST = (
    Resolution(sigma_mm=8.0, iterations=10, surround_weight=0.15, dilation_mm=6.0),
    Resolution(sigma_mm=5.0, iterations=10, surround_weight=0.15, dilation_mm=6.0),
)
WHOLE_COARSE = (Resolution(sigma_mm=3.0, iterations=10, surround_weight=0.15, dilation_mm=4.0),)
APART = (
    Resolution(sigma_mm=4.0, iterations=5, surround_weight=0.15, dilation_mm=5.0),
    Resolution(sigma_mm=3.0, iterations=5, surround_weight=0.10, dilation_mm=5.0),
    Resolution(sigma_mm=2.0, iterations=5, surround_weight=0.20, dilation_mm=4.0),
)
POLISH = (
    Resolution(sigma_mm=1.2, iterations=4, surround_weight=0.20, dilation_mm=4.0),
    Resolution(sigma_mm=0.8, iterations=4, surround_weight=0.20, dilation_mm=4.0),
)
#: Below this gradient correlation (worst view, whole CT aligned) the start was poor and other starts are tried. With
#: moved neighbours, noise and scatter the right pose was seen to reach 0.87 and more, a wrong one no more than 0.76.
POOR_START = 0.8
#: From this gradient correlation on, the whole CT is where to go on from; below, other candidates are heard.
SURE = 0.85
#: Other starts: turned by this much about each axis, both ways.
RESTART_TURN_RAD = float(np.radians(15.0))


@dataclass(frozen=True, eq=False)
class OtherLevel:
    """The better of two starts, one level above and one below, against the pose found.

    Attributes:
        advantage: How much higher its gradient correlation (mean over views); 0 if it came back or fits worse.
        name: "above" or "below".
    """

    advantage: float
    name: str


@dataclass(frozen=True, eq=False)
class Refinement:
    """What refinement found.

    Attributes:
        start: Where it began.
        whole: The CT as scanned, aligned: every part at one pose.
        final: Bodies apart, at full resolution: vertebra, surroundings, neighbours.
        observation: The X-rays at full resolution.
        parts: The parts of ``final``, vertebra first.
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
    whole, restarted = align_whole(views, vertebra, start, proposals)
    in_intensity = intensity_tells_more(views, vertebra, whole)
    candidates = [("start", start), *(("network", pose) for pose in proposals), ("whole", whole.poses[0])]
    around = vertebra.surroundings_part.sampled_every(4.0)
    parts: tuple[Part, ...] = (
        vertebra.vertebra_part,
        around,
        *(part.sampled_every(3.0) for part in vertebra.neighbour_parts),
    )
    begin = whole.poses[0]
    if whole.correlation.min() < SURE or start_sigma_mm < CLICK_SIGMA_MM:
        progress(0.2, "comparing the possible starts")
        coarse = _seen(views, vertebra, start.apply(vertebra.centre), COARSE_PIXELS).seen_in_intensity(in_intensity)
        best = best_candidate(coarse, parts, vertebra, candidates, start_sigma_mm)
        begin = best.tried.poses[0]
    # A click may be far off: from here on, the region is centred on the vertebra itself.
    centre = begin.apply(vertebra.centre)

    progress(0.3, "trying the levels above and below")
    other_level = OtherLevel(0.0, "above")
    if vertebra.neighbours:
        other_level = try_other_levels(views, vertebra, parts, begin, in_intensity)

    progress(0.4, "refining vertebra, neighbours and the rest together")
    fine = _seen(views, vertebra, centre, FINE_PIXELS).seen_in_intensity(in_intensity)
    together = Estimate([begin] * len(parts))
    apart = Refiner(fine.binned(BINNING), linearised(parts), centre, doubt=vertebra.doubt_part).run(together, APART)

    progress(0.6, "refining the vertebra at full resolution")
    # The surroundings must go on moving: held still, a millimetre of theirs pulls the vertebra along.
    parts = (
        vertebra.vertebra_part,
        HalfResolution(around),
        *(part.sampled_every(2.0) for part in vertebra.neighbour_parts),
    )
    final = Refiner(fine, linearised(parts), centre, doubt=vertebra.doubt_part).run(apart, POLISH)
    progress(1.0, "refined")
    known = [*(pose for _, pose in candidates), begin]
    stray = min(mean_distance(vertebra.surface, final.poses[0], pose) for pose in known)
    return Refinement(start, whole, final, fine, parts, restarted, other_level, stray)


def align_whole(
    views: Sequence[XRayView],
    vertebra: VertebraAnatomy,
    start: RigidTransform,
    proposals: Sequence[RigidTransform] = (),
) -> tuple[Estimate, bool]:
    """Aligns the unmoved CT, from the start that the images support best; from others where that one leads nowhere.

    Returns:
        The best estimate, and whether another start than those given led to it.
    """
    centre = start.apply(vertebra.centre)
    coarse = _seen(views, vertebra, centre, COARSE_PIXELS)
    searcher = _whole_refiner(coarse.binned(BINNING), vertebra, centre)
    refiner = _whole_refiner(coarse, vertebra, centre)

    def aligned(estimate: Estimate) -> Estimate:
        return refiner.run(searcher.run(estimate, WHOLE_COARSEST), WHOLE_COARSE)

    seen = (
        [searcher.run(Estimate([pose]), AS_GIVEN) for pose in (start, *proposals)] if proposals else [Estimate([start])]
    )
    seen.sort(key=support, reverse=True)
    given: list[Estimate] = []
    for estimate in seen:
        given.append(aligned(estimate))
        if given[-1].correlation.min() >= POOR_START:
            return given[-1], False
    turns = [sign * RESTART_TURN_RAD * axis for axis in np.eye(3) for sign in (-1.0, 1.0)]
    searched = [searcher.run(Estimate([start.rotated_about(centre, turn)]), SEARCH) for turn in turns]
    promising = sorted(searched, key=support, reverse=True)[:2]
    winner = max([*given, *(aligned(estimate) for estimate in promising)], key=support)
    return winner, all(winner is not one for one in given)


def intensity_tells_more(views: Sequence[XRayView], vertebra: VertebraAnatomy, whole: Estimate) -> bool:
    """Whether the aligned CT resembles the X-rays more in intensity, as under a haze, than in line integrals."""
    centre = whole.poses[0].apply(vertebra.centre)
    seen = _seen(views, vertebra, centre, COARSE_PIXELS)
    refiner = _whole_refiner(seen, vertebra, centre)  # renders once: both comparisons share the CT and its poses
    in_lines = support(refiner.run(whole, COMPARE))
    refiner.observation = seen.seen_in_intensity(True)
    return support(refiner.run(whole, COMPARE)) > in_lines + CLEARLY_MORE


def try_other_levels(
    views: Sequence[XRayView],
    vertebra: VertebraAnatomy,
    parts: Sequence[Part],
    found: RigidTransform,
    in_intensity: bool = False,
) -> OtherLevel:
    """Starts where the neighbouring vertebrae appear: they look alike, and a click may be on the wrong one.

    Args:
        views: The X-rays.
        vertebra: The vertebra.
        parts: It and what moves beside it.
        found: The pose that the level above and the level below are compared with.
        in_intensity: How X-rays and parts are compared.
    """

    def whole(start: RigidTransform) -> Estimate:
        centre = start.apply(vertebra.centre)
        refiner = _whole_refiner(_seen(views, vertebra, centre, COARSEST_PIXELS), vertebra, centre)
        return refiner.run(Estimate([start]), WHOLE_COARSEST)

    def apart(start: RigidTransform) -> Estimate:
        centre = start.apply(vertebra.centre)
        seen = _seen(views, vertebra, centre, COARSE_PIXELS).seen_in_intensity(in_intensity)
        refiner = Refiner(seen, linearised(parts), centre, doubt=vertebra.doubt_part)
        return refiner.run(Estimate([start] * len(parts)), TRIAL)

    def is_elsewhere(estimate: Estimate) -> bool:
        moved = estimate.poses[0].apply(vertebra.centre) - found.apply(vertebra.centre)
        return float(np.linalg.norm(moved)) > vertebra.level_spacing_mm / 2

    here = whole(found)
    # The whole of a CT that is cut, or that moved in itself, fits anywhere: then it cannot say what is worth a trial.
    telling = here.correlation.min() >= POOR_START
    best = OtherLevel(0.0, "above")
    for name, offset in zip(("above", "below"), vertebra.level_offsets, strict=True):
        start = RigidTransform(found.rotation, found.translation + found.rotation @ offset)
        there = whole(start)
        if telling and not (is_elsewhere(there) and support(there) > support(here)):
            continue
        ends = [apart(pose) for pose in ((there.poses[0],) if telling else (start, there.poses[0]))]
        highest = max((support(end) for end in ends if is_elsewhere(end)), default=0.0)
        advantage = highest - support(apart(found))
        if advantage > best.advantage:
            best = OtherLevel(advantage, name)
    return best


def _seen(views: Sequence[XRayView], vertebra: VertebraAnatomy, centre: FloatArray, pixels: int) -> Observation:
    """The X-rays around a world point (3,)."""
    return Observation.around(views, centre, ROI_SIZE_MM, pixels, vertebra.device)


def _whole_refiner(observation: Observation, vertebra: VertebraAnatomy, centre: FloatArray) -> Refiner:
    """Moves the CT as one part, watched around the vertebra."""
    whole = LinearisedPart(vertebra.whole_part.sampled_every(4.0))
    return Refiner(observation, (whole,), centre, silhouette=vertebra.vertebra_part, doubt=vertebra.doubt_part)
