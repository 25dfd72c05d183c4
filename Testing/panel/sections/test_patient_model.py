"""Patient model in the panel: none, a file, or one prepared here; what cannot be used is said, with a way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from placing import to_do

MODEL = "patient.radgs.safetensors"


@pytest.fixture
def ui(a_panel: Any, user: Any) -> Any:
    """The demo case, confirmed, with the section open."""
    user.press(a_panel.ui.demoButton)
    user.press(a_panel.ui.confirmLevelsCheckBox)
    a_panel.ui.patientModelCollapsibleButton.collapsed = False
    return a_panel.ui


def test_without_a_model_the_generic_networks_serve_and_that_is_said(ui: Any) -> None:
    assert ui.modelLevelComboBox.currentText == "L3"
    assert ui.modelFileEdit.currentPath == ""
    assert "generic networks" in ui.modelLabel.text
    assert (ui.prepareButton.text, ui.prepareButton.enabled) == ("Prepare L3", True)
    assert not ui.noModelButton.enabled
    assert not ui.preparationProgressBar.isVisible()


def test_nothing_is_prepared_before_the_level_is_confirmed(a_panel: Any, user: Any) -> None:
    a_panel.ui.patientModelCollapsibleButton.collapsed = False
    assert "Choose CT, segmentation and level" in a_panel.ui.prepareButton.toolTip
    user.press(a_panel.ui.demoButton)
    assert not a_panel.ui.prepareButton.enabled
    assert a_panel.ui.prepareButton.toolTip == "Confirm the level under Inputs first"


def test_a_model_that_cannot_be_used_stops_apply_until_there_is_none(a_panel: Any, ui: Any, user: Any) -> None:
    ui.modelFileEdit.currentPath = "/nowhere/" + MODEL
    assert a_panel.logic.getParameterNode().models == {"L3": "/nowhere/" + MODEL}
    assert "is missing" in ui.modelLabel.text
    assert "register with none" in ui.modelLabel.text
    assert (to_do(a_panel), ui.applyButton.enabled) == ("Choose another model for L3, or none", False)
    user.press(ui.noModelButton)
    assert a_panel.logic.getParameterNode().models == {}
    assert ui.modelFileEdit.currentPath == ""
    assert (ui.applyButton.text, ui.applyButton.enabled) == ("Apply", True)


def test_models_and_budget_come_back_with_the_scene(a_panel: Any, ui: Any, a_scene: Any, tmp_path: Path) -> None:
    ui.minutesSpinBox.setValue(7)
    ui.modelFileEdit.currentPath = "/nowhere/" + MODEL
    assert a_scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    a_scene.Clear(0)
    assert (ui.modelFileEdit.currentPath, ui.minutesSpinBox.value) == ("", 20)
    a_scene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    assert (ui.modelFileEdit.currentPath, ui.minutesSpinBox.value) == ("/nowhere/" + MODEL, 7)
    assert "is missing" in ui.modelLabel.text


@pytest.mark.slow
def test_a_preparation_cancelled_at_once_can_be_resumed(
    a_panel: Any, ui: Any, user: Any, host: Any, tmp_path: Path
) -> None:
    """The real engine; cancelled while it takes the CT apart, it keeps what it has made and no model."""
    ui.preparationFolderEdit.currentPath = str(tmp_path)
    user.press(ui.prepareButton)
    assert (ui.prepareButton.text, ui.prepareButton.enabled) == ("Cancel, keep the best so far", True)
    assert ui.preparationProgressBar.isVisible()
    assert not ui.minutesSpinBox.enabled
    assert (to_do(a_panel), ui.applyButton.enabled) == ("Wait for the preparation", False)
    host.wait_until(lambda: "separating L3 from the CT" in ui.preparationLabel.text, 60)
    assert ui.preparationProgressBar.format == "20:00 left"
    user.press(ui.prepareButton)
    assert (ui.prepareButton.text, ui.prepareButton.enabled) == ("Finishing...", False)
    host.wait_until(lambda: not a_panel.logic.preparing, 60)
    assert "before there was a model to keep" in ui.messageLabel.text
    assert (ui.prepareButton.text, ui.prepareButton.enabled) == ("Resume L3", True)
    assert not ui.preparationProgressBar.isVisible()
    assert (ui.applyButton.text, ui.applyButton.enabled) == ("Apply", True)
    assert list(tmp_path.glob("*.safetensors")) == []
