"""Fitting Gaussians to a bone-like volume."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from radgs.errors import RadgsError
from radgs.gaussians import RadiativeGaussians, fit, splat, voxelize
from radgs.gaussians.fit import solve_densities
from radgs.geometry import RigidTransform, ViewGeometry, Volume

#: Attenuation of compact bone above soft tissue, 1/mm.
CORTEX = 0.02
CENTRE = np.array([-20.0, 35.0, 210.0])


def bone() -> Volume:
    """A shell around a mottled core with a fatty pit (less than soft tissue), on a turned grid away from the origin."""
    k, j, i = np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in (30, 36, 40)), indexing="ij")
    radius = np.sqrt((k / 9) ** 2 + (j / 12) ** 2 + (i / 14) ** 2)
    mottling = ndimage.gaussian_filter(np.random.default_rng(5).normal(size=radius.shape), 1.5)
    core = (radius < 0.9) * (0.25 + 1.5 * mottling) * CORTEX
    pit = ((k / 4) ** 2 + (j / 4) ** 2 + ((i - 4) / 4) ** 2 < 1) * 0.5 * CORTEX
    values = ndimage.gaussian_filter(np.where((radius > 0.85) & (radius < 1), CORTEX, core - pit), 0.8)
    values[np.abs(values) < 0.01 * CORTEX] = 0
    turn = RigidTransform.from_rotation_vector([0.2, -0.3, 0.4]).rotation
    index_to_ras = np.eye(4)
    index_to_ras[:3, :3] = turn
    index_to_ras[:3, 3] = CENTRE - turn @ (np.array([40, 36, 30]) - 1) / 2
    return Volume(values.astype(np.float32), index_to_ras)


@pytest.fixture(scope="module")
def fitted() -> RadiativeGaussians:
    return fit(bone(), count=600, iterations=60)


def psnr_db(values: np.ndarray, reference: np.ndarray) -> float:
    return float(10 * np.log10(np.abs(reference).max() ** 2 / np.mean((values - reference) ** 2)))


def test_the_gaussians_reproduce_the_volume(fitted: RadiativeGaussians) -> None:
    volume = bone()
    voxels = voxelize(fitted, volume.index_to_ras, volume.array.shape)
    assert len(fitted) == 600
    assert psnr_db(voxels.numpy(), volume.array) > 38


def test_the_gaussians_are_in_the_volumes_ras_and_stay_with_the_bone(
    fitted: RadiativeGaussians, masses_of: Callable[[RadiativeGaussians], Tensor]
) -> None:
    inside = np.argwhere(np.abs(bone().array) > 0)[:, ::-1]
    points = bone().to_ras(inside)
    weights = np.abs(bone().array[tuple(inside[:, ::-1].T)])
    masses = masses_of(fitted).abs().numpy()
    np.testing.assert_allclose(
        np.average(fitted.means.numpy(), weights=masses, axis=0), np.average(points, weights=weights, axis=0), atol=1.0
    )
    assert (
        np.linalg.norm(fitted.means.numpy() - CENTRE, axis=1).max() < np.linalg.norm(points - CENTRE, axis=1).max() + 2
    )


def test_their_x_ray_is_the_volumes(fitted: RadiativeGaussians) -> None:
    volume = bone()
    source = CENTRE + [100.0, -500.0, 50.0]
    view = ViewGeometry(source, np.eye(4), (2, 2)).crop_geometry(CENTRE, 48.0, 32)
    distances = np.linalg.norm(source - CENTRE) + np.arange(-30.0, 30.0, 0.5)
    points = source + distances[:, None] * view.pixel_directions[:, None]
    integrals = volume.sample(points).sum(axis=1).reshape(view.shape) * 0.5
    assert psnr_db(splat(fitted, view).numpy(), integrals) > 42


def test_less_than_soft_tissue_is_kept_as_negative_density(fitted: RadiativeGaussians) -> None:
    volume = bone()
    voxels = voxelize(fitted, volume.index_to_ras, volume.array.shape).numpy()
    pit = volume.array < -0.3 * CORTEX
    assert pit.any()
    assert voxels[pit].mean() == pytest.approx(volume.array[pit].mean(), rel=0.1)


def test_the_same_seed_gives_the_same_gaussians() -> None:
    first, second = (fit(bone(), count=100, seed=3, iterations=3) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.tensors(), second.tensors(), strict=True))


def test_more_gaussians_than_voxels_are_not_made() -> None:
    volume = Volume(np.zeros((5, 5, 5), dtype=np.float32), np.eye(4))
    volume.array[2, 2, 1:4] = CORTEX
    assert len(fit(volume, count=50, iterations=2)) == 3


def test_progress_runs_from_start_to_end() -> None:
    fractions: list[float] = []
    fit(bone(), count=50, iterations=4, progress=fractions.append)
    assert fractions == [0.25, 0.5, 0.75, 1.0]


def test_known_shapes_get_their_densities_back(fitted: RadiativeGaussians) -> None:
    means, log_scales, quaternions, densities = (tensor[::6] for tensor in fitted.tensors())
    truth = RadiativeGaussians(means, log_scales.clamp_min(0.0), quaternions, densities)
    voxels = voxelize(truth, bone().index_to_ras, bone().array.shape)
    forgotten = RadiativeGaussians(*truth.tensors()[:3], torch.zeros_like(densities))
    target = Volume(voxels.numpy(), bone().index_to_ras)
    solved = solve_densities(forgotten, target, 4.5, iterations=200, ridge=1e-8)
    torch.testing.assert_close(solved.densities, densities, rtol=0, atol=0.02 * float(densities.abs().max()))


@pytest.mark.parametrize("spoiled", [0.0, np.nan])
def test_a_volume_without_bone_is_refused(spoiled: float) -> None:
    with pytest.raises(RadgsError, match="no attenuation"):
        fit(Volume(np.full((4, 4, 4), spoiled, dtype=np.float32), np.eye(4)))
