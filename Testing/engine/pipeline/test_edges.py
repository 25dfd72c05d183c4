"""Likeness lost from a coarse scale to a fine one: by other edges, not by noise, coarse voxels or what a CT lacks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from radgs.filters import blurred
from radgs.geometry import ViewGeometry
from radgs.pipeline.edges import VOXELS_OF_BLUR, Likeness, ct_blur, likeness, noise_like
from radgs.refine import Observation

SIZE, PIXEL_MM = 96, 1.0
SHARP = np.zeros(2)


def grain(seed: int) -> Tensor:
    return torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def smooth(image: Tensor, sigma: float) -> Tensor:
    return blurred(image[None], sigma, round(3.5 * sigma))[0]


def bone(seed: int) -> Tensor:
    """The same shape for every seed; what it is filled with, and its outline's fine course, are the seed's."""
    shape = torch.zeros(SIZE, SIZE, dtype=torch.float64)
    shape[26:68, 24:72] = 1.0
    return smooth((smooth(shape, 4.0) + 1.2 * smooth(grain(seed), 2.5) > 0.5).double(), 0.7)


BONE = bone(1)
TISSUE = 0.4 * smooth(grain(2), 4.0)


def likeness_of(seen: Tensor, drawn: Tensor = BONE, blur: np.ndarray = SHARP, valid: Tensor | None = None) -> Likeness:
    image = (seen + TISSUE + 0.002 * grain(3))[None]
    observation = Observation(image, torch.ones_like(image) if valid is None else valid[None], (), PIXEL_MM)
    return likeness(observation, drawn + TISSUE, drawn, blur)


def test_the_right_bone_loses_nothing() -> None:
    assert likeness_of(BONE).lost < 0.02
    assert likeness_of(BONE).fine > 0.97


def test_a_bone_of_the_same_shape_with_other_edges_loses_likeness() -> None:
    found = likeness_of(bone(7))
    assert found.coarse > 0.7
    assert found.lost > 0.1


def test_noise_is_not_held_against_a_pose() -> None:
    for strength in (0.02, 0.06, 0.5):
        assert likeness_of(BONE + strength * grain(9)).lost < 0.05, strength


def test_noise_is_measured_beside_the_edges_of_an_image() -> None:
    everywhere = torch.ones(SIZE, SIZE, dtype=torch.bool)
    assert float(noise_like(TISSUE + 0.05 * grain(8), everywhere).std()) == pytest.approx(0.05, rel=0.1)
    assert float(noise_like(TISSUE, everywhere).std()) < 0.005


def test_voxels_that_are_coarser_than_pixels_are_allowed_for() -> None:
    """Coarser along the rows alone: known, they cost nothing; not known, they look like other edges."""
    coarse = torch.from_numpy(_blurred_along_rows(BONE.numpy(), 2.4))
    known, unknown = likeness_of(BONE, coarse, np.array([2.4, 0.0])), likeness_of(BONE, coarse)
    assert known.lost < 0.02
    assert unknown.lost > known.lost + 0.02
    assert likeness_of(bone(7), coarse, np.array([2.4, 0.0])).lost > 0.06


def _blurred_along_rows(image: np.ndarray, sigma: float) -> np.ndarray:
    offsets = np.arange(-8, 9)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    return np.stack([np.convolve(row, kernel / kernel.sum(), mode="same") for row in image])


def test_a_voxel_blurs_a_detector_by_what_is_seen_of_it() -> None:
    geometry = ViewGeometry(np.array([0.0, -1000.0, 0.0]), _lying_in_xz(0.4), (64, 64))
    thick = np.diag([0.7, 0.7, 5.0])
    assert ct_blur(geometry, thick, 0.5) == pytest.approx(VOXELS_OF_BLUR * np.array([0.7, 5.0]) / 0.5)
    turned = np.array([[0.0, 0.0, 5.0], [0.7, 0.0, 0.0], [0.0, 0.7, 0.0]])  # slices across the detector's columns
    assert ct_blur(geometry, turned, 0.5) == pytest.approx(VOXELS_OF_BLUR * np.array([5.0, 0.7]) / 0.5)


def _lying_in_xz(pixel_mm: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([[pixel_mm, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -pixel_mm, 0.0]])
    return matrix


def test_an_image_without_the_vertebra_says_nothing() -> None:
    assert likeness_of(BONE, valid=torch.zeros(SIZE, SIZE, dtype=torch.float64)) == Likeness()
