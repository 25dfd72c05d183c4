"""Runs of voxels by compiled kernels: what ``VoxelRuns`` computes, single precision apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from radgs.gaussians.voxel_kernels import (
    GAUSSIAN,
    LENGTH,
    MOMENTS,
    PLACES,
    SHAPES,
    add_profiles,
    find_runs,
    list_profiles,
    sum_moments,
)

#: Room for runs at first; where it is not enough they are found again.
RUNS_PER_GAUSSIAN = 80


@dataclass(frozen=True, eq=False)
class CompiledVoxelRuns:
    """Runs of voxels along i, in the order of Gaussians and volume.

    Attributes:
        count: N, of the Gaussians.
        shape: (D, H, W) of the volume.
        places: (R, 3) and ...
        shapes: (R, 6) what ``find_runs`` made of them.
        add_profiles: The kernels of ``voxel_kernels``, compiled.
        sum_moments: Likewise.
        list_profiles: Likewise.
    """

    count: int
    shape: tuple[int, int, int]
    places: NDArray[np.int64]
    shapes: NDArray[np.float64]
    add_profiles: Callable[..., None]
    sum_moments: Callable[..., None]
    list_profiles: Callable[..., None]

    @classmethod
    def of(
        cls, centres: Tensor, precisions: Tensor, shape: tuple[int, int, int], cutoff_sigma: float
    ) -> CompiledVoxelRuns | None:
        """The runs of all Gaussians, or None where PyTorch is to find them; arguments as of ``VoxelRuns.of``."""
        if centres.device.type != "cpu" or centres.dtype != torch.float32:
            return None
        find, add, reduce, enlist = (one.compiled() for one in (find_runs, add_profiles, sum_moments, list_profiles))
        if find is None or add is None or reduce is None or enlist is None:
            return None
        room = RUNS_PER_GAUSSIAN * len(centres)
        gaussians = centres.detach().contiguous().numpy(), precisions.detach().contiguous().numpy()
        while True:
            places, shapes = np.empty((room, PLACES), dtype=np.int64), np.empty((room, SHAPES))
            needed = int(find(*gaussians, float(cutoff_sigma), *shape, places, shapes))
            if needed <= room:
                return cls(len(centres), shape, places[:needed], shapes[:needed], add, reduce, enlist)
            room = needed

    def summed(self, densities: Tensor) -> Tensor:
        """(D, H, W) the sum of the Gaussians with densities (N,)."""
        volume = np.zeros(self.shape, dtype=np.float32)
        self.add_profiles(self.places, self.shapes, densities.detach().contiguous().numpy(), volume.reshape(-1))
        return torch.from_numpy(volume)

    def moments(self, weights: Tensor) -> Tensor:
        """(N, 10) as ``VoxelRuns.moments`` returns them for weights (D, H, W)."""
        moments = np.zeros((self.count, MOMENTS))
        self.sum_moments(self.places, self.shapes, weights.detach().contiguous().numpy().reshape(-1), moments)
        return torch.from_numpy(moments).to(weights.dtype)

    def matrix(self) -> csr_matrix:
        """(N, D * H * W) the profiles at density one."""
        lengths = self.places[:, LENGTH]
        ends = np.cumsum(np.bincount(self.places[:, GAUSSIAN], lengths, self.count)).astype(np.int32)
        entries, voxels = np.empty(lengths.sum(), dtype=np.float32), np.empty(lengths.sum(), dtype=np.int32)
        self.list_profiles(self.places, self.shapes, entries, voxels)
        return csr_matrix((entries, voxels, np.concatenate([[0], ends])), shape=(self.count, int(np.prod(self.shape))))
