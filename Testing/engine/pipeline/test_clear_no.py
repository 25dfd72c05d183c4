"""Mirrored inputs and views that contradict each other are found from the images, and a right pose has no such ground.

The poses judged are what a registration arrives at: the true one, or the one that absorbs most of the fault.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from radgs.case import RegistrationCase
from radgs.geometry import RigidTransform, ViewGeometry, XRayView, unit
from radgs.geometry.sigma import GeometrySigma
from radgs.pipeline.geometry_uncertainty import geometry_covariance
from radgs.pipeline.orientation import flip_findings, try_flips
from radgs.pipeline.quality import predicted_surface_error
from radgs.pipeline.view_consistency import disagreement_mm, view_findings, view_wishes
from radgs.refine import Estimate, Observation, OtherLevel, Refinement
from radgs.simulation import ArticulatedAnatomy, SimulationSettings, simulate_case
from radgs.simulation.faults import mirrored_image
from radgs.simulation.revealable import absorb
from radgs.vertebra import VertebraAnatomy

pytestmark = pytest.mark.slow

SETTINGS = SimulationSettings(detector_pixels=192, joint_rotation_deg=0.5, joint_shift_mm=0.3, rotation_deg=5.0)
Views = tuple[XRayView, ...]


@pytest.fixture(scope="module")
def trial(phantom_anatomy: ArticulatedAnatomy) -> RegistrationCase:
    return simulate_case(phantom_anatomy, "L3", np.random.default_rng(3), SETTINGS)


def judged(views: Views, vertebra: VertebraAnatomy, pose: RigidTransform) -> Refinement:
    """A refinement that ended at a pose, all parts together."""
    seen = Observation.around(views, pose.apply(vertebra.centre), 128.0, 128)
    parts = (vertebra.vertebra_part, vertebra.surroundings_part.sampled_every(4.0), *vertebra.neighbour_parts)
    final = Estimate([pose] * len(parts), np.eye(6) * 25.0)
    return Refinement(pose, Estimate([pose]), final, seen, parts, False, OtherLevel(0.0, "above"))


def with_lateral_detector(views: Views, move: Callable[[ViewGeometry], RigidTransform]) -> Views:
    front, side = views
    detector = move(side.geometry).matrix @ side.geometry.detector_to_ras
    return front, replace(side, geometry=ViewGeometry(side.geometry.source_ras, detector, side.geometry.shape))


def absorbed(case: RegistrationCase, views: Views, vertebra: VertebraAnatomy) -> RigidTransform:
    believed, true = [view.geometry for view in views], [view.geometry for view in case.views]
    return absorb(vertebra.surface[::50], case.truth["L3"], believed, true).ct_to_world


def test_a_right_pose_has_nothing_against_it(trial: RegistrationCase, phantom_vertebra: VertebraAnatomy) -> None:
    refinement = judged(trial.views, phantom_vertebra, trial.truth["L3"])
    flips = try_flips(trial.views, phantom_vertebra, refinement)
    wishes = view_wishes(refinement, phantom_vertebra, ["AP", "LAT"])
    assert max(flip.advantage for flip in flips) < -0.1  # the trial has power: a flipped image would be found
    assert flip_findings(flips, 0.7) == []
    assert view_findings(wishes, min(wish.edges.coarse for wish in wishes)) == [], wishes
    assert disagreement_mm(wishes) < 0.5


@pytest.mark.parametrize(("mirrored", "expected"), [(0, "reject"), (1, "check")])
def test_a_mirrored_view_is_found_and_named(
    trial: RegistrationCase, phantom_vertebra: VertebraAnatomy, mirrored: int, expected: str
) -> None:
    """The image is turned over about the vertebra; its front and back do not look alike, and it fits no more."""
    view = trial.views[mirrored]
    column = view.geometry.project(trial.truth["L3"].apply(phantom_vertebra.centre))[0]
    turned = mirrored_image(view)
    matrix = view.geometry.detector_to_ras.copy()
    matrix[:3, 3] += matrix[:3, 0] * (2 * column - view.image.shape[1] + 1)
    turned = replace(turned, geometry=ViewGeometry(view.geometry.source_ras, matrix, view.geometry.shape))
    views = tuple(turned if number == mirrored else one for number, one in enumerate(trial.views))
    refinement = judged(views, phantom_vertebra, trial.truth["L3"])
    ((verdict, reason),) = flip_findings(try_flips(views, phantom_vertebra, refinement), 0.5)
    assert (verdict, reason.code) == (expected, "mirrored")
    assert f"View {view.name} " in reason.message
    assert "left to right" in reason.message


@pytest.mark.parametrize("seen", [slice(80, None), slice(0, 112)], ids=str)
def test_blades_on_one_side_make_no_mirror(
    trial: RegistrationCase, phantom_vertebra: VertebraAnatomy, seen: slice
) -> None:
    """What is seen on one side only has no counterpart to be compared with."""
    front, side = trial.views
    field = np.zeros(side.image.shape, dtype=bool)
    field[:, seen] = True
    views = (front, replace(side, field=field))
    flips = try_flips(views, phantom_vertebra, judged(views, phantom_vertebra, trial.truth["L3"]))
    assert flip_findings(flips, 0.7) == [], flips


def lower(geometry: ViewGeometry) -> RigidTransform:
    return RigidTransform(np.eye(3), 8.0 * unit(geometry.row_step))


def turned(geometry: ViewGeometry) -> RigidTransform:
    turn = geometry.normal * np.radians(8.0)
    return RigidTransform.identity().rotated_about(geometry.centre_ras, turn, np.zeros(3))


@pytest.mark.parametrize("move", [lower, turned])
def test_a_detector_that_stands_elsewhere_is_seen_where_views_can_show_it(
    trial: RegistrationCase, phantom_vertebra: VertebraAnatomy, move: Callable[[ViewGeometry], RigidTransform]
) -> None:
    views = with_lateral_detector(trial.views, move)
    wishes = view_wishes(
        judged(views, phantom_vertebra, absorbed(trial, views, phantom_vertebra)), phantom_vertebra, ["AP", "LAT"]
    )
    ((verdict, reason),) = view_findings(wishes, 0.9)
    assert verdict == "reject"
    assert reason.code == "views"
    assert "view AP" in reason.message or "view LAT" in reason.message


def test_a_detector_moved_across_is_not_claimed_to_be_seen(
    trial: RegistrationCase, phantom_vertebra: VertebraAnatomy
) -> None:
    def across(geometry: ViewGeometry) -> RigidTransform:
        return RigidTransform(np.eye(3), 8.0 * unit(geometry.column_step))

    views = with_lateral_detector(trial.views, across)
    pose = absorbed(trial, views, phantom_vertebra)
    assert np.linalg.norm(pose.apply(phantom_vertebra.centre) - trial.truth["L3"].apply(phantom_vertebra.centre)) > 3.0
    assert disagreement_mm(view_wishes(judged(views, phantom_vertebra, pose), phantom_vertebra, ["AP", "LAT"])) < 1.0


def test_an_uncertain_geometry_makes_the_predicted_error_larger(
    trial: RegistrationCase, phantom_vertebra: VertebraAnatomy
) -> None:
    """Against what chance does: geometries drawn from the sigma, and the pose that absorbs each."""
    sigma = GeometrySigma(np.full(3, 1.5), np.full(3, 1.0), np.full(3, 0.2))
    truth, points = trial.truth["L3"], phantom_vertebra.surface[::50]
    views = tuple(replace(view, geometry_sigma=sigma) for view in trial.views)
    centre = truth.apply(phantom_vertebra.centre)
    surface = truth.apply(phantom_vertebra.surface)
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(40):
        drawn = []
        for view in views:
            turn = np.radians(rng.normal(0.0, sigma.detector_deg))
            moved = RigidTransform.identity().rotated_about(
                view.geometry.centre_ras, turn, rng.normal(0.0, sigma.detector_mm)
            )
            source = view.geometry.source_ras + rng.normal(0.0, sigma.source_mm)
            drawn.append(ViewGeometry(source, moved.matrix @ view.geometry.detector_to_ras, view.geometry.shape))
        pose = absorb(points, truth, drawn, [view.geometry for view in views]).ct_to_world
        errors.append(np.linalg.norm(pose.apply(phantom_vertebra.surface) - surface, axis=1))
    by_geometry = geometry_covariance(views, surface, centre)
    predicted = predicted_surface_error(np.eye(6) * 1e6, surface - centre, 0, by_geometry)
    assert predicted == pytest.approx(np.percentile(np.concatenate(errors), 95), rel=0.25)
    usual = predicted_surface_error(
        np.eye(6) * 1e6, surface - centre, 0, geometry_covariance(trial.views, surface, centre)
    )
    assert 0.2 < usual < predicted
