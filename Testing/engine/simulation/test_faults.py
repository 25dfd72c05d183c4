"""What a fault leaves between the views is known by arithmetic; what is drawn for the case does not depend on it."""

from __future__ import annotations

import numpy as np
import pytest

from radgs.errors import InputFileError
from radgs.geometry import RigidTransform, ViewGeometry, unit
from radgs.simulation import ArticulatedAnatomy, SimulationSettings
from radgs.simulation.articulated import c_arm_view
from radgs.simulation.faults import FAULTS, FaultyCase, fault_named, simulate_faulty_case
from radgs.simulation.revealable import absorb, revealable

SETTINGS = SimulationSettings(detector_pixels=96)
SPHERE = 25.0 * np.array([unit(row) for row in np.random.default_rng(0).normal(size=(60, 3))])
TRUTH = RigidTransform.from_rotation_vector([0.05, -0.1, 0.1], [3.0, -4.0, 5.0])


def straight_views() -> list[ViewGeometry]:
    """Exactly AP and lateral."""
    still = SimulationSettings(view_tilt_deg=0.0, detector_pixels=256)
    rng = np.random.default_rng(0)
    return [c_arm_view(np.array(direction), still, rng) for direction in ([0.0, -1.0, 0.0], [1.0, 0.0, 0.0])]


def shifted(geometry: ViewGeometry, shift: np.ndarray) -> ViewGeometry:
    matrix = geometry.detector_to_ras.copy()
    matrix[:3, 3] += shift
    return ViewGeometry(geometry.source_ras, matrix, geometry.shape)


def test_what_is_right_leaves_nothing() -> None:
    views = straight_views()
    absorbed = absorb(SPHERE, TRUTH, views, views)
    np.testing.assert_allclose(absorbed.remains_mm, 0.0, atol=1e-6)
    np.testing.assert_allclose(absorbed.ct_to_world.matrix, TRUTH.matrix, atol=1e-6)


def test_a_detector_moved_across_is_absorbed_and_one_moved_down_is_not() -> None:
    front, side = straight_views()
    across = absorb(SPHERE, TRUTH, [front, shifted(side, 5.0 * unit(side.column_step))], [front, side])
    down = absorb(SPHERE, TRUTH, [front, shifted(side, 5.0 * unit(side.row_step))], [front, side])
    assert across.between_views_mm < 0.5
    assert np.linalg.norm(across.ct_to_world.apply(SPHERE) - TRUTH.apply(SPHERE), axis=1).mean() > 2.0
    assert down.between_views_mm > 2.5


def test_a_patient_who_moved_along_a_beam_cannot_be_seen_to_have() -> None:
    views = straight_views()
    still = RigidTransform.identity()
    forward = RigidTransform(np.eye(3), np.array([0.0, 5.0, 0.0]))
    upward = RigidTransform(np.eye(3), np.array([0.0, 0.0, 5.0]))
    assert absorb(SPHERE, TRUTH, views, views, [still, forward]).between_views_mm < 0.5
    assert absorb(SPHERE, TRUTH, views, views, [still, upward]).between_views_mm > 4.0


def faulty(anatomy: ArticulatedAnatomy, name: str) -> FaultyCase:
    return simulate_faulty_case(anatomy, "L3", FAULTS[name], np.random.default_rng(7), SETTINGS)


def test_a_mirrored_view_is_the_same_picture_turned_over_and_clicked_so(phantom_anatomy: ArticulatedAnatomy) -> None:
    right, wrong = faulty(phantom_anatomy, "none"), faulty(phantom_anatomy, "mirrored-ap")
    np.testing.assert_array_equal(wrong.case.views[0].image, right.case.views[0].image[:, ::-1])
    np.testing.assert_array_equal(wrong.case.views[1].image, right.case.views[1].image)
    column, row = right.case.initial["L3"].clicks["AP"]
    assert wrong.case.initial["L3"].clicks["AP"] == pytest.approx((95 - column, row))
    seen = wrong.geometries[0].project(right.case.truth["L3"].apply(phantom_anatomy.centres["L3"]))
    there = right.geometries[0].project(right.case.truth["L3"].apply(phantom_anatomy.centres["L3"]))
    np.testing.assert_allclose(seen, [95 - there[0], there[1]])


def test_a_cropped_view_keeps_the_geometry_of_the_whole(phantom_anatomy: ArticulatedAnatomy) -> None:
    right, wrong = faulty(phantom_anatomy, "none"), faulty(phantom_anatomy, "cropped")
    np.testing.assert_array_equal(wrong.case.views[0].image, right.case.views[0].image[:, 10:])
    np.testing.assert_array_equal(
        wrong.case.views[0].geometry.detector_to_ras, right.case.views[0].geometry.detector_to_ras
    )
    corner = wrong.geometries[0].pixel_to_ras([0, 0])
    np.testing.assert_allclose(corner, right.geometries[0].pixel_to_ras([10, 0]))


def test_motion_between_the_shots_changes_the_second_view_alone(phantom_anatomy: ArticulatedAnatomy) -> None:
    right, wrong = faulty(phantom_anatomy, "none"), faulty(phantom_anatomy, "moved-5mm-3deg")
    np.testing.assert_array_equal(wrong.case.views[0].image, right.case.views[0].image)
    assert not np.array_equal(wrong.case.views[1].image, right.case.views[1].image)
    assert np.degrees(np.linalg.norm(wrong.motions[1].rotation_vector)) == pytest.approx(3.0)


def test_what_can_be_revealed_is_decided_without_an_image(phantom_anatomy: ArticulatedAnatomy) -> None:
    points = phantom_anatomy.centres["L3"] + SPHERE
    assert not revealable(FAULTS["none"], faulty(phantom_anatomy, "none"), points)
    assert not revealable(FAULTS["moved-along-beam-5mm"], faulty(phantom_anatomy, "moved-along-beam-5mm"), points)
    assert revealable(FAULTS["detector-10deg"], faulty(phantom_anatomy, "detector-10deg"), points)
    assert revealable(FAULTS["mirrored-ap"], faulty(phantom_anatomy, "mirrored-ap"), points)


def test_a_fault_that_is_none_is_refused() -> None:
    with pytest.raises(InputFileError, match="There is no fault"):
        fault_named("gremlins")
