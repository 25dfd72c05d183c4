"""Is an X-ray, or the CT, mirrored or upside down? A vertebra's own pixels hardly tell: its halves look alike.

Ribs, organs and neighbours do. Each view is compared with the rest of the CT, its parts where refinement has brought
them, once as it is and once turned over about the vertebra, over what of the field is seen both ways: blades on one
side, or a CT cut there, would otherwise have two different regions compared. How much worse a right image does when it
is turned over is the trial's power; where too little is seen, or the CT shows bone alone, there may be none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from radgs.case import Reason, Verdict
from radgs.geometry import RigidTransform, XRayView
from radgs.refine import Observation, Refinement
from radgs.refine.matching import gradient_correlation
from radgs.refine.solver import SILHOUETTE_THRESHOLD
from radgs.threads import map_concurrently, one_thread
from radgs.vertebra import VertebraAnatomy

#: The field that is compared, mm at the vertebra, and its pixels.
FIELD_MM, PIXELS = 256.0, 96
#: Scale of the gradients that are compared, mm.
SIGMA_MM = 2.5
#: The image may lie this many pixels from the CT's, in such steps: what the pose absorbed of a mirror.
SLACK_PIXELS, SLACK_STEP = 4, 2
#: Rays through so much invented attenuation say nothing of an orientation (line integral).
MAX_DOUBT = 0.5

#: Where less than this share of the field is seen both ways, the trial says nothing.
MIN_SHARE = 0.1
#: By how much the image as it is must fit better than turned over; where it fits worse, the pose is rejected.
CLEARLY_AS_GIVEN = 0.05
#: Where neither way resembles the CT this much, the CT shows too little around the vertebra: that trial has no power.
MIN_LIKENESS = 0.25

Flip = Literal["left to right", "upside down"]
#: Which axis of an image (rows, columns) each turns over.
AXES: dict[Flip, int] = {"left to right": 1, "upside down": 0}


@dataclass(frozen=True)
class FlipTrial:
    """One view turned over.

    Attributes:
        view: Which.
        flip: How.
        as_given: Correlation of the X-ray's gradients with the CT's over what is seen both ways, without the vertebra.
        flipped: The same of the turned X-ray.
        share: Of the field, what was compared.
    """

    view: str
    flip: Flip
    as_given: float
    flipped: float
    share: float = 1.0

    @property
    def advantage(self) -> float:
        """How much better the turned image fits; negative by the trial's power where it is right as it is."""
        return self.flipped - self.as_given


@torch.no_grad()
@one_thread()
def try_flips(views: Sequence[XRayView], vertebra: VertebraAnatomy, refinement: Refinement) -> tuple[FlipTrial, ...]:
    """Compares every view with the CT as it is and turned over.

    Args:
        views: The X-rays.
        vertebra: The vertebra and its surroundings.
        refinement: The pose to be judged.
    """
    centre = refinement.ct_to_world.apply(vertebra.centre)
    seen = Observation.around(views, centre, FIELD_MM, PIXELS, vertebra.device)
    seen = seen.seen_in_intensity(refinement.observation.in_intensity)
    around = [vertebra.surroundings_part, *vertebra.neighbour_parts]
    parts = list(zip((part.sampled_every(4.0) for part in around), refinement.final.poses[1:], strict=True))

    def tried(number: int) -> list[FlipTrial]:
        one = seen.view(number)
        drawn = torch.stack([part.render(pose, one.geometries[0]) for part, pose in parts]).sum(dim=0)[None]
        everywhere = replace(one, images=drawn, valid=torch.ones_like(drawn))
        compared = _gradients(everywhere)
        elsewhere = _away_from_vertebra(vertebra, refinement.ct_to_world, one)
        trials = []
        for flip, axis in AXES.items():
            turned = _turned(one, axis)
            measured = ((one.valid > 0.99) & (turned.valid > 0.99)).float()
            away = elsewhere * elsewhere.flip(axis + 1)
            as_given, flipped = (_likeness(_gradients(way), compared, away, measured) for way in (one, turned))
            trials.append(FlipTrial(views[number].name, flip, as_given, flipped, float((away * measured).mean())))
        return trials

    return tuple(trial for of_view in map_concurrently(tried, range(len(views))) for trial in of_view)


def telling(trials: Sequence[FlipTrial]) -> list[FlipTrial]:
    """The trials that compared enough of the field to say something."""
    return [trial for trial in trials if trial.share >= MIN_SHARE]


def powerful(trials: Sequence[FlipTrial]) -> list[FlipTrial]:
    """Those of them in which one way or the other resembles the CT enough to decide."""
    return [trial for trial in telling(trials) if max(trial.as_given, trial.flipped) >= MIN_LIKENESS]


def flip_findings(trials: Sequence[FlipTrial]) -> list[tuple[Verdict, Reason]]:
    """What the trials say against a pose: the view that fits most clearly when it is turned over."""
    worst = max(powerful(trials), key=lambda trial: trial.advantage, default=None)
    if worst is None:
        return []
    if worst.advantage < -CLEARLY_AS_GIVEN:
        return []
    numbers = f"resemblance {worst.flipped:.2f} against {worst.as_given:.2f}"
    if worst.advantage > 0:
        message = (
            f"View {worst.view} and the CT fit better with the X-ray turned {worst.flip} ({numbers}): one of the "
            "two is mirrored or upside down."
        )
        return [("reject", Reason("mirrored", message))]
    message = (
        f"Nothing around the vertebra tells whether view {worst.view} is turned {worst.flip} against the CT "
        f"({numbers}). Are the patient's left and right, head and feet where X-ray and CT say?"
    )
    return [("check", Reason("mirrored", message))]


def _away_from_vertebra(vertebra: VertebraAnatomy, pose: RigidTransform, one: Observation) -> Tensor:
    """(1, n, n) 1 on pixels that show no part of the vertebra and nothing invented."""
    geometry = one.geometries[0]
    silhouette = (vertebra.vertebra_part.render(pose, geometry).abs() > SILHOUETTE_THRESHOLD).float()[None]
    away = 1.0 - functional.max_pool2d(silhouette, 3, 1, 1)
    if vertebra.doubt_part is not None:
        away = away * (vertebra.doubt_part.sampled_every(8.0).render(pose, geometry) < MAX_DOUBT)
    return away


def _turned(one: Observation, axis: int) -> Observation:
    """The view with its image turned over, its geometry kept."""
    return replace(one, images=one.images.flip(axis + 1), valid=one.valid.flip(axis + 1))


def _gradients(one: Observation) -> Tensor:
    return one.gradients(one.images, one.gradient_filters(SIGMA_MM / one.pixel_mm))


def _likeness(target: Tensor, drawn: Tensor, elsewhere: Tensor, measured: Tensor) -> float:
    """The largest correlation of gradients (1, 2, n, n) under weights (1, n, n), the image moved within its slack."""
    moves = range(-SLACK_PIXELS, SLACK_PIXELS + 1, SLACK_STEP)
    return max(
        float(
            gradient_correlation(
                torch.roll(target, move, (2, 3)), drawn, elsewhere * torch.roll(measured, move, (1, 2))
            )[0]
        )
        for move in product(moves, moves)
    )
