"""The truth as a start, where little but a bone is known of the patient: coarse scales would lead away from it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from radgs.case import InitialPose
from radgs.evaluation.trials import BenchmarkSubject, trial_case
from radgs.geometry import Volume, mean_distance
from radgs.pipeline import register
from radgs.simulation import ArticulatedAnatomy, SimulationSettings
from radgs.simulation.worlds import world_named

pytestmark = pytest.mark.slow


def test_a_right_start_is_not_lost_where_only_the_bone_is_known(real_ct: Volume, real_labels: Volume) -> None:
    """T11 cut out of its CT, among ribs that nothing explains."""
    levels = {"T10": 34, "T11": 33, "T12": 32, "L1": 31}
    anatomy = ArticulatedAnatomy(real_ct, real_labels, levels)
    subject = BenchmarkSubject("LIDC-IDRI thorax", "real CT", ("T11",), lambda: anatomy)
    settings = SimulationSettings(world=world_named("ct-bone"))
    case = trial_case(subject, anatomy, "T11", 2, 0, settings)
    truth = case.truth["T11"]
    registration = register(replace(case, initial={"T11": InitialPose({}, truth)}), device="cpu")
    pose = registration.result.levels["T11"].ct_to_world
    assert pose is not None
    surface = registration.vertebrae["T11"].surface
    assert mean_distance(surface, pose, truth) < 1.0
