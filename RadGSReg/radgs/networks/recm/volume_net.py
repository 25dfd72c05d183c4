"""A small 3D U-Net from lifted features to the contents of every voxel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from radgs.networks.layers import ResidualBlock, convolution, doubled, normalization

if TYPE_CHECKING:
    from jaxtyping import Float


class VolumeNet(nn.Module):
    """A residual 3D U-Net of three resolutions; most of its work is done at half resolution, where it costs an eighth.

    Args:
        inputs: Channels of the lifted features.
        widths: Channels at full, half and quarter resolution.
    """

    def __init__(self, inputs: int, widths: tuple[int, int, int]) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.enter = nn.Sequential(convolution(3, inputs, fine, 1, bias=True), nn.SiLU())
        self.middle_down = ResidualBlock(3, fine, middle, 2)
        self.coarse = nn.Sequential(ResidualBlock(3, middle, coarse, 2), ResidualBlock(3, coarse, coarse))
        self.to_middle = convolution(3, coarse, middle, 1)
        self.middle_up = ResidualBlock(3, middle, middle)
        self.to_fine = convolution(3, middle, fine, 1)
        self.fine_up = nn.Sequential(convolution(3, fine, fine), normalization(fine), nn.SiLU())

    def forward(
        self, lifted: Float[Tensor, "B C D H W"]
    ) -> tuple[Float[Tensor, "B c D H W"], Float[Tensor, "B m d h w"]]:
        """(B, inputs, D, H, W) to features at full resolution (B, fine, ...) and at half (B, middle, ...)."""
        fine = self.enter(lifted)
        middle = self.middle_down(fine)
        middle = self.middle_up(middle + doubled(self.to_middle(self.coarse(middle))))
        return self.fine_up(fine + doubled(self.to_fine(middle))), middle
