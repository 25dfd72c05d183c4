"""X-ray splatting within the cutoff by Triton kernels on a GPU: the sums that ``splat_windowed`` has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from radgs.gaussians.footprint import NEAREST_MM, Detectors, fixed_whitening, footprints, source_to_plane
from radgs.gaussians.model import RadiativeGaussians
from radgs.gaussians.runs import CHORD_MARGIN
from radgs.gaussians.splat_derivatives import accumulate_with_derivatives
from radgs.geometry import ViewGeometry
from radgs.kernels.fused import FusedForm, assert_near

if TYPE_CHECKING:
    from jaxtyping import Float

#: Gaussians of one program.
BLOCK = 128
#: Pixels along the squares that Gaussians are binned by, and along the tiles that add them up.
SIDE, TILE = 32, 16
#: Into how many sums the Gaussians of a tile are shared out: small images have few tiles.
SHARES = 8
#: How far sums may be from PyTorch's, relative to their norm: ``compare_with_pytorch`` says why.
TOLERANCE = 1e-5


def splat_fused(
    gaussians: RadiativeGaussians, detectors: Detectors, cutoff_sigma: float, depth_ratio: float | None = None
) -> Float[Tensor, "B C H W"]:
    """(B, C, H, W) sums per unit ray length: values, and with ``depth_ratio`` the four that derivatives are made of.

    Args:
        gaussians: In single precision.
        detectors: B poses of one view; on the CPU nothing waits for the GPU.
        cutoff_sigma: Where Gaussians end.
        depth_ratio: Where rays are held, as in ``splat_jacobian``; None: values alone (C = 1).

    Raises:
        ImportError: Triton is not installed.
    """
    from radgs.gaussians import splat_fused_kernels as kernels

    device, count, poses = gaussians.device, len(gaussians), len(detectors.sources)
    (rows, columns), channels = detectors.shape, 1 if depth_ratio is None else 5
    if count == 0:
        return torch.zeros(poses, channels, rows, columns, device=device)
    views = _views(detectors, cutoff_sigma).to(device)
    table = torch.empty(poses, count, 20, device=device)
    boxes = torch.empty(poses, 4, count, dtype=torch.int32, device=device)
    means, whitening = gaussians.means.to(torch.float64).contiguous(), fixed_whitening(gaussians, torch.float64)
    densities = gaussians.densities.contiguous()
    kernels.project[-(-count // BLOCK), poses](means, whitening, densities, views, table, boxes, count, BLOCK=BLOCK)
    across, down = -(-columns // SIDE), -(-rows // SIDE)
    members = torch.empty(poses, across * down, count, dtype=torch.int32, device=device)
    lengths = torch.empty(poses, across * down, dtype=torch.int32, device=device)
    kernels.bin_gaussians[across * down, poses](boxes, members, lengths, count, across, SIDE=SIDE, BLOCK=BLOCK)
    sums = torch.empty(SHARES, poses, channels, rows, columns, device=device)
    kernels.accumulate[-(-rows // TILE) * -(-columns // TILE), SHARES, poses](
        table,
        boxes,
        members,
        lengths,
        sums,
        count,
        rows,
        columns,
        across * down,
        across,
        float(depth_ratio or 0.0),
        float(cutoff_sigma) ** 2,
        DERIVATIVES=depth_ratio is not None,
        SIDE=SIDE,
        TILE=TILE,
        SHARES=SHARES,
    )
    return sums.sum(dim=0)


def _views(detectors: Detectors, cutoff_sigma: float) -> Tensor:
    """(B, 24) source, basis, its inverse, nearest share of the depth, squared cutoff, margin of boxes in pixels."""
    sources, bases = detectors.sources.cpu().double(), detectors.bases.cpu().double()
    nearest = NEAREST_MM / source_to_plane(Detectors(sources, bases, detectors.shape))
    rest = torch.stack(
        [nearest, torch.full_like(nearest, cutoff_sigma**2), torch.full_like(nearest, CHORD_MARGIN)], dim=1
    )
    return torch.cat([sources, bases.flatten(1), torch.linalg.inv(bases).flatten(1), rest], dim=1).contiguous()


def compare_with_pytorch(device: torch.device) -> None:
    """A small case in both forms: what a device is probed with.

    Both evaluate the same coefficients, made in double precision, about each Gaussian's own centre in single: sums
    differ by roundings, a few 1e-7 of an image's norm, and by pixels at the very cutoff, whose 4e-5 of a Gaussian's
    peak either form may count.

    Raises:
        ArithmeticError: They differ by more than that explains.
    """
    generator = torch.Generator().manual_seed(0)
    means, densities = 30.0 * torch.rand(24, 3, generator=generator) - 15.0, torch.rand(24, generator=generator)
    scales, turns = torch.rand(24, 3, generator=generator), torch.randn(24, 4, generator=generator)
    gaussians = RadiativeGaussians(means, scales, turns / turns.norm(dim=1, keepdim=True), densities - 0.3).to(device)
    geometry = ViewGeometry(np.array([20.0, -600.0, 10.0]), np.eye(4), (1, 1)).crop_geometry(np.zeros(3), 40.0, 24)
    still = torch.eye(3, dtype=torch.float64, device=device)[None]
    detectors = Detectors.of(geometry, still, still.new_zeros(1, 3))
    found = splat_fused(gaussians, detectors, 4.5, depth_ratio=0.8)[0]
    alone = splat_fused(gaussians, detectors, 4.5)[0]
    prints = footprints(gaussians, detectors, 4.5)
    expected = accumulate_with_derivatives(prints, geometry.shape, 4.5, still.new_tensor(0.8))
    for sums, wanted in zip((*found, *alone), (*expected, expected[0]), strict=True):
        assert_near(sums, wanted, TOLERANCE, "sums of Gaussians")


#: Whether and where ``splat_fused`` may be used.
FUSED = FusedForm("splats", compare_with_pytorch)
