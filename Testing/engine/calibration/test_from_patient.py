"""A second view solved for with three vertebrae of the phantom: first their bones alone, then the whole patient."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from radgs.calibration import calibrate_from_patient
from radgs.calibration.joint_body import Body
from radgs.calibration.joint_solver import JointEstimate, Setting, solve
from radgs.calibration.view_moves import NOMINAL_SIZES, move_directions, prior_covariance
from radgs.case import Level, RegistrationCase
from radgs.drr import VolumeRenderer
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, XRayView
from radgs.geometry.sigma import USUAL_SIGMA
from radgs.refine import RelativePrior, Resolution
from radgs.simulation import SimulationSettings, simulate_case
from radgs.simulation.nominal_view import read_off
from radgs.vertebra import VertebraAnatomy, build_vertebra_anatomy

if TYPE_CHECKING:
    from radgs.phantom import PhantomSpine
    from radgs.simulation import ArticulatedAnatomy

LEVELS = ("L2", "L3", "L4")


def off_mm(found: ViewGeometry, true: ViewGeometry, points: FloatArray) -> float:
    """Root mean square distance of points' images in two views, at the points' depth, mm."""
    depth = (points - true.source_ras) @ true.normal / true.source_to_detector_mm
    away = np.linalg.norm(found.project(points) - true.project(points), axis=1)
    return float(np.sqrt(np.mean((away * depth * true.pixel_spacing[0]) ** 2)))


@pytest.fixture(scope="module")
def seen(phantom_anatomy: ArticulatedAnatomy) -> RegistrationCase:
    """Three vertebrae of the phantom, moved apart, seen in two views."""
    settings = SimulationSettings(detector_pixels=256, rotation_deg=4.0)
    return simulate_case(phantom_anatomy, "L3", np.random.default_rng(4), settings, levels=LEVELS)


def bones_alone(anatomy: ArticulatedAnatomy, case: RegistrationCase) -> tuple[tuple[XRayView, ...], tuple[Body, ...]]:
    """The views with nothing on them but the three vertebrae, and these as bodies."""
    parts = {name: VolumeRenderer(anatomy.excess[name]).sampled_every(3.0) for name in LEVELS}
    views = []
    for view in case.views:
        image = sum(parts[name].render(case.truth[name], view.geometry) for name in LEVELS)
        views.append(replace(view, image=np.asarray(image, dtype=np.float32), field=np.ones(view.image.shape, bool)))
    bodies = [
        Body(anatomy.centres[name], (parts[name], *(parts[other] for other in LEVELS if other != name)))
        for name in LEVELS
    ]
    return tuple(views), tuple(bodies)


def test_three_vertebrae_tell_where_the_second_view_stands(
    phantom_anatomy: ArticulatedAnatomy, seen: RegistrationCase
) -> None:
    views, bodies = bones_alone(phantom_anatomy, seen)
    true = views[1].geometry
    nominal = read_off(true, np.random.default_rng(1))
    points = np.concatenate(
        [
            seen.truth[name].apply(phantom_anatomy.centres[name] + 20 * np.vstack([np.eye(3), -np.eye(3)]))
            for name in LEVELS
        ]
    )
    assert off_mm(nominal, true, points) > 2.0
    views = (views[0], replace(views[1], geometry=nominal))
    prior = prior_covariance(move_directions(nominal, np.zeros(3)), NOMINAL_SIZES)
    setting = Setting(views, 1, bodies, np.linalg.inv(prior), RelativePrior(np.radians(5.0), 4.0))
    off = RigidTransform.from_rotation_vector(np.radians([1.0, -1.5, 1.0]), [1.0, -1.0, 1.5])
    begin = JointEstimate(tuple(tuple(off @ seen.truth[name] for _ in range(3)) for name in LEVELS), nominal)
    resolutions = [(Resolution(sigma, 8, 0.2, 5.0), 64) for sigma in (8.0, 4.0, 2.0)]
    resolutions.append((Resolution(1.2, 4, 0.2, 5.0), 128))
    found = solve(setting, begin, resolutions)
    assert found.support > 0.99
    assert off_mm(found.geometry, true, points) < 0.5
    distances = [
        np.linalg.norm(pose[0].apply(phantom_anatomy.centres["L2"]) - pose[-1].apply(phantom_anatomy.centres["L4"]))
        for pose in ([poses[0] for poses in found.poses], [seen.truth[name] for name in LEVELS])
    ]
    assert abs(distances[0] - distances[1]) < 0.5


@pytest.fixture(scope="module")
def vertebrae(phantom_spine: PhantomSpine) -> list[VertebraAnatomy]:
    return [
        build_vertebra_anatomy(phantom_spine.ct, phantom_spine.labels, Level(name, phantom_spine.levels[name]))
        for name in LEVELS
    ]


def clicked(case: RegistrationCase, vertebrae: list[VertebraAnatomy]) -> dict[str, RigidTransform]:
    return {one.level.name: case.start_pose(one.level.name, one.centre) for one in vertebrae}


@pytest.mark.slow
def test_a_c_arm_read_off_its_display_is_calibrated_from_clicks(
    seen: RegistrationCase, vertebrae: list[VertebraAnatomy]
) -> None:
    true = seen.views[1].geometry
    nominal = read_off(true, np.random.default_rng(1))
    case = replace(seen, views=(seen.views[0], replace(seen.views[1], geometry=nominal)))
    solved = calibrate_from_patient(case.views, vertebrae, clicked(case, vertebrae))
    geometry = solved.found.applied(case.views)[1].geometry
    for one in vertebrae:
        points = case.truth[one.level.name].apply(one.surface)
        assert off_mm(nominal, true, points) > 1.8
        assert off_mm(geometry, true, points) < 0.5
    assert "the source-detector distance" in solved.found.held
    assert "the turn about the patient's long axis" not in solved.found.held
    assert not solved.found.beyond_sigma


@pytest.mark.slow
def test_a_view_that_stands_where_it_should_is_left_within_its_sigma(
    seen: RegistrationCase, vertebrae: list[VertebraAnatomy]
) -> None:
    solved = calibrate_from_patient(seen.views, vertebrae, clicked(seen, vertebrae), believed=USUAL_SIGMA)
    assert not solved.found.beyond_sigma
    sigma = np.sqrt(np.diag(USUAL_SIGMA.as_covariance))
    assert (np.abs(solved.found.changed) < 2 * sigma).all()


@pytest.mark.slow
def test_a_turned_detector_is_beyond_what_is_believed(seen: RegistrationCase, vertebrae: list[VertebraAnatomy]) -> None:
    true = seen.views[1].geometry
    turn = RigidTransform.identity().rotated_about(true.centre_ras, np.radians(5.0) * true.normal)
    wrong = ViewGeometry(true.source_ras, turn.matrix @ true.detector_to_ras, true.shape)
    case = replace(seen, views=(seen.views[0], replace(seen.views[1], geometry=wrong)))
    solved = calibrate_from_patient(case.views, vertebrae, clicked(case, vertebrae), believed=USUAL_SIGMA)
    assert solved.found.beyond_sigma
    roll = next(move for move in solved.found.moves if move.name == "roll")
    assert abs(abs(roll.change) - 5.0) < 0.3
