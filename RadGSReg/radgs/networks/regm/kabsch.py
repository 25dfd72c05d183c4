"""The pose that canonical coordinates imply: weighted Kabsch over the voxels of a reconstruction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from radgs.geometry import RigidTransform

if TYPE_CHECKING:
    from jaxtyping import Float

#: Voxels less likely than this to show the vertebra do not vote.
MIN_OCCUPANCY = 0.3
#: With fewer voxels than this there is no reconstruction to align.
MIN_VOXELS = 30
#: Votes further off than this many millimetres lose half their weight, and more the further they are.
ROBUST_MM = 4.0
ROUNDS = 4


def kabsch(
    logits: Float[Tensor, "D H W"], canonical: Float[Tensor, "3 D H W"], points: Float[Tensor, "D H W 3"]
) -> RigidTransform | None:
    """The vertebra's pose from one dense prediction; None where it shows no vertebra.

    Reweighted by each vote's distance from the rest (Cauchy weights), because a part seen wrongly must not turn all.

    Args:
        logits: (D, H, W) occupancy.
        canonical: (3, D, H, W) points of the anatomical frame, mm.
        points: (D, H, W, 3) voxel centres in the ROI frame, mm.

    Returns:
        frame_to_roi.
    """
    weights = torch.sigmoid(logits.detach()).flatten()
    voting = weights > MIN_OCCUPANCY
    if int(voting.sum()) < MIN_VOXELS:
        return None
    source = canonical.detach().flatten(1).T[voting].double()
    target = points.reshape(-1, 3)[voting].double()
    weights = weights[voting].double()
    rotation, translation = weighted_kabsch(source, target, weights)
    for _ in range(ROUNDS):
        distance = (source @ rotation.T + translation - target).norm(dim=1)
        rotation, translation = weighted_kabsch(source, target, weights / (1.0 + (distance / ROBUST_MM) ** 2))
    return RigidTransform(rotation.cpu().numpy(), translation.cpu().numpy())


def weighted_kabsch(
    source: Float[Tensor, "N 3"], target: Float[Tensor, "N 3"], weights: Float[Tensor, " N"]
) -> tuple[Float[Tensor, "3 3"], Float[Tensor, " 3"]]:
    """The rotation (3, 3) and translation (3,) with the least weighted squared distance |R source + t - target|^2.

    Kabsch, Acta Cryst. A32 (1976) 922; the proper rotation, also where a mirror image would fit better.

    Args:
        source: (N, 3) points to be moved.
        target: (N, 3) where they belong.
        weights: (N,) not negative, not all zero.
    """
    share = (weights / weights.sum())[:, None]
    middle, goal = (share * source).sum(dim=0), (share * target).sum(dim=0)
    u, _, v = torch.linalg.svd((target - goal).T @ (share * (source - middle)))
    # A mirror image that fits better is turned over along the direction in which that costs least.
    u = torch.cat([u[:, :2], u[:, 2:] * torch.det(u @ v)], dim=1)
    rotation = u @ v
    return rotation, goal - rotation @ middle
