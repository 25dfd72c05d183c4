"""A view that moves, in numbers: what it does to rays, to poses seen through it, and what it is called."""

from __future__ import annotations

import numpy as np
import pytest

from radgs.calibration.joint_view import STEP_NUMBERS, MovingView, shaped, through
from radgs.calibration.observability import Observability, names_of
from radgs.calibration.view_moves import (
    MOVES,
    NOMINAL_SIZES,
    move_directions,
    moved_by,
    numbers_between,
    prior_covariance,
)
from radgs.geometry import RigidTransform
from radgs.geometry.c_arm import CArm
from radgs.refine.solver import TWIST_SCALE

PIVOT = np.array([12.0, -8.0, 5.0])
VIEW = CArm(82.0, -6.0, 1000.0, 610.0, (0.5, 0.5), (512, 512)).view(PIVOT + [10.0, 5.0, -20.0])
POINTS = PIVOT + np.random.default_rng(0).normal(0.0, 20.0, (30, 3))


def test_a_views_nine_numbers_and_the_view_say_the_same() -> None:
    numbers = np.random.default_rng(1).normal(0.0, 4.0, 9)
    np.testing.assert_allclose(numbers_between(VIEW, moved_by(VIEW, numbers)), numbers, atol=1e-9)


def test_a_crop_looks_through_the_same_pixels_when_its_view_has_moved() -> None:
    crop = VIEW.crop_geometry(PIVOT + 7.0, 100.0, 32)
    moved = MovingView.at(VIEW, PIVOT).stepped(np.random.default_rng(2).normal(0.0, 3.0, STEP_NUMBERS)).geometry
    on_crop = through(crop, VIEW, moved).project(POINTS)
    np.testing.assert_allclose(VIEW.project(crop.pixel_to_ras(on_crop)), moved.project(POINTS), atol=1e-8)


def test_a_view_taken_along_shows_what_the_contrary_motion_of_the_part_shows() -> None:
    step = np.zeros(STEP_NUMBERS)
    step[:6] = np.random.default_rng(3).normal(0.0, 3.0, 6)
    view = MovingView.at(VIEW, PIVOT).stepped(step)
    np.testing.assert_allclose(
        view.geometry.project(POINTS),
        VIEW.project(view.pose_seen(RigidTransform.identity()).apply(POINTS)),
        atol=1e-8,
    )


@pytest.mark.parametrize("number", range(3))
def test_other_rays_leave_the_pivots_image_and_its_size(number: int) -> None:
    other = shaped(VIEW, PIVOT, np.eye(3)[number])
    assert np.abs(numbers_between(VIEW, other)).max() > 0.5  # it is another view
    np.testing.assert_allclose(other.project(PIVOT), VIEW.project(PIVOT), atol=1e-9)
    across = VIEW.column_step / np.linalg.norm(VIEW.column_step)
    sizes = [np.linalg.norm(g.project(PIVOT + across) - g.project(PIVOT)) for g in (VIEW, other)]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.02)


def test_twists_are_seen_as_they_are_moved() -> None:
    view = MovingView.at(VIEW, PIVOT).stepped(np.random.default_rng(4).normal(0.0, 3.0, STEP_NUMBERS))
    centre, pose = PIVOT + [3.0, 40.0, 9.0], RigidTransform.from_rotation_vector([0.1, 0.2, 0.3], [1.0, 2.0, 3.0])
    twist = np.random.default_rng(5).normal(0.0, 1e-5, 6)
    moved = view.pose_seen(pose.rotated_about(centre, twist[:3], twist[3:]))
    seen = view.twist_seen(centre) @ twist
    np.testing.assert_allclose(
        moved.matrix, view.pose_seen(pose).rotated_about(centre, seen[:3], seen[3:]).matrix, atol=1e-7
    )
    step = np.zeros(STEP_NUMBERS)
    step[:6] = twist / TWIST_SCALE
    own = view.own_twist_seen(centre) @ twist
    np.testing.assert_allclose(
        view.stepped(step).pose_seen(pose).matrix,
        view.pose_seen(pose).rotated_about(centre, own[:3], own[3:]).matrix,
        atol=1e-7,
    )


def test_what_the_images_do_not_tell_is_named_and_nothing_else() -> None:
    directions = move_directions(VIEW, PIVOT)
    prior = prior_covariance(directions, NOMINAL_SIZES)
    # Images that tell a rigid motion of the view well, and nothing of its rays among themselves.
    per_step = MovingView.at(VIEW, PIVOT).numbers_per_step()
    known = np.linalg.inv(per_step)[:6]
    information = known.T @ np.diag([100.0] * 6) @ known
    seen = Observability.of(information, prior)
    assert seen.held.shape[1] == 3
    named = names_of(seen.held, prior, directions, NOMINAL_SIZES)
    words = {move.name: move.words for move in MOVES}
    assert words["sdd"] in named
    assert not {words["primary"], words["secondary"], words["roll"], words["down"]} & set(named)
    # Held directions are as uncertain as they were believed to be, the others as the images tell.
    held = np.linalg.solve(np.linalg.cholesky(prior), seen.held)
    whitened = np.linalg.solve(np.linalg.cholesky(prior), np.linalg.solve(np.linalg.cholesky(prior), seen.covariance).T)
    np.testing.assert_allclose(held.T @ whitened @ held, np.eye(3), atol=1e-9)
    assert not names_of(Observability.of(np.eye(9) * 1e6, prior).held, prior, directions, NOMINAL_SIZES)


def test_what_is_held_does_not_move() -> None:
    directions = move_directions(VIEW, PIVOT)
    prior = prior_covariance(directions, NOMINAL_SIZES)
    sdd = directions[:, [move.name for move in MOVES].index("sdd")]
    information = np.eye(9) * 10.0
    information -= 10.0 * np.outer(sdd, sdd) / (sdd @ sdd)  # nothing of this direction
    seen = Observability.of(information, prior)
    precision = np.linalg.inv(prior) + seen.holding
    pulled = np.linalg.solve(information + precision, information @ np.full(9, 3.0))
    kept = np.linalg.solve(np.linalg.cholesky(prior), pulled)
    held = np.linalg.solve(np.linalg.cholesky(prior), seen.held)
    assert np.abs(held.T @ kept).max() < 1e-4
    assert np.linalg.norm(pulled) > 1.0
