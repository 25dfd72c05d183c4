"""Blades and round fields are found; lung, air, metal and dense anatomy at the border are part of the image."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from radgs.geometry.field_of_measurement import find_field

SHAPE = (256, 256)
ROWS, COLUMNS = np.meshgrid(*(np.linspace(-0.5, 0.5, n) for n in SHAPE), indexing="ij")


def anatomy(seed: int = 0) -> NDArray[np.float32]:
    """Line integrals with a dense spine, a lung at the border and noise."""
    rng = np.random.default_rng(seed)
    image = 2.0 + 2.5 * np.exp(-((COLUMNS / 0.12) ** 2)) + 0.3 * np.sin(40 * ROWS) * np.exp(-((COLUMNS / 0.1) ** 2))
    image -= 1.2 * ((ROWS + 0.3) ** 2 + (COLUMNS - 0.45) ** 2 < 0.05)
    return (image + rng.normal(0, 0.05, SHAPE)).astype(np.float32)


def shape(kind: str) -> NDArray[np.bool_]:
    right = COLUMNS * np.cos(0.3) + ROWS * np.sin(0.3)
    fields = {
        "left and right": abs(COLUMNS) < 0.34,
        "all four": (abs(COLUMNS) < 0.36) & (abs(ROWS + 0.02) < 0.33),
        "top": ROWS > -0.35,
        "rotated": abs(right) < 0.33,
        "round": np.hypot(ROWS, COLUMNS - 0.01) < 0.46,
    }
    return np.asarray(fields[kind])


def iou(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    return float((first & second).sum() / (first | second).sum())


@pytest.mark.parametrize("kind", ["left and right", "all four", "top", "rotated", "round"])
def test_a_drawn_field_is_found(kind: str) -> None:
    field = shape(kind)
    beyond = 9.0 + np.random.default_rng(1).normal(0, 0.3, SHAPE)
    image = np.where(field, anatomy(), np.minimum(beyond, 9.2)).astype(np.float32)
    assert iou(find_field(image), field) >= 0.98


@pytest.mark.parametrize("kind", ["all four", "round"])
def test_a_black_surround_of_a_bone_bright_picture_is_found(kind: str) -> None:
    field = shape(kind)
    image = np.where(field, np.round(anatomy() * 40), 0).astype(np.uint8)
    assert iou(find_field(image), field) >= 0.98


def test_a_black_surround_of_unknown_sense_is_found() -> None:
    field = shape("round")
    image = np.where(field, np.round(255 * np.exp(-anatomy())), 0).astype(np.uint8)
    assert iou(find_field(np.log(image + 0.5), dense_is_high=None), field) >= 0.98


def test_a_clean_image_is_all_field() -> None:
    assert find_field(anatomy()).all()


def test_air_beside_the_patient_is_no_blade() -> None:
    image = np.where(np.abs(COLUMNS) < 0.4 - 0.1 * ROWS**2, anatomy(), 0.0)
    assert find_field((image + np.random.default_rng(2).normal(0, 0.01, SHAPE)).astype(np.float32)).all()


def test_a_metal_plate_at_the_edge_is_no_blade() -> None:
    plate = (abs(ROWS) < 0.15) & (COLUMNS > 0.3)
    assert find_field(np.where(plate, 9.0, anatomy()).astype(np.float32)).all()


def test_burnt_in_text_is_marked_invalid() -> None:
    image = np.round(anatomy() * 40).astype(np.uint8)
    image[10:20, 10:13] = 255
    field = find_field(image)
    assert not field[10:20, 10:13].any()
    assert field.mean() > 0.99
