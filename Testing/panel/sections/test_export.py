"""The Export section in a user's hands: what leaves, what is asked, what stays, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK
import slicer
from column import click_header
from exported_scene import L3, L4, LEVELS, SCREW_ENTRY, bring_in, load_into_database, write_ct_series

from radgs.case import LevelResult
from radgs.export import FILE_FORMATS
from radgs.geometry import RigidTransform

FLIP = np.array([-1.0, -1.0, 1.0])


@pytest.fixture
def ui(a_panel: Any) -> Any:
    return a_panel.ui


@pytest.fixture
def levels(a_panel: Any, user: Any, host: Any, tmp_path: Path) -> Any:
    """The demo case with L3 accepted, L4 to be checked and L5 rejected, and a folder chosen."""
    user.press(a_panel.ui.demoButton)
    bring_in(tmp_path / "result", a_panel.logic.inputs())
    click_header(a_panel.ui.exportCollapsibleButton)  # which opens by itself once a level is accepted
    a_panel.ui.exportFolderEdit.currentPath = str(tmp_path / "out")
    host.wait_until(lambda: a_panel.ui.exportLevelsList.count == 3)
    return a_panel.logic.inputs()


def tick(user: Any, ui: Any, *names: str) -> None:
    items = [ui.exportLevelsList.item(row) for row in range(ui.exportLevelsList.count)]
    for name in names:
        user.tick(next(item for item in items if item.text().startswith(f"{name}:")))


def choose_format(ui: Any, name: str) -> None:
    ui.exportFormatComboBox.setCurrentIndex(ui.exportFormatComboBox.findData(name))


def out(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "out").iterdir()) if (tmp_path / "out").is_dir() else []


def test_without_a_registered_level_the_button_says_so(ui: Any) -> None:
    assert (ui.exportButton.text, ui.exportButton.enabled) == ("Nothing has been registered yet", False)
    assert ui.exportButton.toolTip == ui.exportButton.text
    assert (ui.streamButton.text, ui.streamButton.enabled) == ("Nothing has been registered yet", False)


def test_every_level_is_listed_with_its_verdict_and_none_is_ticked(ui: Any, levels: Any) -> None:
    items = [ui.exportLevelsList.item(row) for row in range(3)]
    assert [item.text() for item in items] == [
        "L3: ✓ accept, predicted error 0.8 mm (95 % of the surface)",
        "L4: ? check, predicted error 2.5 mm (95 % of the surface)",
        "L5: ✗ reject, no predicted error",
    ]
    assert (ui.exportButton.text, ui.exportButton.enabled) == ("Tick a level", False)


def test_the_formats_are_the_engines(ui: Any) -> None:
    box = ui.exportFormatComboBox
    assert [box.itemData(row) for row in range(box.count)] == [known.name for known in FILE_FORMATS]


@pytest.mark.parametrize("name", [known.name for known in FILE_FORMATS])
def test_an_accepted_level_leaves_at_a_press_and_a_planned_screw_lands_where_the_scene_has_it(
    ui: Any, levels: Any, user: Any, tmp_path: Path, name: str
) -> None:
    tick(user, ui, "L3")
    choose_format(ui, name)
    assert ui.exportButton.text == "Export L3"
    user.press(ui.exportButton)
    plan = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    plan.AddControlPoint(SCREW_ENTRY.tolist())
    plan.SetAndObserveTransformNodeID(levels.ct.GetTransformNodeID())
    in_scene = [0.0, 0.0, 0.0]
    plan.GetNthControlPointPositionWorld(0, in_scene)
    np.testing.assert_allclose(landed(tmp_path / "out", name), in_scene, atol=1e-8)
    np.testing.assert_allclose(in_scene, L3.apply(SCREW_ENTRY), atol=1e-8)
    said = ui.exportedLabel.text
    assert "<b>L3</b>: accept, accepted by the program; predicted error 0.8 mm" in said
    assert "Written, read back and found the same:" in said
    assert all(file in said for file in out(tmp_path))


def landed(folder: Path, name: str) -> Any:
    """Where the screw enters by an exported file, read by what is not ours."""
    if name == "json":
        record = json.loads((folder / "ct_to_world.json").read_text(encoding="utf-8"))
        return (np.array(record["levels"]["L3"]["ct_to_world"]) @ [*SCREW_ENTRY, 1.0])[:3]
    if name == "csv":
        return (np.loadtxt(folder / "L3_ct_to_world.csv", delimiter=",") @ [*SCREW_ENTRY, 1.0])[:3]
    if name == "dicom":
        item = pydicom.dcmread(folder / "L3_ct_to_world.dcm").RegistrationSequence[1]
        numbers = item.MatrixRegistrationSequence[0].MatrixSequence[0].FrameOfReferenceTransformationMatrix
        matrix = np.array([float(number) for number in numbers]).reshape(4, 4)
        return (matrix @ [*(SCREW_ENTRY * FLIP), 1.0])[:3] * FLIP
    transform = SimpleITK.ReadTransform(str(folder / f"L3_ct_to_world.{name}")).GetInverse()
    return np.array(transform.TransformPoint((SCREW_ENTRY * FLIP).tolist())) * FLIP


def test_a_level_to_be_checked_leaves_only_after_the_question(ui: Any, levels: Any, user: Any, tmp_path: Path) -> None:
    tick(user, ui, "L3", "L4")
    choose_format(ui, "csv")
    user.press(ui.exportButton)
    assert out(tmp_path) == []
    assert "<b>L4 is to be checked</b>: The views disagree by 3 mm." in ui.exportQuestionLabel.text
    assert "L3" not in ui.exportQuestionLabel.text
    assert (ui.exportButton.text, ui.exportButton.enabled) == ("Answer the question", False)
    user.press(ui.exportNoButton)
    assert out(tmp_path) == []
    assert not ui.exportQuestionFrame.visible
    user.press(ui.exportButton)
    assert ui.exportYesButton.text == "Yes: export L3, L4"
    user.press(ui.exportYesButton)
    assert out(tmp_path)[::2] == ["L3_ct_to_world.csv", "L4_ct_to_world.csv"]
    assert "in doubt to the program, confirmed by a person" in ui.exportedLabel.text
    assert not ui.exportQuestionFrame.visible


@pytest.mark.parametrize("change", ["tick", "new result", "new result at once", "moved", "scene closed"])
def test_a_question_about_other_poses_is_withdrawn(
    ui: Any, levels: Any, user: Any, host: Any, tmp_path: Path, change: str
) -> None:
    tick(user, ui, "L4")
    user.press(ui.exportButton)
    assert ui.exportQuestionFrame.visible
    if change == "tick":
        tick(user, ui, "L3")
    elif change == "moved":
        node = slicer.util.getNode("L4CTToWorld")
        node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(L3.matrix))
    elif change == "scene closed":
        slicer.mrmlScene.Clear(0)
    else:
        bring_in(tmp_path / "second", levels, {"L4": LevelResult(L3, "check")})
    if change == "new result at once":
        ui.exportYesButton.click()  # before the panel has noticed
    else:
        host.wait_until(lambda: not ui.exportQuestionFrame.visible, 5)
    assert out(tmp_path) == []


def test_a_rejected_level_stays_until_its_name_is_typed_and_the_question_answered(
    ui: Any, levels: Any, user: Any, tmp_path: Path
) -> None:
    tick(user, ui, "L3", "L5")
    choose_format(ui, "json")
    assert (ui.exportButton.text, ui.exportButton.enabled) == ("Rejected: L5", False)
    assert (ui.streamButton.text, ui.streamButton.enabled) == ("Rejected: L5", False)
    assert "<b>L5 was rejected</b>: The X-rays fit L4 better." in ui.forceLabel.text
    assert "type <b>L5</b> to force it" in ui.forceLabel.text
    user.write(ui.forceLineEdit, "L4")
    assert not ui.exportButton.enabled
    user.write(ui.forceLineEdit, "L5")
    assert (ui.exportButton.text, ui.exportButton.enabled) == ("Export L3, L5", True)
    user.press(ui.exportButton)
    assert out(tmp_path) == []
    assert "<b>L5 was REJECTED</b>" in ui.exportQuestionLabel.text
    assert "confirmed by other means" in ui.exportQuestionLabel.text
    user.press(ui.exportYesButton)
    assert out(tmp_path) == ["ct_to_world.json"]
    record = json.loads((tmp_path / "out" / "ct_to_world.json").read_text(encoding="utf-8"))
    assert record["levels"]["L5"]["verdict"] == "reject"
    assert record["levels"]["L5"]["release"] == "REJECTED, exported by force"
    assert (ui.forceLineEdit.text, ui.exportButton.enabled) == ("", False), "forced once, not from now on"


def test_unticking_a_rejected_level_lets_the_others_go(ui: Any, levels: Any, user: Any) -> None:
    tick(user, ui, "L3", "L5")
    assert ui.forceLineEdit.visible
    tick(user, ui, "L5")
    assert (ui.exportButton.text, ui.exportButton.enabled) == ("Export L3", True)
    assert not ui.forceLineEdit.visible


def test_without_a_folder_the_button_asks_for_one(ui: Any, levels: Any, user: Any) -> None:
    tick(user, ui, "L3")
    ui.exportFolderEdit.currentPath = ""
    assert (ui.exportButton.text, ui.exportButton.enabled) == ("Choose a folder", False)
    assert ui.streamButton.enabled, "nothing is written there"


def test_a_folder_that_cannot_be_written_to_is_told(ui: Any, levels: Any, user: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    ui.exportFolderEdit.currentPath = str(tmp_path / "file")
    tick(user, ui, "L3")
    user.press(ui.exportButton)
    assert "cannot be written" in ui.exportedLabel.text
    assert "Name a place that you may write to." in ui.exportedLabel.text


def test_a_transform_edited_by_hand_is_told_at_once_and_restored_at_a_press(
    ui: Any, levels: Any, user: Any, host: Any, tmp_path: Path
) -> None:
    tick(user, ui, "L3")
    node = slicer.util.getNode("L3CTToWorld")
    shifted = RigidTransform.from_rotation_vector([0, 0, 0], [0, 2, 0]) @ L3
    node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(shifted.matrix))
    host.wait_until(lambda: ui.exportButton.text == "L3: not as registered", 5)
    assert not ui.exportButton.enabled
    assert ui.exportLevelsList.item(0).text() == "L3: not as it was registered"
    assert "moved by hand since it was registered, by up to 2.0 mm" in ui.exportObstacleLabel.text
    assert ui.restoreLevelsButton.text == "Restore L3"
    user.press(ui.restoreLevelsButton)
    np.testing.assert_allclose(slicer.util.arrayFromTransformMatrix(node), L3.matrix, atol=1e-12)
    assert not ui.exportObstacleLabel.visible
    user.press(ui.exportButton)
    assert "L3_ct_to_world.tfm" in out(tmp_path)


def test_a_saved_scene_brings_ticks_format_and_levels_back(
    a_panel: Any, ui: Any, levels: Any, user: Any, a_scene: Any, tmp_path: Path
) -> None:
    tick(user, ui, "L3")
    choose_format(ui, "csv")
    ui.streamPortSpinBox.value = 23456
    bundle = str(tmp_path / "scene.mrb")
    assert a_scene.WriteToMRB(bundle)
    a_scene.Clear(0)
    assert ui.exportButton.text == "Nothing has been registered yet"
    a_scene.ReadFromMRB(bundle)
    ui.exportCollapsibleButton.collapsed = False
    assert (ui.exportButton.text, ui.exportFormatComboBox.currentData) == ("Choose a folder", "csv")
    assert ui.streamPortSpinBox.value == 23456
    ui.exportFolderEdit.currentPath = str(tmp_path / "out")
    user.press(ui.exportButton)
    exported = np.loadtxt(tmp_path / "out" / "L3_ct_to_world.csv", delimiter=",")
    np.testing.assert_allclose(exported, L3.matrix, atol=1e-12)


def test_dicom_has_rows_of_its_own_and_takes_the_cts_frame_from_what_slicer_loaded(
    ui: Any, levels: Any, user: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tick(user, ui, "L3")
    assert not ui.xrayDicomEdit.visible
    choose_format(ui, "dicom")
    assert ui.xrayDicomEdit.visible
    assert ui.ctDicomEdit.visible
    assert not ui.ctDicomCheckBox.visible
    files = write_ct_series(tmp_path / "ct", levels.ct, "1.2.3.4")
    load_into_database(monkeypatch, levels.ct, files)
    user.press(ui.exportButton)
    frames = [item.FrameOfReferenceUID for item in registration(tmp_path)]
    assert frames[1] == "1.2.3.4", "known since the press, although the panel has not been told"
    assert ui.ctDicomCheckBox.text == f"in the frame of reference of its {len(files)} DICOM files"
    user.press(ui.ctDicomCheckBox)
    user.press(ui.exportButton)
    assert registration(tmp_path)[1].FrameOfReferenceUID.startswith("2.25.")


def test_dicom_folders_can_be_named(ui: Any, levels: Any, user: Any, tmp_path: Path) -> None:
    write_ct_series(tmp_path / "ct", levels.ct, "1.2.3.4")
    write_ct_series(tmp_path / "elsewhere", levels.ct, "1.2.3.5", shift=(7.3, 0.0, 0.0))
    tick(user, ui, "L3")
    choose_format(ui, "dicom")
    ui.ctDicomEdit.currentPath = str(tmp_path / "elsewhere")
    user.press(ui.exportButton)
    assert "CT does not stand where its DICOM files say" in ui.exportedLabel.text
    assert out(tmp_path) == []
    ui.ctDicomEdit.currentPath = str(tmp_path / "ct")
    user.press(ui.exportButton)
    assert registration(tmp_path)[1].FrameOfReferenceUID == "1.2.3.4"


def registration(tmp_path: Path) -> Any:
    return pydicom.dcmread(tmp_path / "out" / "L3_ct_to_world.dcm").RegistrationSequence


def test_levels_of_different_xrays_are_not_offered_together(
    ui: Any, levels: Any, user: Any, host: Any, tmp_path: Path
) -> None:
    from dataclasses import replace

    from RadGSRegLib.scene.xray_nodes import add_xray, geometry_of, pixels_of

    others = tuple(add_xray(f"{x.GetName()}2", pixels_of(x), geometry_of(x)) for x in levels.xrays)
    bring_in(tmp_path / "second", replace(levels, xrays=others), {"L4": LevelResult(L4, "accept")})
    tick(user, ui, "L3", "L4")
    assert (ui.exportButton.text, ui.exportButton.enabled) == ("Levels of different X-rays: tick those of one", False)
    tick(user, ui, "L3")
    host.wait_until(lambda: ui.exportButton.text == "Export L4", 5)


def test_a_closed_scene_leaves_a_section_that_works(ui: Any, levels: Any, user: Any, a_scene: Any) -> None:
    tick(user, ui, "L3")
    user.press(ui.exportButton)
    a_scene.Clear(0)
    assert (ui.exportLevelsList.count, ui.exportedLabel.text) == (0, "")
    assert ui.exportButton.text == "Nothing has been registered yet"


def test_the_levels_are_the_results(levels: Any, a_panel: Any) -> None:
    shown = a_panel.logic.registeredLevels(levels.ct)
    assert {name: kept.result.verdict for name, kept in shown.items()} == {
        name: level.verdict for name, level in LEVELS.items()
    }
