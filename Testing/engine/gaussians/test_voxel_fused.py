"""Voxelization's Triton kernels against PyTorch's form: in Triton's interpreter on the CPU, or on a GPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gpu_compilation import compiles_for_a_gpu
from torch import Tensor

from radgs.gaussians import RadiativeGaussians, voxel_fused, voxelize
from radgs.gaussians.voxel_fused import FUSED, TOLERANCE, FusedVoxels
from radgs.gaussians.voxel_runs import VoxelRuns

triton = pytest.importorskip("triton", reason="Triton is not installed: make test-fused has it")
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
pytestmark = pytest.mark.skipif(
    DEVICE.type == "cpu" and not triton.knobs.runtime.interpret, reason="no GPU, and TRITON_INTERPRET=1 is not set"
)
SHAPE = (11, 17, 13)


def gaussians(count: int = 20) -> tuple[Tensor, Tensor, Tensor]:
    """Centres, precisions and densities: elongated ones, some that lie beside the volume or reach beyond it."""
    rng = np.random.default_rng(4)
    centres = rng.uniform(-4.0, 20.0, (count, 3))
    factors = 0.7 * np.eye(3) + 0.4 * rng.normal(size=(count, 3, 3))
    parts = centres, factors @ factors.transpose(0, 2, 1), rng.normal(size=count)
    centres, precisions, densities = (torch.from_numpy(part).float().to(DEVICE) for part in parts)
    return centres, precisions, densities


def near(found: Tensor, expected: Tensor) -> bool:
    return float((found - expected).norm()) <= TOLERANCE * float(expected.norm())


@pytest.mark.parametrize("cutoff", [2.0, 4.5])
def test_voxels_and_moments_are_pytorchs(cutoff: float) -> None:
    centres, precisions, densities = gaussians()
    fused = FusedVoxels.of(centres, precisions, SHAPE, cutoff)
    runs = VoxelRuns.of(centres, precisions, SHAPE, cutoff)
    assert near(fused.summed(densities), runs.summed(densities))
    weights = torch.randn(SHAPE, generator=torch.Generator().manual_seed(5)).to(DEVICE)
    found, expected = fused.moments(weights), runs.moments(weights)
    for moment, wanted in zip(found.T, expected.T, strict=True):
        assert near(moment, wanted)
    assert torch.equal(found, fused.moments(weights))


def test_what_is_no_ellipsoid_reaches_nothing() -> None:
    centres, precisions, densities = gaussians(4)
    precisions[0, 2, 2] = -1.0
    precisions[1] = torch.nan
    centres[2] = torch.inf
    fused = FusedVoxels.of(centres, precisions, SHAPE, 4.5)
    alone = FusedVoxels.of(centres[3:], precisions[3:], SHAPE, 4.5)
    assert torch.equal(fused.summed(densities), alone.summed(densities[3:]))
    weights = torch.ones(SHAPE, device=DEVICE)
    assert not fused.moments(weights)[:3].any()
    assert torch.equal(fused.moments(weights)[3:], alone.moments(weights))


def test_a_large_volume_is_made_layer_by_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    centres, precisions, densities = gaussians()
    fused = FusedVoxels.of(centres, precisions, SHAPE, 3.0)
    at_once = fused.summed(densities)
    monkeypatch.setattr(voxel_fused, "LISTED", 1)
    assert torch.equal(fused.summed(densities), at_once)


def test_no_gaussians_are_no_crash() -> None:
    centres, precisions, densities = (tensor[:0] for tensor in gaussians())
    fused = FusedVoxels.of(centres, precisions, SHAPE, 4.5)
    assert not fused.summed(densities).any()
    assert fused.moments(torch.ones(SHAPE, device=DEVICE)).shape == (0, 10)


def test_voxelize_takes_them_with_the_same_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through ``voxelize`` itself, as where a probe has let them in."""
    rng = np.random.default_rng(6)
    turns = rng.normal(size=(8, 4))
    parts = rng.uniform(-6.0, 6.0, (8, 3)), rng.uniform(0.0, 1.0, (8, 3)), turns, rng.uniform(0.1, 1.0, 8)
    grid = np.diag([1.5, 1.5, 1.5, 1.0])
    grid[:3, 3] = -9.0
    upstream = torch.randn((12, 12, 12), generator=torch.Generator().manual_seed(1)).to(DEVICE)

    def voxels_and_gradients() -> list[Tensor]:
        leaves = [torch.from_numpy(part).float().to(DEVICE).requires_grad_() for part in parts]
        volume = voxelize(RadiativeGaussians(*leaves), grid, (12, 12, 12))
        return [volume.detach(), *torch.autograd.grad((volume * upstream).sum(), leaves)]

    monkeypatch.setattr(FUSED, "usable", lambda device: False)
    expected = voxels_and_gradients()
    monkeypatch.setattr(FUSED, "usable", lambda device: True)
    for found, wanted in zip(voxels_and_gradients(), expected, strict=True):
        assert near(found, wanted)


def test_the_probe_is_passed() -> None:
    voxel_fused.compare_with_pytorch(DEVICE)


#: Compiles every kernel.
COMPILE = """
from radgs.gaussians import voxel_fused_kernels as kernels

gaussians, size = {"centres": "*fp32", "precisions": "*fp32"}, {"columns": "i32", "rows": "i32"}
cubes = {"across": "i32", "down": "i32", "layer": "i32"}
lists = {"members": "*i32", "lengths": "*i32"}
reach = {**gaussians, "boxes": "*i32", "count": "i32", **size, "slices": "i32", "variance": "fp32"}
compiled(kernels.find_boxes, reach, {"BLOCK": 128})
compiled(kernels.list_gaussians, {"boxes": "*i32", **lists, "count": "i32", **cubes}, {"SIDE": 8, "BLOCK": 128})
added = {**gaussians, "densities": "*fp32", **lists, "volume": "*fp32", "count": "i32", **size, "slices": "i32"}
assert "ex2" in compiled(kernels.add_profiles, {**added, **cubes, "variance": "fp32"}, {"SIDE": 8})
summed = {**gaussians, "boxes": "*i32", "weights": "*fp32", "moments": "*fp32", "count": "i32", **size}
assert "ex2" in compiled(kernels.sum_moments, {**summed, "variance": "fp32"}, {"BLOCK": 128})
"""


def test_the_kernels_compile_for_a_gpu() -> None:
    compiles_for_a_gpu(COMPILE)
