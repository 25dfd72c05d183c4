"""The sizes of RecM: ``compact`` for a CPU, ``paper`` as in the method's description."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True)
class RecMConfig:
    """Sizes of a RecM.

    Attributes:
        name: "compact" or "paper".
        encoder: "residual-unet" or "resnet50".
        feature_channels: Channels of a view's feature map.
        lifted_voxels: Voxels along the side of the grid that features are lifted to.
        volume_channels: Channels of the 3D network at full, half and quarter resolution.
        anchors: The likeliest voxels of that grid carry Gaussians...
        gaussians_per_anchor: ...this many each.
        voxels: Voxels along the side of the reconstructed volume.
    """

    name: str
    encoder: Literal["residual-unet", "resnet50"]
    feature_channels: int
    lifted_voxels: int
    volume_channels: tuple[int, int, int]
    anchors: int
    gaussians_per_anchor: int
    voxels: int


COMPACT = RecMConfig(
    name="compact",
    encoder="residual-unet",
    feature_channels=24,
    lifted_voxels=32,
    volume_channels=(16, 32, 64),
    anchors=1536,
    gaussians_per_anchor=2,
    voxels=64,
)
PAPER = RecMConfig(
    name="paper",
    encoder="resnet50",
    feature_channels=64,
    lifted_voxels=64,
    volume_channels=(32, 64, 128),
    anchors=5000,
    gaussians_per_anchor=2,
    voxels=128,
)

CONFIGS = MappingProxyType({config.name: config for config in (COMPACT, PAPER)})
