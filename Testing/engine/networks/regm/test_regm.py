"""RegM: motions, losses, and that it learns to bring two volumes together."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from grids import isotropic_grid

from radgs.drr import WATER
from radgs.geometry import RigidTransform, mean_distance
from radgs.networks.regm import RegM, moved
from radgs.networks.regm.loss import geodesic_loss, mtre_loss, pose_loss, surface_distance, translation_loss
from radgs.vertebra import PosedVertebra


def pose_tensors(pose: RigidTransform) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(pose.rotation)[None], torch.from_numpy(pose.translation)[None]


def test_a_motion_turns_about_the_bodys_centre() -> None:
    pose = RigidTransform.from_rotation_vector([0.1, 0.2, -0.1], [10.0, -5.0, 3.0])
    motion = torch.tensor([[0.05, -0.02, 0.03, 1.0, 2.0, -1.0]], dtype=torch.float64)
    rotation, translation = moved(*pose_tensors(pose), motion)
    expected = pose.rotated_about(pose.translation, motion[0, :3].numpy(), motion[0, 3:].numpy())
    assert np.allclose(rotation[0].numpy(), expected.rotation)
    assert np.allclose(translation[0].numpy(), expected.translation)


def test_an_untrained_regm_hardly_moves_anything() -> None:
    torch.manual_seed(0)
    volumes = torch.rand(2, 64, 64, 64) * WATER
    motion = RegM(64)(volumes, volumes.flip(1))
    assert motion.shape == (2, 6)
    assert float(motion[:, :3].abs().max()) < math.radians(1.0)
    assert float(motion[:, 3:].abs().max()) < 1.0


def test_sizes_that_cannot_be_halved_are_refused() -> None:
    with pytest.raises(ValueError, match="power of two"):
        RegM(48)


def test_each_loss_measures_what_it_says() -> None:
    truth = RigidTransform.from_rotation_vector([0.2, 0.0, 0.1], [1.0, 2.0, 3.0])
    off = truth.rotated_about(truth.translation, [0.0, 0.1, 0.0], [3.0, 0.0, 4.0])
    surface = np.random.default_rng(0).normal(0.0, 20.0, (200, 3))
    pose, goal = pose_tensors(off), pose_tensors(truth)
    points = torch.from_numpy(surface)[None]
    assert float(geodesic_loss(pose, goal)) == pytest.approx(0.1, rel=1e-3)
    assert float(translation_loss(pose, goal)) == pytest.approx(5.0, rel=1e-6)
    assert float(mtre_loss(pose, goal, points)) == pytest.approx(mean_distance(surface, off, truth), rel=1e-4)
    assert surface_distance(pose, goal, points).shape == (1,)


def test_the_loss_has_a_gradient_at_the_truth() -> None:
    truth = pose_tensors(RigidTransform.identity())
    motion = torch.zeros(1, 6, dtype=torch.float64, requires_grad=True)
    pose_loss(moved(*truth, motion), truth, torch.ones(1, 5, 3, dtype=torch.float64)).backward()
    assert bool(torch.isfinite(motion.grad).all())


def test_regm_learns_to_bring_a_block_back() -> None:
    """An L-shaped block off by millimetres: a short training halves the distance on starts it has not seen."""
    torch.manual_seed(0)
    block = isotropic_grid([0.0, 0.0, 0.0], [40.0, 40.0, 40.0], 2.0)
    block.array[4:16, 6:14, 5:9] = WATER
    block.array[4:9, 6:14, 5:17] = WATER
    vertebra, voxels = PosedVertebra(block, 32), 32
    regm = RegM(voxels)
    optimizer = torch.optim.Adam(regm.parameters(), lr=2e-3)
    rng = np.random.default_rng(0)
    rotation, translation = torch.eye(3)[None], torch.zeros(1, 3)
    target = vertebra.at(rotation[0], translation[0])

    def shifted(count: int) -> torch.Tensor:
        return torch.as_tensor(rng.uniform(-6.0, 6.0, (count, 3)), dtype=torch.float32)

    def distance(starts: torch.Tensor) -> torch.Tensor:
        seen = torch.stack([vertebra.at(rotation[0], start) for start in starts])
        motion = regm(target.expand(len(starts), -1, -1, -1), seen)
        return (starts + motion[:, 3:]).norm(dim=1)

    for _ in range(60):
        optimizer.zero_grad()
        distance(shifted(8)).mean().backward()
        optimizer.step()
    with torch.no_grad():
        unseen = shifted(16)
        assert float(distance(unseen).mean()) < 0.5 * float(unseen.norm(dim=1).mean())
