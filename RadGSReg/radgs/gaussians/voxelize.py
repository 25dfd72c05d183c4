"""Radiative Gaussians to voxels: their attenuation at the voxel centres."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from numpy.typing import ArrayLike
from scipy.sparse import csr_matrix
from torch import Tensor

from radgs.gaussians.footprint import setup_dtype
from radgs.gaussians.model import RadiativeGaussians
from radgs.gaussians.voxel_fused import FUSED, FusedVoxels
from radgs.gaussians.voxel_runs import VoxelRuns
from radgs.gaussians.voxel_runs_compiled import CompiledVoxelRuns
from radgs.threads import one_thread

if TYPE_CHECKING:
    from jaxtyping import Float

Result = TypeVar("Result")


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
    return _runs(*_in_index_units(gaussians, index_to_ras), shape, cutoff_sigma).matrix()


def _in_index_units(gaussians: RadiativeGaussians, index_to_ras: ArrayLike | Tensor) -> tuple[Tensor, Tensor]:
    """Centres (N, 3) and precisions (N, 3, 3) measured in voxels along i, j, k."""
    exact = setup_dtype(gaussians.device)
    affine = torch.as_tensor(index_to_ras, dtype=exact, device=gaussians.device)
    steps, origin = affine[:3, :3], affine[:3, 3]
    precise = gaussians.to(dtype=exact)
    centres = (precise.means - origin) @ torch.linalg.inv(steps).transpose(0, 1)
    whitening = precise.whitening() @ steps
    return centres.to(gaussians.dtype), (whitening.transpose(1, 2) @ whitening).to(gaussians.dtype)


def _runs(
    centres: Tensor, precisions: Tensor, shape: tuple[int, int, int], cutoff_sigma: float
) -> VoxelRuns | CompiledVoxelRuns:
    """By compiled kernels where there are some for these Gaussians, else by PyTorch."""
    compiled = CompiledVoxelRuns.of(centres, precisions, shape, cutoff_sigma)
    return VoxelRuns.of(centres, precisions, shape, cutoff_sigma) if compiled is None else compiled


class _Reached:
    """The voxels that Gaussians reach: by fused kernels on a GPU, elsewhere and where those fail by runs of voxels."""

    def __init__(self, centres: Tensor, precisions: Tensor, shape: tuple[int, int, int], cutoff_sigma: float) -> None:
        self._gaussians = centres.detach(), precisions.detach(), shape, cutoff_sigma
        self._fused = self._attempt(partial(FusedVoxels.of, *self._gaussians))

    def summed(self, densities: Tensor) -> Tensor:
        """(D, H, W) the sum of the Gaussians with densities (N,)."""
        volume = None if self._fused is None else self._attempt(partial(self._fused.summed, densities))
        return self._by_runs.summed(densities) if volume is None else volume

    def moments(self, weights: Tensor) -> Tensor:
        """(N, 10) as ``VoxelRuns.moments`` returns them for weights (D, H, W)."""
        moments = None if self._fused is None else self._attempt(partial(self._fused.moments, weights))
        return self._by_runs.moments(weights) if moments is None else moments

    @cached_property
    def _by_runs(self) -> VoxelRuns | CompiledVoxelRuns:
        return _runs(*self._gaussians)

    def _attempt(self, call: Callable[[], Result]) -> Result | None:
        centres = self._gaussians[0]
        return FUSED.attempt(centres.device, call) if centres.dtype == torch.float32 else None


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
        ctx.save_for_backward(precisions, densities)
        ctx.reached = _Reached(centres, precisions, shape, cutoff_sigma)
        volume: Tensor = ctx.reached.summed(densities)
        return volume

    @staticmethod
    @one_thread()
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        precisions, densities = ctx.saved_tensors
        moments = ctx.reached.moments(gradients[0])
        weighted = densities[:, None] * moments
        second = weighted[:, [4, 5, 6, 5, 7, 8, 6, 8, 9]].view(-1, 3, 3)
        centres_gradient = (precisions @ weighted[:, 1:4, None]).squeeze(-1)
        return centres_gradient, -0.5 * second, moments[:, 0], None, None
