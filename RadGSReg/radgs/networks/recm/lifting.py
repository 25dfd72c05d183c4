"""Lifting: every voxel of the ROI takes the views' features at the pixels it projects to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from jaxtyping import Float


def lift(
    features: Float[Tensor, "B V C h w"],
    projections: Float[Tensor, "B V 3 4"],
    directions: Float[Tensor, "B V 3"],
    points: Float[Tensor, "D H W 3"],
    pixels: int,
) -> Float[Tensor, "B C2 D H W"]:
    """Features of V views gathered at points of the ROI.

    Views are summed twice, weighted by how lateral and by how frontal they are (the squares of their directions'
    components): two or more, in any order, from either side. Of an AP and a lateral view each thus keeps channels of
    its own. Outside a crop features are zero.

    Args:
        features: (B, V, C, h, w) maps over the crops.
        projections: (B, V, 3, 4) from the ROI frame to crop pixels.
        directions: (B, V, 3) unit directions of the views, in the ROI frame.
        points: (D, H, W, 3) in the ROI frame, mm.
        pixels: Pixels along the side of the crop.

    Returns:
        (B, 2 C, D, H, W) lifted features.
    """
    batch, views, channels = features.shape[:3]
    homogeneous = functional.pad(points.reshape(-1, 3), (0, 1), value=1.0)
    projected = torch.einsum("bvrc,pc->bvpr", projections, homogeneous)
    places = projected[..., :2] / projected[..., 2:]
    # grid_sample (align_corners=False) counts from -1 at the outer edge of the first pixel to 1 at that of the last.
    places = ((places + 0.5) * (2.0 / pixels) - 1.0).flatten(0, 1)[:, :, None]
    gathered = functional.grid_sample(features.flatten(0, 1), places, mode="bilinear", align_corners=False)
    weights = directions[:, :, :2].square().transpose(1, 2)
    lifted = torch.einsum("bwv,bvcp->bwcp", weights, gathered.reshape(batch, views, channels, -1))
    return lifted.reshape(batch, 2 * channels, *points.shape[:3])
