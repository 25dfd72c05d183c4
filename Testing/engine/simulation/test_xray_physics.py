"""What makes line integrals look like an X-ray."""

from __future__ import annotations

import numpy as np
import pytest

from radgs.simulation import XRayPhysics
from radgs.simulation.xray_physics import expose, line_integrals_from_intensity

#: Neither scatter nor blur nor read-out noise: a beam, an absorber and quanta.
PLAIN = XRayPhysics(photons=2.0e4, scatter_to_primary=0.0, blur_sigma_mm=0.0, electronic_noise=0.0)

PIXEL_MM = 0.5


@pytest.fixture(scope="module")
def bar() -> np.ndarray:
    """A dense bar across soft tissue, (80, 90)."""
    image = np.full((80, 90), 1.5, dtype=np.float32)
    image[30:50] = 3.0
    return image


def contrast(intensity: np.ndarray) -> float:
    """Beer-Lambert contrast between the bar and its surroundings."""
    return float(np.log(intensity[5:20].mean() / intensity[35:45].mean()))


def test_the_expected_intensity_falls_exponentially(bar: np.ndarray) -> None:
    np.testing.assert_allclose(expose(bar, PLAIN, PIXEL_MM), 2.0e4 * np.exp(-bar), rtol=1e-5)


def test_taking_the_logarithm_undoes_the_exposure_without_scatter_and_noise(bar: np.ndarray) -> None:
    intensity = expose(bar, PLAIN, PIXEL_MM)
    np.testing.assert_allclose(line_integrals_from_intensity(intensity, PLAIN.photons), bar, atol=1e-5)


def test_pixels_without_a_single_quantum_still_get_a_finite_line_integral() -> None:
    black = line_integrals_from_intensity(np.zeros((3, 3), dtype=np.float32), 1e5)
    np.testing.assert_allclose(black, -np.log(1e-4), rtol=1e-6)


@pytest.mark.parametrize("line_integral", [0.5, 2.0, 5.0])
def test_the_variance_of_the_quanta_is_their_mean(line_integral: float) -> None:
    flat = np.full((300, 300), line_integral, dtype=np.float32)
    quanta = expose(flat, PLAIN, PIXEL_MM, np.random.default_rng(0))
    expected = PLAIN.photons * np.exp(-line_integral)
    assert quanta.mean() == pytest.approx(expected, rel=0.01)
    assert quanta.var() == pytest.approx(expected, rel=0.03)


def test_read_out_noise_adds_its_own_variance() -> None:
    flat = np.full((300, 300), 4.0, dtype=np.float32)
    noisy = XRayPhysics(photons=2.0e4, scatter_to_primary=0.0, blur_sigma_mm=0.0, electronic_noise=20.0)
    quanta = expose(flat, noisy, PIXEL_MM, np.random.default_rng(0))
    assert quanta.var() == pytest.approx(2.0e4 * np.exp(-4.0) + 20.0**2, rel=0.03)


def test_scatter_brightens_the_image_and_flattens_its_contrast(bar: np.ndarray) -> None:
    scattering = XRayPhysics(photons=2.0e4, scatter_to_primary=0.5, blur_sigma_mm=0.0)
    clean, scattered = expose(bar, PLAIN, PIXEL_MM), expose(bar, scattering, PIXEL_MM)
    assert (scattered > clean).all()
    assert scattered.sum() == pytest.approx(1.5 * clean.sum(), rel=1e-3)
    assert contrast(clean) == pytest.approx(1.5, abs=1e-4)
    assert contrast(scattered) < 0.8 * contrast(clean)


def test_blur_widens_edges_and_keeps_the_quanta(bar: np.ndarray) -> None:
    blurring = XRayPhysics(photons=2.0e4, scatter_to_primary=0.0, blur_sigma_mm=1.5)
    sharp, soft = expose(bar, PLAIN, PIXEL_MM), expose(bar, blurring, PIXEL_MM)
    assert soft.sum() == pytest.approx(sharp.sum(), rel=1e-5)
    assert np.abs(np.diff(soft, axis=0)).max() < 0.3 * np.abs(np.diff(sharp, axis=0)).max()


def test_the_same_seed_gives_the_same_noise(bar: np.ndarray) -> None:
    first, again, other = (expose(bar, XRayPhysics(), PIXEL_MM, np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.9
    assert (first >= 0).all()
