"""Whether a start one level above or below fits better: vertebrae look alike, a click may be on the wrong one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from radgs.geometry import RigidTransform, XRayView
from radgs.refine.candidates import support
from radgs.refine.parts import linearised
from radgs.refine.resolutions import COARSE_PIXELS, COARSEST_PIXELS, TRIAL, WHOLE_COARSEST, seen_around
from radgs.refine.solver import Estimate, Part, Refiner
from radgs.refine.whole_ct import POOR_START, whole_refiner
from radgs.vertebra import VertebraAnatomy


@dataclass(frozen=True, eq=False)
class OtherLevel:
    """The better of two starts, one level above and one below, against the pose found.

    Attributes:
        advantage: How much higher its gradient correlation (mean over views); 0 if it came back or fits worse.
        name: "above" or "below".
    """

    advantage: float
    name: str


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
        refiner = whole_refiner(seen_around(views, vertebra, centre, COARSEST_PIXELS), vertebra, centre)
        return refiner.run(Estimate([start]), WHOLE_COARSEST)

    def apart(start: RigidTransform) -> Estimate:
        centre = start.apply(vertebra.centre)
        seen = seen_around(views, vertebra, centre, COARSE_PIXELS).seen_in_intensity(in_intensity)
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
