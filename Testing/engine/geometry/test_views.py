"""Views: projection against OpenCV's formula, the virtual detector of a crop, and where clicks meet."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from radgs.errors import GeometryError
from radgs.geometry import RigidTransform, ViewGeometry, XRayView, triangulate, unit

turns = arrays(np.float64, 3, elements=st.floats(-1.7, 1.7))
principal_points = st.tuples(st.floats(100, 400), st.floats(50, 300))
clouds = arrays(np.float64, (8, 3), elements=st.floats(-120, 120))


def camera(
    turn: np.ndarray, principal_point: tuple[float, float], focal: tuple[float, float] = (3500.0, 2800.0)
) -> tuple[np.ndarray, RigidTransform]:
    """OpenCV's camera matrix K and world_to_camera, the camera 600 mm in front of the world's origin."""
    matrix = np.array([[focal[0], 0.0, principal_point[0]], [0.0, focal[1], principal_point[1]], [0.0, 0.0, 1.0]])
    return matrix, RigidTransform.from_rotation_vector(turn, [15.0, -10.0, 600.0])


def view_of_camera(matrix: np.ndarray, world_to_camera: RigidTransform, sdd: float = 980.0) -> ViewGeometry:
    """The same camera as source and detector: the plane at depth ``sdd``, on which pixels measure sdd / focal."""
    camera_to_world = world_to_camera.inverse()
    detector_in_camera = np.array(
        [
            [sdd / matrix[0, 0], 0.0, 0.0, -sdd * matrix[0, 2] / matrix[0, 0]],
            [0.0, sdd / matrix[1, 1], 0.0, -sdd * matrix[1, 2] / matrix[1, 1]],
            [0.0, 0.0, 1.0, sdd],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )
    return ViewGeometry(camera_to_world.translation, camera_to_world.matrix @ detector_in_camera, (384, 512))


@settings(deadline=None)
@given(turns, principal_points, clouds)
def test_projection_agrees_with_opencv(turn: np.ndarray, principal: tuple[float, float], points: np.ndarray) -> None:
    matrix, world_to_camera = camera(turn, principal)
    geometry = view_of_camera(matrix, world_to_camera)
    pose = world_to_camera.rotation_vector, world_to_camera.translation
    expected, _ = cv2.projectPoints(points, *pose, matrix, None)
    np.testing.assert_allclose(geometry.project(points), expected[:, 0], atol=1e-5)
    assert geometry.source_to_detector_mm == pytest.approx(980.0)
    assert geometry.pixel_spacing == pytest.approx((980.0 / 3500.0, 980.0 / 2800.0))


@given(turns, principal_points, arrays(np.float64, (6, 2), elements=st.floats(-50, 600)), st.floats(1.0, 1500.0))
def test_a_point_on_a_pixels_ray_projects_to_that_pixel(
    turn: np.ndarray, principal: tuple[float, float], pixels: np.ndarray, along: float
) -> None:
    geometry = view_of_camera(*camera(turn, principal))
    points = geometry.source_ras + along * geometry.back_project(pixels)
    np.testing.assert_allclose(geometry.project(points), pixels, atol=1e-6)
    np.testing.assert_allclose(geometry.project(geometry.pixel_to_ras(pixels)), pixels, atol=1e-6)


def test_what_is_behind_the_source_has_no_image() -> None:
    geometry = view_of_camera(*camera(np.zeros(3), (200.0, 150.0)))
    behind = geometry.source_ras - 10.0 * geometry.normal
    assert np.isnan(geometry.project(behind)).all()
    assert not geometry.contains(geometry.project(behind))
    assert np.isnan(geometry.project(geometry.source_ras)).all()


def test_the_third_column_of_detector_to_ras_does_not_matter() -> None:
    geometry = view_of_camera(*camera(np.array([0.3, 0.2, -0.1]), (200.0, 150.0)))
    flipped = ViewGeometry(
        geometry.source_ras, geometry.detector_to_ras @ np.diag([1.0, 1.0, -1.0, 1.0]), geometry.shape
    )
    points = np.random.default_rng(0).uniform(-100, 100, (5, 3))
    np.testing.assert_array_equal(flipped.project(points), geometry.project(points))
    np.testing.assert_allclose(flipped.normal, geometry.normal)


def test_an_image_reaches_half_a_pixel_beyond_its_outer_pixel_centres() -> None:
    geometry = view_of_camera(*camera(np.zeros(3), (200.0, 150.0)))  # 384 rows, 512 columns
    inside = [[-0.49, -0.49], [511.49, 383.49], [400.0, 10.0]]
    outside = [[-0.51, 5.0], [511.51, 5.0], [5.0, 383.51], [5.0, 400.0]]
    assert geometry.contains(inside).all()
    assert not geometry.contains(outside).any()


def test_pixel_directions_run_row_by_row() -> None:
    small = ViewGeometry(np.zeros(3), RigidTransform(np.eye(3), np.array([0.0, 0, 900.0])).matrix, (3, 5))
    directions = small.pixel_directions.reshape(3, 5, 3)
    np.testing.assert_allclose(directions[2, 4], unit(np.array([4.0, 2.0, 900.0])))


def ap_view(image: np.ndarray | None = None) -> XRayView:
    """A view from behind along anterior, 0.5 mm pixels, source 600 mm from the origin, detector 400 mm beyond it."""
    shape = (400, 500) if image is None else image.shape
    detector_to_ras = np.eye(4)
    detector_to_ras[:3, 0], detector_to_ras[:3, 1], detector_to_ras[:3, 2] = [0.5, 0, 0], [0, 0, -0.5], [0, 1, 0]
    detector_to_ras[:3, 3] = [-0.25 * (shape[1] - 1), 400.0, 0.25 * (shape[0] - 1)]
    geometry = ViewGeometry(np.array([0.0, -600.0, 0.0]), detector_to_ras, (shape[0], shape[1]))
    return XRayView("AP", np.zeros(shape, np.float32) if image is None else image, geometry)


@given(turns, principal_points, arrays(np.float64, 3, elements=st.floats(-60, 60)))
def test_a_crop_stands_at_the_regions_centre_across_its_ray(
    turn: np.ndarray, principal: tuple[float, float], centre: np.ndarray
) -> None:
    view = view_of_camera(*camera(turn, principal))
    direction = unit(centre - view.source_ras)
    if abs(direction[2]) > 0.95:
        with pytest.raises(GeometryError, match="superior"):
            ViewGeometry(centre - [0, 0, 600.0], view.detector_to_ras, view.shape).crop_geometry(centre, 128.0, 64)
        return
    crop = view.crop_geometry(centre, 128.0, 64)
    np.testing.assert_allclose(crop.project(centre), [31.5, 31.5], atol=1e-8)
    np.testing.assert_allclose(crop.normal, direction, atol=1e-9)
    assert crop.pixel_spacing == pytest.approx((2.0, 2.0))
    assert crop.column_step @ crop.row_step == pytest.approx(0.0, abs=1e-9)
    superior = crop.project(centre + [0.0, 0.0, 5.0]) - crop.project(centre)
    assert superior[1] < 0
    assert superior[0] == pytest.approx(0.0, abs=1e-6)
    np.testing.assert_array_equal(crop.source_ras, view.source_ras)


def test_a_crop_measures_millimetres_at_the_regions_depth() -> None:
    crop = ap_view().geometry.crop_geometry([0.0, 0.0, 0.0], 128.0, 128)
    across = crop.project([[10.0, 0.0, 0.0], [0.0, 0.0, 10.0]])
    np.testing.assert_allclose(across, [[63.5 + 10.0, 63.5], [63.5, 63.5 - 10.0]], atol=1e-9)


def test_a_crop_shows_what_the_image_shows_there() -> None:
    rows, columns = np.indices((400, 500))
    view = ap_view((0.01 * columns - 0.02 * rows + 3.0).astype(np.float32))
    crop, valid = view.crop([5.0, -20.0, 8.0], 60.0, 40)
    crop_rows, crop_columns = np.indices((40, 40))
    on_image = view.geometry.project(crop.geometry.pixel_to_ras(np.stack([crop_columns, crop_rows], axis=-1)))
    np.testing.assert_allclose(crop.image, 0.01 * on_image[..., 0] - 0.02 * on_image[..., 1] + 3.0, atol=2e-3)
    assert (valid == 1).all()
    assert crop.image.dtype == np.float32
    assert crop.name == "AP"


def test_a_coarse_crop_averages_instead_of_skipping() -> None:
    noise = np.random.default_rng(0).normal(3.0, 1.0, (400, 500)).astype(np.float32)
    crop, _ = ap_view(noise).crop([0.0, 0.0, 0.0], 100.0, 20)  # one crop pixel covers 16 x 16 of the image
    assert crop.image.std() < 0.15
    assert crop.image.mean() == pytest.approx(3.0, abs=0.05)


def test_beyond_the_image_a_crop_is_marked_invalid() -> None:
    view = ap_view()
    edge = view.geometry.source_ras + (view.geometry.pixel_to_ras([-0.5, 199.5]) - view.geometry.source_ras) * 0.6
    _, valid = view.crop(edge, 40.0, 40)
    assert (valid[:, :19] == 0).all()
    assert (valid[:, 21:] == 1).all()


def orbit(degrees: float) -> ViewGeometry:
    """``ap_view`` turned about the superior axis."""
    view = ap_view().geometry
    turn = RigidTransform.from_rotation_vector([0, 0, np.radians(degrees)])
    return ViewGeometry(turn.apply(view.source_ras), turn.matrix @ view.detector_to_ras, view.shape)


@given(arrays(np.float64, 3, elements=st.floats(-50, 50)), st.floats(40, 140), st.integers(2, 4))
def test_rays_through_one_point_meet_there(point: np.ndarray, degrees: float, count: int) -> None:
    views = [orbit(n * degrees / (count - 1)) for n in range(count)]
    meeting = triangulate(views, np.stack([view.project(point) for view in views]))
    np.testing.assert_allclose(meeting.point, point, atol=1e-7)
    assert meeting.gap_mm == pytest.approx(0.0, abs=1e-6)


def test_the_gap_is_the_distance_between_two_rays() -> None:
    front, side = orbit(0.0), orbit(90.0)
    above, below = np.array([0.0, 0.0, 4.0]), np.array([0.0, 0.0, -4.0])
    meeting = triangulate([front, side], [front.project(above), side.project(below)])
    assert meeting.gap_mm == pytest.approx(8.0, abs=1e-3)
    np.testing.assert_allclose(meeting.point, 0.0, atol=0.05)  # the rays slope, so they pass nearest beside the axis


@pytest.mark.parametrize("degrees", [0.0, 5.0, 15.0, 170.0, 180.0])
def test_nearly_parallel_rays_are_refused(degrees: float) -> None:
    views = [orbit(0.0), orbit(degrees)]
    with pytest.raises(GeometryError, match="parallel"):
        triangulate(views, [view.project([0.0, 0.0, 0.0]) for view in views])


def test_a_crop_of_a_fine_image_is_that_of_a_coarse_one_and_looks_at_few_samples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A detector of 4096 pixels has the crop of one of 256: each crop pixel looks at a few samples, not at hundreds."""
    fine_pixels, centre = 2048, np.array([3.0, -2.0, 5.0])
    geometry = ViewGeometry(
        np.array([0.0, 600.0, 0.0]),
        np.array([[0.15, 0, 0, -150.0], [0, 0, 1.0, -400.0], [0, -0.15, 0, 150.0], [0, 0, 0, 1.0]]),
        (fine_pixels, fine_pixels),
    )
    rows, columns = np.mgrid[:fine_pixels, :fine_pixels] / fine_pixels
    image = (2.0 + np.sin(20 * rows) * np.cos(15 * columns)).astype(np.float32)
    field = columns > 0.42
    view = XRayView("AP", image, geometry, field=field)
    asked: list[int] = []
    resample = ndimage.map_coordinates

    def counted(array: Any, at: Any, **rest: Any) -> Any:
        asked.append(at[0].size)
        return resample(array, at, **rest)

    monkeypatch.setattr(ndimage, "map_coordinates", counted)
    crop, valid = view.crop(centre, 128.0, 32)
    assert max(asked) <= (32 * 6) ** 2
    monkeypatch.setattr("radgs.geometry.views.ENOUGH_SAMPLES", 10**6)
    exact, exactly_valid = XRayView("AP", image, geometry, field=field).crop(centre, 128.0, 32)
    whole = (valid > 0.999) & (exactly_valid > 0.999)
    assert whole.sum() > 300
    np.testing.assert_allclose(crop.image[whole], exact.image[whole], atol=0.01)
    np.testing.assert_allclose(valid, exactly_valid, atol=0.35)  # the field ends within a sample of where it did
