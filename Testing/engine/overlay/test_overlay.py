"""Overlays of a block of bone, whose projection can be written down."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from scipy.spatial import ConvexHull

from radgs.anatomy import surface_points
from radgs.case import LevelResult, Reason, RegistrationCase
from radgs.colours import RESULT, START
from radgs.drr import attenuation_from_hu
from radgs.gaussians import RadiativeGaussians
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, Volume, XRayView
from radgs.overlay import Contours, blend, crop_view, drr, edge_labels, for_display, projected_lines, shadow
from radgs.overlay.figures import (
    ViewPicture,
    level_overlay,
    picture_of,
    save_overlays,
    view_overlay,
)
from radgs.overlay.marks import direction_label
from radgs.overlay.picture_names import view_names
from radgs.vertebra import VertebraAnatomy
from radgs.vertebra.separation import label_box, resampled_isotropic, soft_mask

TRUTH = RigidTransform.from_rotation_vector([0.1, -0.2, 0.15], [4.0, -7.0, 12.0])


@pytest.fixture(scope="module")
def block_vertebra(small_case: RegistrationCase) -> VertebraAnatomy:
    """The block as a vertebra; its Gaussians, which no overlay uses, are a single one."""
    level, labels, ct = small_case.levels[0], small_case.labels, small_case.ct
    whole = Volume(attenuation_from_hu(ct.array), ct.index_to_ras)
    one = RadiativeGaussians(torch.zeros(1, 3), torch.zeros(1, 3), torch.tensor([[1.0, 0, 0, 0]]), torch.zeros(1))
    return VertebraAnatomy(
        level=level,
        centre=np.array([10.0, 20.0, 30.0]),
        frame_to_ct=None,
        surface=surface_points(labels, level.label),
        voxel=ct.index_to_ras[:3, :3],
        level_spacing_mm=35.0,
        level_offsets=(np.array([0.0, 0.0, 35.0]), np.array([0.0, 0.0, -35.0])),
        gaussians=one,
        mask=resampled_isotropic(soft_mask(labels, level.label, label_box(labels, level.label, ct)), 1.0),
        neighbours=(),
        surroundings=whole,
        whole=whole,
    )


@pytest.fixture(scope="module")
def block_contours(small_case: RegistrationCase) -> Contours:
    return Contours.of(small_case.labels, small_case.levels[0].label, None)


@pytest.fixture(scope="module")
def level_result(small_case: RegistrationCase, block_vertebra: VertebraAnatomy) -> LevelResult:
    start = small_case.start_pose("L3", block_vertebra.centre)
    return LevelResult(
        ct_to_world=TRUTH,
        verdict="check",
        predicted_error_mm={"surface_p95": 1.84},
        reasons=(Reason("uncertain", "The views disagree about the depth."),),
        similarity={"AP": {"start": 0.12, "result": 0.71}},
        stages={"start": start, "refined": TRUTH},
    )


def block_corners(labels: Volume) -> FloatArray:
    """(8, 3) outer corners of the labelled voxels, RAS."""
    inside = np.argwhere(labels.array)[:, ::-1]
    low, high = labels.to_ras(inside.min(axis=0) - 0.5), labels.to_ras(inside.max(axis=0) + 0.5)
    return np.stack(np.meshgrid(*zip(low, high, strict=True), indexing="ij"), axis=-1).reshape(-1, 3)


def distances_to_hull(points: FloatArray, corners: FloatArray) -> FloatArray:
    """Signed distance of points (N, 2) to the boundary of the corners' convex hull; negative inside."""
    equations = ConvexHull(corners).equations
    return (points @ equations[:, :2].T + equations[:, 2]).max(axis=1)


def test_the_contour_of_a_block_is_the_hull_of_its_projected_corners(
    small_case: RegistrationCase, block_contours: Contours
) -> None:
    for view in small_case.views:
        lines = [line for line in projected_lines(block_contours, TRUTH, view.geometry) if line.kind == "silhouette"]
        corners = view.geometry.project(TRUTH.apply(block_corners(small_case.labels)))
        # 2 mm pixels at the detector, 1.7 times magnified: one pixel is 1.2 mm at the block, whose voxels measure 2 mm.
        away = distances_to_hull(np.concatenate([line.points for line in lines]), corners)
        assert np.abs(away).max() < 1.7
        assert abs(float(np.median(away))) < 0.5


