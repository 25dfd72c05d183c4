"""What a registration left in the scene leaves it again: the same pose, by its verdict, and nothing that was edited."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK
import slicer
from exported_scene import CASE_SHA256, L3, L4, LEVELS, SCREW_ENTRY, bring_in, load_into_database, write_ct_series
from numpy.typing import ArrayLike
from scene_parts import add_transform

from radgs.case import LevelResult
from radgs.errors import ExportError
from radgs.export import FILE_FORMATS, ReleasePolicy, WithheldError
from radgs.geometry import FloatArray, RigidTransform

FLIP = np.array([-1.0, -1.0, 1.0])
BACK = RigidTransform.from_rotation_vector([0.0, 0.0, 0.0], [0.5, 0.0, 0.0])


@pytest.fixture
def a_result(a_demo_case: Any, tmp_path: Path) -> str:
    """L3 accepted, L4 to be checked, L5 rejected, in the scene; the SHA-256 of the result.json they came from."""
    return bring_in(tmp_path / "result", a_demo_case)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def by_simpleitk(folder: Path, suffix: str, entry: FloatArray) -> ArrayLike:
    world_to_ct = SimpleITK.ReadTransform(str(folder / f"L3_ct_to_world{suffix}"))
    return np.array(world_to_ct.GetInverse().TransformPoint((entry * FLIP).tolist())) * FLIP


def by_slicer(folder: Path, suffix: str, entry: FloatArray) -> ArrayLike:
    storage = slicer.vtkMRMLTransformStorageNode()
    storage.SetFileName(str(folder / f"L3_ct_to_world{suffix}"))
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    assert storage.ReadData(node)
    return world_of_planned_point(node, entry)


def by_csv_module(folder: Path, suffix: str, entry: FloatArray) -> ArrayLike:
    with (folder / f"L3_ct_to_world{suffix}").open(newline="") as file:
        rows = [[float(cell) for cell in row] for row in csv.reader(file)]
    return [sum(a * b for a, b in zip(row, [*entry, 1.0], strict=True)) for row in rows[:3]]


def by_json_module(folder: Path, suffix: str, entry: FloatArray) -> ArrayLike:
    record = json.loads((folder / f"ct_to_world{suffix}").read_text(encoding="utf-8"))
    return (np.array(record["levels"]["L3"]["ct_to_world"]) @ [*entry, 1.0])[:3]


def by_pydicom(folder: Path, suffix: str, entry: FloatArray) -> ArrayLike:
    registration = pydicom.dcmread(folder / f"L3_ct_to_world{suffix}")
    (item,) = [
        i for i in registration.RegistrationSequence if i.FrameOfReferenceUID != registration.FrameOfReferenceUID
    ]
    numbers = item.MatrixRegistrationSequence[0].MatrixSequence[0].FrameOfReferenceTransformationMatrix
    return (np.array([float(n) for n in numbers]).reshape(4, 4) @ [*(entry * FLIP), 1.0])[:3] * FLIP


def world_of_planned_point(transform: Any, entry: FloatArray) -> list[float]:
    """A planned point put under a transform in the scene, asked for its place in the world."""
    plan = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    plan.AddControlPoint(entry.tolist())
    plan.SetAndObserveTransformNodeID(transform.GetID())
    world = [0.0, 0.0, 0.0]
    plan.GetNthControlPointPositionWorld(0, world)
    return world


ROUTES: tuple[tuple[str, Callable[[Path, str, FloatArray], ArrayLike]], ...] = (
    *((suffix, route) for suffix in (".tfm", ".h5", ".txt") for route in (by_simpleitk, by_slicer)),
    (".csv", by_csv_module),
    (".json", by_json_module),
    (".dcm", by_pydicom),
)


def test_a_planned_screw_enters_at_the_same_point_by_the_scene_and_by_every_file(
    a_logic: Any, a_demo_case: Any, a_result: str, tmp_path: Path
) -> None:
    formats = [known.name for known in FILE_FORMATS]
    files = a_logic.exportLevels(a_demo_case.ct, tmp_path / "out", formats, levels=["L3"])
    expected = L3.rotation @ SCREW_ENTRY + L3.translation
    in_scene = world_of_planned_point(slicer.util.getNode("L3CTToWorld"), SCREW_ENTRY)
    np.testing.assert_allclose(in_scene, expected, atol=1e-9)
    for suffix, route in ROUTES:
        np.testing.assert_allclose(route(tmp_path / "out", suffix, SCREW_ENTRY), expected, atol=1e-8, err_msg=suffix)
    assert names(tmp_path / "out") == sorted(path.name for path in files)
    assert np.linalg.norm(expected - SCREW_ENTRY) > 20, "a pose that does nothing would not be noticed"


def test_the_plan_under_the_ct_goes_with_it(a_demo_case: Any, a_result: str) -> None:
    """A plan that stands under what the CT stands under lands where the exports say, too."""
    landed = world_of_planned_point(a_demo_case.ct.GetParentTransformNode(), SCREW_ENTRY)
    np.testing.assert_allclose(landed, L3.apply(SCREW_ENTRY), atol=1e-9)


@pytest.mark.parametrize(
    ("levels", "policy", "withheld"),
    [
        (["L3"], None, None),
        (["L3", "L4"], None, ("check", ("L4",))),
        (["L3", "L4"], ReleasePolicy(check=True), None),
        (["L4", "L5"], ReleasePolicy(check=True), ("reject", ("L5",))),
        (["L3", "L4", "L5"], ReleasePolicy(reject=True), None),
        ([], None, ("reject", ("L5",))),
    ],
)
def test_a_level_leaves_by_its_verdict_and_all_of_them_or_none(
    a_logic: Any, a_demo_case: Any, a_result: str, tmp_path: Path, levels: list[str], policy: Any, withheld: Any
) -> None:
    if withheld is None:
        a_logic.exportLevels(a_demo_case.ct, tmp_path / "out", ["csv"], levels, policy)
        assert [f"{level}_ct_to_world.csv" for level in levels] == names(tmp_path / "out")[::2]
        return
    with pytest.raises(WithheldError) as error:
        a_logic.exportLevels(a_demo_case.ct, tmp_path / "out", ["csv"], levels, policy)
    assert (error.value.verdict, error.value.levels) == withheld
    assert "--" not in error.value.remedy, "there is no command line here"
    assert names(tmp_path / "out") == []


def test_what_leaves_names_the_result_it_came_from(
    a_logic: Any, a_demo_case: Any, a_result: str, tmp_path: Path
) -> None:
    a_logic.exportLevels(a_demo_case.ct, tmp_path / "out", ["json"], ["L3", "L4"], ReleasePolicy(check=True))
    record = json.loads((tmp_path / "out" / "ct_to_world.json").read_text(encoding="utf-8"))
    assert record["inputs"] == {"result_sha256": a_result, "case_sha256": CASE_SHA256}
    assert record["versions"] == {"radgs": "0.1.0"}
    assert record["levels"]["L4"]["release"] == "in doubt to the program, confirmed by a person"
    assert record["levels"]["L4"]["reasons"][0]["message"] == "The views disagree by 3 mm."


def test_a_scene_saved_and_loaded_again_exports_the_same(
    a_logic: Any, a_demo_case: Any, a_result: str, tmp_path: Path
) -> None:
    import shutil

    a_logic.exportLevels(a_demo_case.ct, tmp_path / "before", ["json", "csv"], ["L3", "L4"], ReleasePolicy(check=True))
    bundle = str(tmp_path / "scene.mrb")
    assert slicer.mrmlScene.WriteToMRB(bundle)
    slicer.mrmlScene.Clear(0)
    shutil.rmtree(tmp_path / "result")
    slicer.mrmlScene.ReadFromMRB(bundle)
    ct = slicer.util.getNode("CT")
    a_logic.exportLevels(ct, tmp_path / "after", ["json", "csv"], ["L3", "L4"], ReleasePolicy(check=True))
    for name in names(tmp_path / "before"):
        assert (tmp_path / "before" / name).read_bytes() == (tmp_path / "after" / name).read_bytes(), name
    with pytest.raises(WithheldError):
        a_logic.exportLevels(ct, tmp_path / "other", ["csv"], ["L5"])


def moved_a_little() -> None:
    slicer.util.getNode("L3CTToWorld").SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray((BACK @ L3).matrix))


def scaled() -> None:
    matrix = L3.matrix
    matrix[0, 0] *= 1.01
    slicer.util.getNode("L3CTToWorld").SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))


def put_under_another() -> None:
    slicer.util.getNode("L3CTToWorld").SetAndObserveTransformNodeID(add_transform(BACK, "Couch").GetID())


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (moved_a_little, "moved by hand since it was registered, by up to 0.5 mm"),
        (scaled, "moved by hand since it was registered"),
        (put_under_another, "put under Couch since it was registered"),
    ],
)
def test_a_transform_edited_by_hand_is_told_and_stays_until_it_is_restored(
    a_logic: Any, a_demo_case: Any, a_result: str, tmp_path: Path, edit: Callable[[], None], why: str
) -> None:
    edit()
    with pytest.raises(ExportError, match=f"L3 cannot be exported: .*{why}") as error:
        a_logic.exportLevels(a_demo_case.ct, tmp_path / "out", ["csv"], ["L3"], ReleasePolicy(check=True, reject=True))
    assert error.value.remedy.startswith("Restore L3")
    assert names(tmp_path / "out") == []
    a_logic.exportLevels(a_demo_case.ct, tmp_path / "out", ["csv"], ["L4"], ReleasePolicy(check=True))
    a_logic.restoreLevel(a_demo_case.ct, "L3")
    a_logic.exportLevels(a_demo_case.ct, tmp_path / "out", ["csv"], ["L3"])
    exported = np.loadtxt(tmp_path / "out" / "L3_ct_to_world.csv", delimiter=",")
    np.testing.assert_allclose(exported, L3.matrix, atol=1e-12)


def test_a_ct_that_got_another_geometry_since_keeps_its_poses_at_home(
    a_logic: Any, a_demo_case: Any, a_result: str, tmp_path: Path
) -> None:
    origin = a_demo_case.ct.GetOrigin()
    a_demo_case.ct.SetOrigin(origin[0] + 5.0, *origin[1:])
    with pytest.raises(ExportError, match="CT has another geometry than when it was registered"):
        a_logic.exportLevels(a_demo_case.ct, tmp_path / "out", levels=["L3"])
    a_demo_case.ct.SetOrigin(*origin)
    assert a_logic.exportLevels(a_demo_case.ct, tmp_path / "out", levels=["L3"])


def test_an_xray_that_moved_since_keeps_the_poses_at_home(
    a_logic: Any, a_demo_case: Any, a_result: str, tmp_path: Path
) -> None:
    parent = add_transform(BACK, "Table")
    a_demo_case.xrays[1].SetAndObserveTransformNodeID(parent.GetID())
    with pytest.raises(ExportError, match="the X-ray LAT does not stand where it stood"):
        a_logic.exportLevels(a_demo_case.ct, tmp_path / "out", levels=["L3"])
    a_demo_case.xrays[1].SetAndObserveTransformNodeID(None)
    assert a_logic.exportLevels(a_demo_case.ct, tmp_path / "out", levels=["L3"])
    slicer.mrmlScene.RemoveNode(a_demo_case.xrays[1])
    assert a_logic.exportLevels(a_demo_case.ct, tmp_path / "out", levels=["L3"]), "one that is gone has not moved"


def test_a_pose_of_before_does_not_pass_for_a_registration_that_failed(
    a_logic: Any, a_demo_case: Any, a_result: str, tmp_path: Path
) -> None:
    bring_in(tmp_path / "second", a_demo_case, {"L3": LevelResult(None, "reject")})
    with pytest.raises(ExportError, match="L3 cannot be exported: its last registration found no pose"):
        a_logic.exportLevels(a_demo_case.ct, tmp_path / "out", levels=["L3"], policy=ReleasePolicy(reject=True))


def test_levels_of_different_xrays_do_not_leave_together(
    a_logic: Any, a_demo_case: Any, a_result: str, tmp_path: Path
) -> None:
    from dataclasses import replace

    from RadGSRegLib.scene.xray_nodes import add_xray, geometry_of, pixels_of

    again = tuple(add_xray(f"{x.GetName()}2", pixels_of(x), geometry_of(x)) for x in a_demo_case.xrays)
    bring_in(tmp_path / "second", replace(a_demo_case, xrays=again), {"L4": LevelResult(L4, "accept")})
    with pytest.raises(ExportError, match="L4 and L3 were registered to different X-rays"):
        a_logic.exportLevels(a_demo_case.ct, tmp_path / "out", levels=["L3", "L4"])
    assert a_logic.exportLevels(a_demo_case.ct, tmp_path / "out", levels=["L4"])


def test_levels_registered_one_after_the_other_leave_together(
    a_logic: Any, a_demo_case: Any, a_result: str, tmp_path: Path
) -> None:
    second = bring_in(tmp_path / "second", a_demo_case, {"L4": LevelResult(L4, "accept")}, case="cd" * 32)
    a_logic.exportLevels(a_demo_case.ct, tmp_path / "out", ["json"], ["L3", "L4"])
    levels = json.loads((tmp_path / "out" / "ct_to_world.json").read_text(encoding="utf-8"))["levels"]
    assert {name: level["inputs"]["result_sha256"] for name, level in levels.items()} == {"L3": a_result, "L4": second}


def test_nothing_registered_and_nothing_that_can_be_read_are_told(
    a_logic: Any, a_demo_case: Any, tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match="No level has been registered"):
        a_logic.exportLevels(a_demo_case.ct, tmp_path / "out")
    bring_in(tmp_path / "result", a_demo_case)
    with pytest.raises(ExportError, match="Level L2 has not been registered"):
        a_logic.exportLevels(a_demo_case.ct, tmp_path / "out", levels=["L2"])
    transform = slicer.util.getNode("L3CTToWorld")
    for attribute in ("RadGSReg.result", "RadGSReg.origin"):
        kept = transform.GetAttribute(attribute)
        for spoilt in ("{", "[]", '{"verdict": "fine"}', '{"versions": 3}'):
            transform.SetAttribute(attribute, spoilt)
            if attribute == "RadGSReg.origin" and spoilt.startswith('{"verdict'):
                continue
            with pytest.raises(ExportError, match="the scene does not keep what its registration said"):
                a_logic.exportLevels(a_demo_case.ct, tmp_path / "out", levels=["L3"])
        transform.SetAttribute(attribute, kept)
    assert a_logic.exportLevels(a_demo_case.ct, tmp_path / "out", levels=["L3"])


def test_a_ct_that_slicer_loaded_from_dicom_brings_its_frame_of_reference(
    a_logic: Any, a_demo_case: Any, a_result: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = write_ct_series(tmp_path / "ct", a_demo_case.ct, "1.2.3.4")
    load_into_database(monkeypatch, a_demo_case.ct, files)
    a_logic.exportLevels(a_demo_case.ct, tmp_path / "out", ["dicom"], ["L3"])
    registration = pydicom.dcmread(tmp_path / "out" / "L3_ct_to_world.dcm")
    world, ct = registration.RegistrationSequence
    assert ct.FrameOfReferenceUID == "1.2.3.4"
    assert world.FrameOfReferenceUID == registration.FrameOfReferenceUID != "1.2.3.4"
    assert (registration.PatientID, registration.PatientName) == ("P1", "Spine")
    assert len(ct.ReferencedImageSequence) == len(files)
    a_demo_case.ct.SetAttribute("DICOM.instanceUIDs", a_demo_case.ct.GetAttribute("DICOM.instanceUIDs") + " 1.2.3")
    for folder, given in (("left out", {"ctDicom": ()}), ("not in the database", {})):
        a_logic.exportLevels(a_demo_case.ct, tmp_path / folder, ["dicom"], ["L3"], **given)
        made_up = pydicom.dcmread(tmp_path / folder / "L3_ct_to_world.dcm").RegistrationSequence[1]
        assert made_up.FrameOfReferenceUID.startswith("2.25.")


@pytest.mark.parametrize("shift", [(7.3, 0, 0), (-7.3, 0, 0), (0, 6.1, 0), (0, 0, 4.4), (0, 0, -40.0)])
def test_a_ct_that_left_the_place_its_dicom_files_name_does_not_borrow_their_frame(
    a_logic: Any, a_demo_case: Any, a_result: str, tmp_path: Path, shift: Any
) -> None:
    write_ct_series(tmp_path / "ct", a_demo_case.ct, "1.2.3.4", shift)
    with pytest.raises(ExportError, match="CT does not stand where its DICOM files say"):
        a_logic.exportLevels(a_demo_case.ct, tmp_path / "out", ["dicom"], ["L3"], ctDicom=[tmp_path / "ct"])
    assert names(tmp_path / "out") == []


def test_the_verdicts_in_the_scene_are_the_results(a_logic: Any, a_demo_case: Any, a_result: str) -> None:
    levels = a_logic.registeredLevels(a_demo_case.ct)
    assert {name: kept.result.verdict for name, kept in levels.items()} == {
        name: level.verdict for name, level in LEVELS.items()
    }
    assert all(kept.obstacle is None for kept in levels.values())
    assert a_logic.registeredLevels(None) == {}
