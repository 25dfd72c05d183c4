"""The panel says what is missing, starts and stops a registration, shows its outcome, and survives its scene."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import slicer

from radgs.geometry import RigidTransform
from radgs.result import LevelResult, Reason, RegistrationResult


@pytest.fixture
def a_panel(host: Any, a_scene: Any, the_module: Any, a_launcher: Path | None) -> Iterator[Any]:
    panel = host.open_panel(the_module)
    yield panel
    host.close_panel(panel)


def test_an_empty_scene_leaves_a_panel_that_says_what_is_missing(a_panel: Any) -> None:
    assert a_panel.ui.applyButton.text == "Missing: a CT, a segmentation, a level, two X-rays"
    assert not a_panel.ui.applyButton.enabled
    a_panel.ui.revertButton.click()


def test_the_demo_case_fills_every_input(a_panel: Any) -> None:
    a_panel.ui.demoButton.click()
    ui = a_panel.ui
    selectors = (ui.ctSelector, ui.segmentationSelector, ui.xray1Selector, ui.xray2Selector)
    assert [selector.currentNode().GetName() for selector in selectors] == ["CT", "Vertebrae", "AP", "LAT"]
    assert ui.levelComboBox.currentText == "L3"
    assert (ui.applyButton.text, ui.applyButton.enabled) == ("Register", True)


def test_a_level_is_never_chosen_for_the_user(a_panel: Any) -> None:
    a_panel.ui.demoButton.click()
    a_panel.ui.levelComboBox.setCurrentIndex(0)
    assert a_panel.ui.applyButton.text == "Missing: a level"
    levels = [a_panel.ui.levelComboBox.itemText(n) for n in range(a_panel.ui.levelComboBox.count)]
    assert levels[0] == "Choose the vertebra"
    assert "L3" in levels
    a_panel.ui.levelComboBox.setCurrentText("L3")
    assert list(a_panel.logic.getParameterNode().segments) == ["L3"]
    assert a_panel.ui.applyButton.enabled


def test_a_deleted_input_is_missing_again(a_panel: Any, a_scene: Any) -> None:
    a_panel.ui.demoButton.click()
    a_scene.RemoveNode(a_panel.ui.ctSelector.currentNode())
    assert a_panel.ui.applyButton.text == "Missing: a CT"
    a_scene.RemoveNode(a_panel.ui.segmentationSelector.currentNode())
    assert not a_panel.ui.applyButton.enabled


def test_a_closed_scene_leaves_a_working_panel(a_panel: Any, a_scene: Any) -> None:
    a_panel.ui.demoButton.click()
    a_scene.Clear(0)
    assert a_panel.ui.applyButton.text.startswith("Missing: a CT")
    a_panel.ui.demoButton.click()
    assert a_panel.ui.applyButton.text == "Register"


def test_leaving_and_coming_back_shows_the_same(a_panel: Any) -> None:
    a_panel.ui.demoButton.click()
    a_panel.exit()
    a_panel.ui.deviceComboBox.setCurrentText("cpu")
    assert a_panel.logic.getParameterNode().device == "auto"
    a_panel.enter()
    assert a_panel.ui.deviceComboBox.currentText == "auto"
    assert a_panel.ui.applyButton.text == "Register"


def test_a_saved_scene_restores_the_panel(a_panel: Any, a_scene: Any, tmp_path: Path) -> None:
    a_panel.ui.demoButton.click()
    a_panel.ui.deviceComboBox.setCurrentText("cpu")
    bundle = str(tmp_path / "scene.mrb")
    assert a_scene.WriteToMRB(bundle)
    a_scene.Clear(0)
    a_scene.ReadFromMRB(bundle)
    assert a_panel.ui.deviceComboBox.currentText == "cpu"
    assert a_panel.ui.levelComboBox.currentText == "L3"
    assert a_panel.ui.applyButton.text == "Register"


def test_a_file_that_cannot_be_loaded_is_told(a_panel: Any) -> None:
    a_panel.ui.caseFileEdit.currentPath = "nowhere/case.json"
    a_panel.ui.loadButton.click()
    assert "There is no file" in a_panel.ui.resultLabel.text
    assert "Check the path." in a_panel.ui.resultLabel.text


def test_the_button_starts_and_cancels(a_panel: Any, host: Any) -> None:
    ui = a_panel.ui
    ui.demoButton.click()
    ui.applyButton.click()
    assert ui.applyButton.text == "Cancel"
    host.wait_until(lambda: a_panel.logic.worker.busy, 30)
    ui.applyButton.click()
    assert (ui.applyButton.text, ui.applyButton.enabled) == ("Cancelling...", False)
    host.wait_until(lambda: not a_panel.logic.running, 10)
    assert "The registration was cancelled." in ui.resultLabel.text
    assert (ui.applyButton.text, ui.applyButton.enabled) == ("Register", True)


def test_an_error_is_shown_with_its_remedy(a_panel: Any, host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    a_panel.ui.demoButton.click()
    a_panel.ui.applyButton.click()
    assert a_panel.ui.resultLabel.text == ("<b>PythonSlicer is not on the PATH.</b><br>Start from within 3D Slicer.")
    assert a_panel.ui.applyButton.text == "Register"


def test_a_result_is_shown_with_verdict_and_reasons(a_panel: Any) -> None:
    reason = Reason("far", "The vertebra lies far from the click.")
    levels = {
        "L3": LevelResult(RigidTransform.identity(), "accept", {"surface_p95": 0.84}),
        "L4": LevelResult(None, "reject", reasons=(reason,)),
    }
    a_panel.panel._show_result(RegistrationResult(levels))
    text = a_panel.ui.resultLabel.text
    assert "accept" in text
    assert "0.8 mm" in text
    assert "no pose" in text
    assert reason.message in text


def test_revert_puts_the_ct_back(a_panel: Any) -> None:
    from RadGSRegLib.levels import put_level

    a_panel.ui.demoButton.click()
    ct = a_panel.ui.ctSelector.currentNode()
    put_level(ct, "L3", RigidTransform.identity())
    a_panel.logic.setActiveLevel(a_panel.logic.inputs(), "L3")
    a_panel.ui.revertButton.click()
    assert ct.GetParentTransformNode() is None


def test_the_modules_own_self_test_passes(a_scene: Any, the_module: Any) -> None:
    the_module.RadGSRegTest().runTest()


def test_the_module_says_what_it_is(the_module: Any) -> None:
    parent = slicer.modules.RadGSRegInstance.parent
    assert parent.title == "RadGS-Reg"
    assert parent.categories == ["Registration"]
    assert not parent.icon.isNull()
    assert "not a medical device" in parent.helpText
