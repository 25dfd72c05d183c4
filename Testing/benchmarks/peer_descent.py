"""nanodrr's Adam for as long as it gains, with the settings that xvr registers with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from peer_nanodrr import Camera, moved_by, orthonormal, similarity

from radgs.geometry import FloatArray, RigidTransform, XRayView


@dataclass(frozen=True)
class Descent:
    """Adam for as long as it gains, as xvr does it: steps become smaller where the similarity stands still.

    Attributes:
        step_mm: The first steps.
        mm_per_radian: One radian counts as so many.
        pixels: Sides of the crops, the coarsest first; each goes on from the one before.
        patience: Steps without a gain before they become smaller...
        factor: ...by this factor...
        plateaus: ...so many times, then it ends.
        threshold: A gain is a rise of the similarity by this share at least.
        most_steps: At each side, whatever it gains.
    """

    step_mm: float = 1.0
    mm_per_radian: float = 100.0
    pixels: tuple[int, ...] = (64, 128)
    patience: int = 10
    factor: float = 0.1
    plateaus: int = 3
    threshold: float = 1e-4
    most_steps: int = 500


def aligned_while_it_gains(
    volume: Any,
    views: Sequence[XRayView],
    pose: RigidTransform,
    centre_ct: FloatArray,
    losses: Sequence[Any],
    descent: Descent,
) -> RigidTransform:
    """The best pose that a descent met.

    Args:
        volume: What is moved.
        views: The X-rays.
        pose: Where it begins, ct_to_world.
        centre_ct: (3,) what it turns about, in the CT, mm.
        losses: Similarities of a DRR and an X-ray, their sum is what counts.
        descent: How.
    """
    for pixels in descent.pixels:
        centre = pose.apply(centre_ct)
        cameras = [Camera.of(view, centre, pixels) for view in views]
        start, about = torch.from_numpy(pose.matrix).float(), torch.from_numpy(np.asarray(centre)).float()
        twist = torch.zeros(6, requires_grad=True)
        optimizer = torch.optim.Adam([twist], lr=descent.step_mm)
        best, gained, best_pose, still, plateaus = -math.inf, -math.inf, start, 0, 0
        for _ in range(descent.most_steps):
            optimizer.zero_grad()
            moved = moved_by(start, twist, about, descent.mm_per_radian)
            score = similarity(volume, cameras, moved, losses)
            value = float(score.detach())
            if value > best:
                best, best_pose = value, moved.detach()
            if value > gained + descent.threshold * abs(gained) or not math.isfinite(gained):
                gained, still = value, 0
            else:
                still += 1
            if still > descent.patience:
                plateaus, still = plateaus + 1, 0
                for group in optimizer.param_groups:
                    group["lr"] *= descent.factor
            if plateaus == descent.plateaus:
                break
            (-score).backward()
            optimizer.step()
        pose = RigidTransform.from_matrix(orthonormal(best_pose.double().numpy()))
    return pose
