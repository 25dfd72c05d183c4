"""Paths in the panel: chosen, cleared, of another patient; nothing is written where nobody chose to write."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from column import click_header
from exported_scene import bring_in

from radgs.io.model_header import read_model_summary


@pytest.fixture
def ui(a_panel: Any, user: Any) -> Any:
    """The demo case, confirmed."""
    user.press(a_panel.ui.demoButton)
    user.press(a_panel.ui.confirmLevelsCheckBox)
    a_panel.ui.patientModelCollapsibleButton.collapsed = False
    a_panel.ui.inputsCollapsibleButton.collapsed = False
    return a_panel.ui


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The application's working folder: nothing may be written here."""
    folder = tmp_path / "working folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def line_of(edit: Any) -> Any:
    """The line inside, for a user to type into."""
    import qt

    return next(child for child in edit.findChildren(qt.QLineEdit) if child.isVisible())


def models(panel: Any) -> dict[str, str]:
    return dict(panel.logic.getParameterNode().models)


@pytest.fixture
def a_model(tmp_path: Path) -> Path:
    """A model's file by its own name; the bundled networks, which were prepared for nobody."""
    import radgs

    bundled = Path(radgs.__file__).parent / "data" / "models" / "generic_compact.radgs.safetensors"
    assert read_model_summary(bundled).level is None
    return Path(shutil.copy(bundled, tmp_path / "CT L3.radgs.safetensors"))


def test_an_existing_model_can_be_chosen_by_typing_and_in_the_dialog(
    a_panel: Any, ui: Any, user: Any, a_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import qt

    user.write(line_of(ui.modelFileEdit), str(a_model))
    assert models(a_panel) == {"L3": str(a_model)}
    assert "was not prepared for any patient" in ui.modelLabel.text
    user.press(ui.noModelButton)
    assert (models(a_panel), ui.modelFileEdit.currentPath) == ({}, "")
    asked = []

    def answer(*arguments: Any) -> str:
        asked.append(arguments)
        return str(a_model)

    monkeypatch.setattr(qt.QFileDialog, "getOpenFileName", answer)
    ui.modelFileEdit.browse()
    assert models(a_panel) == {"L3": str(a_model)}
    assert "*.safetensors" in asked[0][-1]


def test_a_model_is_cleared_by_clearing_its_line(a_panel: Any, ui: Any, user: Any, a_model: Path) -> None:
    ui.modelFileEdit.currentPath = str(a_model)
    user.write(line_of(ui.modelFileEdit), "")
    assert models(a_panel) == {}
    assert "generic networks" in ui.modelLabel.text
    assert ui.applyButton.enabled


def test_what_is_no_models_name_is_no_model_and_stays_for_the_user_to_mend(a_panel: Any, ui: Any, user: Any) -> None:
    ui.modelFileEdit.currentPath = "/a/L3.radgs.safetensors"
    user.write(line_of(ui.modelFileEdit), "/a/L3.rad")
    assert models(a_panel) == {}
    user.press(ui.confirmLevelsCheckBox)  # whatever has the panel look again
    assert ui.modelFileEdit.currentPath == "/a/L3.rad"
    assert "its name ends in .radgs.safetensors" in ui.modelLabel.text


def test_a_cleared_preparation_folder_keeps_a_preparation_from_starting(ui: Any, user: Any, elsewhere: Path) -> None:
    assert ui.prepareButton.enabled
    for text in ("", "models"):
        user.write(line_of(ui.preparationFolderEdit), text)
        assert not ui.prepareButton.enabled
        assert "by its full path" in ui.prepareButton.toolTip


def test_a_dialog_that_was_cancelled_loads_nothing_from_the_working_folder(
    a_panel: Any, user: Any, elsewhere: Path, a_scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import qt

    shutil.copytree(a_panel.logic.demoCase().parent, elsewhere, dirs_exist_ok=True)
    monkeypatch.setattr(qt.QFileDialog, "getOpenFileName", lambda *arguments: "")
    user.press(a_panel.ui.loadCaseButton)
    assert a_panel.ui.ctSelector.nodeCount() == 0


@pytest.fixture
def exportable(a_panel: Any, ui: Any, user: Any, host: Any, tmp_path: Path) -> Any:
    """A level ticked for export, and a folder chosen."""
    bring_in(tmp_path / "result", a_panel.logic.inputs())
    click_header(a_panel.ui.exportCollapsibleButton)
    host.wait_until(lambda: ui.exportLevelsList.count == 3)
    user.tick(ui.exportLevelsList.item(0))
    ui.exportFolderEdit.currentPath = str(tmp_path / "out")
    assert ui.exportButton.enabled
    return ui


@pytest.mark.parametrize(("text", "said"), [("", "Choose a folder"), ("out", "Give the folder's full path")])
def test_without_a_folder_nothing_is_exported(
    exportable: Any, user: Any, elsewhere: Path, text: str, said: str
) -> None:
    user.write(line_of(exportable.exportFolderEdit), text)
    assert (exportable.exportButton.text, exportable.exportButton.enabled) == (said, False)
    exportable.exportButton.click()
    assert list(elsewhere.iterdir()) == []


def test_a_folder_cleared_while_a_question_is_open_gets_nothing(
    exportable: Any, user: Any, elsewhere: Path, tmp_path: Path
) -> None:
    user.tick(exportable.exportLevelsList.item(1))
    user.press(exportable.exportButton)
    user.write(line_of(exportable.exportFolderEdit), "")
    user.press(exportable.exportYesButton)
    assert list(elsewhere.iterdir()) == []
    assert not (tmp_path / "out").exists()
    assert exportable.exportedLabel.text == ""


def test_no_patients_folder_is_offered_for_the_next(exportable: Any, a_panel: Any, user: Any, a_scene: Any) -> None:
    edits = [exportable.exportFolderEdit, exportable.ctDicomEdit, exportable.xrayDicomEdit]
    for edit in edits:
        edit.currentPath = "/patients/A"
    exportable.preparationFolderEdit.currentPath = "/patients/A"
    exportable.inputsCollapsibleButton.collapsed = False
    user.press(exportable.demoButton)  # another CT in the same scene
    assert [edit.currentPath for edit in edits] == [""] * 3
    assert "A" not in Path(exportable.preparationFolderEdit.currentPath).parts
    exportable.exportFolderEdit.currentPath = exportable.preparationFolderEdit.currentPath = "/patients/B"
    a_panel.parent.exit()
    a_scene.Clear(0)  # while the panel is not open
    a_panel.parent.enter()
    user.press(exportable.demoButton)
    assert [edit.currentPath for edit in edits] == [""] * 3
    assert "B" not in Path(exportable.preparationFolderEdit.currentPath).parts


def test_no_path_is_kept_in_the_settings(exportable: Any, a_panel: Any, user: Any, a_scene: Any, host: Any) -> None:
    import qt

    user.press(exportable.exportButton)
    assert "Written" in exportable.exportedLabel.text
    assert not [key for key in qt.QSettings().allKeys() if key.startswith("ctkPathLineEdit")]
