"""RecM: from two X-rays to radiative Gaussians; each voxel predicts which point of the vertebra it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from radgs.gaussians import RadiativeGaussians, voxelize
from radgs.geometry.roi import roi_grid, roi_index_to_ras
from radgs.networks.layers import Pointwise, doubled
from radgs.networks.recm.attention import AttentionKind, forked, make_attention
from radgs.networks.recm.config import RecMConfig
from radgs.networks.recm.encoder import make_encoder
from radgs.networks.recm.head import GaussianHead
from radgs.networks.recm.inputs import ViewBatch, prepared
from radgs.networks.recm.lifting import lift
from radgs.networks.recm.volume_net import VolumeNet

if TYPE_CHECKING:
    from jaxtyping import Float

#: Units in which coordinates enter and leave the network, mm.
POSITION_UNIT_MM, CANONICAL_UNIT_MM = 50.0, 15.0
#: Cutoff of the Gaussians when they are voxelized for RegM, standard deviations.
VOXELIZE_CUTOFF_SIGMA = 3.5
#: How much the counterfactual loss may pull on the encoder, as a share of all other losses.
BESIDE = 0.1


@dataclass(frozen=True, eq=False)
class Prediction:
    """What RecM says of B pairs.

    Attributes:
        logits: (B, D, H, W) occupancy of the vertebra, on the lifted grid.
        canonical: (B, 3, D, H, W) the point of the vertebra's anatomical frame that a voxel shows, mm.
        features: (B, C, D, H, W) from which the Gaussians are read.
        view_features: (B, V, C, h, w) the encoder's maps, for losses beside the others: what is learned through them
            reaches the encoder with at most ``BESIDE`` of the norm of all else.
        attention: (B, V, 1, h, w) how much each place of them counted, about 1 in the mean; None without attention.
    """

    logits: Float[Tensor, "B D H W"]
    canonical: Float[Tensor, "B 3 D H W"]
    features: Float[Tensor, "B C D H W"]
    view_features: Float[Tensor, "B V C h w"]
    attention: Float[Tensor, "B V 1 h w"] | None


class RecM(nn.Module):
    """Encoder, attention, lifting, 3D network and heads.

    Args:
        config: Sizes.
        attention: Its kind; "none" leaves it out (for the ablation), "gate" is that of older models.
    """

    points: Tensor

    def __init__(self, config: RecMConfig, *, attention: AttentionKind = "mass") -> None:
        super().__init__()
        self.config = config
        fine, middle, _ = config.volume_channels
        self.encoder = make_encoder(config)
        self.attention = make_attention(attention, config.feature_channels)
        self.volume_net = VolumeNet(2 * config.feature_channels + 3, config.volume_channels)
        self.dense_head = Pointwise(fine, 4, bias=True)
        self.coarse_canonical = Pointwise(middle, 3, bias=True)
        self.gaussian_head = GaussianHead(fine, config)
        nn.init.constant_(self.dense_head.linear.bias[:1], -2.0)
        grid = roi_grid(config.lifted_voxels)
        k, j, i = torch.meshgrid(*(torch.arange(n) for n in grid.array.shape), indexing="ij")
        points = torch.from_numpy(grid.to_ras(torch.stack([i, j, k], dim=-1).numpy())).float()
        self.register_buffer("points", points, persistent=False)

    def forward(self, batch: ViewBatch) -> Prediction:
        """The factual pass: features under learned attention."""
        maps, beside = forked(self.encoder(prepared(batch), batch.directions.flatten(0, 1)), BESIDE)
        attention = None if self.attention is None else self.attention(maps)
        views = batch.images.shape[:2]
        shaped = None if attention is None else attention.unflatten(0, views)
        logits, canonical, features = self._voxels(batch, maps.unflatten(0, views), shaped)
        return Prediction(logits, canonical, features, beside.unflatten(0, views), shaped)

    def under(self, batch: ViewBatch, attention: Float[Tensor, "B V 1 h w"]) -> Prediction:
        """The pass under an attention (B, V, 1, h, w) that is given."""
        views = batch.images.shape[:2]
        maps = self.encoder(prepared(batch), batch.directions.flatten(0, 1)).unflatten(0, views)
        return Prediction(*self._voxels(batch, maps, attention), maps, attention)

    @torch.no_grad()
    def counterfactual_logits(
        self, batch: ViewBatch, view_features: Float[Tensor, "B V C h w"], attention: Float[Tensor, "B V 1 h w"]
    ) -> Float[Tensor, "B D H W"]:
        """(B, D, H, W) occupancy under another attention (B, V, 1, h, w); nothing is learnt from this pass."""
        return self._voxels(batch, view_features, attention)[0]

    def gaussians(self, prediction: Prediction, index: int = 0) -> RadiativeGaussians:
        """One pair's Gaussians, in the ROI frame."""
        return self.gaussian_head(prediction.logits[index], prediction.features[index], self.points)

    def voxelized(self, gaussians: RadiativeGaussians) -> Float[Tensor, "D H W"]:
        """(D, H, W) attenuation of Gaussians on the configuration's ROI grid, 1/mm; differentiable."""
        voxels = self.config.voxels
        return voxelize(gaussians, roi_index_to_ras(voxels), (voxels, voxels, voxels), VOXELIZE_CUTOFF_SIGMA)

    def _voxels(self, batch: ViewBatch, maps: Tensor, attention: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        attended = maps if attention is None else maps * attention
        lifted = lift(attended, batch.projections, batch.directions, self.points, batch.images.shape[-1])
        places = (self.points / POSITION_UNIT_MM).permute(3, 0, 1, 2).expand(len(batch), -1, -1, -1, -1)
        features, middle = self.volume_net(torch.cat([lifted, places], dim=1))
        dense = self.dense_head(features)
        # Patients lie about straight: a voxel's own position is a fair first guess of the point it shows.
        displacement = (dense[:, 1:] + doubled(self.coarse_canonical(middle))) * CANONICAL_UNIT_MM
        return dense[:, 0], displacement + self.points.permute(3, 0, 1, 2), features
