"""A result goes to files and comes back; what failed is null, and JSON stays JSON."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from radgs.case import FAILED, LevelResult, OpenQuestion, Reason, RegistrationResult, Verdict
from radgs.case.pose_covariance import ELLIPSOID_95, PoseCovariance
from radgs.errors import CaseError, InputFileError
from radgs.geometry import RigidTransform

START = RigidTransform.from_rotation_vector([0.0, 0.0, 0.1], [1.0, 2.0, 3.0])
POSE = RigidTransform.from_rotation_vector([0.3, -0.2, 0.1], [10.0, -20.0, 30.0])


@pytest.fixture
def result() -> RegistrationResult:
    good = LevelResult(
        ct_to_world=POSE,
        verdict="accept",
        predicted_error_mm={"surface_p95": 0.8},
        similarity={"AP": {"start": 0.1, "result": 0.7}},
        stages={"start": START, "refined": POSE},
        seconds=1.9,
    )
    failed = LevelResult(
        ct_to_world=None,
        verdict="reject",
        predicted_error_mm={"surface_p95": math.nan},
        reasons=(Reason("refinement-failed", "The refinement diverged: keep the C-arm still – and take new X-rays."),),
        similarity={"AP": {"start": 0.1, "result": math.inf}},
        stages={"start": START},
    )
    return RegistrationResult(
        levels={"L3": good, "L4": failed},
        case_sha256="ab" * 32,
        models={"L3": "patient.radgs.safetensors"},
        versions={"radgs": "0.1.0"},
        device="cpu",
    )


def test_a_saved_result_reads_back_the_same(result: RegistrationResult, tmp_path: Path) -> None:
    read = RegistrationResult.load(result.save(tmp_path / "out"))
    good, failed = read.levels["L3"], read.levels["L4"]
    assert good.ct_to_world is not None
    np.testing.assert_allclose(good.ct_to_world.matrix, POSE.matrix, atol=1e-12)
    assert (good.verdict, good.predicted_error_mm, good.seconds) == ("accept", {"surface_p95": 0.8}, 1.9)
    assert good.similarity == {"AP": {"start": 0.1, "result": 0.7}}
    assert good.stages["kabsch"] is None
    assert good.stages["refined"] is not None
    assert failed.ct_to_world is None
    assert failed.reasons == result.levels["L4"].reasons
    assert math.isnan(failed.predicted_error_mm["surface_p95"])
    assert (read.case_sha256, read.models, read.versions, read.device) == (
        result.case_sha256,
        result.models,
        result.versions,
        result.device,
    )


def test_the_file_is_the_schema_to_the_letter(result: RegistrationResult, tmp_path: Path) -> None:
    def refuse(constant: str) -> float:
        raise AssertionError(f"{constant} is no JSON")

    values = json.loads(result.save(tmp_path).read_text(encoding="utf-8"), parse_constant=refuse)
    assert values["schema"] == "radgs.result/1"
    assert (values["frame"], values["unit"]) == ("RAS", "mm")
    assert set(values) == {"schema", "frame", "unit", "levels", "case_sha256", "models", "versions", "device"}
    level = values["levels"]["L4"]
    assert set(level) == {
        "ct_to_world",
        "verdict",
        "predicted_error_mm",
        "reasons",
        "similarity",
        "stages",
        "seconds",
        "pose_covariance",
        "questions",
    }
    assert list(level["stages"]) == ["start", "kabsch", "regm", "refined"]
    assert level["ct_to_world"] is None
    assert level["predicted_error_mm"] == {"surface_p95": None}
    assert level["similarity"] == {"AP": {"start": 0.1, "result": None}}
    np.testing.assert_allclose(values["levels"]["L3"]["stages"]["start"], START.matrix)


def test_questions_come_back_and_older_files_have_none(result: RegistrationResult, tmp_path: Path) -> None:
    asked = (OpenQuestion("motion", "Was the patient held still?"),)
    path = replace(result, levels={"L3": replace(result.levels["L3"], questions=asked)}).save(tmp_path)
    assert RegistrationResult.load(path).levels["L3"].questions == asked
    values = json.loads(path.read_text(encoding="utf-8"))
    del values["levels"]["L3"]["questions"]
    path.write_text(json.dumps(values), encoding="utf-8")
    assert RegistrationResult.load(path).levels["L3"].questions == ()


def test_a_covariance_comes_back_and_what_is_none_is_refused(result: RegistrationResult, tmp_path: Path) -> None:
    root = np.random.default_rng(0).normal(size=(6, 6))
    covariance = PoseCovariance(np.array([10.0, -20.0, 30.0]), root @ root.T)
    known = {**result.levels, "L3": replace(result.levels["L3"], covariance=covariance)}
    path = replace(result, levels=known).save(tmp_path)
    read = RegistrationResult.load(path).levels
    assert read["L4"].covariance is None
    assert read["L3"].covariance is not None
    np.testing.assert_array_equal(read["L3"].covariance.matrix, covariance.matrix)
    np.testing.assert_array_equal(read["L3"].covariance.centre, covariance.centre)
    values = json.loads(path.read_text(encoding="utf-8"))
    for spoilt in (-root @ root.T, root, [[1.0]]):
        values["levels"]["L3"]["pose_covariance"]["matrix"] = np.asarray(spoilt).tolist()
        path.write_text(json.dumps(values), encoding="utf-8")
        with pytest.raises(InputFileError, match="matrix"):
            RegistrationResult.load(path)
    del values["levels"]["L3"]["pose_covariance"]  # as an earlier version wrote it
    path.write_text(json.dumps(values), encoding="utf-8")
    assert RegistrationResult.load(path).levels["L3"].covariance is None


def test_a_points_covariance_is_that_of_its_displacement() -> None:
    rng = np.random.default_rng(1)
    root = rng.normal(size=(6, 6)) * np.repeat([0.01, 0.5], 3)[:, None]
    centre, points = np.array([5.0, 0.0, -7.0]), np.array([[25.0, 10.0, -7.0], [5.0, 0.0, -7.0]])
    twists = rng.normal(size=(40_000, 6)) @ root.T
    moved = np.cross(twists[:, None, :3], points - centre) + twists[:, None, 3:]
    found = PoseCovariance(centre, root @ root.T).of_points(points)
    for number in range(2):
        drawn = np.cov(moved[:, number].T)
        np.testing.assert_allclose(found[number], drawn, atol=0.03 * np.trace(drawn))


def test_a_point_lies_within_a_distance_with_95_percent() -> None:
    matrix = np.zeros((6, 6))
    matrix[3:, 3:] = 0.4**2 * np.eye(3)
    assert PoseCovariance(np.zeros(3), matrix).distances_95([[9.0, 0, 0]]) == pytest.approx(
        [0.4 * ELLIPSOID_95], rel=0.02
    )
    matrix[4, 4] = matrix[5, 5] = 0.0  # along one axis
    assert PoseCovariance(np.zeros(3), matrix).distances_95([[9.0, 0, 0]]) == pytest.approx([0.4 * 1.96], rel=0.03)
    turning = np.diag([0, 0, 0.01**2, 0, 0, 0])
    near, far = PoseCovariance(np.zeros(3), turning).distances_95([[10.0, 0, 0], [30.0, 0, 5.0]])
    assert far == pytest.approx(3 * near)


def test_every_level_with_a_pose_has_a_transform_file(result: RegistrationResult, tmp_path: Path) -> None:
    (tmp_path / "L4_ct_to_world.tfm").write_text("from an earlier run")
    result.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["L3_ct_to_world.tfm", "result.json"]
    resampling = SimpleITK.ReadTransform(str(tmp_path / "L3_ct_to_world.tfm"))
    flip = np.array([-1.0, -1.0, 1.0])
    in_ct = np.array([7.0, -3.0, 40.0])
    np.testing.assert_allclose(resampling.TransformPoint((flip * POSE.apply(in_ct)).tolist()), flip * in_ct, atol=1e-9)


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        (["accept", "accept"], "accept"),
        (["accept", "check"], "check"),
        (["check", "reject", "accept"], "reject"),
        ([], "reject"),
    ],
)
def test_the_worst_level_speaks_for_the_result(verdicts: list[Verdict], worst: Verdict) -> None:
    levels = {f"L{n}": LevelResult(POSE, verdict) for n, verdict in enumerate(verdicts)}
    assert RegistrationResult(levels).worst_verdict == worst


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema": "radgs.result/2"}, "radgs.result/1"),
        ({"frame": "LPS"}, "'frame' should be \"RAS\""),
        ({"unit": "m"}, "'unit'"),
        ({"levels": []}, "'levels' should be an object"),
        ({"levels": {"L3": {"verdict": "perfect"}}}, "'levels.L3.verdict' should be one of accept, check, reject"),
    ],
)
def test_another_kind_of_file_is_refused(
    result: RegistrationResult, tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    path = result.save(tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(InputFileError, match=said):
        RegistrationResult.load(path)


def test_the_documented_example_is_a_result(tmp_path: Path) -> None:
    documentation = (Path(__file__).parents[3] / "docs" / "file-formats.md").read_text(encoding="utf-8")
    (tmp_path / "result.json").write_text(documentation.split("```json result\n")[1].split("```")[0])
    level = RegistrationResult.load(tmp_path).levels["L3"]
    assert level.ct_to_world is not None
    np.testing.assert_allclose(level.ct_to_world.apply([1.0, 2.0, 3.0]), [8.0, 21.0, 33.0])
    assert level.stages["kabsch"] is None


def contradict(values: dict, what: str) -> None:
    good = values["levels"]["L3"]
    if what == "stages":
        good["ct_to_world"][0][3] += 1.0
    elif what == "predicted error":
        good["predicted_error_mm"]["surface_p95"] = 6.0
    elif what == "negative":
        good["predicted_error_mm"]["surface_p95"] = -1.0
    elif what == "reasons":
        good["reasons"] = [{"code": "dissimilar", "message": "The model explains view AP poorly."}]
    elif what == "no pose":
        good["ct_to_world"] = good["stages"]["refined"] = None
    elif what == "verdict":
        failed = values["levels"]["L4"]
        failed["verdict"] = "accept"


@pytest.mark.parametrize("what", ["stages", "predicted error", "negative", "reasons", "no pose", "verdict"])
def test_a_result_that_contradicts_itself_is_refused(result: RegistrationResult, tmp_path: Path, what: str) -> None:
    path = result.save(tmp_path)
    values = json.loads(path.read_text(encoding="utf-8"))
    contradict(values, what)
    path.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(InputFileError, match="contradicts itself"):
        RegistrationResult.load(path)


def test_what_explains_a_stage_speaks_against_no_pose(result: RegistrationResult, tmp_path: Path) -> None:
    level = replace(result.levels["L3"], reasons=(Reason("no_frame", "No frame."),))
    assert RegistrationResult.load(RegistrationResult({"L3": level}).save(tmp_path)).levels["L3"].verdict == "accept"


def test_a_level_that_failed_comes_back_with_its_sentence(tmp_path: Path) -> None:
    error = CaseError("L4 has only 7 mm3 and is no vertebra.", "Choose the vertebra's own label.")
    RegistrationResult({"L4": LevelResult.failed(error, 0.5)}).save(tmp_path)
    level = RegistrationResult.load(tmp_path).levels["L4"]
    assert (level.ct_to_world, level.verdict, level.seconds) == (None, "reject", 0.5)
    assert level.reasons == (Reason(FAILED, str(error)),)
    assert not (tmp_path / "L4_ct_to_world.tfm").exists()
