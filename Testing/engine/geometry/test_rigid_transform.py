"""Rigid motions: what they keep, what undoes them, and which matrices are none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from radgs.errors import GeometryError
from radgs.geometry import RigidTransform, angle_between, mean_distance

vectors = arrays(np.float64, 3, elements=st.floats(-500, 500))
turns = arrays(np.float64, 3, elements=st.floats(-1.7, 1.7))
transforms = st.builds(RigidTransform.from_rotation_vector, turns, vectors)
clouds = arrays(np.float64, (7, 3), elements=st.floats(-300, 300))


@given(transforms, clouds)
def test_the_inverse_undoes_a_transform(transform: RigidTransform, points: np.ndarray) -> None:
    np.testing.assert_allclose(transform.inverse().apply(transform.apply(points)), points, atol=1e-9)
    np.testing.assert_allclose((transform @ transform.inverse()).matrix, np.eye(4), atol=1e-9)


@given(transforms, transforms, clouds)
def test_composition_reads_right_to_left(second: RigidTransform, first: RigidTransform, points: np.ndarray) -> None:
    np.testing.assert_allclose((second @ first).apply(points), second.apply(first.apply(points)), atol=1e-9)
    np.testing.assert_allclose((second @ first).matrix, second.matrix @ first.matrix, atol=1e-9)


@given(transforms)
def test_matrix_and_rotation_vector_say_the_same(transform: RigidTransform) -> None:
    np.testing.assert_allclose(RigidTransform.from_matrix(transform.matrix).matrix, transform.matrix, atol=1e-12)
    again = RigidTransform.from_rotation_vector(transform.rotation_vector, transform.translation)
    np.testing.assert_allclose(again.matrix, transform.matrix, atol=1e-9)


@given(transforms, clouds)
def test_distances_and_handedness_are_kept(transform: RigidTransform, points: np.ndarray) -> None:
    moved = transform.apply(points)
    np.testing.assert_allclose(
        np.linalg.norm(moved[1:] - moved[:-1], axis=1), np.linalg.norm(points[1:] - points[:-1], axis=1), atol=1e-9
    )
    assert np.linalg.det(transform.rotation) == pytest.approx(1.0)


@given(transforms, turns, vectors, vectors)
def test_a_rotation_about_a_centre_moves_that_centre_by_the_shift_alone(
    transform: RigidTransform, turn: np.ndarray, centre: np.ndarray, shift: np.ndarray
) -> None:
    point = transform.inverse().apply(centre)
    np.testing.assert_allclose(transform.rotated_about(centre, turn, shift).apply(point), centre + shift, atol=1e-8)


@given(transforms, st.floats(0.001, 3.1), vectors)
def test_the_geodesic_angle_is_the_angle_turned_whatever_came_before(
    transform: RigidTransform, angle: float, centre: np.ndarray
) -> None:
    axis = np.array([1.0, -2.0, 2.0]) / 3.0
    turned = transform.rotated_about(centre, axis * angle)
    assert transform.geodesic_angle_to(turned) == pytest.approx(angle, abs=1e-7)
    assert turned.geodesic_angle_to(transform) == pytest.approx(angle, abs=1e-7)


def test_a_quarter_turn_about_superior_takes_right_to_anterior() -> None:
    turn = RigidTransform.from_rotation_vector([0, 0, np.pi / 2], [10, 0, 0])
    np.testing.assert_allclose(turn.apply([1.0, 0.0, 0.0]), [10.0, 1.0, 0.0], atol=1e-12)
    assert turn.angle == pytest.approx(np.pi / 2)


def test_the_mean_distance_of_a_shift_is_its_length() -> None:
    points = np.random.default_rng(0).normal(size=(50, 3))
    shifted = RigidTransform(np.eye(3), np.array([3.0, 4.0, 0.0]))
    assert mean_distance(points, RigidTransform.identity(), shifted) == pytest.approx(5.0)


def test_angles_between_directions_ignore_their_lengths() -> None:
    assert angle_between(np.array([2.0, 0, 0]), np.array([0, 0.1, 0])) == pytest.approx(np.pi / 2)
    assert angle_between(np.array([1.0, 2, 3]), np.array([-2.0, -4, -6])) == pytest.approx(np.pi)


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        (np.eye(3), "4x4"),
        ([[1, 2], [3]], "4x4"),
        ("identity", "4x4"),
        (np.diag([1.0, 1.0, -1.0, 1.0]), "not rigid"),
        (np.diag([1.01, 1.01, 1.01, 1.0]), "not rigid"),
        (np.array([[1, 0.1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]), "not rigid"),
        (np.diag([1.0, 1.0, 1.0, 2.0]), "not rigid"),
        (np.diag([1.0, np.nan, 1.0, 1.0]), "NaN"),
    ],
)
def test_what_is_no_rigid_transform_is_refused(matrix: object, said: str) -> None:
    with pytest.raises(GeometryError, match=said):
        RigidTransform.from_matrix(matrix)  # type: ignore[arg-type]


def test_a_matrix_with_few_decimals_is_taken_as_the_nearest_rotation() -> None:
    exact = RigidTransform.from_rotation_vector([0.3, -0.5, 0.2], [1, 2, 3])
    read = RigidTransform.from_matrix(np.round(exact.matrix, 5))
    np.testing.assert_allclose(read.rotation @ read.rotation.T, np.eye(3), atol=1e-14)
    assert read.geodesic_angle_to(exact) < 1e-4
