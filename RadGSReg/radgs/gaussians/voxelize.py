"""Radiative Gaussians to voxels: their attenuation at the voxel centres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.sparse import csr_matrix
from torch import Tensor
from torch.nn import functional

from radgs.gaussians.footprint import setup_dtype
from radgs.gaussians.model import RadiativeGaussians
from radgs.gaussians.runs import chord, chunks, enumerate_ranges, integer_range, longest_first, polynomials
from radgs.threads import one_thread

if TYPE_CHECKING:
    from jaxtyping import Float


@one_thread()
def voxelize(
    gaussians: RadiativeGaussians,
    index_to_ras: ArrayLike | Tensor,
    shape: tuple[int, int, int],
    cutoff_sigma: float = 4.5,
) -> Float[Tensor, "D H W"]:
    """Attenuation at every voxel centre; differentiable (once) in every parameter of the Gaussians.

    Args:
        gaussians: In the volume's RAS.
        index_to_ras: (4, 4) homogeneous map from (i, j, k, 1) to RAS mm: any affine grid, sheared and anisotropic too.
        shape: Voxels along k, j, i.
        cutoff_sigma: Gaussians end where (x - mean)^T P (x - mean) > cutoff^2.

    Returns:
        (D, H, W) attenuation, 1/mm, indexed [k, j, i].
    """
    centres, precisions = _in_index_units(gaussians, index_to_ras)
    return _Voxelize.apply(centres, precisions, gaussians.densities, tuple(shape), cutoff_sigma)


@torch.no_grad()
@one_thread()
def profile_matrix(
    gaussians: RadiativeGaussians,
    index_to_ras: ArrayLike | Tensor,
    shape: tuple[int, int, int],
    cutoff_sigma: float = 4.5,
) -> csr_matrix:
    """Every Gaussian at density one as a row of voxels: the matrix of ``voxelize``, which is linear in the densities.

    Args:
        gaussians: N Gaussians in the volume's RAS; densities do not matter.
        index_to_ras: As in ``voxelize``.
        shape: As in ``voxelize``.
        cutoff_sigma: As in ``voxelize``.

    Returns:
        (N, D * H * W) sparse matrix, dimensionless.
    """
    runs = VoxelRuns.of(*_in_index_units(gaussians, index_to_ras), shape, cutoff_sigma)
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    for part, longest in chunks(runs.length):
        steps = torch.arange(longest, device=runs.start.device)[:, None]
        values = run_profiles(runs, part, steps, cutoff_sigma)
        stored = runs.start[part] + steps
        row, column = stored // runs.stride, stored % runs.stride
        inside = (values > 0) & (column < shape[2])
        member = runs.gaussian[part].expand_as(values)
        parts.append((values[inside], member[inside], (row * shape[2] + column)[inside]))
    size = (len(gaussians), shape[0] * shape[1] * shape[2])
    if not parts:
        return csr_matrix(size, dtype=np.float32)
    entries, members, voxels = (torch.cat(column).cpu().numpy() for column in zip(*parts, strict=True))
    return csr_matrix((entries, (members.astype(np.int32), voxels.astype(np.int32))), shape=size)


def _in_index_units(gaussians: RadiativeGaussians, index_to_ras: ArrayLike | Tensor) -> tuple[Tensor, Tensor]:
    """Centres (N, 3) and precisions (N, 3, 3) measured in voxels along i, j, k."""
    exact = setup_dtype(gaussians.device)
    affine = torch.as_tensor(index_to_ras, dtype=exact, device=gaussians.device)
    steps, origin = affine[:3, :3], affine[:3, 3]
    precise = gaussians.to(dtype=exact)
    centres = (precise.means - origin) @ torch.linalg.inv(steps).transpose(0, 1)
    whitening = precise.whitening() @ steps
    return centres.to(gaussians.dtype), (whitening.transpose(1, 2) @ whitening).to(gaussians.dtype)


@dataclass(frozen=True, eq=False)
class VoxelRuns:
    """Runs of voxels along i, longest first; along a run -q/2 is a polynomial in the offset di.

    Attributes:
        gaussian: (R,) index of the Gaussian.
        start: (R,) index of the first voxel in the stored volume.
        length: (R,) voxels.
        stride: Voxels from one stored row to the next; more than a row, so that runs may leave the volume.
        offsets: (3, R) first voxel's index (i, j, k) minus the Gaussian's centre.
        exponent: (3, R) coefficients of -q/2, constant first.
    """

    gaussian: Tensor
    start: Tensor
    length: Tensor
    stride: int
    offsets: Tensor
    exponent: Tensor

    @classmethod
    def of(cls, centres: Tensor, precisions: Tensor, shape: tuple[int, int, int], cutoff_sigma: float) -> VoxelRuns:
        """The runs of all Gaussians, clipped to the volume on every side but the high end of i."""
        slices, rows, columns = shape
        gaussian, k = _slices_reached(centres, precisions, slices, cutoff_sigma)
        dk = k - centres[:, 2].index_select(0, gaussian)
        parent, j = _rows_reached(centres, precisions, gaussian, dk, rows, cutoff_sigma)
        gaussian, k, dk = (values.index_select(0, parent) for values in (gaussian, k, dk))
        centre = centres.index_select(0, gaussian)
        p = precisions.view(-1, 9).index_select(0, gaussian)
        dj = j - centre[:, 1]
        q1 = p[:, 1] * dj + p[:, 2] * dk
        q0 = p[:, 4] * dj**2 + 2 * p[:, 5] * dj * dk + p[:, 8] * dk**2
        low, high = chord(q0 - cutoff_sigma**2, q1, p[:, 0])
        first, stop = integer_range(centre[:, 0] + low, centre[:, 0] + high, columns)
        length, order = longest_first(stop - first)
        stride = columns + (int(length[0]) if len(length) else 0)
        start = (k * rows + j) * stride + first
        table = torch.stack([first - centre[:, 0], dj, dk, -q0 / 2, -q1, -p[:, 0] / 2]).index_select(1, order)
        gaussian, start = gaussian.index_select(0, order), start.index_select(0, order)
        return cls(gaussian, start, length, stride, table[:3], table[3:])


def _slices_reached(centres: Tensor, precisions: Tensor, slices: int, cutoff_sigma: float) -> tuple[Tensor, Tensor]:
    """Pairs (R,) of Gaussian and slice index k."""
    extent = cutoff_sigma * torch.linalg.inv(precisions)[:, 2, 2].sqrt()
    return enumerate_ranges(*integer_range(centres[:, 2] - extent, centres[:, 2] + extent, slices))


def _rows_reached(
    centres: Tensor, precisions: Tensor, gaussian: Tensor, dk: Tensor, rows: int, cutoff_sigma: float
) -> tuple[Tensor, Tensor]:
    """Pairs (R',) of slice pair and row index j: where the exponent's minimum along i is within the cutoff."""
    p = precisions
    jj = p[:, 1, 1] - p[:, 0, 1] ** 2 / p[:, 0, 0]
    jk = p[:, 1, 2] - p[:, 0, 1] * p[:, 0, 2] / p[:, 0, 0]
    kk = p[:, 2, 2] - p[:, 0, 2] ** 2 / p[:, 0, 0]
    jj, jk, kk, centre = torch.stack([jj, jk, kk, centres[:, 1]], dim=1).index_select(0, gaussian).unbind(1)
    low, high = chord(kk * dk**2 - cutoff_sigma**2, jk * dk, jj)
    return enumerate_ranges(*integer_range(centre + low, centre + high, rows))


class _Voxelize(torch.autograd.Function):
    """Sum over runs; the backward pass reduces every run to its moments instead of keeping what autograd would."""

    @staticmethod
    def forward(
        ctx: Any,
        centres: Tensor,
        precisions: Tensor,
        densities: Tensor,
        shape: tuple[int, int, int],
        cutoff_sigma: float,
    ) -> Tensor:
        runs = VoxelRuns.of(centres, precisions, shape, cutoff_sigma)
        density = densities.index_select(0, runs.gaussian)
        stored = densities.new_zeros(shape[0] * shape[1] * runs.stride)
        for part, longest in chunks(runs.length):
            steps = torch.arange(longest, device=stored.device)[:, None]
            values = run_profiles(runs, part, steps, cutoff_sigma).mul_(density[part])
            stored.index_add_(0, (runs.start[part] + steps).view(-1), values.view(-1))
        ctx.save_for_backward(precisions, densities)
        ctx.runs, ctx.cutoff_sigma, ctx.shape = runs, cutoff_sigma, shape
        return stored.view(shape[0], shape[1], runs.stride)[:, :, : shape[2]].contiguous()

    @staticmethod
    @one_thread()
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        precisions, densities = ctx.saved_tensors
        runs: VoxelRuns = ctx.runs
        stored = functional.pad(gradients[0], (0, runs.stride - ctx.shape[2])).reshape(-1)
        moments = densities.new_zeros(len(densities), 10)
        for part, longest in chunks(runs.length):
            steps = torch.arange(longest, device=stored.device)[:, None]
            weights = run_profiles(runs, part, steps, ctx.cutoff_sigma)
            weights *= stored[runs.start[part] + steps]
            moments.index_add_(0, runs.gaussian[part], _moments(weights, steps, runs.offsets[:, part]))
        weighted = densities[:, None] * moments
        second = weighted[:, [4, 5, 6, 5, 7, 8, 6, 8, 9]].view(-1, 3, 3)
        centres_gradient = (precisions @ weighted[:, 1:4, None]).squeeze(-1)
        return centres_gradient, -0.5 * second, moments[:, 0], None, None


def run_profiles(runs: VoxelRuns, part: slice, steps: Tensor, cutoff_sigma: float) -> Tensor:
    """(L, r) values exp(-q / 2) along some runs, zero beyond the cutoff."""
    di = runs.offsets[0, part] + steps.to(runs.offsets.dtype)
    exponent = polynomials(runs.exponent[:, part], di)
    return torch.threshold_(exponent, -0.5 * cutoff_sigma**2, -torch.inf).exp_()


def _moments(weights: Tensor, steps: Tensor, offsets: Tensor) -> Tensor:
    """(r, 10) sums of w, w x and w x x^T (ii, ij, ik, jj, jk, kk) along runs, x = (di, dj, dk)."""
    powers = steps.to(weights.dtype) ** torch.arange(3, device=steps.device)
    zeroth, first, second = powers.T @ weights
    di, dj, dk = offsets
    along = first + di * zeroth
    square = second + 2 * di * first + di**2 * zeroth
    columns = [zeroth, along, dj * zeroth, dk * zeroth, square, dj * along, dk * along]
    return torch.stack([*columns, dj**2 * zeroth, dj * dk * zeroth, dk**2 * zeroth], dim=1)
