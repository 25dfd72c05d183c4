"""Gaussians labelled after reconstruction: by what RecM itself says of the places where they lie."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from radgs.gaussians import RadiativeGaussians, voxelize
from radgs.geometry import RigidTransform
from radgs.geometry.roi import ROI_SIZE_MM, roi_grid, roi_index_to_ras
from radgs.networks.segmentation import Part, gaussian_mass, segmented

VOXELS = 32


def gaussians_at(means: list[list[float]]) -> RadiativeGaussians:
    count = len(means)
    return RadiativeGaussians(
        torch.tensor(means),
        torch.full((count, 3), math.log(3.0)),
        torch.tensor([[1.0, 0.0, 0.0, 0.0]]).expand(count, 4),
        torch.full((count,), 0.02),
    )


@pytest.fixture
def pose() -> RigidTransform:
    return RigidTransform.from_rotation_vector(np.array([0.1, -0.2, 0.15])).rotated_about(
        np.zeros(3), np.zeros(3), np.array([4.0, -6.0, 3.0])
    )


def prediction(pose: RigidTransform) -> tuple[torch.Tensor, torch.Tensor]:
    """A vertebra seen around the pose's origin, as it is; what lies 30 mm above it claims to be the same vertebra."""
    grid = roi_grid(VOXELS)
    k, j, i = np.meshgrid(*(np.arange(VOXELS),) * 3, indexing="ij")
    frame = pose.inverse().apply(grid.to_ras(np.stack([i, j, k], axis=-1)).reshape(-1, 3)).reshape(*(VOXELS,) * 3, 3)
    shown = np.where(frame[..., 2:] > 20.0, frame - [0.0, 0.0, 30.0], frame)
    near = np.linalg.norm(shown, axis=-1) < 18.0
    logits = torch.from_numpy(np.where(near, 4.0, -6.0)).float()
    return logits, torch.from_numpy(np.moveaxis(shown, -1, 0).copy()).float()


def test_a_double_of_the_vertebra_above_it_is_a_neighbour_and_a_speck_beside_it_is_neither(
    pose: RigidTransform,
) -> None:
    places = [[0.0, 0.0, 0.0], [8.0, -5.0, -6.0], [0.0, 0.0, 30.0], [-6.0, 4.0, 33.0], [45.0, 20.0, 2.0]]
    means = pose.apply(np.array(places)).astype(np.float32).tolist()
    found = segmented(gaussians_at(means), *prediction(pose), pose)
    assert found.parts.tolist() == [0, 0, 1, 1, 2]
    assert len(found.of(Part.vertebra)) == 2
    assert torch.allclose(found.of(Part.other).means[0], torch.tensor(means[4]))


def test_the_labels_move_with_the_patient(pose: RigidTransform) -> None:
    rng = np.random.default_rng(0)
    places = rng.uniform(-40, 40, (200, 3))
    labels = []
    for turned in (pose, RigidTransform.identity()):
        means = turned.apply(places).astype(np.float32).tolist()
        labels.append(segmented(gaussians_at(means), *prediction(turned), turned).parts)
    assert float((labels[0] == labels[1]).float().mean()) > 0.95
    assert set(labels[0].tolist()) == {0, 1, 2}


def test_without_a_pose_nothing_is_the_vertebra(pose: RigidTransform) -> None:
    found = segmented(gaussians_at([[0.0, 0.0, 0.0]]), *prediction(pose), None)
    assert found.parts.tolist() == [Part.other]


def test_a_gaussians_mass_is_its_integral_over_space() -> None:
    one = gaussians_at([[1.0, 2.0, -3.0]])
    volume = voxelize(one, roi_index_to_ras(64), (64, 64, 64), 5.0)
    assert float(gaussian_mass(one)) == pytest.approx(float(volume.sum()) * (ROI_SIZE_MM / 64) ** 3, rel=1e-3)
