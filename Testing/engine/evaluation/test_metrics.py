"""Scores mean what they say, on cases whose scores are known."""

from __future__ import annotations

import numpy as np
import pytest

from radgs.evaluation.metrics import (
    dilated,
    mtre,
    psnr,
    rotation_error,
    similarity,
    ssim,
    target_errors,
    volume_similarity,
)
from radgs.geometry import RigidTransform, Volume


@pytest.fixture(scope="module")
def surface() -> np.ndarray:
    directions = np.random.default_rng(3).normal(size=(2000, 3))
    return 25.0 * directions / np.linalg.norm(directions, axis=1, keepdims=True) + [10.0, -40.0, 600.0]


@pytest.fixture(scope="module")
def vertebra() -> Volume:
    """Excess attenuation like a vertebra's: dense shell 0.03/mm, spongy inside, on a 40^3 grid of 2 mm."""
    k, j, i = np.meshgrid(*[np.arange(40) - 19.5] * 3, indexing="ij")
    radius = np.sqrt(i**2 + j**2 + k**2)
    values = np.where(radius < 10, 0.006, 0.0) + np.where(np.abs(radius - 10) < 1.2, 0.024, 0.0)
    return Volume(values.astype(np.float32), np.diag([2.0, 2.0, 2.0, 1.0]))


def test_a_shift_is_its_own_error_at_every_point(surface):
    truth = RigidTransform.from_rotation_vector([0.1, -0.2, 0.3], [5.0, 6.0, 7.0])
    off = RigidTransform(np.eye(3), np.array([0.0, 3.0, 4.0])) @ truth
    assert mtre(surface, truth, off) == pytest.approx(5.0)
    errors = target_errors(surface, truth, off)
    assert (errors.mean, errors.p95, errors.maximum) == pytest.approx((5.0, 5.0, 5.0))
    assert rotation_error(truth, off) == pytest.approx(0.0, abs=1e-7)


def test_a_turn_about_the_centre_moves_the_surface_but_not_the_centre(surface):
    truth = RigidTransform.from_rotation_vector([0.1, -0.2, 0.3], [5.0, 6.0, 7.0])
    centre = np.array([10.0, -40.0, 600.0])
    turn = 0.02
    off = truth.rotated_about(truth.apply(centre), [0.0, 0.0, turn])
    assert rotation_error(truth, off) == pytest.approx(turn)
    errors = target_errors(surface, truth, off)
    assert errors.mean == pytest.approx(25.0 * turn * np.pi / 4, rel=0.02), "mean of sin over a sphere is pi / 4"
    assert errors.mean < errors.p95 < errors.maximum <= 25.0 * turn


def test_the_truth_scores_perfectly(vertebra):
    scores = volume_similarity(vertebra, vertebra, vertebra.array > 0)
    assert scores.roi.ssim == scores.inside.ssim == pytest.approx(1.0)
    assert scores.roi.psnr_db == scores.inside.psnr_db == float("inf")


def test_psnr_is_taken_against_the_fixed_range_of_attenuation(vertebra):
    off = Volume(vertebra.array + np.float32(0.0004), vertebra.index_to_ras)
    scores = volume_similarity(off, vertebra, vertebra.array > 0)
    assert scores.roi.psnr_db == pytest.approx(40.0, abs=1e-3), "an error of one hundredth of 0.04/mm"
    assert scores.inside.psnr_db == pytest.approx(40.0, abs=1e-3)


def test_emptiness_around_the_vertebra_flatters_and_the_mask_does_not(vertebra):
    random = np.random.default_rng(0)
    noise = np.where(vertebra.array > 0, random.normal(0, 0.004, vertebra.array.shape), 0.0)
    noisy = Volume(vertebra.array + noise.astype(np.float32), vertebra.index_to_ras)
    scores = volume_similarity(noisy, vertebra, vertebra.array > 0)
    assert scores.inside.ssim < scores.roi.ssim < 1.0
    assert scores.inside.psnr_db < scores.roi.psnr_db


def test_ssim_follows_its_formula():
    """One window, written out: the means, variances and covariance under the 11 x 11 Gaussian of sigma 1.5."""
    random = np.random.default_rng(5)
    first, second = random.random((2, 11, 11))
    weights = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    weights = np.outer(weights, weights) / weights.sum() ** 2
    mean_1, mean_2 = (weights * first).sum(), (weights * second).sum()
    var_1, var_2 = (weights * first**2).sum() - mean_1**2, (weights * second**2).sum() - mean_2**2
    covariance = (weights * first * second).sum() - mean_1 * mean_2
    c1, c2 = (0.01 * 2.0) ** 2, (0.03 * 2.0) ** 2
    expected = (2 * mean_1 * mean_2 + c1) * (2 * covariance + c2)
    expected /= (mean_1**2 + mean_2**2 + c1) * (var_1 + var_2 + c2)
    assert ssim(first, second, data_range=2.0) == pytest.approx(expected, rel=1e-6)


def test_images_are_scored_with_the_range_they_are_given():
    random = np.random.default_rng(1)
    image = random.random((64, 48))
    worse = image + 0.05 * random.normal(size=image.shape)
    narrow, wide = similarity(worse, image, data_range=1.0), similarity(worse, image, data_range=4.0)
    assert wide.psnr_db - narrow.psnr_db == pytest.approx(20 * np.log10(4.0))
    assert narrow.ssim < wide.ssim < 1.0
    mask = np.zeros(image.shape, dtype=bool)
    mask[20:40, 20:40] = True
    assert psnr(np.where(mask, image, 0.0), image, 1.0, mask) == float("inf")


def test_a_mask_grows_by_millimetres_on_an_anisotropic_grid():
    mask = np.zeros((21, 21, 21), dtype=bool)
    mask[10, 10, 10] = True
    grown = dilated(mask, np.array([1.0, 1.5, 3.0]), 3.0)
    k, j, i = np.argwhere(grown).T
    assert (np.ptp(i), np.ptp(j), np.ptp(k)) == (6, 4, 2)


def test_scores_refuse_volumes_that_do_not_match(vertebra):
    other = Volume(vertebra.array[1:], vertebra.index_to_ras)
    with pytest.raises(ValueError, match="Shapes differ"):
        volume_similarity(other, vertebra, vertebra.array > 0)
    with pytest.raises(ValueError, match="empty"):
        volume_similarity(vertebra, vertebra, vertebra.array > 1)
