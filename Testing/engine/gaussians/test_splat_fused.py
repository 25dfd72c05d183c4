"""Splatting's Triton kernels against PyTorch's form: in Triton's interpreter on the CPU, or on a GPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gpu_compilation import compiles_for_a_gpu

from radgs.gaussians import RadiativeGaussians, splat_fused
from radgs.gaussians.footprint import Detectors, footprints
from radgs.gaussians.splat_derivatives import accumulate_with_derivatives
from radgs.gaussians.splat_windowed import accumulate_windowed
from radgs.geometry import RigidTransform, ViewGeometry

triton = pytest.importorskip("triton", reason="Triton is not installed: make test-fused has it")
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
pytestmark = pytest.mark.skipif(
    DEVICE.type == "cpu" and not triton.knobs.runtime.interpret, reason="no GPU, and TRITON_INTERPRET=1 is not set"
)
VIEW = ViewGeometry(np.array([20.0, -600.0, 10.0]), np.eye(4), (1, 1)).crop_geometry(np.zeros(3), 50.0, 40)


@pytest.fixture(autouse=True)
def fewer_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    if DEVICE.type == "cpu":
        monkeypatch.setattr(splat_fused, "SHARES", 2)


def gaussians(count: int = 12) -> RadiativeGaussians:
    """Some of which reach beyond the image, one of which lies behind the source."""
    rng = np.random.default_rng(2)
    means = rng.uniform(-24.0, 24.0, (count, 3))
    means[0] = [20.0, -700.0, 10.0]
    turns = rng.normal(size=(count, 4))
    parts = (means, rng.uniform(0.0, 1.2, (count, 3)), turns, rng.uniform(-0.01, 0.02, count))
    return RadiativeGaussians(*(torch.from_numpy(part).float() for part in parts)).to(DEVICE)


def poses() -> Detectors:
    turned = RigidTransform.from_rotation_vector([0.2, -0.3, 0.1], [3.0, -2.0, 5.0])
    rotations, translations = np.stack([np.eye(3), turned.rotation]), np.stack([np.zeros(3), turned.translation])
    return Detectors.of(VIEW, torch.from_numpy(rotations).to(DEVICE), torch.from_numpy(translations).to(DEVICE))


def test_many_poses_are_splatted_at_once() -> None:
    detectors = poses()
    expected = accumulate_windowed(footprints(gaussians(), detectors, 4.5), 2, VIEW.shape, 4.5)
    found = splat_fused.splat_fused(gaussians(), detectors, 4.5)
    assert found.shape == (2, 1, 40, 40)
    for sums, wanted in zip(found[:, 0], expected, strict=True):
        assert float((sums - wanted).norm()) < splat_fused.TOLERANCE * float(wanted.norm())
    again = splat_fused.splat_fused(gaussians(), detectors, 4.5)
    assert torch.equal(found, again)


def test_the_sums_for_derivatives_come_with_them() -> None:
    detectors = poses()
    detectors = Detectors(detectors.sources[1:], detectors.bases[1:], detectors.shape)
    ratio = detectors.sources.new_tensor(0.97)
    expected = accumulate_with_derivatives(footprints(gaussians(), detectors, 3.0), VIEW.shape, 3.0, ratio)
    (found,) = splat_fused.splat_fused(gaussians(), detectors, 3.0, 0.97)
    for sums, wanted in zip(found, expected, strict=True):
        assert float((sums - wanted).norm()) < splat_fused.TOLERANCE * float(wanted.norm())


def test_no_gaussians_are_no_crash() -> None:
    nothing = gaussians()
    nothing = RadiativeGaussians(*(tensor[:0] for tensor in nothing.tensors()))
    assert not splat_fused.splat_fused(nothing, poses(), 4.5, 0.9).any()


def test_the_probe_is_passed() -> None:
    splat_fused.compare_with_pytorch(DEVICE)


#: Compiles every kernel.
COMPILE = """
from radgs.gaussians import splat_fused_kernels as kernels

shape = {"count": "i32", "rows": "i32", "columns": "i32", "squares": "i32", "across": "i32", "held": "fp32"}
lists = {"boxes": "*i32", "members": "*i32", "lengths": "*i32"}
inputs = {"means": "*fp64", "whitening": "*fp64", "densities": "*fp32", "views": "*fp64", "table": "*fp32"}
compiled(kernels.project, {**inputs, "boxes": "*i32", "count": "i32"}, {"BLOCK": 128})
compiled(kernels.bin_gaussians, {**lists, "count": "i32", "across": "i32"}, {"SIDE": 32, "BLOCK": 128})
for derivatives in (False, True):
    constants = {"DERIVATIVES": derivatives, "SIDE": 32, "TILE": 16, "SHARES": 8}
    types = {"table": "*fp32", **lists, "sums": "*fp32", **shape, "variance": "fp32"}
    assert "ex2" in compiled(kernels.accumulate, types, constants)
"""


def test_the_kernels_compile_for_a_gpu() -> None:
    compiles_for_a_gpu(COMPILE)
