"""The local agreement of X-ray and DRR: 1 where edges lie on each other, the lower the further they lie apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from radgs.anatomy import vertebra_frame
from radgs.case import Level
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, XRayView, unit
from radgs.overlay import AgreementMap, Contours, ViewCrop, crop_view, drr, local_agreement, projected_lines
from radgs.overlay.agreement import SHOWN_RANGE
from radgs.overlay.pictures import DrawnAnatomy, drawn_anatomy
from radgs.phantom import PhantomSpine

pytestmark = pytest.mark.slow

TRUTH = RigidTransform.from_rotation_vector([0.05, -0.08, 0.06], [4.0, -7.0, 12.0])


@pytest.fixture(scope="module")
def l3(phantom_spine: PhantomSpine) -> DrawnAnatomy:
    return drawn_anatomy(phantom_spine.ct, phantom_spine.labels, Level("L3", phantom_spine.levels["L3"]))


@pytest.fixture(scope="module")
def contours(phantom_spine: PhantomSpine) -> Contours:
    label = phantom_spine.levels["L3"]
    return Contours.of(phantom_spine.labels, label, vertebra_frame(phantom_spine.labels, label))


@pytest.fixture(scope="module", params=[[0.1, -1.0, 0.05], [-1.0, 0.1, -0.1]], ids=["AP", "LAT"])
def view(request: pytest.FixtureRequest, l3: DrawnAnatomy, film: Callable[..., ViewGeometry]) -> XRayView:
    """A DRR at the truth with noise: the X-ray."""
    geometry = film(request.param, TRUTH.apply(l3.centre), 0.9, 320)
    image = drr(l3, TRUTH, geometry)
    noise = np.random.default_rng(0).normal(0, 0.02, image.shape)
    return XRayView("view", (image + noise).astype(np.float32), geometry)


def agreement(crop: ViewCrop, l3: DrawnAnatomy, contours: Contours, pose: RigidTransform) -> AgreementMap:
    return local_agreement(crop, drr(l3, pose, crop.geometry), projected_lines(contours, pose, crop.geometry))


def beside(view: XRayView, across_mm: float, down_mm: float) -> RigidTransform:
    """The truth moved in the view's plane."""
    moved = across_mm * unit(view.geometry.column_step) + down_mm * unit(view.geometry.row_step)
    return RigidTransform(TRUTH.rotation, TRUTH.translation + moved)


def test_a_millimetre_lowers_the_mean_and_more_lowers_it_more(
    view: XRayView, l3: DrawnAnatomy, contours: Contours
) -> None:
    crop = crop_view(view, l3, TRUTH)
    at_truth = agreement(crop, l3, contours, TRUTH).mean
    assert at_truth > 0.85
    for direction in (1.0, 0.0), (0.0, 1.0), (-0.7, 0.7):
        means = [
            agreement(crop, l3, contours, beside(view, *(direction[0] * mm, direction[1] * mm))).mean for mm in (1, 2)
        ]
        assert means[0] < at_truth - 0.04
        assert means[1] < means[0] - 0.08


def test_what_was_moved_in_the_xray_is_where_the_map_is_low(
    view: XRayView, l3: DrawnAnatomy, contours: Contours
) -> None:
    """The left half of the X-ray moved by 2 mm at the vertebra, as if only one pedicle did not fit."""
    crop = crop_view(view, l3, TRUTH)
    pixels, middle = round(2.0 / crop.pixel_mm), crop.image.shape[1] // 2
    image = crop.image.copy()
    image[:, :middle] = np.roll(crop.image, pixels, axis=0)[:, :middle]
    found = agreement(replace(crop, image=image), l3, contours, TRUTH)
    gap = round(8.0 / crop.pixel_mm)  # the seam is in the neighbourhood of both
    assert mean_of(found, slice(0, middle - gap)) < mean_of(found, slice(middle + gap, None)) - 0.2


def mean_of(found: AgreementMap, columns: slice) -> float:
    return AgreementMap(found.value[:, columns], found.weight[:, columns]).mean


def test_contrast_and_slow_shading_change_nothing(view: XRayView, l3: DrawnAnatomy, contours: Contours) -> None:
    crop = crop_view(view, l3, TRUTH)
    ramp = np.linspace(0.0, 2.0, crop.image.shape[1], dtype=np.float32)
    shaded = replace(crop, image=0.4 * crop.image + ramp)
    plain, other = (agreement(one, l3, contours, TRUTH).mean for one in (crop, shaded))
    assert other == pytest.approx(plain, abs=0.02)


def test_what_was_not_measured_does_not_count(view: XRayView, l3: DrawnAnatomy, contours: Contours) -> None:
    crop = crop_view(view, l3, TRUTH)
    valid = crop.valid.copy()
    valid[:, : crop.image.shape[1] // 2] = 0.0
    spoilt = replace(crop, image=np.where(valid > 0, crop.image, 50.0).astype(np.float32), valid=valid)
    found = agreement(spoilt, l3, contours, TRUTH)
    assert (found.weight[valid == 0] == 0).all()
    assert found.mean > 0.8
    nothing = agreement(replace(crop, valid=np.zeros_like(valid)), l3, contours, TRUTH)
    assert np.isnan(nothing.mean)


def test_the_picture_goes_from_yellow_to_blue_on_edges_alone() -> None:
    low, high = SHOWN_RANGE
    value = np.array([[low - 0.1, high + 0.1, 0.5]], dtype=np.float32)
    picture = AgreementMap(value, np.array([[1.0, 1.0, 0.0]], dtype=np.float32)).picture()
    doubtful, agreeing, nowhere = picture[0]
    assert is_yellow(doubtful)
    assert agreeing[2] > 2 * agreeing[0]
    assert doubtful[3] == agreeing[3] > 0.5
    assert nowhere[3] == 0.0


def is_yellow(colour: FloatArray) -> bool:
    return bool(min(colour[0], colour[1]) > 2 * colour[2])
