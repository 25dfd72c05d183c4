"""Where refinement may begin: the given start, the networks' poses and the whole CT's pose, on equal terms.

The whole CT can mislead: it is cut, its tissue lies elsewhere, the X-ray shows only part of it. A start that is right
must not be lost to it. Each candidate is therefore refined a little on its own, the parts apart from the first step,
and they are compared on the pixels of the vertebra sought. Coarse scales can mislead as well, where a bone is all that
is known of the patient: so those that fare well are refined to the end before one of them is taken, and the given
start once more with no coarse scale at all. Of equals the given start wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from radgs.geometry import RigidTransform, mean_distance
from radgs.refine.observation import Observation
from radgs.refine.parts import linearised
from radgs.refine.resolutions import TRIAL
from radgs.refine.solver import Estimate, Part, Refiner
from radgs.vertebra import VertebraAnatomy

#: Candidates whose scores differ by less are equals.
TIE = 0.01
#: The next best is followed to the end too, where its score on coarse scales is lower by no more than this.
CLOSE = 0.1
#: What a candidate's score loses one standard deviation of the start away from the start.
COST_OF_SIGMA = 0.01
#: Uncertainty of a start that was clicked, mm.
CLICK_SIGMA_MM = 10.0
#: Candidates this close are one, mm.
SAME_MM = 1.0

Scored = TypeVar("Scored")


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


def compare_candidates(
    observation: Observation,
    parts: Sequence[Part],
    vertebra: VertebraAnatomy,
    poses: Sequence[tuple[str, RigidTransform]],
    start_sigma_mm: float,
) -> list[Candidate]:
    """Tries every candidate that differs from those before it.

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
        tried.append(Candidate(name, pose, estimate, score(estimate, vertebra, start, start_sigma_mm)))
    return tried


def finalists(compared: Sequence[Candidate], vertebra: VertebraAnatomy) -> list[Candidate]:
    """The best candidate and, where it is close and leads elsewhere, the next."""
    best = first_of_the_best(compared, [candidate.score for candidate in compared])
    others = [
        candidate
        for candidate in compared
        if candidate.score >= best.score - CLOSE
        and mean_distance(vertebra.surface, candidate.tried.poses[0], best.tried.poses[0]) > SAME_MM
    ]
    return [best, *sorted(others, key=lambda candidate: -candidate.score)[:1]]


def first_of_the_best(things: Sequence[Scored], scores: Sequence[float]) -> Scored:
    """The one that scores highest; the first, of equals."""
    highest = max(scores)
    return next(thing for thing, value in zip(things, scores, strict=True) if value >= highest - TIE)


def score(estimate: Estimate, vertebra: VertebraAnatomy, start: RigidTransform, start_sigma_mm: float) -> float:
    """How well the images agree with an estimate, less the cost of its distance from the start."""
    away = estimate.poses[0].apply(vertebra.centre) - start.apply(vertebra.centre)
    return support(estimate) - COST_OF_SIGMA * float(np.linalg.norm(away) / start_sigma_mm) ** 2


def support(estimate: Estimate) -> float:
    """How well the images agree with an estimate: its mean gradient correlation."""
    return float(estimate.correlation.mean()) if estimate.correlation.size else 0.0
