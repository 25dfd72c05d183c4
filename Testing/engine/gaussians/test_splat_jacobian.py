"""The analytic pose derivative against automatic differentiation and finite steps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import roma
import torch
from torch import Tensor

from radgs.gaussians import RadiativeGaussians, splat, splat_with_pose_jacobian
from radgs.geometry import RigidTransform, ViewGeometry

MakeGaussians = Callable[..., RadiativeGaussians]
MakeView = Callable[..., ViewGeometry]
Difference = Callable[[Tensor, Tensor], float]

CENTRE = np.array([7.0, -4.0, 11.0])
POSE = RigidTransform.from_rotation_vector([0.2, 0.3, -0.1], [3.0, 2.0, 1.0])


def splat_at(gaussians: RadiativeGaussians, pose: RigidTransform, view: ViewGeometry, cutoff: float) -> Tensor:
    return splat(
        gaussians.transformed(torch.from_numpy(pose.rotation), torch.from_numpy(pose.translation)), view, cutoff
    )


@pytest.mark.parametrize("cutoff", [3.0, 4.5])
def test_it_is_the_derivative_that_autograd_finds(
    make_gaussians: MakeGaussians, make_view: MakeView, difference: Difference, cutoff: float
) -> None:
    gaussians, view = make_gaussians(30), make_view((11, 13))
    image, jacobian = splat_with_pose_jacobian(gaussians, view, CENTRE, POSE, cutoff)
    placed = gaussians.transformed(torch.from_numpy(POSE.rotation), torch.from_numpy(POSE.translation))
    centre = torch.from_numpy(CENTRE)

    def moved(twist: Tensor) -> Tensor:
        rotation = roma.rotvec_to_rotmat(twist[:3])
        return splat(placed.transformed(rotation, centre - rotation @ centre + twist[3:]), view, cutoff)

    # A whisker from zero, where the logarithm of a rotation has no derivative of its own.
    start = torch.full((6,), 1e-12, dtype=torch.float64)
    expected = torch.autograd.functional.jacobian(moved, start).permute(2, 0, 1)
    assert difference(image, moved(start)) < 1e-10
    for derivative, reference in zip(jacobian, expected, strict=True):
        assert difference(derivative, reference) < 1e-8


def test_it_predicts_what_a_small_step_changes(
    make_gaussians: MakeGaussians, make_view: MakeView, difference: Difference
) -> None:
    gaussians, view = make_gaussians(30), make_view()
    _, jacobian = splat_with_pose_jacobian(gaussians, view, CENTRE, POSE, 8.0)
    step = np.array([2e-5, -1e-5, 3e-5, 4e-4, 2e-4, -5e-4])
    ahead = splat_at(gaussians, POSE.rotated_about(CENTRE, step[:3], step[3:]), view, 8.0)
    behind = splat_at(gaussians, POSE.rotated_about(CENTRE, -step[:3], -step[3:]), view, 8.0)
    predicted = torch.einsum("p,phw->hw", torch.from_numpy(step), jacobian)
    assert difference(predicted, (ahead - behind) / 2) < 1e-5


def test_without_a_pose_the_gaussians_are_in_world(make_gaussians: MakeGaussians, make_view: MakeView) -> None:
    gaussians, view = make_gaussians(10), make_view()
    plain = splat_with_pose_jacobian(gaussians, view, CENTRE)
    placed = splat_with_pose_jacobian(gaussians, view, CENTRE, RigidTransform.identity())
    torch.testing.assert_close(plain, placed)
    torch.testing.assert_close(plain[0], splat(gaussians, view))


def test_moving_towards_the_source_changes_least(make_gaussians: MakeGaussians, make_view: MakeView) -> None:
    gaussians, view = make_gaussians(30), make_view(oblique=False)
    _, jacobian = splat_with_pose_jacobian(gaussians, view, np.zeros(3))
    shifts = jacobian[3:].reshape(3, -1)
    weakest = torch.linalg.eigh(shifts @ shifts.T).eigenvectors[:, 0]
    assert abs(weakest.numpy() @ view.central_direction) > 0.999


def test_no_gaussians_have_no_derivative(make_gaussians: MakeGaussians, make_view: MakeView) -> None:
    image, jacobian = splat_with_pose_jacobian(make_gaussians(0), make_view(), CENTRE)
    assert image.abs().max() == 0
    assert jacobian.shape == (6, *make_view().shape)
    assert jacobian.abs().max() == 0


def test_behind_the_source_there_is_no_derivative(make_gaussians: MakeGaussians, make_view: MakeView) -> None:
    view = make_view()
    behind = RigidTransform(np.eye(3), 2 * view.source_ras)
    image, jacobian = splat_with_pose_jacobian(make_gaussians(5), view, CENTRE, behind)
    assert image.abs().max() == 0
    assert jacobian.abs().max() == 0
