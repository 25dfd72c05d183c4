"""Each loss is least for the truth."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from radgs.drr import WATER
from radgs.gaussians import RadiativeGaussians, splat
from radgs.geometry.roi import crop_geometry
from radgs.networks.recm.loss import canonical_loss, occupancy_loss, occupancy_target, projection_loss, volume_loss

SOURCES = torch.tensor([[0.0, 620.0, 0.0], [-620.0, 0.0, 0.0]])


def test_a_voxel_with_bone_is_occupied() -> None:
    volume = torch.zeros(1, 8, 8, 8)
    volume[0, :2, :2, :2] = 0.5 * WATER
    occupied = occupancy_target(volume, 4)
    assert float(occupied[0, 0, 0, 0]) == 1.0
    assert float(occupied.sum()) == 1.0


def test_occupancy_is_least_for_the_right_answer() -> None:
    occupied = torch.tensor([[1.0, 0.0, 0.0]])
    right, wrong = torch.tensor([[4.0, -4.0, -4.0]]), torch.tensor([[-4.0, 4.0, -4.0]])
    assert occupancy_loss(right, occupied) < 0.05 < occupancy_loss(wrong, occupied)


def test_canonical_coordinates_count_on_the_vertebra_alone_in_centimetres() -> None:
    target = torch.zeros(1, 3, 2, 2, 2)
    occupied = torch.zeros(1, 2, 2, 2)
    occupied[0, 0, 0, 0] = 1.0
    off = target.clone()
    off[0, :, 1, 1, 1] = 100.0
    assert float(canonical_loss(off, target, occupied)) == 0.0
    off[0, :, 0, 0, 0] = 5.0
    assert float(canonical_loss(off, target, occupied)) == pytest.approx(0.5)


def test_volume_loss_is_zero_for_the_truth_and_grows() -> None:
    truth = torch.rand(8, 8, 8) * WATER
    assert float(volume_loss(truth, truth)) == 0.0
    assert float(volume_loss(truth + 0.1 * WATER, truth)) == pytest.approx(10 * 0.1 + 50 * 0.01, rel=1e-4)


def test_projection_loss_pulls_a_gaussian_to_where_its_shadow_is() -> None:
    one = RadiativeGaussians(
        torch.zeros(1, 3), torch.full((1, 3), 1.5), torch.tensor([[1.0, 0.0, 0.0, 0.0]]), torch.tensor([0.02])
    )
    images = torch.stack([splat(one, crop_geometry(source.numpy())) for source in SOURCES])
    assert float(projection_loss(one, SOURCES, images)) < 2e-4
    means = torch.tensor([[3.0, -2.0, 1.0]], requires_grad=True)
    loss = projection_loss(replace(one, means=means), SOURCES, images)
    loss.backward()
    assert float(loss) > 1e-3
    assert bool((means.grad * means.detach() > 0).all()), "the gradient points away from the truth"
