"""A level's runs are kept with its transform: an earlier pose, with its verdict, comes back as it was."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import slicer
from scene_parts import POSE

from radgs.case import LevelResult
from radgs.geometry import RigidTransform

OTHER = RigidTransform(POSE.rotation, POSE.translation + [3.0, 0.0, 4.0])


@pytest.fixture
def a_transform(a_scene: Any) -> Any:
    """A level registered twice: accepted at first, doubtful later."""
    from RadGSRegLib.review.history import keep_run
    from RadGSRegLib.scene.placement import add_transform, set_pose

    transform = add_transform("L3CTToWorld", POSE)
    for pose, verdict, model in ((POSE, "accept", "generic"), (OTHER, "check", "prepared")):
        result = LevelResult(pose, verdict, {"surface_p95": 0.8}, stages={"start": POSE, "refined": pose})
        transform.SetAttribute("RadGSReg.result", json.dumps(result.to_json_dict()))
        transform.SetAttribute("RadGSReg.origin", json.dumps({"case_sha256": model}))
        set_pose(transform, pose)
        keep_run(transform, model)
    return transform


def test_runs_are_rows_and_the_current_one_is_known(a_transform: Any) -> None:
    from RadGSRegLib.review.history import current_run, runs_of

    runs = runs_of(a_transform)
    assert [(run.values["verdict"], run.model) for run in runs] == [("accept", "generic"), ("check", "prepared")]
    assert current_run(a_transform) == 1
    assert [run.moved_mm(np.zeros(3)) for run in runs] == [pytest.approx(0.0), pytest.approx(5.0)]


def test_an_earlier_run_comes_back_whole_and_nothing_is_lost(a_transform: Any) -> None:
    from RadGSRegLib.engine.result_import import result_of
    from RadGSRegLib.review.acceptance import is_accepted, is_moved
    from RadGSRegLib.review.history import current_run, restore_run, runs_of

    a_transform.SetAttribute("RadGSReg.accepted", "check")
    runs = runs_of(a_transform)
    restore_run(a_transform, runs[0])
    np.testing.assert_allclose(slicer.util.arrayFromTransformMatrix(a_transform), POSE.matrix)
    assert result_of(a_transform)["verdict"] == "accept"
    assert json.loads(a_transform.GetAttribute("RadGSReg.origin")) == {"case_sha256": "generic"}
    assert not is_accepted(a_transform)
    assert not is_moved(a_transform)
    assert current_run(a_transform) == 0
    assert runs_of(a_transform) == runs
    restore_run(a_transform, runs[1])
    np.testing.assert_allclose(slicer.util.arrayFromTransformMatrix(a_transform), OTHER.matrix)


def test_only_the_newest_runs_are_kept(a_transform: Any) -> None:
    from RadGSRegLib.review.history import MAX_RUNS, keep_run, runs_of

    for number in range(MAX_RUNS + 3):
        keep_run(a_transform, str(number))
    assert [run.model for run in runs_of(a_transform)] == [str(number) for number in range(3, MAX_RUNS + 3)]


@pytest.mark.parametrize("text", ["", "no JSON", "[1, 2]", '[{"time": "then"}]', '{"a": 1}'])
def test_what_somebody_else_wrote_there_is_no_run(a_transform: Any, text: str) -> None:
    from RadGSRegLib.review.history import current_run, runs_of

    a_transform.SetAttribute("RadGSReg.history", text)
    assert runs_of(a_transform) == []
    assert current_run(a_transform) is None
