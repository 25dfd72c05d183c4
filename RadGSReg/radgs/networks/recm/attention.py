"""Spatial attention, and the random attention it is compared with.

Counterfactual Attention Learning: Rao et al., ICCV 2021; for vertebrae in X-rays: RadGS-Reg, arXiv 2508.21154.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from radgs.networks.layers import Pointwise, convolution

if TYPE_CHECKING:
    from jaxtyping import Float

#: Random attention varies over this many pixels of the feature map, as learned attention does.
RANDOM_CELL = 8


class SpatialAttention(nn.Module):
    """How much every place of a feature map counts: a map in 0..2, 1 where it learned nothing yet."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        last = Pointwise(channels, 1, bias=True)
        self.score = nn.Sequential(convolution(2, channels, channels), nn.SiLU(), last)
        nn.init.zeros_(last.linear.weight)
        nn.init.zeros_(last.linear.bias)

    def forward(self, features: Float[Tensor, "N C h w"]) -> Float[Tensor, "N 1 h w"]:
        """(N, C, h, w) features to their attention (N, 1, h, w)."""
        return 2.0 * torch.sigmoid(self.score(features))


def random_attention(
    like: Float[Tensor, "N 1 h w"], generator: torch.Generator | None = None
) -> Float[Tensor, "N 1 h w"]:
    """A counterfactual attention map of the shape (N, 1, h, w) of a learned one: uniform in 0..2, cell by cell."""
    cells = [max(1, side // RANDOM_CELL) for side in like.shape[2:]]
    values = 2.0 * torch.rand((like.shape[0], 1, *cells), generator=generator, dtype=like.dtype, device=like.device)
    return functional.interpolate(values, size=like.shape[2:], mode="bilinear", align_corners=False)
