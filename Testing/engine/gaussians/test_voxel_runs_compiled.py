"""The compiled voxelization against PyTorch's, at the same cutoff."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from radgs import kernels
from radgs.gaussians import RadiativeGaussians, voxelize
from radgs.gaussians.voxel_runs import VoxelRuns
from radgs.gaussians.voxel_runs_compiled import CompiledVoxelRuns
from radgs.gaussians.voxelize import profile_matrix

pytest.importorskip("numba", reason="numba is not installed: pip install 'radgs[fast]'")

MakeGaussians = Callable[..., RadiativeGaussians]
SHAPE = (14, 17, 12)
#: Of the norm. Both take centres and precisions in single precision; the kernel goes on in double.
TOLERANCE = 5e-6


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(kernels.VARIABLE, "on")
    assert CompiledVoxelRuns.of(torch.zeros(1, 3), torch.eye(3)[None], (1, 1, 1), 1.0) is not None


@pytest.fixture
def grid() -> np.ndarray:
    """index_to_ras of an anisotropic, sheared and mirrored grid around the origin."""
    index_to_ras = np.eye(4)
    index_to_ras[:3, :3] = [[1.1, 0.3, 0.0], [0.0, -1.7, 0.2], [0.1, 0.0, 2.4]]
    index_to_ras[:3, 3] = -index_to_ras[:3, :3] @ (np.array(SHAPE[::-1]) - 1) / 2
    return index_to_ras


def by_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(kernels.VARIABLE, "off")


def apart(values: Tensor, reference: Tensor) -> float:
    return float((values - reference).norm() / reference.norm())


def voxels_and_gradients(gaussians: RadiativeGaussians, grid: np.ndarray, cutoff: float) -> tuple[Tensor, ...]:
    parameters = [tensor.clone().requires_grad_() for tensor in gaussians.tensors()]
    upstream = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))
    voxels = voxelize(RadiativeGaussians(*parameters), grid, SHAPE, cutoff)
    return voxels.detach(), *torch.autograd.grad((voxels * upstream).sum(), parameters)


@pytest.mark.parametrize("cutoff", [2.0, 4.5, 8.0])
@pytest.mark.parametrize(("sigma", "extent"), [(0.4, 15.0), (2.0, 15.0), (8.0, 60.0)])
def test_voxels_and_gradients_are_pytorchs(
    make_gaussians: MakeGaussians,
    grid: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
    cutoff: float,
    sigma: float,
    extent: float,
) -> None:
    """Smaller than a voxel, as large as the volume, and partly or wholly beside it."""
    gaussians = make_gaussians(200, sigma, extent, dtype=torch.float32)
    found = voxels_and_gradients(gaussians, grid, cutoff)
    by_pytorch(monkeypatch)
    for value, expected in zip(found, voxels_and_gradients(gaussians, grid, cutoff), strict=True):
        assert apart(value, expected) < TOLERANCE


def test_the_matrix_of_profiles_is_pytorchs(
    make_gaussians: MakeGaussians, grid: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    gaussians = make_gaussians(50, dtype=torch.float32)
    found = profile_matrix(gaussians, grid, SHAPE, 3.0)
    assert found.has_canonical_format
    by_pytorch(monkeypatch)
    expected = profile_matrix(gaussians, grid, SHAPE, 3.0)
    assert found.shape == expected.shape
    assert abs(found - expected).max() < 1e-5


def test_runs_that_do_not_fit_at_first_are_all_found(make_gaussians: MakeGaussians, grid: np.ndarray) -> None:
    centres, precisions = torch.full((2, 3), 6.0), 1e-4 * torch.eye(3).expand(2, 3, 3)
    found = CompiledVoxelRuns.of(centres, precisions, (60, 50, 12), 3.0)
    assert found is not None
    assert len(found.places) == 2 * 60 * 50
    assert torch.equal(found.summed(torch.ones(2)) > 0, torch.ones(60, 50, 12, dtype=torch.bool))


def test_other_precisions_and_devices_are_pytorchs() -> None:
    double = torch.zeros(1, 3, dtype=torch.float64), torch.eye(3, dtype=torch.float64)[None]
    assert CompiledVoxelRuns.of(*double, (2, 2, 2), 3.0) is None
    assert VoxelRuns.of(*double, (2, 2, 2), 3.0).summed(torch.ones(1, dtype=torch.float64))[0, 0, 0] == 1.0


def test_nothing_and_nowhere_make_an_empty_volume_and_no_crash(make_gaussians: MakeGaussians, grid: np.ndarray) -> None:
    gaussians = make_gaussians(dtype=torch.float32)
    nothing = RadiativeGaussians(*(tensor[:0] for tensor in gaussians.tensors()))
    assert not voxelize(nothing, grid, SHAPE).any()
    for shift in (torch.nan, torch.inf, 1e30, -1e30):
        means, *others = gaussians.tensors()
        assert not voxelize(RadiativeGaussians(means + shift, *others), grid, SHAPE).any()
    means, log_scales, *others = gaussians.tensors()
    for spoilt in (log_scales * torch.nan, log_scales + 200.0, log_scales - 200.0):
        assert not voxelize(RadiativeGaussians(means, spoilt, *others), grid, SHAPE).nan_to_num().any()
