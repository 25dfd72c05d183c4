"""The ray caster's Triton kernels against PyTorch's form: in Triton's interpreter on the CPU, or on a GPU."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from gpu_compilation import compiles_for_a_gpu

from radgs import kernels
from radgs.drr import VolumeRenderer, fused_ray_caster, torch_ray_caster
from radgs.drr.fused_ray_caster import (
    DERIVATIVE_TOLERANCE,
    VALUE_TOLERANCE,
    RayCast,
    cast_rays,
    compare_with_pytorch,
)
from radgs.geometry import RigidTransform, ViewGeometry, Volume

triton = pytest.importorskip("triton", reason="Triton is not installed: make test-fused has it")
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
pytestmark = pytest.mark.skipif(
    DEVICE.type == "cpu" and not triton.knobs.runtime.interpret, reason="no GPU, and TRITON_INTERPRET=1 is not set"
)


@pytest.fixture(autouse=True)
def wide_programs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The interpreter takes as long for a wide program as for a narrow one."""
    if DEVICE.type == "cpu":
        monkeypatch.setattr(fused_ray_caster, "BLOCK", 256)
    return


def cast(seed: int, shape: tuple[int, int, int], pixels: int, beside: float = 0.0, step_mm: float = 2.0) -> RayCast:
    """Noise of its own size, anisotropic and mirrored, seen from somewhere of its own."""
    rng = np.random.default_rng(seed)
    bordered = torch.from_numpy(np.pad(rng.normal(size=shape), 1).astype(np.float32)).to(DEVICE)
    index_to_world = RigidTransform.from_rotation_vector(rng.normal(size=3), rng.normal(size=3)).matrix @ np.diag(
        [1.0, 1.3, -1.6, 1.0]
    )
    middle = (index_to_world @ [*(np.array(shape[::-1]) - 1) / 2, 1.0])[:3]
    direction = rng.normal(size=3)
    source = middle - 400.0 * direction / np.linalg.norm(direction)
    geometry = ViewGeometry(source, np.eye(4), (1, 1)).crop_geometry(middle + [beside, 0.0, 0.0], 24.0, pixels)
    return RayCast(bordered, np.linalg.inv(index_to_world), step_mm, geometry, middle + [4.0, -3.0, 2.0])


def expected(one: RayCast) -> torch.Tensor:
    """(7, H, W) by PyTorch."""
    image, derivatives = torch_ray_caster.render_with_jacobian(
        one.bordered, one.world_to_index, one.step_mm, one.geometry, one.centre
    )
    return torch.cat([image[None], derivatives])


def test_views_and_volumes_of_any_size_are_cast_at_once() -> None:
    """Tolerances as ``compare_with_pytorch`` explains them."""
    casts = [cast(1, (12, 9, 14), 14), cast(2, (7, 16, 8), 9, beside=10.0), cast(3, (6, 6, 6), 12, step_mm=0.9)]
    drawn = cast_rays(casts, derivatives=True)
    for one, images in zip(casts, drawn, strict=True):
        for number, (found, wanted) in enumerate(zip(images, expected(one), strict=True)):
            tolerance = DERIVATIVE_TOLERANCE if number else VALUE_TOLERANCE
            assert float((found - wanted).norm()) < tolerance * float(wanted.norm()), number
    for alone, images in zip(cast_rays(casts, derivatives=False), drawn, strict=True):
        assert torch.equal(alone[0], images[0])


def test_what_is_missed_is_black_and_no_pose_is_a_crash() -> None:
    missed = cast(1, (8, 8, 8), 10, beside=100.0)
    nowhere = RayCast(missed.bordered, np.full((4, 4), np.nan), 1.0, missed.geometry, missed.centre)
    far_away = RayCast(missed.bordered, np.diag([1e20, 1e20, 1e20, 1.0]), 1.0, missed.geometry, missed.centre)
    for images in cast_rays([missed, nowhere, far_away], derivatives=True):
        assert not images.any()


@pytest.mark.parametrize(("row", "between"), [(3.0, True), (20.0, False)])
def test_rays_along_two_faces_are_between_them_or_beside_them(row: float, between: bool) -> None:
    """The slope of every ray in one index is zero to the bit."""
    detector = np.eye(4)
    detector[1, 3] = row
    view = ViewGeometry(np.array([3.0, row, -50.0]), detector, (1, 5))
    one = RayCast(torch.ones(8, 8, 8, device=DEVICE), np.eye(4), 1.0, view, np.zeros(3))
    (found,) = cast_rays([one], derivatives=True)
    assert bool((found[0] > 3.0).all()) == between
    torch.testing.assert_close(found, expected(one), rtol=1e-5, atol=1e-5)


#: Compiles every kernel.
COMPILE = """
from radgs.drr import fused_ray_kernels as kernels

tables = {"geometries": "*fp64", "sizes": "*i64", "spans": "*fp64", "samples": "*i32"}
assert "atom" in compiled(kernels.cut_rays, {**tables, "total": "i32"}, {"BLOCK": 128})
for derivatives in (False, True):
    constants = {"DERIVATIVES": derivatives, "BLOCK": 128}
    assert "ld.global" in compiled(kernels.integrate, {**tables, "images": "*fp32", "total": "i32"}, constants)
"""


def test_the_kernels_compile_for_a_gpu() -> None:
    compiles_for_a_gpu(COMPILE)


def test_the_probe_is_passed() -> None:
    compare_with_pytorch(DEVICE)


@pytest.mark.skipif(DEVICE.type == "cpu", reason="no GPU")
def test_on_a_gpu_the_renderer_uses_them(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(4).normal(size=(30, 40, 50)).astype(np.float32)
    renderer = VolumeRenderer(Volume(noise, np.eye(4)), device=DEVICE)
    geometry = ViewGeometry(np.array([20.0, -300.0, 10.0]), np.eye(4), (1, 1)).crop_geometry(np.zeros(3), 60.0, 64)
    assert fused_ray_caster.FUSED.usable(DEVICE)
    fused = renderer.render(RigidTransform.identity(), geometry)
    monkeypatch.setenv(kernels.VARIABLE, "off")
    plain = renderer.render(RigidTransform.identity(), geometry)
    assert float((fused - plain).norm()) < VALUE_TOLERANCE * float(plain.norm())
