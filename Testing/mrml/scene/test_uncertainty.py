"""The ellipsoids hold a point's true place with 95 % certainty, wherever the pose has turned the vertebra."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from scene_parts import POSE

from radgs.case import LevelResult, RegistrationResult
from radgs.case.pose_covariance import PoseCovariance

#: A point of the vertebra, the CT's RAS, mm, and how uncertain its place is along the world's axes, mm.
POINT, SIGMA = np.array([12.0, -30.0, 55.0]), np.array([0.4, 1.5, 0.2])


@pytest.fixture
def a_transform(a_scene: Any) -> Any:
    from RadGSRegLib.scene.placement import add_transform
    from RadGSRegLib.scene.uncertainty import keep_landmarks

    transform = add_transform("L3CTToWorld", POSE)
    transform.SetAttribute("RadGSReg.level", "L3")
    covariance = PoseCovariance(POSE.apply(POINT), np.diag([0.0] * 3 + list(SIGMA**2)))
    keep(transform, LevelResult(POSE, "accept", covariance=covariance))
    keep_landmarks(transform, {"body": POINT})
    return transform


def keep(transform: Any, result: LevelResult) -> None:
    transform.SetAttribute("RadGSReg.result", json.dumps(result.to_json_dict()))


def test_an_ellipsoid_is_as_long_as_the_uncertainty_in_the_world(a_transform: Any) -> None:
    from RadGSRegLib.scene.uncertainty import put_uncertainty

    model = put_uncertainty(a_transform)
    assert model.GetParentTransformNode() is a_transform
    world = POSE.apply(slicer.util.arrayFromModelPoints(model)) - POSE.apply(POINT)
    np.testing.assert_allclose(np.abs(world).max(axis=0), 2.7955 * SIGMA, rtol=0.05)
    # Nineteen draws in twenty lie within.
    draws = np.random.default_rng(0).normal(size=(20_000, 3)) * SIGMA
    within = (np.linalg.norm(draws / (2.7955 * SIGMA), axis=1) < 1).mean()
    assert within == pytest.approx(0.95, abs=0.005)


def test_a_turn_makes_it_longer_away_from_the_centre(a_transform: Any) -> None:
    from RadGSRegLib.scene.uncertainty import ellipsoids_in_ct, keep_landmarks

    turning = PoseCovariance(POSE.apply(POINT), np.diag([0.0, 0.0, 0.01**2, 1e-8, 1e-8, 1e-8]))
    keep(a_transform, LevelResult(POSE, "accept", covariance=turning))
    aside = POSE.inverse().apply(POSE.apply(POINT) + [20.0, 0.0, 0.0])
    keep_landmarks(a_transform, {"body": POINT, "right pedicle": aside})
    centres, axes = ellipsoids_in_ct(a_transform)
    np.testing.assert_allclose(centres, [POINT, aside], atol=1e-9)
    longest = np.linalg.norm(axes, axis=2).max(axis=1)
    np.testing.assert_allclose(longest, [2.7955e-4, 2.7955 * 0.2], rtol=1e-3)
    along = POSE.rotation @ axes[1][np.argmax(np.linalg.norm(axes[1], axis=1))]
    np.testing.assert_allclose(np.abs(along) / np.linalg.norm(along), [0.0, 1.0, 0.0], atol=1e-3)  # across the arm


def test_before_landmarks_are_known_it_stands_at_the_centre(a_transform: Any) -> None:
    from RadGSRegLib.scene.uncertainty import (
        ellipsoids_in_ct,
        is_uncertainty_out_of_date,
        keep_landmarks,
        put_uncertainty,
    )

    a_transform.RemoveAttribute("RadGSReg.landmarks")
    put_uncertainty(a_transform)
    np.testing.assert_allclose(ellipsoids_in_ct(a_transform)[0], [POINT], atol=1e-9)
    assert not is_uncertainty_out_of_date(a_transform)
    keep_landmarks(a_transform, {"body": POINT, "left pedicle": POINT + 9.0})
    assert is_uncertainty_out_of_date(a_transform)


def test_the_vertebra_lets_them_be_seen_and_is_as_before_when_they_go(a_transform: Any, a_scene: Any) -> None:
    from RadGSRegLib.scene.uncertainty import hide_uncertainty, put_uncertainty

    vertebra = a_scene.AddNewNodeByClass("vtkMRMLModelNode", "L3 vertebra")
    vertebra.CreateDefaultDisplayNodes()
    display = vertebra.GetDisplayNode()
    display.SetOpacity(0.9)
    a_transform.SetNodeReferenceID("RadGSReg.vertebra", vertebra.GetID())
    for _again in range(2):
        put_uncertainty(a_transform)
        assert display.GetOpacity() < 0.5
    hide_uncertainty(a_transform)
    assert display.GetOpacity() == 0.9
    put_uncertainty(a_transform)
    display.SetOpacity(0.7)  # the user's own choice stays
    hide_uncertainty(a_transform)
    assert display.GetOpacity() == 0.7


def test_a_result_that_knows_none_has_none(a_transform: Any) -> None:
    from RadGSRegLib.scene.uncertainty import covariance_of, hide_uncertainty, is_uncertainty_shown, put_uncertainty

    put_uncertainty(a_transform)
    assert is_uncertainty_shown(a_transform)
    hide_uncertainty(a_transform)
    assert not is_uncertainty_shown(a_transform)
    keep(a_transform, LevelResult(POSE, "accept"))
    assert covariance_of(a_transform) is None


def test_a_registration_that_finds_no_pose_takes_them_away(a_demo_case: Any, tmp_path: Path) -> None:
    from RadGSRegLib.engine.result_import import import_steps
    from RadGSRegLib.scene.uncertainty import is_uncertainty_shown, put_uncertainty

    covariance = PoseCovariance(POSE.apply(POINT), np.eye(6) * 1e-2)
    RegistrationResult({"L3": LevelResult(POSE, "accept", covariance=covariance)}).save(tmp_path)
    list(import_steps(tmp_path, a_demo_case))
    transform = slicer.util.getNode("L3CTToWorld")
    put_uncertainty(transform)
    assert is_uncertainty_shown(transform)
    RegistrationResult({"L3": LevelResult(None, "reject")}).save(tmp_path)
    list(import_steps(tmp_path, a_demo_case))
    assert not is_uncertainty_shown(transform)
