"""Where refinement with the parts apart begins: the start given, the networks' poses and the whole CT's, as equals.

The whole CT can mislead: it is cut, its tissue lies elsewhere, the X-ray shows only part of it. A start that is right
must not be lost to it. Each candidate is therefore refined a little on its own, the parts apart from the first step,
and they are compared on the pixels of the vertebra sought. Of equals the given start wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from radgs.geometry import RigidTransform, mean_distance
from radgs.refine.observation import Observation
from radgs.refine.parts import linearised
from radgs.refine.solver import Estimate, Part, Refiner, Resolution
from radgs.vertebra import VertebraAnatomy

#: What a candidate is given to show what it is worth.
TRIAL = (
    Resolution(sigma_mm=4.0, iterations=4, surround_weight=0.15, dilation_mm=5.0),
    Resolution(sigma_mm=2.5, iterations=3, surround_weight=0.1, dilation_mm=4.0),
)
#: Candidates whose scores differ by less are equals.
TIE = 0.01
#: What a candidate's score loses one standard deviation of the start away from the start.
COST_OF_SIGMA = 0.01
#: Uncertainty of a start that was clicked, mm.
CLICK_SIGMA_MM = 10.0
#: Candidates this close are one, mm.
SAME_MM = 1.0


@dataclass(frozen=True, eq=False)
class Candidate:
    """A pose to go on from.

    Attributes:
        name: "start", "network" or "whole".
        given: As it came.
        tried: After a few steps of its own, the parts apart.
        score: Gradient correlation on the vertebra (mean over views), less the cost of its distance.
    """

    name: str
    given: RigidTransform
    tried: Estimate
    score: float


def best_candidate(
    observation: Observation,
    parts: Sequence[Part],
    vertebra: VertebraAnatomy,
    poses: Sequence[tuple[str, RigidTransform]],
    start_sigma_mm: float,
) -> Candidate:
    """The candidate that the X-rays support best; the first, of equals.

    Args:
        observation: The X-rays around the start.
        parts: The vertebra first.
        vertebra: The vertebra.
        poses: Names and poses; the start first.
        start_sigma_mm: How far off, one standard deviation, the start may be.
    """
    start = poses[0][1]
    distinct: list[tuple[str, RigidTransform]] = []
    for name, pose in poses:
        if all(mean_distance(vertebra.surface, pose, other) > SAME_MM for _, other in distinct):
            distinct.append((name, pose))
    tried = []
    for name, pose in distinct:
        refiner = Refiner(observation, linearised(parts), pose.apply(vertebra.centre), doubt=vertebra.doubt_part)
        estimate = refiner.run(Estimate([pose] * len(parts)), TRIAL)
        away = np.linalg.norm(estimate.poses[0].apply(vertebra.centre) - start.apply(vertebra.centre)) / start_sigma_mm
        tried.append(Candidate(name, pose, estimate, support(estimate) - COST_OF_SIGMA * float(away) ** 2))
    highest = max(candidate.score for candidate in tried)
    return next(candidate for candidate in tried if candidate.score >= highest - TIE)


def support(estimate: Estimate) -> float:
    """How well the images agree with an estimate: its mean gradient correlation."""
    return float(estimate.correlation.mean()) if estimate.correlation.size else 0.0
