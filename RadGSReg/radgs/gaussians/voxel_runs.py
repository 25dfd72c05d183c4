"""Runs of voxels that Gaussians reach, as PyTorch works through them: the form that any device and precision has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor
from torch.nn import functional

from radgs.gaussians.runs import chord, chunks, enumerate_ranges, integer_range, longest_first, polynomials


@dataclass(frozen=True, eq=False)
class VoxelRuns:
    """Runs of voxels along i, longest first; along a run -q/2 is a polynomial in the offset di.

    Attributes:
        count: N, of the Gaussians.
        shape: (D, H, W) of the volume.
        cutoff_sigma: Where Gaussians end.
        gaussian: (R,) index of the Gaussian.
        start: (R,) index of the first voxel in the stored volume.
        length: (R,) voxels.
        stride: Voxels from one stored row to the next; more than a row, so that runs may leave the volume.
        offsets: (3, R) first voxel's index (i, j, k) minus the Gaussian's centre.
        exponent: (3, R) coefficients of -q/2, constant first.
    """

    count: int
    shape: tuple[int, int, int]
    cutoff_sigma: float
    gaussian: Tensor
    start: Tensor
    length: Tensor
    stride: int
    offsets: Tensor
    exponent: Tensor

    @classmethod
    def of(cls, centres: Tensor, precisions: Tensor, shape: tuple[int, int, int], cutoff_sigma: float) -> VoxelRuns:
        """The runs of all Gaussians, clipped to the volume on every side but the high end of i.

        Args:
            centres: (N, 3) in voxels along i, j, k.
            precisions: (N, 3, 3) in voxels.
            shape: Voxels along k, j, i.
            cutoff_sigma: Where Gaussians end.
        """
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
        return cls(len(centres), shape, cutoff_sigma, gaussian, start, length, stride, table[:3], table[3:])

    def summed(self, densities: Tensor) -> Tensor:
        """(D, H, W) the sum of the Gaussians with densities (N,)."""
        slices, rows, columns = self.shape
        density = densities.index_select(0, self.gaussian)
        stored = densities.new_zeros(slices * rows * self.stride)
        for part, longest in chunks(self.length):
            steps = torch.arange(longest, device=stored.device)[:, None]
            values = self._profiles(part, steps).mul_(density[part])
            stored.index_add_(0, (self.start[part] + steps).view(-1), values.view(-1))
        return stored.view(slices, rows, self.stride)[:, :, :columns].contiguous()

    def moments(self, weights: Tensor) -> Tensor:
        """(N, 10) sums of w, w x and w x x^T (ii, ij, ik, jj, jk, kk), x from the centre, w the profile times weights.

        Args:
            weights: (D, H, W) of the voxels.
        """
        stored = functional.pad(weights, (0, self.stride - self.shape[2])).reshape(-1)
        moments = weights.new_zeros(self.count, 10)
        for part, longest in chunks(self.length):
            steps = torch.arange(longest, device=stored.device)[:, None]
            weighted = self._profiles(part, steps)
            weighted *= stored[self.start[part] + steps]
            moments.index_add_(0, self.gaussian[part], _moments(weighted, steps, self.offsets[:, part]))
        return moments

    def matrix(self) -> csr_matrix:
        """(N, D * H * W) the profiles at density one."""
        slices, rows, columns = self.shape
        parts: list[tuple[Tensor, Tensor, Tensor]] = []
        for part, longest in chunks(self.length):
            steps = torch.arange(longest, device=self.start.device)[:, None]
            values = self._profiles(part, steps)
            stored = self.start[part] + steps
            row, column = stored // self.stride, stored % self.stride
            inside = (values > 0) & (column < columns)
            member = self.gaussian[part].expand_as(values)
            parts.append((values[inside], member[inside], (row * columns + column)[inside]))
        size = (self.count, slices * rows * columns)
        if not parts:
            return csr_matrix(size, dtype=np.float32)
        entries, members, voxels = (torch.cat(column).cpu().numpy() for column in zip(*parts, strict=True))
        return csr_matrix((entries, (members.astype(np.int32), voxels.astype(np.int32))), shape=size)

    def _profiles(self, part: slice, steps: Tensor) -> Tensor:
        """(L, r) values exp(-q / 2) along some runs, zero beyond the cutoff."""
        di = self.offsets[0, part] + steps.to(self.offsets.dtype)
        exponent = polynomials(self.exponent[:, part], di)
        return torch.threshold_(exponent, -0.5 * self.cutoff_sigma**2, -torch.inf).exp_()


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


def _moments(weights: Tensor, steps: Tensor, offsets: Tensor) -> Tensor:
    """(r, 10) moments along runs of weights (L, r), x = (di, dj, dk)."""
    powers = steps.to(weights.dtype) ** torch.arange(3, device=steps.device)
    zeroth, first, second = powers.T @ weights
    di, dj, dk = offsets
    along = first + di * zeroth
    square = second + 2 * di * first + di**2 * zeroth
    columns = [zeroth, along, dj * zeroth, dk * zeroth, square, dj * along, dk * along]
    return torch.stack([*columns, dj**2 * zeroth, dj * dk * zeroth, dk**2 * zeroth], dim=1)
