"""The losses of RegM: three measures of how far a pose is from the truth."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from radgs.geometry import LEVER_MM

if TYPE_CHECKING:
    from jaxtyping import Float

#: Poses: rotations (B, 3, 3) and translations (B, 3) in mm, anatomical frame to ROI.
PoseBatch = tuple[Tensor, Tensor]


def geodesic_loss(pose: PoseBatch, truth: PoseBatch) -> Float[Tensor, ""]:
    """Mean angle of the remaining rotation on SO(3), radians.

    The angle's derivative is not defined at zero; the distance of the matrices, which is 2 sqrt(2) sin(angle / 2), is
    followed near it.
    """
    half_sine = torch.linalg.matrix_norm(pose[0] - truth[0]) / math.sqrt(8.0)
    return (2.0 * torch.asin(half_sine.clamp_max(1.0 - 1e-6))).mean()


def translation_loss(pose: PoseBatch, truth: PoseBatch) -> Float[Tensor, ""]:
    """Mean distance of the body's centres, mm."""
    return _length(pose[1] - truth[1]).mean()


def mtre_loss(pose: PoseBatch, truth: PoseBatch, surface: Float[Tensor, "B S 3"]) -> Float[Tensor, ""]:
    """Mean target registration error over surface points (B, S, 3) of the anatomical frame, mm."""
    return surface_distance(pose, truth, surface).mean()


def surface_distance(pose: PoseBatch, truth: PoseBatch, surface: Float[Tensor, "B S 3"]) -> Float[Tensor, " B"]:
    """(B,) mean distance in mm between the surface (B, S, 3) at two poses."""
    turned = surface @ (pose[0] - truth[0]).transpose(1, 2)
    return _length(turned + (pose[1] - truth[1])[:, None]).mean(dim=1)


def pose_loss(pose: PoseBatch, truth: PoseBatch, surface: Float[Tensor, "B S 3"]) -> Float[Tensor, ""]:
    """Geodesic, translation and mTRE terms in millimetres, in equal parts."""
    terms = LEVER_MM * geodesic_loss(pose, truth) + translation_loss(pose, truth) + mtre_loss(pose, truth, surface)
    return terms / 3.0


def _length(vectors: Tensor) -> Tensor:
    """Lengths along the last axis, with a derivative at zero."""
    return (vectors.square().sum(dim=-1) + 1e-6).sqrt()
