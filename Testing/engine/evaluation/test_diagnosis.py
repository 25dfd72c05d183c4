"""The failure signatures show in reconstructions that were spoilt on purpose, and only there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from radgs.evaluation.diagnosis import Signs, diagnose, is_ghosted, is_over_fitted
from radgs.evaluation.metrics import VolumeSimilarity, volume_similarity
from radgs.geometry import Volume

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
GOOD = Signs(ghost_share=0.02, correlation=0.7, regm_mm=1.5)


@pytest.fixture(scope="module")
def vertebra() -> Volume:
    """A shell of 22 mm with a process behind it."""
    k, j, i = np.indices((48, 48, 48)) - 23.5
    radius = np.sqrt(i**2 + j**2 + k**2)
    values = np.where(np.abs(radius - 10) < 1.5, 0.024, 0.0) + np.where(radius < 10, 0.006, 0.0)
    values[22:26, 33:42, 22:26] = 0.02
    return Volume(values.astype(np.float32), AFFINE)


def seen(vertebra: Volume, array: np.ndarray) -> VolumeSimilarity:
    return volume_similarity(Volume(array, AFFINE), vertebra, vertebra.array > 0.001)


def signs_of(like: VolumeSimilarity, regm_mm: float = 1.0) -> Signs:
    return Signs(like.ghost_share, like.correlation, regm_mm)


def test_the_truth_and_a_little_blur_are_good(vertebra: Volume) -> None:
    for sigma in (0.0, 1.0):
        signs = signs_of(seen(vertebra, ndimage.gaussian_filter(vertebra.array, sigma)))
        assert not is_ghosted(signs)
        assert is_over_fitted(replace(signs, regm_mm=6.0))


def test_a_second_image_beside_the_vertebra_is_a_ghost(vertebra: Volume) -> None:
    twin = 0.5 * vertebra.array + 0.5 * np.roll(vertebra.array, 14, axis=0)
    signs = signs_of(seen(vertebra, twin), regm_mm=12.0)
    assert signs.ghost_share > 0.15
    assert is_ghosted(signs)
    assert not is_over_fitted(signs), "the pose is off because the reconstruction is"


def test_a_mere_cloud_is_blurred(vertebra: Volume) -> None:
    cloud = ndimage.gaussian_filter(vertebra.array, 6.0)
    assert is_ghosted(signs_of(seen(vertebra, cloud)))


def test_nothing_at_all_is_no_good_reconstruction(vertebra: Volume) -> None:
    signs = signs_of(seen(vertebra, np.zeros_like(vertebra.array)))
    assert np.isnan(signs.correlation)
    assert is_ghosted(signs)


def test_healthy_networks_get_no_diagnosis() -> None:
    assert diagnose([GOOD] * 9 + [replace(GOOD, ghost_share=0.5)]) == ()


def test_ghosts_point_to_attention() -> None:
    (found,) = diagnose([GOOD] * 3 + [replace(GOOD, ghost_share=0.5, regm_mm=20.0)] * 3)
    assert (found.code, found.share) == ("attention", 0.5)
    assert "attention" in found.message


def test_good_reconstructions_with_poses_far_off_point_to_regm() -> None:
    (found,) = diagnose([replace(GOOD, regm_mm=6.0)] * 4 + [GOOD])
    assert (found.code, found.share) == ("regm_over_fitted", pytest.approx(0.8))


def test_both_are_told_worst_first() -> None:
    mixed = [replace(GOOD, regm_mm=6.0)] * 3 + [replace(GOOD, correlation=0.1)] * 5
    assert [found.code for found in diagnose(mixed)] == ["attention", "regm_over_fitted"]
