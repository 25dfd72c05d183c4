"""The loss terms of RecM."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from radgs.drr import WATER
from radgs.gaussians import RadiativeGaussians, splat
from radgs.geometry.roi import crop_geometry

if TYPE_CHECKING:
    from jaxtyping import Float

#: A voxel is occupied where the excess, averaged over it, passes this share of water's attenuation.
OCCUPIED = 0.06
#: Bone is rare in the ROI.
BONE_WEIGHT = 2.0
#: Odds beyond exp(this) to 1 make no difference to the counterfactual loss.
CERTAIN = 4.0
#: The line integral that counts as one in the projection loss: the thick part of a vertebra.
PROJECTION_UNIT = 0.5
#: Splats end here while training, standard deviations.
TRAINING_CUTOFF_SIGMA = 3.0


def occupancy_target(volume: Float[Tensor, "B N N N"], voxels: int) -> Float[Tensor, "B n n n"]:
    """(B, n, n, n) 1 where the vertebra is, from its excess (B, N, N, N) on a grid finer by a whole factor, 1/mm."""
    pooled = functional.avg_pool3d(volume[:, None], volume.shape[-1] // voxels)[:, 0]
    return (pooled > OCCUPIED * WATER).to(volume)


def occupancy_loss(logits: Float[Tensor, "B n n n"], occupied: Float[Tensor, "B n n n"]) -> Float[Tensor, ""]:
    """Binary cross-entropy of the occupancy, bone weighted up."""
    weight = logits.new_tensor(BONE_WEIGHT)
    return functional.binary_cross_entropy_with_logits(logits, occupied, pos_weight=weight)


def counterfactual_loss(
    factual: Float[Tensor, "B n n n"], counterfactual: Float[Tensor, "B n n n"], occupied: Float[Tensor, "B n n n"]
) -> Float[Tensor, ""]:
    """What learned attention changes against a random one must itself be right: L_cal of RadGS-Reg.

    After Rao et al. (ICCV 2021, eq. 5) with occupancy for the class: the effect is formed on logits,
    BCE(logit(A) - logit(A_random), occupancy). Certainty counts up to ``CERTAIN`` only: how much surer than sure the
    network is of the empty space around a vertebra, which is most of the ROI, would drown all else.
    """
    effect = _bounded(factual) - _bounded(counterfactual)
    return functional.binary_cross_entropy_with_logits(effect, occupied)


def _bounded(logits: Tensor) -> Tensor:
    return CERTAIN * torch.tanh(logits / CERTAIN)


def canonical_loss(
    canonical: Float[Tensor, "B 3 n n n"], target: Float[Tensor, "B 3 n n n"], occupied: Float[Tensor, "B n n n"]
) -> Float[Tensor, ""]:
    """Mean absolute error of canonical coordinates (B, 3, D, H, W) over the vertebra's voxels, in centimetres."""
    error = (canonical - target).abs().mean(dim=1)
    return (error * occupied).sum() / occupied.sum().clamp_min(1.0) / 10.0


def volume_loss(reconstructed: Float[Tensor, "N N N"], target: Float[Tensor, "N N N"]) -> Float[Tensor, ""]:
    """Absolute and squared errors of attenuation (1/mm), in units of water's; weights of the feasibility study."""
    difference = (reconstructed - target) / WATER
    return 10.0 * difference.abs().mean() + 50.0 * difference.square().mean()


def projection_loss(
    gaussians: RadiativeGaussians, sources: Float[Tensor, "V 3"], images: Float[Tensor, "V P P"]
) -> Float[Tensor, ""]:
    """Splats against the vertebra's own line integrals: supervision by X-ray projections, through exact splatting.

    Args:
        gaussians: One reconstruction, in the ROI frame.
        sources: (V, 3) focal spots in the ROI frame, mm.
        images: (V, P, P) line integrals of the vertebra.
    """
    pixels = images.shape[-1]
    splats = [
        splat(gaussians, crop_geometry(source.cpu().numpy(), pixels), TRAINING_CUTOFF_SIGMA) for source in sources
    ]
    return (torch.stack(splats) - images).abs().mean() / PROJECTION_UNIT
