"""Levels are ticked and confirmed by the user alone; a geometry says where it came from, red where it is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from placing import to_do

from radgs.anatomy import LABEL_NUMBERINGS
from radgs.io.volumes import read_labels

RED = "#b2182b"


@pytest.fixture
def a_filled_panel(a_panel: Any, user: Any) -> Any:
    """The demo case, not yet confirmed."""
    user.press(a_panel.ui.demoButton)
    return a_panel


def item_of(panel: Any, level: str) -> Any:
    levels = panel.ui.levelsList
    return next(levels.item(row) for row in range(levels.count) if levels.item(row).text() == level)


def test_no_level_is_ticked_for_the_user(a_filled_panel: Any, user: Any, a_logic: Any) -> None:
    ui, parameters = a_filled_panel.ui, a_filled_panel.logic.getParameterNode()
    user.tick(item_of(a_filled_panel, "L3"))  # the case's own choice is taken back
    assert to_do(a_filled_panel) == "Tick a level"
    assert (ui.confirmLevelsCheckBox.text, ui.confirmLevelsCheckBox.enabled) == ("Tick a level above", False)
    user.tick(item_of(a_filled_panel, "L4"))
    user.tick(item_of(a_filled_panel, "L2"))
    assert dict(parameters.segments) == {
        level: identifier
        for level, identifier in a_logic.levels(parameters.segmentation).items()
        if level in ("L2", "L4")
    }
    assert ui.confirmLevelsCheckBox.text == "I confirm: L2, L4 are meant"


def test_the_confirmation_names_the_level_and_falls_with_every_other_choice(a_filled_panel: Any, user: Any) -> None:
    ui, parameters = a_filled_panel.ui, a_filled_panel.logic.getParameterNode()
    box = ui.confirmLevelsCheckBox
    ct, segmentation = parameters.ct, parameters.segmentation
    held = segmentation.GetSegmentation()

    def tick_another() -> None:
        user.tick(item_of(a_filled_panel, "L4"))

    def choose_another_ct() -> None:
        ui.ctSelector.setCurrentNode(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Other"))

    def choose_another_segmentation() -> None:
        ui.segmentationSelector.setCurrentNode(slicer.mrmlScene.CopyNode(segmentation))

    def rename_the_segment() -> None:
        held.GetSegment(parameters.segments["L3"]).SetName("maybe the third")

    for change in (tick_another, choose_another_ct, rename_the_segment, choose_another_segmentation):
        parameters.ct, parameters.segmentation = ct, segmentation
        if not box.checked:
            user.press(box)
        assert box.checked, change
        assert "L3" in box.text
        change()
        slicer.app.processEvents()
        assert not box.checked, change
        assert to_do(a_filled_panel).startswith(("Confirm", "Tick")), change


def test_a_segment_that_speaks_of_another_level_loses_its_tick(a_filled_panel: Any) -> None:
    parameters = a_filled_panel.logic.getParameterNode()
    segments = parameters.segmentation.GetSegmentation()
    first, second = (a_filled_panel.logic.levels(parameters.segmentation)[level] for level in ("L3", "L4"))
    segments.GetSegment(first).SetName("L4")
    segments.GetSegment(second).SetName("L3")
    slicer.app.processEvents()
    assert dict(parameters.segments) == {}
    assert to_do(a_filled_panel) == "Tick a level"


def test_the_same_xray_twice_is_caught(a_filled_panel: Any) -> None:
    ui = a_filled_panel.ui
    ui.xray2Selector.setCurrentNode(ui.xray1Selector.currentNode())
    assert "Choose two different X-rays" in ui.applyButton.toolTip


def test_two_xrays_of_one_name_are_caught(a_filled_panel: Any) -> None:
    parameters = a_filled_panel.logic.getParameterNode()
    parameters.xray2.SetAttribute("RadGSReg.view", "AP")
    slicer.app.processEvents()
    assert "Rename one of the X-rays AP" in a_filled_panel.ui.applyButton.toolTip


def test_two_xrays_from_one_direction_are_caught(a_filled_panel: Any) -> None:
    ui, parameters = a_filled_panel.ui, a_filled_panel.logic.getParameterNode()
    from RadGSRegLib.scene.xray_nodes import add_xray, geometry_of, pixels_of

    again = add_xray("Again", pixels_of(parameters.xray1), geometry_of(parameters.xray1), "attenuation")
    ui.xray2Selector.setCurrentNode(again)
    assert "directions further apart than AP and Again" in ui.applyButton.toolTip


def test_a_geometry_says_where_it_came_from_and_is_red_when_missing(a_filled_panel: Any) -> None:
    from RadGSRegLib.scene.node_contract import SOURCE_ROLE

    ui, parameters = a_filled_panel.ui, a_filled_panel.logic.getParameterNode()
    assert ui.geometry1Label.text.startswith("from case.json; SDD 989 mm")
    assert RED not in ui.geometry1Label.styleSheet
    slicer.mrmlScene.RemoveNode(parameters.xray1.GetNodeReference(SOURCE_ROLE))
    slicer.app.processEvents()
    assert ui.geometry1Label.text == "The X-ray AP has no source."
    assert ui.geometry1Label.toolTip == "Load its geometry, or place its focal spot."
    assert RED in ui.geometry1Label.styleSheet
    assert "Load the geometry of AP" in ui.applyButton.toolTip


def test_geometry_is_loaded_from_a_case_that_names_the_xray(
    a_filled_panel: Any, user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np
    import qt

    from RadGSRegLib.scene.xray_nodes import add_xray, geometry_of, pixels_of, set_source

    ui, parameters = a_filled_panel.ui, a_filled_panel.logic.getParameterNode()
    before = geometry_of(parameters.xray1)
    set_source(parameters.xray1, [1.0, 2.0, 3.0])
    slicer.app.processEvents()
    assert ui.geometry1Label.text.startswith("source placed by hand") or RED in ui.geometry1Label.styleSheet
    chosen = str(a_filled_panel.logic.demoCase())
    monkeypatch.setattr(qt.QFileDialog, "getOpenFileNames", lambda *arguments: (chosen,))
    user.press(ui.loadGeometry1Button)
    np.testing.assert_allclose(geometry_of(parameters.xray1).source_ras, before.source_ras)
    assert ui.geometry1Label.text.startswith("from case.json")
    # Of another size, or of another name, it is refused, and nothing changes.
    small = add_xray("AP", pixels_of(parameters.xray1)[::2, ::2].copy(), before, "attenuation")
    parameters.xray1 = small
    user.press(ui.loadGeometry1Button)
    assert "The geometry is that of an image of" in ui.messageLabel.text
    small.SetAttribute("RadGSReg.view", "OBL")
    user.press(ui.loadGeometry1Button)
    assert "knows no view OBL; its views are AP, LAT" in ui.messageLabel.text


def test_a_file_that_cannot_be_loaded_is_told(a_panel: Any, user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import qt

    monkeypatch.setattr(qt.QFileDialog, "getOpenFileName", lambda *arguments: "nowhere/case.json")
    user.press(a_panel.ui.loadCaseButton)
    assert "There is no file" in a_panel.ui.messageLabel.text
    assert "Check the path" in a_panel.ui.messageLabel.text


def test_a_saved_scene_restores_the_choices_and_the_confirmation(
    a_filled_panel: Any, a_scene: Any, user: Any, tmp_path: Path
) -> None:
    ui = a_filled_panel.ui
    user.press(ui.confirmLevelsCheckBox)
    ui.deviceComboBox.setCurrentText("cpu")
    ui.transformNameEdit.text = "planned {level}"
    bundle = str(tmp_path / "scene.mrb")
    assert a_scene.WriteToMRB(bundle)
    a_scene.Clear(0)
    assert to_do(a_filled_panel) == "Choose a CT"
    a_scene.ReadFromMRB(bundle)
    assert (ui.deviceComboBox.currentText, ui.transformNameEdit.text) == ("cpu", "planned {level}")
    assert ui.confirmLevelsCheckBox.checked
    assert ui.applyButton.enabled


def test_levels_that_are_doubled_missing_or_merged_are_told(a_filled_panel: Any) -> None:
    """As `radgs import` tells them; nothing is said of the demo's own levels."""
    ui = a_filled_panel.ui
    segmentation = a_filled_panel.logic.getParameterNode().segmentation
    held = segmentation.GetSegmentation()
    of_level = a_filled_panel.logic.levels(segmentation)

    def told_after(level: str, name: str) -> str:
        segment = held.GetSegment(of_level[level])
        former = segment.GetName()
        segment.SetName(name)
        slicer.app.processEvents()
        text = ui.segmentationHintLabel.text if ui.segmentationHintLabel.isVisible() else ""
        segment.SetName(former)
        slicer.app.processEvents()
        return str(text)

    assert not ui.segmentationHintLabel.isVisible()
    assert "Between the others L3 is missing" in told_after("L3", "the third")
    assert "2 segments are named L4" in told_after("L3", "vertebrae_L4")
    assert not ui.segmentationHintLabel.isVisible()
    labels = read_labels(a_filled_panel.logic.demoCase().parent / "labels.nii.gz").array
    merged = np.isin(labels, [LABEL_NUMBERINGS["VerSe"][level] for level in ("L2", "L3")]).astype(np.uint8)
    ct = a_filled_panel.logic.getParameterNode().ct
    slicer.util.updateSegmentBinaryLabelmapFromArray(merged, segmentation, of_level["L2"], ct)
    held.RemoveSegment(of_level["L3"])
    slicer.app.processEvents()
    told = ui.segmentationHintLabel.text  # of a disc between them, or none, the words differ
    assert "L2 is there twice" in told or "two vertebrae may have its label" in told
    assert "#a04d00" in ui.segmentationHintLabel.styleSheet
