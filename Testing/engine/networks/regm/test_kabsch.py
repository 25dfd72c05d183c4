"""Points that were moved by a pose give that pose back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from radgs.geometry import RigidTransform
from radgs.networks.regm import kabsch, weighted_kabsch

POSE = RigidTransform.from_rotation_vector([0.3, -0.2, 0.4], [5.0, -7.0, 3.0])


def cloud(count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0.0, 20.0, (count, 3))


def test_exact_points_give_the_exact_pose() -> None:
    source = cloud(50)
    rotation, translation = weighted_kabsch(
        torch.from_numpy(source), torch.from_numpy(POSE.apply(source)), torch.ones(50, dtype=torch.float64)
    )
    assert np.allclose(rotation.numpy(), POSE.rotation)
    assert np.allclose(translation.numpy(), POSE.translation)


def test_points_without_weight_do_not_matter() -> None:
    source = cloud(50)
    target = POSE.apply(source)
    target[25:] += 100.0
    weights = torch.ones(50, dtype=torch.float64)
    weights[25:] = 0.0
    rotation, _ = weighted_kabsch(torch.from_numpy(source), torch.from_numpy(target), weights)
    assert np.allclose(rotation.numpy(), POSE.rotation)


def test_a_mirror_image_is_never_the_answer() -> None:
    source = torch.from_numpy(cloud(50))
    rotation, _ = weighted_kabsch(source, source * torch.tensor([-1.0, 1.0, 1.0]), torch.ones(50, dtype=torch.float64))
    assert float(torch.linalg.det(rotation)) == pytest.approx(1.0)


@pytest.fixture
def grid() -> torch.Tensor:
    k, j, i = torch.meshgrid(*(4.0 * (torch.arange(16) - 7.5) for _ in range(3)), indexing="ij")
    return torch.stack([i, j, k], dim=-1)


def dense(grid: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A ball's occupancy logits and true canonical coordinates at ``POSE``."""
    canonical = torch.from_numpy(POSE.inverse().apply(grid.numpy())).float().permute(3, 0, 1, 2)
    return torch.where(canonical.norm(dim=0) < 20.0, 5.0, -5.0), canonical


def test_a_dense_prediction_gives_the_pose(grid: torch.Tensor) -> None:
    found = kabsch(*dense(grid), grid)
    assert found is not None
    assert np.allclose(found.matrix, POSE.matrix, atol=1e-4)


def test_a_part_seen_wrongly_does_not_turn_the_whole(grid: torch.Tensor) -> None:
    logits, canonical = dense(grid)
    spoilt = canonical.clone()
    spoilt[:, grid[..., 0] > 12.0] += 30.0
    found = kabsch(logits, spoilt, grid)
    assert found is not None
    assert np.linalg.norm(found.translation - POSE.translation) < 0.5
    assert np.degrees(found.geodesic_angle_to(POSE)) < 1.0


def test_where_no_vertebra_is_seen_there_is_no_pose(grid: torch.Tensor) -> None:
    logits, canonical = dense(grid)
    assert kabsch(logits - 20.0, canonical, grid) is None
