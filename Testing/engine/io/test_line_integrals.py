"""Pixel values become line integrals, and their kind is told only where the image tells it."""

from __future__ import annotations

import numpy as np
import pytest

from radgs.errors import InputFileError
from radgs.io.line_integrals import bone_sense, guess_pixel_type, open_beam_level, to_line_integrals


def spine_line_integrals(rows: int = 120, columns: int = 100) -> np.ndarray:
    """A trunk that thins out sideways to air, with a spine of four vertebrae in its middle."""
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    trunk = 4.5 * np.sqrt(np.clip(1 - (x / 0.97) ** 2, 0, None))
    bodies = 1.0 * (np.abs(x) < 0.22) * (np.cos(4 * np.pi * y) > -0.6)
    return trunk + bodies + 0.02 * np.random.default_rng(0).normal(size=x.shape)


def intensity(line_integrals: np.ndarray, unattenuated: float = 30_000.0) -> np.ndarray:
    return np.round(unattenuated * np.exp(-line_integrals)).clip(0, 65535).astype(np.uint16)


def test_intensities_become_the_line_integrals_they_came_from() -> None:
    truth = spine_line_integrals()
    converted = to_line_integrals(intensity(truth), "intensity", "as stated")
    assert converted.image.dtype == np.float32
    offset = converted.image - truth  # the open beam is only known to the noise in it
    assert abs(np.median(offset)) < 0.1
    assert np.ptp(offset) < 0.02 + 1.0 / 100  # half a grey level behind the densest bone
    assert converted.conversion.startswith("intensities I to -log(I / ")
    assert "as stated" in converted.conversion


def test_no_count_is_dark_and_not_infinite() -> None:
    values = intensity(spine_line_integrals())
    values[60, 50] = 0
    converted = to_line_integrals(values, "intensity", "as stated")
    assert np.isfinite(converted.image).all()
    assert converted.image[60, 50] == converted.image.max()
    assert converted.image.max() < 9.3


def test_the_open_beam_is_found_without_hot_pixels_and_with_a_saturated_border() -> None:
    values = intensity(spine_line_integrals(), 20_000.0)
    values[3, 4] = 65_535
    assert open_beam_level(values) == pytest.approx(20_000, rel=0.1)
    saturated = np.minimum(intensity(spine_line_integrals(), 200_000.0 / 4), 4095)
    assert open_beam_level(saturated) == 4095


def test_an_image_without_any_exposure_is_refused() -> None:
    with pytest.raises(InputFileError, match="no positive intensity"):
        to_line_integrals(np.full((20, 20), -1.0), "intensity", "as stated")


def test_display_values_keep_their_order_and_get_a_patients_range() -> None:
    values = np.round(spine_line_integrals() * 40).clip(0, 255).astype(np.uint8)
    converted = to_line_integrals(values, "display", "as stated")
    in_order = np.argsort(values, axis=None, kind="stable")
    np.testing.assert_array_equal(np.argsort(converted.image, axis=None, kind="stable"), in_order)
    assert np.percentile(converted.image, [0.1, 99.9]) == pytest.approx([0.0, 5.0], abs=0.1)
    assert "display values" in converted.conversion


def test_line_integrals_are_left_alone() -> None:
    values = spine_line_integrals()
    np.testing.assert_array_equal(
        to_line_integrals(values, "attenuation", "as stated").image, values.astype(np.float32)
    )


def test_the_kinds_are_told_apart() -> None:
    truth = spine_line_integrals()
    assert guess_pixel_type(truth)[0] == "attenuation"
    assert guess_pixel_type(intensity(truth))[0] == "intensity"
    assert guess_pixel_type(np.exp(-truth))[0] == "intensity"
    assert guess_pixel_type(np.round(truth * 40).clip(0, 255).astype(np.uint8))[0] == "display"
    assert guess_pixel_type((truth / truth.max()).clip(0, 1))[0] == "display"
    assert guess_pixel_type(truth)[1].startswith("guessed: ")


def test_a_collimator_is_not_taken_for_air() -> None:
    truth = spine_line_integrals()
    values = intensity(truth)
    dark = np.random.default_rng(1).integers(0, 8, values.shape).astype(np.uint16)
    blades = np.ones(values.shape, bool)
    blades[15:-15, 12:-12] = False
    assert guess_pixel_type(np.where(blades, dark, values))[0] == "intensity"


@pytest.mark.parametrize(
    "make", [lambda rng: rng.normal(1000, 200, (80, 80)), lambda rng: rng.integers(0, 255, (80, 80))]
)
def test_what_does_not_show_a_spine_is_asked_about(make: object) -> None:
    values = make(np.random.default_rng(0))  # type: ignore[operator]
    assert bone_sense(values) == "unclear"
    with pytest.raises(InputFileError, match=r'Which is it.*"intensity".*"display".*"attenuation"'):
        guess_pixel_type(values)


def test_real_numbers_of_a_patients_range_with_dark_bone_are_asked_about() -> None:
    with pytest.raises(InputFileError, match="does not tell"):
        guess_pixel_type(8.0 * np.exp(-spine_line_integrals()))
