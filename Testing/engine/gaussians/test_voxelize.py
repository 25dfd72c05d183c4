"""Gaussians on voxel grids."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from radgs.gaussians import RadiativeGaussians, voxelize
from radgs.gaussians.voxelize import profile_matrix
from radgs.geometry import FloatArray

MakeGaussians = Callable[..., RadiativeGaussians]
SHAPE = (9, 12, 10)


def skewed_grid(seed: int = 0) -> FloatArray:
    """index_to_ras of an anisotropic, turned, sheared and mirrored grid around the origin."""
    random = np.random.default_rng(seed)
    index_to_ras = np.eye(4)
    turn = np.linalg.qr(random.normal(size=(3, 3)))[0]
    index_to_ras[:3, :3] = turn @ np.array([[1.1, 0.3, 0.0], [0.0, -1.7, 0.2], [0.0, 0.0, 2.4]])
    index_to_ras[:3, 3] = -index_to_ras[:3, :3] @ (np.array(SHAPE[::-1]) - 1) / 2
    return index_to_ras


def voxelize_dense(gaussians: RadiativeGaussians, index_to_ras: FloatArray, cutoff: float) -> Tensor:
    k, j, i = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
    points = np.stack([i, j, k], axis=-1) @ index_to_ras[:3, :3].T + index_to_ras[:3, 3]
    offsets = torch.from_numpy(points)[..., None, :] - gaussians.means
    exponent = torch.einsum("...ni,nij,...nj->...n", offsets, gaussians.precisions(), offsets)
    return (gaussians.densities * torch.exp(-exponent / 2) * (exponent <= cutoff**2)).sum(dim=-1)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**20), sigma=st.floats(0.2, 20.0), extent=st.floats(1.0, 30.0), cutoff=st.floats(0.5, 6.0))
def test_every_voxel_holds_the_sum_of_the_gaussians_that_reach_it(
    make_gaussians: MakeGaussians, seed: int, sigma: float, extent: float, cutoff: float
) -> None:
    gaussians, index_to_ras = make_gaussians(15, sigma=sigma, extent=extent, seed=seed), skewed_grid(seed)
    expected = voxelize_dense(gaussians, index_to_ras, cutoff)
    torch.testing.assert_close(voxelize(gaussians, index_to_ras, SHAPE, cutoff), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_gradients_are_right_in_every_parameter(make_gaussians: MakeGaussians) -> None:
    parameters = [tensor.requires_grad_() for tensor in make_gaussians(5, extent=6.0).tensors()]

    def voxels(*parameters: Tensor) -> Tensor:
        return voxelize(RadiativeGaussians(*parameters), skewed_grid(), SHAPE, cutoff_sigma=12.0)

    assert torch.autograd.gradcheck(voxels, parameters)


def test_gradients_stop_at_the_cutoff_as_values_do(make_gaussians: MakeGaussians) -> None:
    parameters = [tensor.requires_grad_() for tensor in make_gaussians(8, extent=6.0).tensors()]
    upstream = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    gaussians = RadiativeGaussians(*parameters)
    fast = torch.autograd.grad((voxelize(gaussians, skewed_grid(), SHAPE, 2.0) * upstream).sum(), parameters)
    slow = torch.autograd.grad((voxelize_dense(gaussians, skewed_grid(), 2.0) * upstream).sum(), parameters)
    torch.testing.assert_close(fast, slow)


def test_the_voxels_add_up_to_the_mass(
    make_gaussians: MakeGaussians, masses_of: Callable[[RadiativeGaussians], Tensor]
) -> None:
    gaussians = make_gaussians(10, sigma=2.0, extent=5.0)
    index_to_ras = np.diag([0.8, 0.8, 0.8, 1.0])
    index_to_ras[:3, 3] = -30.0
    voxels = voxelize(gaussians, index_to_ras, (76, 76, 76), cutoff_sigma=6.0)
    assert float(voxels.sum()) * 0.8**3 == pytest.approx(float(masses_of(gaussians).sum()), rel=1e-6)


def test_a_grid_that_no_gaussian_reaches_is_empty(make_gaussians: MakeGaussians) -> None:
    far_away = np.eye(4)
    far_away[:3, 3] = 500.0
    assert torch.equal(voxelize(make_gaussians(5), far_away, (3, 4, 5)), torch.zeros(3, 4, 5, dtype=torch.float64))
    assert profile_matrix(make_gaussians(5), far_away, (3, 4, 5)).nnz == 0


def test_single_precision_far_from_the_origin_is_as_good_as_its_coordinates(make_gaussians: MakeGaussians) -> None:
    gaussians = make_gaussians(15, dtype=torch.float32)
    means, log_scales, quaternions, densities = gaussians.tensors()
    index_to_ras = skewed_grid()
    index_to_ras[:3, 3] += 512.0
    shifted = RadiativeGaussians(means + 512.0, log_scales, quaternions, densities)
    expected = voxelize(shifted.to(dtype=torch.float64), index_to_ras, SHAPE)
    difference = (voxelize(shifted, index_to_ras, SHAPE) - expected).abs().max() / expected.abs().max()
    assert difference < 1e-5


def test_voxels_are_linear_in_the_densities_with_the_profiles_as_matrix(make_gaussians: MakeGaussians) -> None:
    gaussians = make_gaussians(15)
    matrix = profile_matrix(gaussians, skewed_grid(), SHAPE, 3.0)
    voxels = voxelize(gaussians, skewed_grid(), SHAPE, 3.0)
    np.testing.assert_allclose(matrix.T @ gaussians.densities.numpy(), voxels.numpy().ravel(), atol=1e-12)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_gpu_computes_what_the_cpu_computes(make_gaussians: MakeGaussians) -> None:
    gaussians = make_gaussians(50, dtype=torch.float32)
    expected = voxelize(gaussians, skewed_grid(), SHAPE)
    torch.testing.assert_close(
        voxelize(gaussians.to("cuda"), skewed_grid(), SHAPE).cpu(), expected, rtol=1e-4, atol=1e-6
    )
