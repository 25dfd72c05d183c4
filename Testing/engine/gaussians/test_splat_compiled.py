"""The compiled splats against PyTorch's, at the same cutoff."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from radgs import kernels
from radgs.gaussians import RadiativeGaussians, splat, splat_poses, splat_with_pose_jacobian
from radgs.gaussians.splat_compiled import CompiledSplatter
from radgs.geometry import RigidTransform, ViewGeometry

pytest.importorskip("numba", reason="numba is not installed: pip install 'radgs[fast]'")

MakeGaussians = Callable[..., RadiativeGaussians]
MakeView = Callable[..., ViewGeometry]

CENTRE = np.array([7.0, -4.0, 11.0])
POSE = RigidTransform.from_rotation_vector([0.2, 0.3, -0.1], [3.0, 2.0, 1.0])
#: Of the image's norm. Both keep coefficients in double and pixels in single precision; PyTorch takes the pixel's
#: offset from the nearest pixel's centre, the kernel from the Gaussian's: a last digit of each is another.
TOLERANCE = 5e-6


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch, make_gaussians: MakeGaussians) -> None:
    monkeypatch.setenv(kernels.VARIABLE, "on")
    assert CompiledSplatter.of(make_gaussians(dtype=torch.float32)) is not None


def apart(values: torch.Tensor, reference: torch.Tensor) -> float:
    return float((values - reference).norm() / reference.norm())


@pytest.mark.parametrize("cutoff", [2.0, 4.5, 8.0])
@pytest.mark.parametrize(("sigma", "extent"), [(0.3, 20.0), (2.0, 15.0), (6.0, 60.0)])
def test_values_and_derivatives_are_pytorchs(
    make_gaussians: MakeGaussians, make_view: MakeView, cutoff: float, sigma: float, extent: float
) -> None:
    """Smaller than a pixel, as large as the view, and partly or wholly beside it."""
    gaussians, view = make_gaussians(60, sigma, extent, dtype=torch.float32), make_view()
    image, jacobian = splat_with_pose_jacobian(gaussians, view, CENTRE, POSE, cutoff)
    expected_image, expected = splat_with_pose_jacobian(gaussians, view, CENTRE, POSE, cutoff, backend="windowed")
    assert apart(image, expected_image) < TOLERANCE
    for axis in range(6):
        assert apart(jacobian[axis], expected[axis]) < TOLERANCE, axis
    rotations, shifts = torch.from_numpy(POSE.rotation)[None], torch.from_numpy(POSE.translation)[None]
    assert apart(splat_poses(gaussians, rotations, shifts, view, cutoff)[0], expected_image) < TOLERANCE


def test_a_batch_of_poses_is_pytorchs(make_gaussians: MakeGaussians, make_view: MakeView) -> None:
    gaussians, view = make_gaussians(dtype=torch.float32), make_view()
    poses = [POSE, RigidTransform.identity(), POSE.inverse()]
    rotations, shifts = (
        torch.from_numpy(np.stack(each)) for each in zip(*((p.rotation, p.translation) for p in poses), strict=True)
    )
    images = splat_poses(gaussians, rotations, shifts, view)
    for image, expected in zip(
        images, splat_poses(gaussians, rotations, shifts, view, backend="windowed"), strict=True
    ):
        assert apart(image, expected) < TOLERANCE


@pytest.mark.parametrize("centre_mm", [[0.0, 0.0, 6.0], [0.0, 0.0, -4.0], [3.0, 0.0, 0.0], [0.0, 0.0, -500.0]])
def test_around_and_behind_the_source_too(make_view: MakeView, centre_mm: list[float]) -> None:
    view = make_view()
    towards = np.column_stack([view.column_step, view.row_step, view.normal])
    mean = view.source_ras + towards / np.linalg.norm(towards, axis=0) @ np.array(centre_mm)
    around = RadiativeGaussians(
        torch.tensor(mean[None]).float(),
        torch.full((1, 3), 2.0),
        torch.tensor([[1.0, 0.2, 0.0, 0.3]]),
        torch.tensor([0.02]),
    )
    expected = splat(around, view, backend="windowed")
    torch.testing.assert_close(splat(around, view), expected, rtol=1e-5, atol=1e-6)


def test_a_gradient_asked_for_is_pytorchs_and_none_is_lost(make_gaussians: MakeGaussians, make_view: MakeView) -> None:
    gaussians = make_gaussians(dtype=torch.float32)
    densities = gaussians.densities.requires_grad_()
    image = splat(gaussians, make_view())
    assert image.requires_grad
    image.sum().backward()
    assert densities.grad is not None
    assert bool(densities.grad.any())


def test_nothing_and_nowhere_make_an_empty_image_and_no_crash(
    make_gaussians: MakeGaussians, make_view: MakeView
) -> None:
    gaussians, view = make_gaussians(dtype=torch.float32), make_view()
    nothing = RadiativeGaussians(*(tensor[:0] for tensor in gaussians.tensors()))
    assert not splat(nothing, view).any()
    for shift in (np.nan, np.inf, 1e30, -1e30):
        image = splat_poses(gaussians, torch.eye(3)[None], torch.full((1, 3), shift), view)
        assert not image.nan_to_num().any()
    spoilt = RadiativeGaussians(gaussians.means, gaussians.log_scales * torch.nan, *gaussians.tensors()[2:])
    assert not splat(spoilt, view).nan_to_num().any()
