"""Spatial attention, and the random attention it is compared with.

Counterfactual Attention Learning: Rao et al., ICCV 2021; for vertebrae in X-rays: RadGS-Reg, arXiv 2508.21154.

``MassAttention`` has a fixed mass: a softmax over space times the number of pixels, so that its mean is 1 in every map,
and what one place gains another loses. A gate of no fixed scale (``GateAttention``, of models before) can be turned up
everywhere and be undone by the weights behind it: its picture proves nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from radgs.networks.layers import Pointwise, convolution

if TYPE_CHECKING:
    from jaxtyping import Float

#: Kinds of attention by the name that a model file has for them.
AttentionKind = Literal["none", "gate", "mass"]
ATTENTION_KINDS: tuple[AttentionKind, ...] = get_args(AttentionKind)
#: Random attention varies over this many pixels of the feature map, as learned attention does.
RANDOM_CELL = 8
#: Channels that tell a pixel's place: right and down from the crop's centre.
PLACE = 2


class GateAttention(nn.Module):
    """How much every place of a feature map counts: a map in 0..2, 1 where it learned nothing yet."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = _score(channels, channels)

    def forward(self, features: Float[Tensor, "N C h w"]) -> Float[Tensor, "N 1 h w"]:
        """(N, C, h, w) features to their attention (N, 1, h, w)."""
        return 2.0 * torch.sigmoid(self.score(features))

    def random(
        self, like: Float[Tensor, "N 1 h w"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "N 1 h w"]:
        """A counterfactual map such as ``forward`` might give."""
        return random_attention(like, generator)


class MassAttention(nn.Module):
    """How much every place of a feature map counts: a map with a mean of 1, 1 everywhere where it learned nothing yet.

    Beside the features it sees where a pixel lies from the crop's centre: around there is the vertebra that is meant.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = _score(channels + PLACE, channels)

    def forward(self, features: Float[Tensor, "N C h w"]) -> Float[Tensor, "N 1 h w"]:
        """(N, C, h, w) features to their attention (N, 1, h, w)."""
        scores = self.score(torch.cat([features, _places(features)], dim=1))
        return (torch.softmax(scores.flatten(1), dim=1) * scores[0].numel()).view_as(scores)

    def random(
        self, like: Float[Tensor, "N 1 h w"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "N 1 h w"]:
        """A counterfactual map such as ``forward`` might give: of the same mass."""
        values = random_attention(like, generator)
        return values / values.mean(dim=(1, 2, 3), keepdim=True)


def make_attention(kind: AttentionKind, channels: int) -> GateAttention | MassAttention | None:
    """The attention of a kind over maps of so many channels; nothing for "none"."""
    if kind == "none":
        return None
    return GateAttention(channels) if kind == "gate" else MassAttention(channels)


def kind_of(attention: nn.Module | None) -> AttentionKind:
    """The name of an attention's kind."""
    return "none" if attention is None else "mass" if isinstance(attention, MassAttention) else "gate"


def random_attention(
    like: Float[Tensor, "N 1 h w"], generator: torch.Generator | None = None
) -> Float[Tensor, "N 1 h w"]:
    """A random map of the shape (N, 1, h, w) of a learned one: uniform in 0..2, cell by cell."""
    cells = [max(1, side // RANDOM_CELL) for side in like.shape[2:]]
    values = 2.0 * torch.rand((like.shape[0], 1, *cells), generator=generator, dtype=like.dtype, device=like.device)
    return functional.interpolate(values, size=like.shape[2:], mode="bilinear", align_corners=False)


def forked(maps: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """The same maps twice; what is learned through the second is limited where it reaches the first's source.

    Args:
        maps: Any tensor.
        share: The second gradient's norm is at most this share of the first's.
    """
    first, second = _Fork.apply(maps, share)
    return first, second


class _Fork(torch.autograd.Function):
    """Two copies whose gradients meet again, the second scaled down to a share of the first."""

    @staticmethod
    def forward(context: Any, maps: Tensor, share: float) -> tuple[Tensor, Tensor]:
        context.share = share
        context.set_materialize_grads(False)
        return maps.view_as(maps), maps.view_as(maps)

    @staticmethod
    def backward(context: Any, *gradients: Tensor | None) -> tuple[Tensor | None, None]:
        first, second = gradients
        if first is None or second is None:
            return first, None
        limit = context.share * first.norm() / second.norm().clamp_min(1e-30)
        return first + limit.clamp_max(1.0) * second, None


def _score(inputs: int, channels: int) -> nn.Sequential:
    """One number a pixel, zero before anything was learned."""
    last = Pointwise(channels, 1, bias=True)
    nn.init.zeros_(last.linear.weight)
    nn.init.zeros_(last.linear.bias)
    return nn.Sequential(convolution(2, inputs, channels), nn.SiLU(), last)


def _places(features: Tensor) -> Float[Tensor, "N 2 h w"]:
    """Where each pixel lies from the map's centre, -1 to 1 along columns and rows."""
    count, _, height, width = features.shape
    rows, columns = (
        (torch.arange(side, dtype=features.dtype, device=features.device) + 0.5) * (2.0 / side) - 1.0
        for side in (height, width)
    )
    down, right = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([right, down]).expand(count, -1, -1, -1)
