"""Radiative Gaussians as a description of attenuation."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import roma
import torch
from torch import Tensor

from radgs.gaussians import RadiativeGaussians

MakeGaussians = Callable[..., RadiativeGaussians]


def test_precisions_are_the_inverse_covariances(make_gaussians: MakeGaussians) -> None:
    gaussians = make_gaussians(10)
    identity = torch.eye(3, dtype=torch.float64).expand(10, 3, 3)
    torch.testing.assert_close(gaussians.precisions() @ gaussians.covariances(), identity)


def test_a_covariance_has_the_squared_scales_as_its_spectrum(make_gaussians: MakeGaussians) -> None:
    gaussians = make_gaussians(10)
    variances = torch.linalg.eigvalsh(gaussians.covariances())
    torch.testing.assert_close(variances, torch.exp(2 * gaussians.log_scales).sort(dim=1).values)


def test_the_length_of_a_quaternion_does_not_matter(make_gaussians: MakeGaussians) -> None:
    means, log_scales, quaternions, densities = make_gaussians(5).tensors()
    longer = RadiativeGaussians(means, log_scales, -3.0 * quaternions, densities)
    torch.testing.assert_close(longer.covariances(), make_gaussians(5).covariances())


def test_a_quaternion_is_written_w_first() -> None:
    turn = math.sqrt(0.5)
    gaussians = RadiativeGaussians(
        torch.zeros(1, 3), torch.log(torch.tensor([[1.0, 2.0, 3.0]])), torch.tensor([[turn, 0, 0, turn]]), torch.ones(1)
    )
    torch.testing.assert_close(gaussians.covariances()[0], torch.diag(torch.tensor([4.0, 1.0, 9.0])))


def test_a_rigid_motion_moves_centres_and_turns_covariances(
    make_gaussians: MakeGaussians, masses_of: Callable[[RadiativeGaussians], Tensor]
) -> None:
    gaussians = make_gaussians(10)
    rotation = roma.rotvec_to_rotmat(torch.tensor([0.4, -1.2, 2.0], dtype=torch.float64))
    shift = torch.tensor([5.0, -3.0, 40.0], dtype=torch.float64)
    moved = gaussians.transformed(rotation, shift)
    torch.testing.assert_close(moved.means, gaussians.means @ rotation.T + shift)
    torch.testing.assert_close(moved.covariances(), rotation @ gaussians.covariances() @ rotation.T)
    torch.testing.assert_close(masses_of(moved), masses_of(gaussians))


def test_tensors_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match="densities"):
        RadiativeGaussians(torch.zeros(4, 3), torch.zeros(4, 3), torch.zeros(4, 3), torch.zeros(4))
