"""Voxelization by Triton kernels on a GPU: the sums and moments that ``VoxelRuns`` has, without its runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from radgs.gaussians.voxel_runs import VoxelRuns
from radgs.kernels.fused import FusedForm, assert_near

#: Voxels along the cubes that Gaussians are listed by, and Gaussians (or voxels) that a program takes at once.
SIDE, BLOCK = 8, 128
#: Numbers in the lists of Gaussians that exist at a time, at most (128 MB): a large volume is made layer by layer.
LISTED = 32 * 2**20
#: How far results may be from PyTorch's, relative to their norm: ``compare_with_pytorch`` says why.
TOLERANCE = 1e-5


@dataclass(frozen=True, eq=False)
class FusedVoxels:
    """Gaussians and the voxels that they reach.

    Attributes:
        centres: (N, 3) in voxels along i, j, k, single precision.
        precisions: (N, 3, 3) likewise.
        shape: (D, H, W) of the volume.
        variance: The squared cutoff.
        boxes: (6, N) first and last voxel along i, j and k.
    """

    centres: Tensor
    precisions: Tensor
    shape: tuple[int, int, int]
    variance: float
    boxes: Tensor

    @classmethod
    def of(cls, centres: Tensor, precisions: Tensor, shape: tuple[int, int, int], cutoff_sigma: float) -> FusedVoxels:
        """As ``VoxelRuns.of``, in single precision.

        Raises:
            ImportError: Triton is not installed.
        """
        from radgs.gaussians import voxel_fused_kernels as kernels

        centres, precisions = centres.detach().contiguous(), precisions.detach().contiguous()
        count, (slices, rows, columns) = len(centres), shape
        boxes = torch.empty(6, count, dtype=torch.int32, device=centres.device)
        variance = float(cutoff_sigma) ** 2
        if count:
            blocks = math.ceil(count / BLOCK)
            kernels.find_boxes[(blocks,)](
                centres, precisions, boxes, count, columns, rows, slices, variance, BLOCK=BLOCK
            )
        return cls(centres, precisions, shape, variance, boxes)

    def summed(self, densities: Tensor) -> Tensor:
        """(D, H, W) the sum of the Gaussians with densities (N,)."""
        from radgs.gaussians import voxel_fused_kernels as kernels

        count, (slices, rows, columns) = len(self.centres), self.shape
        volume = densities.new_zeros(self.shape)
        if count == 0 or volume.numel() == 0:
            return volume
        densities = densities.detach().contiguous()
        across, down, deep = (math.ceil(size / SIDE) for size in (columns, rows, slices))
        layers = max(1, min(deep, LISTED // (across * down * count)))
        members = torch.empty(layers * across * down, count, dtype=torch.int32, device=volume.device)
        lengths = torch.empty(layers * across * down, dtype=torch.int32, device=volume.device)
        for layer in range(0, deep, layers):
            cubes = (min(layers, deep - layer) * across * down,)
            kernels.list_gaussians[cubes](
                self.boxes, members, lengths, count, across, down, layer, SIDE=SIDE, BLOCK=BLOCK
            )
            kernels.add_profiles[cubes](
                self.centres,
                self.precisions,
                densities,
                members,
                lengths,
                volume,
                count,
                columns,
                rows,
                slices,
                across,
                down,
                layer,
                self.variance,
                SIDE=SIDE,
            )
        return volume

    def moments(self, weights: Tensor) -> Tensor:
        """(N, 10) as ``VoxelRuns.moments`` returns them for weights (D, H, W)."""
        from radgs.gaussians import voxel_fused_kernels as kernels

        count, (_, rows, columns) = len(self.centres), self.shape
        moments = weights.new_zeros(count, 10)
        if count:
            kernels.sum_moments[(count,)](
                self.centres,
                self.precisions,
                self.boxes,
                weights.detach().contiguous(),
                moments,
                count,
                columns,
                rows,
                self.variance,
                BLOCK=BLOCK,
            )
        return moments


def compare_with_pytorch(device: torch.device) -> None:
    """A small case in both forms: what a device is probed with.

    Both evaluate the same quadratics in single precision: PyTorch's form along a run from its first voxel, the kernels
    at every voxel about the Gaussian's centre. Sums differ by roundings, a few 1e-7 of their norm, and by voxels at the
    very cutoff, whose 4e-5 of a Gaussian's peak either form may count.

    Raises:
        ArithmeticError: They differ by more than that explains.
    """
    generator = torch.Generator().manual_seed(0)
    centres = 26.0 * torch.rand(24, 3, generator=generator) - 3.0
    factors = torch.eye(3) + 0.3 * torch.randn(24, 3, 3, generator=generator)
    precisions = (factors @ factors.transpose(1, 2)).to(device)
    densities, weights = (
        torch.randn(24, generator=generator).to(device),
        torch.randn(18, 20, 19, generator=generator).to(device),
    )
    shape = (18, 20, 19)
    fused = FusedVoxels.of(centres.to(device), precisions, shape, 4.5)
    runs = VoxelRuns.of(centres.to(device), precisions, shape, 4.5)
    assert_near(fused.summed(densities), runs.summed(densities), TOLERANCE, "voxels")
    assert_near(fused.moments(weights), runs.moments(weights), TOLERANCE, "moments of voxels")


#: Whether and where ``FusedVoxels`` may be used.
FUSED = FusedForm("voxels", compare_with_pytorch)
