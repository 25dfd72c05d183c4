"""Simulated trials: reproducible, as far off as they say, and true to the CT they come from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from radgs.case import RegistrationCase
from radgs.drr import VolumeRenderer, attenuation_from_hu
from radgs.geometry import RigidTransform, Volume, angle_between, triangulate
from radgs.simulation import ArticulatedAnatomy, SimulationSettings, simulate_case
from radgs.simulation.articulated import simulate_clicks

#: Small images: what varies is tested, not what is seen.
SETTINGS = SimulationSettings(detector_pixels=48)


@pytest.fixture(scope="module")
def trials(phantom_anatomy: ArticulatedAnatomy) -> list[RegistrationCase]:
    return [simulate_case(phantom_anatomy, "L3", np.random.default_rng(seed), SETTINGS) for seed in range(8)]


def truth_of(trial: RegistrationCase) -> RigidTransform:
    return trial.truth["L3"]


def test_the_same_seed_makes_the_same_trial_and_another_another(
    trials: list[RegistrationCase], phantom_anatomy: ArticulatedAnatomy
) -> None:
    again = simulate_case(phantom_anatomy, "L3", np.random.default_rng(3), SETTINGS)
    np.testing.assert_array_equal(truth_of(again).matrix, truth_of(trials[3]).matrix)
    for first, second in zip(again.views, trials[3].views, strict=True):
        np.testing.assert_array_equal(first.image, second.image)
    assert again.initial["L3"].clicks == trials[3].initial["L3"].clicks
    assert not np.array_equal(truth_of(trials[2]).matrix, truth_of(trials[3]).matrix)


def test_a_trial_is_a_case_that_can_be_registered(trials: list[RegistrationCase]) -> None:
    for trial in trials:
        trial.validate()
        assert [view.name for view in trial.views] == ["AP", "LAT"]
        assert all(np.isfinite(view.image).all() for view in trial.views)


def test_the_truth_stays_within_the_settings(
    trials: list[RegistrationCase], phantom_anatomy: ArticulatedAnatomy
) -> None:
    for trial in trials:
        assert np.degrees(truth_of(trial).angle) <= SETTINGS.rotation_deg
        at = truth_of(trial).apply(phantom_anatomy.centres["L3"])
        assert np.abs(at).max() <= SETTINGS.isocentre_offset_mm
    assert max(np.degrees(truth_of(trial).angle) for trial in trials) > 0.5 * SETTINGS.rotation_deg


def test_the_c_arm_stays_within_the_settings(trials: list[RegistrationCase]) -> None:
    directions = {"AP": np.array([0.0, -1.0, 0.0]), "LAT": np.array([1.0, 0.0, 0.0])}
    for trial in trials:
        for view in trial.views:
            geometry = view.geometry
            axis = geometry.central_direction
            assert np.degrees(angle_between(axis, directions[view.name])) < 1.5 * SETTINGS.view_tilt_deg
            to_isocentre = float(np.linalg.norm(geometry.source_ras))
            near, far = SETTINGS.source_to_isocentre_mm
            assert near <= to_isocentre <= far
            beyond = geometry.source_to_detector_mm - to_isocentre
            assert SETTINGS.isocentre_to_detector_mm[0] <= beyond + 1e-6
            assert beyond - 1e-6 <= SETTINGS.isocentre_to_detector_mm[1]
            assert geometry.row_step[2] < 0
            np.testing.assert_allclose(np.cross(axis, geometry.source_ras), 0.0, atol=1e-6)


def test_clicks_without_noise_meet_inside_the_ball_around_the_centre(trials: list[RegistrationCase]) -> None:
    settings = replace(SETTINGS, click_noise_mm=0.0)
    geometries = [view.geometry for view in trials[0].views]
    centre, rng, errors = np.array([5.0, -3.0, 8.0]), np.random.default_rng(0), []
    for _ in range(300):
        clicks = simulate_clicks(trials[0].views, centre, settings, rng)
        met = triangulate(geometries, list(clicks.values()))
        assert met.gap_mm < 1e-6
        errors.append(np.linalg.norm(met.point - centre))
    assert max(errors) <= settings.click_error_mm + 1e-6
    # Uniform in the ball: half of them lie beyond 2^(-1/3) of the radius.
    assert np.median(errors) == pytest.approx(0.5 ** (1 / 3) * settings.click_error_mm, rel=0.06)


def test_each_views_noise_is_as_wide_as_stated_at_the_vertebra(trials: list[RegistrationCase]) -> None:
    settings = replace(SETTINGS, click_error_mm=0.0, click_noise_mm=1.0)
    centre, rng = np.zeros(3), np.random.default_rng(0)
    clicks = [simulate_clicks(trials[0].views, centre, settings, rng) for _ in range(400)]
    for view in trials[0].views:
        geometry = view.geometry
        magnification = geometry.source_to_detector_mm / np.linalg.norm(geometry.source_ras - centre)
        pixels = np.array([click[view.name] for click in clicks]) - geometry.project(centre)
        deviations = pixels.std(axis=0) * geometry.pixel_spacing / magnification
        np.testing.assert_allclose(deviations, 1.0, rtol=0.12)
        np.testing.assert_allclose(pixels.mean(axis=0), 0.0, atol=0.2)


def test_clicks_lie_where_the_settings_allow(
    trials: list[RegistrationCase], phantom_anatomy: ArticulatedAnatomy
) -> None:
    for trial in trials:
        met = triangulate([view.geometry for view in trial.views], list(trial.initial["L3"].clicks.values()))
        off = np.linalg.norm(met.point - truth_of(trial).apply(phantom_anatomy.centres["L3"]))
        assert off < SETTINGS.click_error_mm + 4.0 * SETTINGS.click_noise_mm


@pytest.mark.parametrize("target", ["L1", "L3", "L5"])
def test_motion_adds_up_along_the_spine(target: str, phantom_anatomy: ArticulatedAnatomy) -> None:
    pose = RigidTransform.from_rotation_vector([0.1, 0.2, -0.1], [3.0, 4.0, 5.0])
    names = list(phantom_anatomy.levels)
    rng, moved = np.random.default_rng(0), {name: [] for name in names}
    for _ in range(30):
        poses = phantom_anatomy.random_poses(target, pose, SETTINGS, rng)
        assert set(poses) == {*names, ""}
        assert poses[target] is pose
        for name in names:
            joints = abs(names.index(name) - names.index(target))
            turn = np.degrees(poses[name].geodesic_angle_to(pose))
            assert turn <= joints * SETTINGS.joint_rotation_deg + 1e-9
            moved[name].append(turn)
        assert np.degrees(poses[""].geodesic_angle_to(pose)) <= SETTINGS.joint_rotation_deg + 1e-9
    means = {abs(names.index(name) - names.index(target)): np.mean(turns) for name, turns in moved.items()}
    assert means[0] == 0.0
    assert means[1] > 0.25 * SETTINGS.joint_rotation_deg
    assert means[2] > means[1]


def test_neighbours_stay_in_touch_at_their_joint(phantom_anatomy: ArticulatedAnatomy) -> None:
    """Each joint gives by no more than the shift allowed, however far the spine bends."""
    centres, rng = phantom_anatomy.centres, np.random.default_rng(1)
    for _ in range(20):
        poses = phantom_anatomy.random_poses("L1", RigidTransform.identity(), SETTINGS, rng)
        for upper, lower in (("L1", "L2"), ("L2", "L3"), ("L3", "L4"), ("L4", "L5")):
            joint = (centres[upper] + centres[lower]) / 2
            gap = np.linalg.norm(poses[upper].apply(joint) - poses[lower].apply(joint))
            assert gap <= SETTINGS.joint_shift_mm + 1e-9


def test_unmoved_anatomy_casts_the_cts_own_image(
    phantom_anatomy: ArticulatedAnatomy, trials: list[RegistrationCase]
) -> None:
    pose = truth_of(trials[0])
    whole = Volume(attenuation_from_hu(phantom_anatomy.ct.array), phantom_anatomy.ct.index_to_ras)
    poses = dict.fromkeys([*phantom_anatomy.levels, ""], pose)
    for view in trials[0].views:
        image = phantom_anatomy.line_integrals(poses, view.geometry)
        plain = VolumeRenderer(whole).sampled_every(1.0).render(pose, view.geometry).numpy()
        assert plain.max() > 3.0
        np.testing.assert_allclose(image, plain, atol=0.01)


def test_a_moved_vertebra_changes_the_image_near_itself_alone(
    phantom_anatomy: ArticulatedAnatomy, trials: list[RegistrationCase]
) -> None:
    pose = truth_of(trials[0])
    poses = dict.fromkeys([*phantom_anatomy.levels, ""], pose)
    moved = poses | {"L3": RigidTransform(np.eye(3), np.array([0.0, 0.0, 4.0])) @ pose}
    geometry = trials[0].views[0].geometry
    change = np.abs(phantom_anatomy.line_integrals(moved, geometry) - phantom_anatomy.line_integrals(poses, geometry))
    column, row = geometry.project(pose.apply(phantom_anatomy.centres["L3"]))
    rows, columns = np.indices(change.shape)
    far = np.hypot(columns - column, rows - row) * geometry.pixel_spacing[0] > 140.0
    assert change.max() > 0.1
    assert change[far].max() == 0.0
