"""RegM: a 3D encoder that compares a reconstruction with the CT's vertebra and predicts how to move the CT."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from radgs.drr import WATER
from radgs.networks.layers import ResidualBlock, convolution, normalization
from radgs.rotations import vectors_to_matrices

if TYPE_CHECKING:
    from jaxtyping import Float

#: Units of the pose head's outputs: about one degree of rotation moves the surface by half a millimetre.
ROTATION_UNIT_RAD, TRANSLATION_UNIT_MM = 0.1, 4.0
#: Voxels along a side at which the encoder ends and the pose is read.
FINAL_VOXELS = 4


class RegM(nn.Module):
    """Six degrees of freedom from two volumes of one grid.

    Args:
        voxels: Along the side of the volumes; a power of two times ``FINAL_VOXELS``.
        widths: Channels after every halving, the last repeated as often as it takes.
    """

    def __init__(self, voxels: int = 64, widths: tuple[int, ...] = (24, 48, 64)) -> None:
        super().__init__()
        self.voxels = voxels
        halvings = int(math.log2(voxels // FINAL_VOXELS))
        if FINAL_VOXELS * 2**halvings != voxels:
            raise ValueError(f"RegM takes {FINAL_VOXELS} times a power of two voxels, not {voxels}.")
        channels = [*widths, *(widths[-1],) * halvings][: halvings - 1]
        # Eight voxels become eight channels: nothing is lost, and the first convolution costs an eighth.
        self.stem = nn.Sequential(convolution(3, 3 * 8, channels[0], 3, 2), normalization(channels[0]), nn.SiLU())
        self.blocks = nn.Sequential(*(ResidualBlock(3, before, after, 2) for before, after in pairwise(channels)))
        last = nn.Linear(128, 6)
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(channels[-1] * FINAL_VOXELS**3, 128), nn.SiLU(), last)
        nn.init.normal_(last.weight, std=1e-3)
        nn.init.zeros_(last.bias)

    def forward(
        self, reconstruction: Float[Tensor, "B N N N"], vertebra: Float[Tensor, "B N N N"]
    ) -> Float[Tensor, "B 6"]:
        """The motion that brings the CT's vertebra onto the reconstruction.

        Args:
            reconstruction: (B, N, N, N) attenuation, 1/mm.
            vertebra: (B, N, N, N) the CT vertebra's excess at its current pose, on the same grid, 1/mm.

        Returns:
            (B, 6) rotation vector in radians about the body's current centre, and translation in mm, along the
            volume's axes.
        """
        pair = torch.stack([reconstruction, vertebra, reconstruction - vertebra], dim=1) / WATER
        values = self.head(self.blocks(self.stem(_space_to_channels(pair))))
        return torch.cat([values[:, :3] * ROTATION_UNIT_RAD, values[:, 3:] * TRANSLATION_UNIT_MM], dim=1)


def moved(
    rotations: Float[Tensor, "B 3 3"], translations: Float[Tensor, "B 3"], motion: Float[Tensor, "B 6"]
) -> tuple[Float[Tensor, "B 3 3"], Float[Tensor, "B 3"]]:
    """Poses of the anatomical frame after RegM's motion: turned about its origin, the body's centre, then shifted.

    Args:
        rotations: (B, 3, 3) frame to ROI.
        translations: (B, 3), mm.
        motion: (B, 6) as RegM returns it.
    """
    turn = vectors_to_matrices(motion[:, :3])
    return turn @ rotations, translations + motion[:, 3:]


def _space_to_channels(volumes: Tensor) -> Tensor:
    """(B, C, D, H, W) to (B, 8 C, D / 2, H / 2, W / 2): two voxels along every axis become channels."""
    batch, channels, depth, height, width = volumes.shape
    split = volumes.view(batch, channels, depth // 2, 2, height // 2, 2, width // 2, 2)
    return split.permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(batch, 8 * channels, depth // 2, height // 2, width // 2)
