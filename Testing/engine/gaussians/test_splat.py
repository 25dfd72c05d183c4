"""X-ray splatting: exact, the same in every backend, differentiable."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import roma
import torch
from grids import isotropic_grid
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from radgs.gaussians import RadiativeGaussians, splat, splat_poses, splat_with_pose_jacobian, voxelize
from radgs.geometry import RigidTransform, ViewGeometry, Volume

MakeGaussians = Callable[..., RadiativeGaussians]
MakeView = Callable[..., ViewGeometry]
Literal = Callable[[RadiativeGaussians, ViewGeometry], Tensor]
Difference = Callable[[Tensor, Tensor], float]

#: Far enough out that nothing is left beyond it in double precision.
NO_CUTOFF = 12.0


def moved_about_origin(gaussians: RadiativeGaussians, twist: Tensor) -> RadiativeGaussians:
    """The Gaussians after a rotation vector (3) about the origin and a translation (3)."""
    return gaussians.transformed(roma.rotvec_to_rotmat(twist[:3]), twist[3:])


def attenuation(gaussians: RadiativeGaussians, points: Tensor) -> Tensor:
    offsets = points[..., None, :] - gaussians.means
    exponents = torch.einsum("...ni,nij,...nj->...n", offsets, gaussians.precisions(), offsets)
    return (gaussians.densities * torch.exp(-exponents / 2)).sum(dim=-1)


def test_a_splat_is_the_integral_of_attenuation_along_the_ray(
    make_gaussians: MakeGaussians, make_view: MakeView, difference: Difference
) -> None:
    gaussians, view = make_gaussians(20, sigma=1.5), make_view((12, 10))
    step = 0.15  # a tenth of a standard deviation: the trapezoid rule is exact to rounding on Gaussians
    distances = torch.arange(560.0, 680.0, step, dtype=torch.float64)
    directions = torch.from_numpy(view.pixel_directions)
    points = torch.from_numpy(view.source_ras) + distances[:, None] * directions[:, None]
    integrals = attenuation(gaussians, points).sum(dim=1) * step
    assert difference(splat(gaussians, view, None), integrals.view(view.shape)) < 1e-6


def test_the_polynomial_form_is_the_literal_one(
    make_gaussians: MakeGaussians, make_view: MakeView, literal_splat: Literal, difference: Difference
) -> None:
    gaussians, view = make_gaussians(50), make_view()
    assert difference(splat(gaussians, view, None), literal_splat(gaussians, view)) < 1e-12


@pytest.mark.parametrize("distance", [500.0, 1000.0, 1500.0])
@pytest.mark.parametrize("sigma", [0.3, 1.0, 5.0])
def test_single_precision_keeps_five_digits_in_values_and_in_the_pose_jacobian(
    make_gaussians: MakeGaussians,
    make_view: MakeView,
    literal_splat: Literal,
    difference: Difference,
    distance: float,
    sigma: float,
) -> None:
    """Relative to the largest magnitude in the image, and in each of the Jacobian's six images."""
    single = make_gaussians(8, sigma=sigma, extent=6 * sigma, dtype=torch.float32)
    double = single.to(dtype=torch.float64)
    view = make_view((24, 24), size_mm=20 * sigma, distance=distance)
    assert difference(splat(single, view, None), literal_splat(double, view)) < 1e-5

    # A whisker from zero, where the logarithm of a rotation has no derivative of its own.
    start = torch.full((6,), 1e-9, dtype=torch.float64)
    _, analytic = splat_with_pose_jacobian(single, view, np.zeros(3), cutoff_sigma=NO_CUTOFF)
    for parameter, twist in enumerate(torch.eye(6, dtype=torch.float64)):
        exact = torch.autograd.functional.jvp(
            lambda x: literal_splat(moved_about_origin(double, x), view), start, twist
        )[1]
        by_autograd = torch.autograd.functional.jvp(
            lambda x: splat(moved_about_origin(single, x), view, None), start.float(), twist.float()
        )[1]
        assert difference(by_autograd, exact) < 1e-5
        assert difference(analytic[parameter], exact) < 1e-5


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    sigma=st.floats(0.1, 30.0),
    extent=st.floats(1.0, 80.0),
    cutoff=st.floats(0.5, 6.0),
)
def test_windowed_and_dense_agree_at_the_same_cutoff(
    make_gaussians: MakeGaussians, make_view: MakeView, seed: int, sigma: float, extent: float, cutoff: float
) -> None:
    gaussians, view = make_gaussians(15, sigma=sigma, extent=extent, seed=seed), make_view((21, 34))
    dense = splat(gaussians, view, cutoff, backend="dense")
    windowed = splat(gaussians, view, cutoff, backend="windowed")
    torch.testing.assert_close(windowed, dense, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("centre_mm", [[0.0, -612.0, 0.0], [3.0, -600.0, 0.0], [0.0, -619.5, 2.0]])
def test_a_gaussian_around_the_source_is_seen_alike_by_both_backends(centre_mm: list[float]) -> None:
    view = ViewGeometry(np.array([0.0, -620.0, 0.0]), np.eye(4), (2, 2)).crop_geometry(np.zeros(3), 200.0, 20)
    means = torch.tensor([centre_mm], dtype=torch.float64)
    shape = torch.log(torch.tensor([[3.0, 8.0, 5.0]], dtype=torch.float64))
    quaternion = torch.tensor([[1.0, 0.2, 0.3, -0.1]], dtype=torch.float64)
    gaussians = RadiativeGaussians(means, shape, quaternion, torch.full((1,), 0.01, dtype=torch.float64))
    dense = splat(gaussians, view, 4.5, backend="dense")
    assert dense.abs().max() > 0
    torch.testing.assert_close(splat(gaussians, view, 4.5, backend="windowed"), dense)


def test_what_stands_behind_the_source_is_not_seen(make_gaussians: MakeGaussians, make_view: MakeView) -> None:
    gaussians, view = make_gaussians(10), make_view()
    behind = gaussians.transformed(torch.eye(3), torch.from_numpy(view.source_ras * 2))
    assert splat(behind, view).abs().max() == 0
    torch.testing.assert_close(splat(behind + gaussians, view, None), splat(gaussians, view, None))


def test_a_gaussian_beside_the_image_reaches_into_it(make_gaussians: MakeGaussians) -> None:
    view = ViewGeometry(np.array([0.0, -620.0, 0.0]), np.eye(4), (2, 2)).crop_geometry(np.zeros(3), 40.0, 40)
    centre = np.array([[24.0, 0.0, 0.0]])
    assert not view.contains(view.project(centre)).any()
    gaussians = RadiativeGaussians(
        torch.from_numpy(centre), torch.log(torch.full((1, 3), 3.0)), torch.eye(4)[:1], torch.ones(1)
    ).to(dtype=torch.float64)
    image = splat(gaussians, view)
    assert image[:, 20:].max() > 0.1
    torch.testing.assert_close(image, splat(gaussians, view, 4.5, backend="dense"))


@pytest.mark.parametrize(("cutoff", "lost"), [(2.0, 0.1353), (3.0, 0.0111), (4.5, 0.00004)])
def test_a_cutoff_loses_the_stated_share_of_the_mass(cutoff: float, lost: float) -> None:
    view = ViewGeometry(np.array([0.0, -5000.0, 0.0]), np.eye(4), (2, 2)).crop_geometry(np.zeros(3), 32.0, 320)
    scales = torch.log(torch.tensor([[1.0, 2.0, 3.0]]))
    gaussians = RadiativeGaussians(torch.zeros(1, 3), scales, torch.tensor([[0.9, 0.3, 0.2, -0.4]]), torch.ones(1))
    gaussians = gaussians.to(dtype=torch.float64)
    kept = splat(gaussians, view, cutoff).sum() / splat(gaussians, view, None).sum()
    assert 1 - float(kept) == pytest.approx(lost, rel=0.02, abs=1e-5)
    assert lost == pytest.approx(math.exp(-(cutoff**2) / 2), abs=1e-4)


def test_an_image_holds_the_gaussians_mass(masses_of: Callable[[RadiativeGaussians], Tensor]) -> None:
    view = ViewGeometry(np.array([0.0, -50000.0, 0.0]), np.eye(4), (2, 2)).crop_geometry(np.zeros(3), 40.0, 80)
    scales = torch.log(torch.tensor([[1.0, 2.0, 3.0]]))
    gaussians = RadiativeGaussians(torch.zeros(1, 3), scales, torch.tensor([[0.9, 0.3, 0.2, -0.4]]), torch.ones(1))
    pixel_area = 0.5**2
    mass = float(splat(gaussians.to(dtype=torch.float64), view, None).sum()) * pixel_area
    assert mass == pytest.approx(float(masses_of(gaussians)), rel=1e-4)


@pytest.mark.parametrize("cutoff", [None, NO_CUTOFF])
def test_gradients_are_right_in_every_parameter_and_in_the_pose(
    make_gaussians: MakeGaussians, make_view: MakeView, cutoff: float | None
) -> None:
    view = make_view((5, 6), size_mm=20.0)
    parameters = [tensor.requires_grad_() for tensor in make_gaussians(4, extent=6.0).tensors()]
    twist = torch.tensor([0.3, -0.2, 0.4, 1.0, -2.0, 0.5], dtype=torch.float64, requires_grad=True)

    def image(twist: Tensor, *parameters: Tensor) -> Tensor:
        return splat(moved_about_origin(RadiativeGaussians(*parameters), twist), view, cutoff)

    assert torch.autograd.gradcheck(image, (twist, *parameters))


def test_gradients_flow_through_the_poses_of_a_batch(make_gaussians: MakeGaussians, make_view: MakeView) -> None:
    view, gaussians = make_view((5, 6), size_mm=20.0), make_gaussians(4, extent=6.0)
    twists = torch.tensor([[0.3, -0.2, 0.4, 1.0, -2.0, 0.5], [-0.1, 0.3, 0.2, 0.0, 3.0, 0.0]], dtype=torch.float64)

    def images(twists: Tensor) -> Tensor:
        return splat_poses(gaussians, roma.rotvec_to_rotmat(twists[:, :3]), twists[:, 3:], view, NO_CUTOFF)

    assert torch.autograd.gradcheck(images, (twists.requires_grad_(),))


@pytest.mark.parametrize("backend", ["dense", "windowed"])
def test_a_batch_of_poses_is_what_its_poses_give_one_by_one(
    make_gaussians: MakeGaussians, make_view: MakeView, backend: str
) -> None:
    view, gaussians = make_view(), make_gaussians(30)
    twists = 0.2 * torch.randn(4, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    rotations, shifts = roma.rotvec_to_rotmat(twists[:, :3]), 30 * twists[:, 3:]
    batch = splat_poses(gaussians, rotations, shifts, view, backend=backend)
    for image, rotation, shift in zip(batch, rotations, shifts, strict=True):
        torch.testing.assert_close(image, splat(gaussians.transformed(rotation, shift), view, backend=backend))


def test_contributions_add(make_gaussians: MakeGaussians, make_view: MakeView) -> None:
    first, second, view = make_gaussians(10, seed=1), make_gaussians(15, seed=2), make_view()
    torch.testing.assert_close(splat(first + second, view), splat(first, view) + splat(second, view))


def test_no_gaussians_make_an_empty_image(make_gaussians: MakeGaussians, make_view: MakeView) -> None:
    nothing, view = make_gaussians(0), make_view()
    for backend in ("dense", "windowed"):
        assert torch.equal(splat(nothing, view, backend=backend), torch.zeros(view.shape, dtype=torch.float64))


@settings(max_examples=20, deadline=None)
@given(twist=st.lists(st.floats(-3.0, 3.0), min_size=6, max_size=6))
def test_moving_gaussians_and_view_together_changes_nothing(
    make_gaussians: MakeGaussians, make_view: MakeView, twist: list[float]
) -> None:
    gaussians, view = make_gaussians(20), make_view()
    motion = RigidTransform.from_rotation_vector(twist[:3], 100 * np.array(twist[3:]))
    moved_view = ViewGeometry(motion.apply(view.source_ras), motion.matrix @ view.detector_to_ras, view.shape)
    moved = gaussians.transformed(torch.from_numpy(motion.rotation), torch.from_numpy(motion.translation))
    torch.testing.assert_close(splat(moved, moved_view), splat(gaussians, view), rtol=1e-8, atol=1e-10)


def test_a_detector_further_back_with_larger_pixels_sees_the_same(
    make_gaussians: MakeGaussians, make_view: MakeView
) -> None:
    gaussians, view = make_gaussians(20), make_view()
    further = view.detector_to_ras.copy()
    further[:3, :2] *= 1.7
    further[:3, 3] = view.source_ras + 1.7 * (further[:3, 3] - view.source_ras)
    behind = ViewGeometry(view.source_ras, further, view.shape)
    torch.testing.assert_close(splat(gaussians, behind), splat(gaussians, view))


def test_an_object_drawn_larger_is_longer_to_cross(make_gaussians: MakeGaussians, make_view: MakeView) -> None:
    gaussians, view = make_gaussians(20), make_view()
    means, log_scales, quaternions, densities = gaussians.tensors()
    larger = RadiativeGaussians(3 * means, log_scales + math.log(3), quaternions, densities)
    scaling = np.diag([3.0, 3.0, 3.0, 1.0])
    larger_view = ViewGeometry(3 * view.source_ras, scaling @ view.detector_to_ras, view.shape)
    torch.testing.assert_close(splat(larger, larger_view), 3 * splat(gaussians, view))


def test_a_splat_is_what_rays_through_the_voxels_sum_to(
    make_gaussians: MakeGaussians, make_view: MakeView, difference: Difference
) -> None:
    gaussians, view = make_gaussians(25, sigma=2.5, extent=12.0), make_view((16, 15))
    grid = isotropic_grid(np.zeros(3), 70.0, 1.0)
    voxels = voxelize(gaussians, grid.index_to_ras, grid.array.shape, cutoff_sigma=6.0)
    distances = np.arange(560.0, 680.0, 0.5)
    points = view.source_ras + distances[:, None] * view.pixel_directions[:, None]
    integrals = Volume(voxels.numpy(), grid.index_to_ras).sample(points, order=3).sum(axis=1) * 0.5
    assert difference(splat(gaussians, view, None), torch.from_numpy(integrals).view(view.shape)) < 2e-3


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("backend", ["dense", "windowed"])
def test_the_gpu_computes_what_the_cpu_computes(
    make_gaussians: MakeGaussians, make_view: MakeView, difference: Difference, backend: str
) -> None:
    gaussians, view = make_gaussians(200, dtype=torch.float32), make_view()
    expected = splat(gaussians, view, backend=backend)
    assert difference(splat(gaussians.to("cuda"), view, backend=backend).cpu(), expected) < 1e-5
    image, jacobian = splat_with_pose_jacobian(gaussians, view, [1.0, 2.0, 3.0])
    image_gpu, jacobian_gpu = splat_with_pose_jacobian(gaussians.to("cuda"), view, [1.0, 2.0, 3.0])
    assert difference(image_gpu.cpu(), image) < 1e-5
    assert difference(jacobian_gpu.cpu(), jacobian) < 1e-5
