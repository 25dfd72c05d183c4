"""Contours are projections of surface points where rays graze the bone; their parts are the vertebra's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from grids import isotropic_grid
from scipy.spatial import cKDTree
from skimage.draw import polygon
from skimage.measure import find_contours

from radgs.anatomy import sample_triangles, vertebra_frame
from radgs.geometry import RigidTransform, ViewGeometry, Volume, unit
from radgs.overlay import Contours, ContourSurface, projected_lines
from radgs.phantom import PhantomSpine

POSE = RigidTransform.from_rotation_vector([0.1, -0.2, 0.15], [4.0, -7.0, 12.0])
CENTRE, RADIUS = np.array([10.0, 20.0, 30.0]), 20.0


Film = Callable[..., ViewGeometry]


@pytest.fixture(scope="module")
def ball() -> ContourSurface:
    """A ball, labelled in voxels of 1 mm."""
    grid = isotropic_grid(CENTRE, [64.0, 64.0, 64.0], 1.0)
    k, j, i = np.indices(grid.array.shape)
    inside = np.linalg.norm(grid.to_ras(np.stack([i, j, k], axis=-1)) - CENTRE, axis=-1) < RADIUS
    return ContourSurface.of(Volume(inside.astype(np.uint8), grid.index_to_ras), 1)


@pytest.fixture(scope="module")
def l3(phantom_spine: PhantomSpine) -> Contours:
    label = phantom_spine.levels["L3"]
    return Contours.of(phantom_spine.labels, label, vertebra_frame(phantom_spine.labels, label))


@pytest.mark.parametrize("direction", [[0.1, -1.0, 0.05], [-1.0, 0.1, -0.1], [-0.7, -0.7, 0.3]])
def test_a_balls_contour_is_the_cone_that_touches_it(ball: ContourSurface, film: Film, direction: list[float]) -> None:
    middle = POSE.apply(CENTRE)
    geometry = film(direction, middle)
    lines = ball.contour(POSE, geometry)
    assert {line.kind for line in lines} == {"silhouette"}
    points = np.concatenate([line.projected(POSE, geometry) for line in lines])
    # The angle at the source between a ray and the ball's centre, against that of the touching cone.
    axis = unit(middle - geometry.source_ras)
    angle = np.arccos(np.clip(geometry.back_project(points) @ axis, -1.0, 1.0))
    exact = np.arcsin(RADIUS / np.linalg.norm(middle - geometry.source_ras))
    off_px = (angle - exact) * 1000.0 / 0.5
    # A pixel is 0.3 mm at the ball, whose voxels measure 1 mm: the labelled ball itself is off by as much.
    assert np.abs(off_px).max() < 1.2
    assert np.abs(np.median(off_px)) < 0.3
    # It goes all the way round.
    around = np.sort(np.arctan2(*(points - points.mean(axis=0)).T))
    assert np.diff(around).max() < 0.2


def test_contour_points_are_projected_surface_points_that_rays_graze(l3: Contours, film: Film) -> None:
    surface, geometry = l3.vertebra, film([0.1, -1.0, 0.05], POSE.apply(l3.vertebra.vertices.mean(axis=0)))
    source = POSE.inverse().apply(geometry.source_ras)
    dense = cKDTree(sample_triangles(surface.vertices, surface.triangles, 1_500_000))
    near = cKDTree(surface.vertices)
    for line in surface.contour(POSE, geometry):
        _, number = dense.query(line.points)
        on_film = geometry.project(POSE.apply(dense.data[number])) - line.projected(POSE, geometry)
        assert np.linalg.norm(on_film, axis=1).max() < 0.5
        _, vertex = near.query(line.points)
        rays = line.points - source
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        grazing = np.abs(np.einsum("ki,ki->k", surface.normals[vertex], rays))
        assert np.median(grazing) < 0.15


def test_the_silhouette_is_the_edge_of_the_shadow(l3: Contours, film: Film) -> None:
    """Filled triangles on a raster of 0.1 mm at the vertebra; medians over both directions, mm."""
    surface = l3.vertebra
    for direction in ([0.1, -1.0, 0.05], [-1.0, 0.1, -0.1]):
        large = film(direction, POSE.apply(surface.vertices.mean(axis=0)), 0.1 * 1000 / 600, 1600)
        corners = large.project(POSE.apply(surface.vertices))
        shadow = np.zeros(large.shape, dtype=bool)
        for triangle in surface.triangles:
            shadow[polygon(corners[triangle, 1], corners[triangle, 0], shadow.shape)] = True
            columns, rows = np.rint(corners[triangle]).astype(int).T
            shadow[rows, columns] = True
        edge = cKDTree(np.concatenate(find_contours(shadow.astype(float), 0.5))[:, ::-1])
        lines = [line for line in surface.contour(POSE, large) if line.kind == "silhouette"]
        away, _ = edge.query(np.concatenate([line.projected(POSE, large) for line in lines]))
        assert np.median(away) * 0.1 < 0.15
        assert np.percentile(away, 90) * 0.1 < 0.8


def test_landmarks_lie_in_body_and_pedicles(l3: Contours, phantom_spine: PhantomSpine) -> None:
    frame = phantom_spine.frames["L3"]
    found = {name: frame.inverse().apply(point) for name, point in l3.landmarks(frame).items()}
    assert set(found) == {"body", "right pedicle", "left pedicle"}
    assert np.linalg.norm(found["body"]) < 6.0
    assert found["right pedicle"][0] > 8.0
    assert found["left pedicle"][0] < -8.0
    assert found["right pedicle"][1] < -10.0  # behind the body
    assert l3.landmarks(None) == {}


def test_pedicles_and_spinous_process_are_seen_from_the_front(
    l3: Contours, film: Film, phantom_spine: PhantomSpine
) -> None:
    frame = phantom_spine.frames["L3"]
    middle = frame.translation
    geometry = film(list(-frame.rotation[:, 1]), middle)
    identity = RigidTransform.identity()
    lines = l3.vertebra.contour(identity, geometry)
    parts = {line.part for line in lines}
    assert parts == {"body", "pedicles", "spinous process", "arch"}
    rings = [line for line in lines if line.part == "pedicles" and line.kind == "crest"]
    sides = np.concatenate([frame.inverse().apply(line.points)[:, 0] for line in rings])
    assert sides.min() < -10.0
    assert sides.max() > 10.0  # one on each side
    for line in lines:
        right, anterior, _ = frame.inverse().apply(line.points).mean(axis=0)
        if line.part == "spinous process":
            assert abs(right) < 8.0
            assert anterior < -20.0
        if line.part == "body":
            assert anterior > -20.0


def test_a_contour_moves_with_the_pose_by_what_the_pose_moves(l3: Contours, film: Film) -> None:
    middle = POSE.apply(l3.vertebra.vertices.mean(axis=0))
    geometry = film([0.1, -1.0, 0.05], middle)
    shift = np.array([0.0, 0.0, 5.0])
    moved = RigidTransform(POSE.rotation, POSE.translation + shift)
    here, there = (
        np.concatenate([line.points for line in projected_lines(l3, pose, geometry) if line.kind == "silhouette"])
        for pose in (POSE, moved)
    )
    expected = geometry.project(middle + shift) - geometry.project(middle)
    np.testing.assert_allclose(there.min(axis=0) - here.min(axis=0), expected, atol=0.7)


def test_neighbours_are_drawn_as_neighbours_above_and_below(l3: Contours, film: Film) -> None:
    middle = POSE.apply(l3.vertebra.vertices.mean(axis=0))
    geometry = film([-1.0, 0.1, -0.1], middle)
    lines = projected_lines(l3, POSE, geometry)
    assert {line.kind for line in lines} == {"silhouette", "crest", "neighbour"}
    own = np.concatenate([line.points for line in lines if line.kind != "neighbour"])
    beside = np.concatenate([line.points for line in lines if line.kind == "neighbour"])
    assert beside[:, 1].min() < own[:, 1].min()
    assert beside[:, 1].max() > own[:, 1].max()


def test_a_bone_without_a_canal_is_all_of_one_part(ball: ContourSurface, film: Film) -> None:
    geometry = film([0.0, -1.0, 0.0], CENTRE)
    assert {line.part for line in ball.contour(RigidTransform.identity(), geometry)} == {"bone"}