def test_a_contour_does_not_depend_on_the_views_resolution(
    small_case: RegistrationCase, block_contours: Contours
) -> None:
    fine = small_case.views[0].geometry
    detector_to_ras = fine.detector_to_ras @ np.diag([4.0, 4.0, 1.0, 1.0])
    coarse = ViewGeometry(fine.source_ras, detector_to_ras, (fine.shape[0] // 4, fine.shape[1] // 4))
    on_fine, on_coarse = (projected_lines(block_contours, TRUTH, geometry) for geometry in (fine, coarse))
    for one, other in zip(on_fine, on_coarse, strict=True):
        np.testing.assert_allclose(other.points * 4, one.points, atol=1e-6)


def test_the_shadow_of_a_block_is_the_hull_of_its_projected_corners(
    small_case: RegistrationCase, block_vertebra: VertebraAnatomy
) -> None:
    geometry = small_case.views[0].geometry
    inside = shadow(block_vertebra, TRUTH, geometry)
    corners = geometry.project(TRUTH.apply(block_corners(small_case.labels)))
    rows, columns = np.indices(inside.shape)
    away = distances_to_hull(np.stack([columns, rows], axis=-1).reshape(-1, 2), corners).reshape(inside.shape)
    assert inside[away < -1.0].all()
    assert not inside[away > 1.5].any()


def test_a_crop_shows_the_vertebra_in_its_middle_with_the_xrays_own_values(
    small_case: RegistrationCase, block_vertebra: VertebraAnatomy
) -> None:
    geometry = small_case.views[0].geometry
    ramp = np.add.outer(np.arange(128.0) * 0.01, np.arange(128.0) * 0.02).astype(np.float32)
    crop = crop_view(XRayView("AP", ramp, geometry), block_vertebra, TRUTH, pixels=64)
    centre = TRUTH.apply(block_vertebra.centre)
    column, row = crop.geometry.project(centre)
    assert abs(column - 31.5) * crop.pixel_mm < 3.0
    assert abs(row - 31.5) * crop.pixel_mm < 3.0
    detector_column, detector_row = geometry.project(centre)
    np.testing.assert_allclose(
        crop.image[round(row), round(column)], 0.01 * detector_row + 0.02 * detector_column, atol=0.03
    )


def test_a_crop_is_not_mirrored_against_its_xray(small_case: RegistrationCase, block_vertebra: VertebraAnatomy) -> None:
    view = small_case.views[0]
    geometry = view.geometry
    flip = np.array([[-1.0, 0, 0, geometry.shape[1] - 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    mirrored = ViewGeometry(geometry.source_ras, geometry.detector_to_ras @ flip, geometry.shape)
    plain = crop_view(view, block_vertebra, TRUTH)
    other = crop_view(XRayView("AP", view.image[:, ::-1], mirrored), block_vertebra, TRUTH)
    np.testing.assert_allclose(other.image, plain.image[:, ::-1], atol=1e-4)
    assert edge_labels(other.geometry)["left"] == edge_labels(plain.geometry)["right"]
    there, here = (crop.geometry.project(TRUTH.apply(block_vertebra.centre)) for crop in (other, plain))
    np.testing.assert_allclose(there, [plain.image.shape[1] - 1 - here[0], here[1]], atol=1e-6)


def test_the_drr_shows_the_block(small_case: RegistrationCase, block_vertebra: VertebraAnatomy) -> None:
    geometry = small_case.views[0].geometry
    image = drr(block_vertebra, TRUTH, geometry)
    assert image.shape == geometry.shape
    column, row = geometry.project(TRUTH.apply(block_vertebra.centre))
    # 76 mm of soft tissue, 32 mm of which are bone of 250 HU.
    assert image[round(row), round(column)] == pytest.approx(0.02 * (1.04 * 44 + 1.25 * 32), rel=0.1)


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ([1, 0, 0], "R"),
        ([-1, 0.2, 0], "L"),
        ([0, 1, 0.3], "A"),
        ([0, -3, 0], "P"),
        ([0, 0, 2], "S"),
        ([-1, 1.2, 0], "AL"),
    ],
)
def test_directions_are_named_by_the_patients_axes(direction: list[float], expected: str) -> None:
    assert direction_label(np.array(direction, dtype=float)) == expected


def test_seen_from_the_front_right_is_left_and_seen_from_the_right_anterior_is_right(
    small_case: RegistrationCase,
) -> None:
    front, side = (edge_labels(view.geometry.crop_geometry(np.zeros(3), 100.0, 64)) for view in small_case.views)
    assert front == {"left": "R", "right": "L", "top": "S", "bottom": "I"}
    assert side == {"left": "P", "right": "A", "top": "S", "bottom": "I"}


def test_what_is_shown_does_not_depend_on_the_images_units() -> None:
    rng = np.random.default_rng(0)
    image = rng.gamma(4.0, 0.7, (64, 64)).astype(np.float32)
    shown = for_display(image, pixel_mm=1.0)
    assert shown.min() >= 0
    assert shown.max() <= 1
    assert shown.std() > 0.1
    np.testing.assert_allclose(for_display(100 * image + 7, pixel_mm=1.0), shown, atol=1e-3)


def test_what_was_not_measured_is_black_and_sets_no_grey() -> None:
    image = np.random.default_rng(0).gamma(4.0, 0.7, (64, 64)).astype(np.float32)
    measured = np.ones((64, 64), dtype=bool)
    measured[:, 40:] = False
    spoilt = np.where(measured, image, 1e4).astype(np.float32)
    np.testing.assert_allclose(for_display(spoilt, 1.0, measured), for_display(image, 1.0, measured), atol=1e-4)
    assert (for_display(spoilt, 1.0, measured)[:, 40:] == 0).all()


def test_blend_mixes_two_images() -> None:
    dark, bright = np.zeros((8, 8), dtype=np.float32), np.ones((8, 8), dtype=np.float32)
    np.testing.assert_allclose(blend(dark, bright, 0.25), 0.25)


def pictures_of(case: RegistrationCase, level: LevelResult, vertebra: VertebraAnatomy) -> list[ViewPicture]:
    contours = Contours.of(case.labels, case.levels[0].label, None)
    return [picture_of(view, level, vertebra, contours) for view in case.views]


def texts_of(figure: Figure) -> str:
    return " | ".join(text.get_text() for text in figure.findobj(lambda part: hasattr(part, "get_text")))


def test_a_levels_picture_says_level_views_verdict_error_and_reason(
    small_case: RegistrationCase, block_vertebra: VertebraAnatomy, level_result: LevelResult
) -> None:
    figure = level_overlay("L3", level_result, pictures_of(small_case, level_result, block_vertebra))
    said = texts_of(figure)
    wanted = ("L3", "AP", "LAT", "check", "predicted error 1.8 mm", "The views disagree about the depth.", "20 mm")
    assert [words for words in wanted if words not in said] == []
    assert "not a medical device" in said
    assert len(figure.axes) == 8


def test_the_silhouette_at_the_start_is_dashed_and_the_contour_at_the_result_solid(
    small_case: RegistrationCase, block_vertebra: VertebraAnatomy, block_contours: Contours, level_result: LevelResult
) -> None:
    figure = view_overlay("L3", level_result, pictures_of(small_case, level_result, block_vertebra)[0])
    lines = figure.axes[0].lines
    assert {line.get_linestyle() for line in lines if line.get_color() == START} == {"--"}
    assert {line.get_linestyle() for line in lines if line.get_color() == RESULT} == {"-"}
    crop = crop_view(small_case.views[0], block_vertebra, TRUTH)
    expected = [line.points for line in projected_lines(block_contours, TRUTH, crop.geometry)]
    drawn = [line.get_xydata() for line in lines if line.get_color() == RESULT]
    assert len(drawn) == len(expected)
    for one, other in zip(drawn, expected, strict=True):
        np.testing.assert_allclose(one, other)


def test_the_scale_bar_measures_two_centimetres_at_the_vertebra(
    small_case: RegistrationCase, block_vertebra: VertebraAnatomy, level_result: LevelResult
) -> None:
    figure = view_overlay("L3", level_result, pictures_of(small_case, level_result, block_vertebra)[0])
    (bar,) = [line for line in figure.axes[0].lines if line.get_color() == "white"]
    geometry = crop_view(small_case.views[0], block_vertebra, TRUTH).geometry
    length_pixels = float(np.ptp(bar.get_xdata())) * geometry.shape[1]
    centre = TRUTH.apply(block_vertebra.centre)
    across = geometry.column_step / np.linalg.norm(geometry.column_step)
    ends = geometry.project(np.stack([centre, centre + 20.0 * across]))
    assert length_pixels == pytest.approx(ends[1, 0] - ends[0, 0], rel=0.05)


def test_pictures_are_written_per_level_and_per_view(
    small_case: RegistrationCase,
    block_vertebra: VertebraAnatomy,
    block_contours: Contours,
    level_result: LevelResult,
    tmp_path: Path,
) -> None:
    written = save_overlays(tmp_path, "L3", level_result, block_vertebra, block_contours, small_case.views)
    assert [path.name for path in written] == ["L3_overlay.png", "L3_AP.png", "L3_LAT.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)


@pytest.mark.parametrize("name", ["overlay", "reconstruction", "OVERLAY"])
def test_a_view_of_any_name_has_a_picture_of_its_own(
    name: str,
    small_case: RegistrationCase,
    block_vertebra: VertebraAnatomy,
    block_contours: Contours,
    level_result: LevelResult,
    tmp_path: Path,
) -> None:
    views = [replace(view, name=called) for view, called in zip(small_case.views, (name, "AP"), strict=True)]
    written = save_overlays(tmp_path, "L3", level_result, block_vertebra, block_contours, views)
    assert [path.name for path in written] == ["L3_overlay.png", "L3_view1.png", "L3_AP.png"]
    assert len({path.read_bytes() for path in written}) == 3


def test_no_two_pictures_have_one_name() -> None:
    levels, views = ["L3", "L3_4", "l3"], ["4_AP", "AP", "ap", "overlay"]
    names = [name for of_level in view_names(levels, views).values() for name in of_level]
    assert len({name.casefold() for name in names}) == len(names) == 12
    assert view_names(["L3"], ["AP", "LAT"]) == {"L3": ["L3_AP.png", "L3_LAT.png"]}


@pytest.mark.parametrize("away", [[0.0, -5000.0, 0.0], [5000.0, 0.0, 0.0], [0.0, 0.0, 1e9], [-560.0, 0.0, 0.0]])
def test_a_result_far_away_is_drawn_as_such(
    away: list[float], small_case: RegistrationCase, block_vertebra: VertebraAnatomy, level_result: LevelResult
) -> None:
    lost = replace(level_result, ct_to_world=RigidTransform(TRUTH.rotation, TRUTH.translation + away))
    texts = texts_of(level_overlay("L3", lost, pictures_of(small_case, lost, block_vertebra)))
    assert "out of this view" in texts


def test_a_level_without_a_pose_has_a_picture_that_says_so(
    small_case: RegistrationCase,
    block_vertebra: VertebraAnatomy,
    block_contours: Contours,
    level_result: LevelResult,
    tmp_path: Path,
) -> None:
    nothing = replace(level_result, ct_to_world=None, verdict="reject", predicted_error_mm={})
    assert "no pose was found" in texts_of(
        level_overlay("L3", nothing, pictures_of(small_case, nothing, block_vertebra))
    )
    neither = replace(nothing, stages={})
    assert len(save_overlays(tmp_path, "L3", neither, block_vertebra, block_contours, small_case.views)) == 3
