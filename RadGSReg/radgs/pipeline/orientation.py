"""Is an X-ray, or the CT, mirrored or upside down? The vertebra hardly tells left from right: its halves look alike.

Ribs, organs and neighbours do. Each view is compared with the rest of the CT, its parts where refinement has brought
them, once as it is and once turned over, over what is known both ways: where the CT is cut on one side, two different
regions would be compared otherwise. It is turned over twice, for neither way finds every mirror: in the vertebra's own
mirror plane, which a pose follows that has absorbed a mirror and now lies askew; and as an image about the middle of
the field, wherever a pose that went astray has left the vertebra.

A trial tells something where the two ways look different and one of them resembles the X-ray: together, its power.
Where too little is seen, or the CT shows bone alone, there may be none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from radgs.case import Reason, Verdict
from radgs.drr import VolumeRenderer
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, XRayView, unit
from radgs.refine import Observation, Refinement
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

#: Where less than this share of the field is known both ways, a trial says nothing.
MIN_SHARE = 0.1
#: Where neither way resembles the X-ray this much, the CT shows too little around the vertebra to say anything.
MIN_LIKENESS = 0.2
#: As much better fits either way by chance: right poses were turned over by 0.020 beside blades.
BY_CHANCE = 0.03
#: A vertebra is not quite its own mirror image: of 271 mirrored ones none was explained better than 0.85. What lies
#: around one that is explained as well as this can doubt it, and no more.
MIRRORED_EXPLAINED = 0.92
#: By how much the CT must fit better as it is for nothing to be left in doubt, and the power from which on it should.
CLEARLY_AS_GIVEN, MIN_POWER = 0.08, 0.15
#: Front and back, head and feet of a vertebra do not look alike: where it fits as well as this, it shows by itself what
#: is what. What lies around it looks much the same both ways in a lateral view, and a blade is enough to make it fit
#: better turned over; where it does so by this much, and the vertebra fits no better, it is a doubt.
VERTEBRA_TELLS, CLEARLY_TURNED = 0.8, 0.2
#: A mirror plane whose normal lies along a view's beam, by this cosine, is not seen in it.
ALONG_BEAM = 0.8

Flip = Literal["left to right", "upside down"]
#: Which axis of an image (rows, columns) each turns over.
AXES: dict[Flip, int] = {"left to right": 1, "upside down": 0}


@dataclass(frozen=True)
class FlipTrial:
    """One view compared with the CT as it is and turned over.

    Attributes:
        view: Which.
        flip: How.
        as_given: Correlation of the X-ray's gradients with the CT's over what is known both ways, without the vertebra.
        flipped: The same with the CT turned over.
        share: Of the field, what was compared.
        alike: Correlation of the CT as it is with the CT turned over.
        hidden: Whether the vertebra itself hardly shows it: left and right are exchanged.
    """

    view: str
    flip: Flip
    as_given: float
    flipped: float
    share: float = 1.0
    alike: float = 0.0
    hidden: bool = True

    @property
    def advantage(self) -> float:
        """How much better the CT turned over fits; negative by about the trial's power where it is right as it is."""
        return self.flipped - self.as_given

    @property
    def power(self) -> float:
        """What the advantage would be if the CT, one way or the other, resembled the X-ray as much as it does."""
        return max(self.as_given, self.flipped) * (1.0 - self.alike)


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
        xray, name = _MovedXray.of(seen.view(number)), views[number].name
        geometry = xray.view.geometries[0]
        drawn = _drawn(parts, geometry)
        away = _away_from_vertebra(vertebra, refinement.ct_to_world, geometry)
        known = away * _known(vertebra.doubt_part, refinement.ct_to_world, away, geometry)
        right = _right_axis(vertebra)
        across = None if right is None else _image_axis(refinement.ct_to_world.rotation @ right, geometry)
        trials = []
        for flip, axis in AXES.items():
            likeness = xray.likeness_to(drawn, drawn.flip(axis), known * known.flip(axis))
            trials.append(FlipTrial(name, flip, *likeness, hidden=axis == across))
        if right is not None and across is not None:
            mirrored = _drawn([(part.mirrored(vertebra.centre, right), pose) for part, pose in parts], geometry)
            doubt = None if vertebra.doubt_part is None else vertebra.doubt_part.mirrored(vertebra.centre, right)
            both = known * _known(doubt, refinement.ct_to_world, away, geometry)
            trials.append(FlipTrial(name, "left to right", *xray.likeness_to(drawn, mirrored, both)))
        return trials

    return tuple(trial for of_view in map_concurrently(tried, range(len(views))) for trial in of_view)


def telling(trials: Sequence[FlipTrial]) -> list[FlipTrial]:
    """The trials that compared enough of the field, and found enough that is alike, to say something."""
    return [t for t in trials if t.share >= MIN_SHARE and max(t.as_given, t.flipped) >= MIN_LIKENESS]


def orientation_is_told(trials: Sequence[FlipTrial]) -> bool:
    """Whether left and right are where they should be beyond doubt, by what some view shows around the vertebra."""
    return any(trial.hidden and trial.advantage < -CLEARLY_AS_GIVEN for trial in telling(trials))


