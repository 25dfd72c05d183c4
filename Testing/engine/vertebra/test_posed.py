"""A vertebra put on the ROI grid."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from grids import isotropic_grid

from radgs.geometry import RigidTransform, Volume
from radgs.geometry.roi import roi_index_to_ras
from radgs.vertebra import PosedVertebra

POSE = RigidTransform.from_rotation_vector([0.2, -0.1, 0.3], [8.0, -5.0, 11.0])


@pytest.fixture(scope="module")
def blob() -> Volume:
    """A smooth bump of 20 mm, off the grid's middle."""
    grid = isotropic_grid([3.0, -4.0, 2.0], [60.0, 60.0, 60.0], 2.0)
    k, j, i = np.indices(grid.array.shape)
    away = np.linalg.norm(grid.to_ras(np.stack([i, j, k], axis=-1)) - [5.0, 0.0, -3.0], axis=-1)
    return Volume(np.exp(-((away / 7.0) ** 2)).astype(np.float32), grid.index_to_ras)


def test_the_vertebra_is_where_the_pose_says(blob: Volume) -> None:
    volume = PosedVertebra(blob, 64).posed(POSE).numpy()
    k, j, i = np.indices(volume.shape)
    points = Volume(volume, roi_index_to_ras(64)).to_ras(np.stack([i, j, k], axis=-1))
    centre = (points * volume[..., None]).sum(axis=(0, 1, 2)) / volume.sum()
    assert centre == pytest.approx(POSE.apply(np.array([5.0, 0.0, -3.0])), abs=0.05)


def test_coarser_grids_hold_the_same_mass(blob: Volume) -> None:
    fine, coarse = (float(PosedVertebra(blob, n).posed(POSE).sum()) * (128.0 / n) ** 3 for n in (64, 32))
    assert coarse == pytest.approx(fine, rel=0.01)


def test_pose_and_tensors_say_the_same(blob: Volume) -> None:
    vertebra = PosedVertebra(blob, 32)
    rotation, translation = (torch.as_tensor(part, dtype=torch.float32) for part in (POSE.rotation, POSE.translation))
    assert torch.equal(vertebra.posed(POSE), vertebra.at(rotation, translation))


def test_it_is_the_resampled_volume(blob: Volume) -> None:
    vertebra = PosedVertebra(blob, 64)  # as fine as the blob itself: nothing is smoothed
    grid = Volume(np.zeros((64, 64, 64), np.float32), roi_index_to_ras(64))
    k, j, i = np.indices(grid.array.shape)
    points = POSE.inverse().apply(grid.to_ras(np.stack([i, j, k], axis=-1)))
    assert np.allclose(vertebra.posed(POSE).numpy(), blob.sample(points), atol=2e-4)
