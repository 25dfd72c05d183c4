"""The CT as it was scanned, aligned as one rigid part: the widest capture, and where it leads nowhere other starts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from radgs.geometry import FloatArray, RigidTransform, XRayView
from radgs.refine.candidates import CLICK_SIGMA_MM, support
from radgs.refine.observation import Observation
from radgs.refine.parts import LinearisedPart
from radgs.refine.resolutions import (
    AS_GIVEN,
    BINNING,
    COARSE_PIXELS,
    COMPARE,
    SEARCH,
    WHOLE_COARSE,
    WHOLE_COARSEST,
    seen_around,
)
from radgs.refine.solver import Estimate, Refiner
from radgs.vertebra import VertebraAnatomy

#: By how much a comparison in intensity must do better than one of line integrals.
CLEARLY_MORE = 0.003
#: Below this gradient correlation (worst view, whole CT aligned) the start was poor and other starts are tried. With
#: moved neighbours, noise and scatter the right pose was seen to reach 0.87 and more, a wrong one no more than 0.76.
POOR_START = 0.8
#: From this gradient correlation on, the whole CT is where to go on from; below, other candidates are heard.
SURE = 0.85
#: Other starts: turned by this much about each axis, both ways; and by this much more where the start is said to be
#: farther off than a click.
RESTART_TURN_RAD, FAR_TURN_RAD = float(np.radians(15.0)), float(np.radians(30.0))
#: So many of the other starts are followed to the end, and of those from far off.
PROMISING, PROMISING_FROM_FAR = 2, 4


def align_whole(
    views: Sequence[XRayView],
    vertebra: VertebraAnatomy,
    start: RigidTransform,
    proposals: Sequence[RigidTransform] = (),
    start_sigma_mm: float = CLICK_SIGMA_MM,
) -> tuple[Estimate, bool]:
    """Aligns the unmoved CT, from the start that the images support best; from others where that one leads nowhere.

    Args:
        views: Two views or more.
        vertebra: The vertebra and its surroundings.
        start: CT-to-world pose to start from.
        proposals: Poses that may be better.
        start_sigma_mm: How far off the start may be, one standard deviation.

    Returns:
        The best estimate, and whether another start than those given led to it.
    """
    centre = start.apply(vertebra.centre)
    coarse = seen_around(views, vertebra, centre, COARSE_PIXELS)
    searcher = whole_refiner(coarse.binned(BINNING), vertebra, centre)
    refiner = whole_refiner(coarse, vertebra, centre)

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
    far = start_sigma_mm > CLICK_SIGMA_MM
    sizes = (RESTART_TURN_RAD, FAR_TURN_RAD) if far else (RESTART_TURN_RAD,)
    turns = [sign * size * axis for size in sizes for axis in np.eye(3) for sign in (-1.0, 1.0)]
    searched = [searcher.run(Estimate([start.rotated_about(centre, turn)]), SEARCH) for turn in turns]
    promising = sorted(searched, key=support, reverse=True)[: PROMISING_FROM_FAR if far else PROMISING]
    winner = max([*given, *(aligned(estimate) for estimate in promising)], key=support)
    return winner, all(winner is not one for one in given)


def intensity_tells_more(views: Sequence[XRayView], vertebra: VertebraAnatomy, whole: Estimate) -> bool:
    """Whether the aligned CT resembles the X-rays more in intensity, as under a haze, than in line integrals."""
    centre = whole.poses[0].apply(vertebra.centre)
    seen = seen_around(views, vertebra, centre, COARSE_PIXELS)
    refiner = whole_refiner(seen, vertebra, centre)  # renders once: both comparisons share the CT and its poses
    in_lines = support(refiner.run(whole, COMPARE))
    refiner.observation = seen.seen_in_intensity(True)
    return support(refiner.run(whole, COMPARE)) > in_lines + CLEARLY_MORE


def whole_refiner(observation: Observation, vertebra: VertebraAnatomy, centre: FloatArray) -> Refiner:
    """Moves the CT as one part, watched around the vertebra."""
    whole = LinearisedPart(vertebra.whole_part.sampled_every(4.0))
    return Refiner(observation, (whole,), centre, silhouette=vertebra.vertebra_part, doubt=vertebra.doubt_part)