def flip_findings(trials: Sequence[FlipTrial], similarity: float) -> list[tuple[Verdict, Reason]]:
    """What the trials say against a pose: the view that fits most clearly when one of the two is turned over.

    Args:
        trials: The comparisons.
        similarity: Gradient correlation on the vertebra itself, worst view.
    """
    said = telling(trials)
    least = CLEARLY_TURNED if similarity < VERTEBRA_TELLS else np.inf
    turned = [trial for trial in said if trial.advantage > (BY_CHANCE if trial.hidden else least)]
    if turned:
        worst = max(turned, key=lambda trial: (trial.hidden, trial.advantage))
        message = (
            f"View {worst.view} and the CT fit better with one of the two turned {worst.flip} "
            f"({_numbers(worst)}): one of them is mirrored or upside down."
        )
        rejected = worst.hidden and similarity < MIRRORED_EXPLAINED
        return [("reject" if rejected else "check", Reason("mirrored", message))]
    powerful = [trial for trial in said if trial.hidden and trial.power >= MIN_POWER]
    strongest = max(powerful, key=lambda trial: trial.power, default=None)
    if strongest is None or strongest.advantage < -CLEARLY_AS_GIVEN:
        return []
    message = (
        f"What lies around the vertebra should tell whether view {strongest.view} is turned {strongest.flip} against "
        f"the CT, and does not ({_numbers(strongest)}). Are the patient's left and right where X-ray and CT say?"
    )
    return [("check", Reason("mirrored", message))]


def _numbers(trial: FlipTrial) -> str:
    return f"resemblance {trial.flipped:.2f} against {trial.as_given:.2f}"


def _right_axis(vertebra: VertebraAnatomy) -> FloatArray | None:
    """(3,) normal of the vertebra's mirror plane in the CT; None where nothing orients it."""
    return None if vertebra.frame_to_ct is None else vertebra.frame_to_ct.rotation[:, 0]


def _image_axis(direction: FloatArray, geometry: ViewGeometry) -> int | None:
    """Along which axis of an image (rows, columns) a direction (3,) of the world is seen; None where along the beam."""
    if abs(direction @ geometry.normal) > ALONG_BEAM:
        return None
    along = [abs(direction @ unit(step)) for step in (geometry.row_step, geometry.column_step)]
    return int(np.argmax(along))


def _drawn(parts: Sequence[tuple[VolumeRenderer, RigidTransform]], geometry: ViewGeometry) -> Tensor:
    """(n, n) line integrals of parts."""
    return torch.stack([part.render(pose, geometry) for part, pose in parts]).sum(dim=0)


def _away_from_vertebra(vertebra: VertebraAnatomy, pose: RigidTransform, geometry: ViewGeometry) -> Tensor:
    """(n, n) 1 on pixels that show no part of the vertebra."""
    silhouette = (vertebra.vertebra_part.render(pose, geometry).abs() > SILHOUETTE_THRESHOLD).float()
    return 1.0 - functional.max_pool2d(silhouette[None], 3, 1, 1)[0]


def _known(doubt: VolumeRenderer | None, pose: RigidTransform, like: Tensor, geometry: ViewGeometry) -> Tensor:
    """(n, n) 1 on pixels that show nothing invented, where and as another image is kept."""
    if doubt is None:
        return torch.ones_like(like)
    return (doubt.sampled_every(8.0).render(pose, geometry) < MAX_DOUBT).float()


@dataclass(frozen=True, eq=False)
class _MovedXray:
    """A view's gradients, the image moved within its slack: M moves of n x n pixels.

    Attributes:
        view: The X-ray.
        gradients: (M, 2, n * n) where measured, 0 elsewhere.
        measured: (M, n * n) 1 on pixels that the X-ray measured.
    """

    view: Observation
    gradients: Tensor
    measured: Tensor

    @classmethod
    def of(cls, view: Observation) -> _MovedXray:
        """Moves the image every way."""
        moves = range(-SLACK_PIXELS, SLACK_PIXELS + 1, SLACK_STEP)
        measured = (view.valid > 0.99).float()
        gradients = _gradients(view) * measured[:, None]
        both = torch.cat([gradients[0], measured])
        moved = torch.stack([torch.roll(both, move, (1, 2)) for move in product(moves, moves)]).flatten(2)
        return cls(view, moved[:, :2], moved[:, 2])

    def likeness_to(self, drawn: Tensor, turned: Tensor, known: Tensor) -> tuple[float, float, float, float]:
        """How alike gradients are where something is known: largest correlations of the X-ray with either image.

        Args:
            drawn: (n, n) line integrals.
            turned: The same turned over.
            known: (n, n) 1 where they are compared.

        Returns:
            Of the X-ray with each, the share of the field that was compared, and of the two with each other.
        """
        images = torch.stack([drawn, turned])
        two = replace(self.view, images=images, valid=torch.ones_like(images))
        gradients = _gradients(two).flatten(2) * known.flatten()
        energy = (gradients**2).sum(dim=1)
        cross = torch.einsum("mcp,icp->im", self.gradients, gradients)
        of_xray = (self.gradients**2).sum(dim=1) @ known.flatten()
        correlation = cross / (of_xray * (energy @ self.measured.T) + 1e-12).sqrt()
        here = self.measured[len(self.measured) // 2]
        both = (gradients.prod(dim=0).sum(dim=0) @ here) / ((energy @ here).prod() + 1e-12).sqrt()
        as_given, flipped = correlation.amax(dim=1).tolist()
        return as_given, flipped, float((known.flatten() * here).mean()), float(both)


def _gradients(one: Observation) -> Tensor:
    """(V, 2, n, n) the images' gradients, down and across."""
    return one.gradients(one.images, one.gradient_filters(SIGMA_MM / one.pixel_mm))
