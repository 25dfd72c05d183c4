"""Bodies rendered for less show what the full rendering shows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from radgs.geometry import LEVER_MM, FloatArray, RigidTransform, ViewGeometry
from radgs.geometry.roi import ROI_SIZE_MM
from radgs.refine.apart import parts_polished
from radgs.refine.parts import LINEAR_REACH_MM, HalfResolution, LinearisedPart
from radgs.refine.resolutions import FINE_PIXELS
from radgs.refine.solver import Part
from radgs.vertebra import VertebraAnatomy


class Counting:
    """A part that counts how often its derivative is rendered."""

    def __init__(self, part: Part) -> None:
        self.part, self.renderings = part, 0

    def render(self, pose: RigidTransform, geometry: ViewGeometry) -> Tensor:
        return self.part.render(pose, geometry)

    def render_with_jacobian(
        self, pose: RigidTransform, geometry: ViewGeometry, centre: FloatArray
    ) -> tuple[Tensor, Tensor]:
        self.renderings += 1
        return self.part.render_with_jacobian(pose, geometry, centre)


def test_half_resolution_renders_smooth_bodies_in_place(
    phantom_vertebra: VertebraAnatomy, truth: RigidTransform, geometries: dict[str, ViewGeometry]
) -> None:
    centre = truth.apply(phantom_vertebra.centre)
    geometry = geometries["LAT"].crop_geometry(centre, 128.0, 64)
    part = phantom_vertebra.surroundings_part.sampled_every(4.0)
    full, full_jacobian = part.render_with_jacobian(truth, geometry, centre)
    half, half_jacobian = HalfResolution(part).render_with_jacobian(truth, geometry, centre)
    assert half.shape == full.shape
    assert half_jacobian.shape == full_jacobian.shape
    inner = (slice(2, -2), slice(2, -2))
    assert float((half - full)[inner].abs().mean()) < 0.01 * float(full.mean())
    shifted = torch.roll(full, 1, dims=1)
    assert float((half - full)[inner].abs().mean()) < float((shifted - full)[inner].abs().mean())


@pytest.fixture
def lateral(
    geometries: dict[str, ViewGeometry], phantom_vertebra: VertebraAnatomy, truth: RigidTransform
) -> ViewGeometry:
    return geometries["LAT"].crop_geometry(truth.apply(phantom_vertebra.centre), 128.0, 64)


@pytest.fixture
def centre(phantom_vertebra: VertebraAnatomy, truth: RigidTransform) -> np.ndarray:
    return truth.apply(phantom_vertebra.centre)


@pytest.fixture
def part(phantom_vertebra: VertebraAnatomy) -> Counting:
    return Counting(phantom_vertebra.surroundings_part.sampled_every(4.0))


def moved(pose: RigidTransform, centre: np.ndarray, reach: float) -> RigidTransform:
    """The pose turned and shifted, by so much of what an expansion reaches."""
    shift = reach * LINEAR_REACH_MM * np.array([0.9, -0.8, 0.7])
    return pose.rotated_about(centre, shift / LEVER_MM, shift)


def test_an_expanded_body_follows_small_motions_without_being_rendered(
    part: Counting, centre: np.ndarray, truth: RigidTransform, lateral: ViewGeometry
) -> None:
    linearised = LinearisedPart(part)
    at_first, _ = linearised.render_with_jacobian(truth, lateral, centre)
    followed, _ = linearised.render_with_jacobian(moved(truth, centre, 0.9), lateral, centre)
    assert part.renderings == 1
    rendered = part.render(moved(truth, centre, 0.9), lateral)
    # Between voxels of 4 mm the interpolation's slope is no straight line: half of the change is followed, not all.
    assert float((followed - rendered).abs().mean()) < 0.6 * float((at_first - rendered).abs().mean())


def test_an_expanded_body_that_came_far_is_rendered_anew(
    part: Counting, centre: np.ndarray, truth: RigidTransform, lateral: ViewGeometry
) -> None:
    linearised = LinearisedPart(part)
    linearised.render_with_jacobian(truth, lateral, centre)
    far = moved(truth, centre, 1.2)
    torch.testing.assert_close(
        linearised.render_with_jacobian(far, lateral, centre), part.render_with_jacobian(far, lateral, centre)
    )
    assert part.renderings == 3  # twice through the expansion, once beside it


def test_each_view_has_an_expansion_of_its_own(
    phantom_vertebra: VertebraAnatomy, truth: RigidTransform, geometries: dict[str, ViewGeometry]
) -> None:
    centre = truth.apply(phantom_vertebra.centre)
    part = phantom_vertebra.surroundings_part.sampled_every(4.0)
    linearised = LinearisedPart(part)
    for geometry in (view.crop_geometry(centre, 128.0, 32) for view in geometries.values()):
        torch.testing.assert_close(
            linearised.render_with_jacobian(truth, geometry, centre), part.render_with_jacobian(truth, geometry, centre)
        )


def test_the_surroundings_are_drawn_finely_enough_where_accuracy_is_decided(
    phantom_vertebra: VertebraAnatomy, truth: RigidTransform, geometries: dict[str, ViewGeometry]
) -> None:
    """Drawn on every second pixel, their edges are wrong by a quarter and more: a quarter of the accuracy."""
    centre = truth.apply(phantom_vertebra.centre)
    for geometry in geometries.values():
        seen = geometry.crop_geometry(centre, ROI_SIZE_MM, FINE_PIXELS)
        exact, drawn = (
            edges(part.render(truth, seen))
            for part in (phantom_vertebra.surroundings_part.sampled_every(0.75), parts_polished(phantom_vertebra)[1])
        )
        assert float((drawn - exact).norm()) < 0.1 * float(exact.norm())


def edges(image: Tensor) -> Tensor:
    """Differences of neighbouring pixels, downwards and to the right."""
    return torch.stack([image[1:, :-1] - image[:-1, :-1], image[:-1, 1:] - image[:-1, :-1]])
