"""Rotations as tensors: what roma computes, and derivatives where rotation vectors are zero."""

from __future__ import annotations

import subprocess
import sys

import pytest
import roma
import torch

from radgs.rotations import (
    matrices_to_quaternions,
    quaternion_products,
    quaternions_to_matrices,
    vectors_to_matrices,
)


@pytest.fixture
def vectors() -> torch.Tensor:
    """Rotation vectors of every size: none, tiny, half turns about each axis, more than a turn."""
    random = torch.randn(200, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    scales = torch.logspace(-12, 1, 200, dtype=torch.float64)
    half_turns = torch.pi * torch.eye(3, dtype=torch.float64)
    return torch.cat([torch.zeros(1, 3, dtype=torch.float64), random * scales[:, None], half_turns])


def quaternions_of(vectors: torch.Tensor) -> torch.Tensor:
    return roma.quat_xyzw_to_wxyz(roma.rotvec_to_unitquat(vectors))


def test_vectors_become_roma_s_matrices(vectors: torch.Tensor) -> None:
    torch.testing.assert_close(vectors_to_matrices(vectors), roma.rotvec_to_rotmat(vectors))
    single = vectors.float()
    torch.testing.assert_close(vectors_to_matrices(single), roma.rotvec_to_rotmat(single), atol=1e-6, rtol=0)


def test_quaternions_of_any_length_become_roma_s_matrices(vectors: torch.Tensor) -> None:
    quaternions = quaternions_of(vectors)
    expected = roma.rotvec_to_rotmat(vectors)
    torch.testing.assert_close(quaternions_to_matrices(quaternions), expected, atol=1e-11, rtol=0)
    torch.testing.assert_close(quaternions_to_matrices(-3.0 * quaternions), expected, atol=1e-11, rtol=0)


def test_a_matrix_becomes_its_quaternion_of_either_sign(vectors: torch.Tensor) -> None:
    found = matrices_to_quaternions(roma.rotvec_to_rotmat(vectors))
    torch.testing.assert_close(found.norm(dim=1), torch.ones(len(found), dtype=torch.float64))
    agreement = (found * quaternions_of(vectors)).sum(dim=1).abs()
    torch.testing.assert_close(agreement, torch.ones_like(agreement))


def test_a_product_turns_by_the_second_and_then_by_the_first(vectors: torch.Tensor) -> None:
    first, second = quaternions_of(vectors), quaternions_of(vectors.flip(0))
    turned = quaternions_to_matrices(first) @ quaternions_to_matrices(second)
    torch.testing.assert_close(quaternions_to_matrices(quaternion_products(first, second)), turned)
    one = quaternion_products(first[5], second)
    torch.testing.assert_close(one, quaternion_products(first[5].expand_as(second), second))


@pytest.mark.parametrize("length", [0.0, 1e-9, 1e-4, 2.0])
def test_derivatives_are_right_at_zero_too(length: float) -> None:
    vector = length * torch.tensor([[0.6, -0.48, 0.64]], dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(vectors_to_matrices, vector)
    step = 1e-6 * torch.eye(3, dtype=torch.float64)
    ahead, behind = vectors_to_matrices(vector + step), vectors_to_matrices(vector - step)
    torch.testing.assert_close(jacobian[0, :, :, 0], ((ahead - behind) / 2e-6).permute(1, 2, 0), atol=1e-9, rtol=0)


def test_the_engine_starts_without_a_compiler_of_graphs() -> None:
    """torch._dynamo takes longer to import than PyTorch itself, and nothing that registers a vertebra uses it."""
    code = (
        "import sys; import radgs.cli.console, radgs.pipeline.result_folder, radgs.training.prepare;"
        "print(*{'torch._dynamo', 'roma', 'scipy.stats'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
