"""From a crop to a feature map at half its resolution, one encoder for every view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from radgs.networks.layers import ResidualBlock, convolution, doubled, normalization
from radgs.networks.recm.config import RecMConfig
from radgs.networks.recm.inputs import CHANNELS

if TYPE_CHECKING:
    from jaxtyping import Float

#: A view's direction conditions the features: an AP and a lateral view of one vertebra look nothing alike.
DIRECTION = 3


def make_encoder(config: RecMConfig) -> nn.Module:
    """The encoder a configuration asks for; both map ((N, 3, P, P), (N, 3)) to (N, feature_channels, P / 2, P / 2)."""
    kinds = {"residual-unet": ResidualUNet, "resnet50": ResNet50}
    return kinds[config.encoder](config.feature_channels)


class ResidualUNet(nn.Module):
    """A small residual U-Net: 1.6 million weights, made for a CPU."""

    def __init__(self, outputs: int, width: int = 24) -> None:
        super().__init__()
        self.stem = nn.Sequential(convolution(2, CHANNELS, width, 5, 2), normalization(width), nn.SiLU())
        widths = (width, 2 * width, 4 * width, 4 * width)
        strides = (1, 2, 2, 2)
        self.down = nn.ModuleList(
            ResidualBlock(2, before, after, stride, DIRECTION)
            for before, after, stride in zip((width, *widths), widths, strides, strict=False)
        )
        self.up = nn.ModuleList(
            convolution(2, below, here, 1) for below, here in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.last = ResidualBlock(2, width, outputs, 1, DIRECTION)

    def forward(self, channels: Float[Tensor, "N 3 P P"], directions: Float[Tensor, "N 3"]) -> Float[Tensor, "N C h w"]:
        """Features of N views."""
        features = self.stem(channels)
        levels = []
        for block in self.down:
            features = block(features, directions)
            levels.append(features)
        for lateral, skipped in zip(self.up, levels[-2::-1], strict=True):
            features = skipped + doubled(lateral(features))
        return torch.as_tensor(self.last(features, directions))


class ResNet50(nn.Module):
    """ResNet-50 from random weights (He et al., CVPR 2016), with a top-down path to half resolution.

    The path is that of feature pyramids (Lin et al., CVPR 2017). Needs ``monai`` (extra ``paper``).
    """

    def __init__(self, outputs: int, width: int = 128) -> None:
        super().__init__()
        from monai.networks.nets.resnet import resnet50

        trunk: Any = resnet50(spatial_dims=2, n_input_channels=CHANNELS, feed_forward=False)
        self.stem = nn.Sequential(trunk.conv1, trunk.bn1, nn.ReLU(inplace=True))
        self.pool = trunk.maxpool
        self.layers = nn.ModuleList([trunk.layer1, trunk.layer2, trunk.layer3, trunk.layer4])
        self.lateral = nn.ModuleList(convolution(2, channels, width, 1) for channels in (64, 256, 512, 1024, 2048))
        self.last = ResidualBlock(2, width, outputs, 1, DIRECTION)

    def forward(self, channels: Float[Tensor, "N 3 P P"], directions: Float[Tensor, "N 3"]) -> Float[Tensor, "N C h w"]:
        """Features of N views."""
        features = self.stem(channels)
        levels = [features]
        features = self.pool(features)
        for layer in self.layers:
            features = layer(features)
            levels.append(features)
        laterals = [lateral(level) for lateral, level in zip(self.lateral, levels, strict=True)]
        merged = laterals[-1]
        for finer in laterals[-2::-1]:
            merged = finer + functional.interpolate(merged, size=finer.shape[2:], mode="bilinear", align_corners=False)
        return torch.as_tensor(self.last(merged, directions))
