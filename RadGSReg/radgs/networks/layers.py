"""Building blocks that RecM and RegM share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from jaxtyping import Float

#: Channels that one group of a group normalization holds.
GROUP_CHANNELS = 8


class Pointwise(nn.Module):
    """A 1 x 1 (x 1) convolution written as a matrix product, which is many times faster than PyTorch's on a CPU in 3D.

    Args:
        inputs, outputs: Channels.
        stride: Keep every so-manieth sample along each axis.
        bias: Add a constant to every channel.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1, bias: bool = False) -> None:
        super().__init__()
        self.stride = stride
        self.linear = nn.Linear(inputs, outputs, bias=bias)

    def forward(self, features: Float[Tensor, "B C ..."]) -> Float[Tensor, "B c ..."]:
        """(B, inputs, ...) to (B, outputs, ...)."""
        if self.stride > 1:
            features = features[(slice(None), slice(None), *(slice(None, None, self.stride),) * (features.dim() - 2))]
        product = torch.matmul(self.linear.weight, features.flatten(2))
        if self.linear.bias is not None:
            product = product + self.linear.bias[:, None]
        return product.unflatten(2, features.shape[2:])


class Convolution3d(nn.Conv3d):
    """A 3D convolution that stays fast for a batch of one on a CPU.

    There PyTorch (2.4 to 2.13) falls back to its slow algorithm, several times slower than two volumes at once; so a
    single volume is worked on as two overlapping halves.
    """

    def forward(self, volumes: Float[Tensor, "B C D H W"]) -> Float[Tensor, "B c d h w"]:
        """(B, inputs, D, H, W) to (B, outputs, ...)."""
        stride, reach, size = self.stride[0], int(self.padding[0]), self.kernel_size[0]
        outputs = (volumes.shape[2] + 2 * reach - size) // stride + 1
        if volumes.shape[0] > 1 or volumes.device.type != "cpu" or outputs % 2:
            return super().forward(volumes)
        padded = functional.pad(volumes, (reach,) * 6)
        length, step = (outputs // 2 - 1) * stride + size, outputs // 2 * stride
        halves = torch.cat([padded[:, :, :length], padded[:, :, step : step + length]])
        done = functional.conv3d(halves, self.weight, self.bias, self.stride)
        return torch.cat([done[:1], done[1:]], dim=2)


def convolution(
    dimensions: int, inputs: int, outputs: int, size: int = 3, stride: int = 1, bias: bool = False
) -> nn.Module:
    """A 2D or 3D convolution that keeps the size, divided by its stride."""
    if size == 1:
        return Pointwise(inputs, outputs, stride, bias)
    kind = {2: nn.Conv2d, 3: Convolution3d}[dimensions]
    return kind(inputs, outputs, size, stride, size // 2, bias=bias)


def put_channels_last(module: nn.Module) -> None:
    """Lays the weights of its convolutions out with the channels innermost: a CPU trains with them a tenth faster."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Conv3d):
            innermost = torch.channels_last if isinstance(part, nn.Conv2d) else torch.channels_last_3d
            part.weight.data = part.weight.data.contiguous(memory_format=innermost)


def normalization(channels: int) -> nn.GroupNorm:
    """Group normalization: it does not care how many samples a batch has."""
    return nn.GroupNorm(max(1, channels // GROUP_CHANNELS), channels)


class ResidualBlock(nn.Module):
    """Two convolutions with a way round them (He et al., CVPR 2016), with group normalization.

    Args:
        dimensions: 2 or 3.
        inputs, outputs: Channels.
        stride: Of the first convolution.
        conditions: Length of a vector that scales and shifts the channels (FiLM, Perez et al., AAAI 2018); 0: none.
    """

    def __init__(self, dimensions: int, inputs: int, outputs: int, stride: int = 1, conditions: int = 0) -> None:
        super().__init__()
        self.first = convolution(dimensions, inputs, outputs, 3, stride)
        self.first_norm = normalization(outputs)
        self.second = convolution(dimensions, outputs, outputs)
        self.second_norm = normalization(outputs)
        self.film = nn.Linear(conditions, 2 * outputs) if conditions else None
        same = inputs == outputs and stride == 1
        self.around = nn.Identity() if same else convolution(dimensions, inputs, outputs, 1, stride)

    def forward(
        self, features: Float[Tensor, "B C ..."], condition: Float[Tensor, "B K"] | None = None
    ) -> Float[Tensor, "B c ..."]:
        """(B, inputs, ...) to (B, outputs, ...); ``condition`` is (B, conditions)."""
        hidden = functional.silu(self.first_norm(self.first(features)))
        hidden = self.second_norm(self.second(hidden))
        if self.film is not None and condition is not None:
            scale, shift = self.film(condition).view(*hidden.shape[:1], -1, *(1,) * (hidden.dim() - 2)).chunk(2, dim=1)
            hidden = hidden * (1.0 + scale) + shift
        return functional.silu(hidden + self.around(features))


def doubled(features: Float[Tensor, "B C ..."]) -> Float[Tensor, "B C ..."]:
    """Features (B, C, ...) at twice the resolution, interpolated linearly."""
    mode = "bilinear" if features.dim() == 4 else "trilinear"
    return functional.interpolate(features, scale_factor=2, mode=mode, align_corners=False)
