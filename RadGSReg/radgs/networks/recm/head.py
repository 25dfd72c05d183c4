"""From voxel features to radiative Gaussians with bounded offsets, scales and densities."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from radgs.gaussians import RadiativeGaussians
from radgs.geometry.roi import ROI_SIZE_MM
from radgs.networks.recm.config import RecMConfig

if TYPE_CHECKING:
    from jaxtyping import Float

#: Parameters of a Gaussian: offset 3, log-scale 3, quaternion 4, density 1.
PARAMETERS = 11
#: Standard deviations: this many voxels of the lifted grid, and up to this factor (natural logarithm) around it.
MIDDLE_SCALE_VOXELS, LOG_SCALE_REACH = 0.4, 0.7
#: A Gaussian's centre stays within this many voxels of its anchor, along each axis.
OFFSET_REACH_VOXELS = 0.9
#: The density that a softplus of one stands for, 1/mm.
DENSITY_UNIT = 0.012


class GaussianHead(nn.Module):
    """Places Gaussians at the likeliest voxels.

    Args:
        channels: Of the voxel features.
        config: How many Gaussians, on what grid.
    """

    def __init__(self, channels: int, config: RecMConfig) -> None:
        super().__init__()
        self.anchors, self.each = config.anchors, config.gaussians_per_anchor
        self.voxel_mm = ROI_SIZE_MM / config.lifted_voxels
        last = nn.Linear(64, self.each * PARAMETERS)
        self.layers = nn.Sequential(nn.Linear(channels, 64), nn.SiLU(), last)
        nn.init.normal_(last.weight, std=0.02)
        # The Gaussians of one anchor start apart, or they would learn the same.
        nn.init.normal_(last.bias, std=0.3)

    def forward(
        self, logits: Float[Tensor, "D H W"], features: Float[Tensor, "C D H W"], points: Float[Tensor, "D H W 3"]
    ) -> RadiativeGaussians:
        """The Gaussians of one reconstruction.

        Args:
            logits: (D, H, W) occupancy.
            features: (C, D, H, W).
            points: (D, H, W, 3) voxel centres, mm.

        Returns:
            N = anchors * gaussians_per_anchor Gaussians in the frame of ``points``; densities are not negative.
        """
        chosen = logits.detach().flatten().topk(self.anchors).indices
        values = self.layers(features.flatten(1)[:, chosen].T).view(-1, PARAMETERS)
        offsets, log_scales, quaternions, density = values.split((3, 3, 4, 1), dim=1)
        anchors = points.reshape(-1, 3)[chosen].repeat_interleave(self.each, dim=0)
        occupancy = torch.sigmoid(logits.flatten()[chosen]).repeat_interleave(self.each)
        upright = quaternions.new_tensor([1.0, 0.0, 0.0, 0.0])
        return RadiativeGaussians(
            means=anchors + torch.tanh(offsets) * (OFFSET_REACH_VOXELS * self.voxel_mm),
            log_scales=math.log(MIDDLE_SCALE_VOXELS * self.voxel_mm) + LOG_SCALE_REACH * torch.tanh(log_scales),
            quaternions=quaternions + upright,
            densities=occupancy * functional.softplus(density[:, 0]) * DENSITY_UNIT,
        )
