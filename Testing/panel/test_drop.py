"""A case that is dropped onto the window, or chosen in a dialog, becomes the inputs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import slicer
from placing import to_do


def selected(panel: Any) -> list[str | None]:
    ui = panel.ui
    nodes = [
        each.currentNode() for each in (ui.ctSelector, ui.segmentationSelector, ui.xray1Selector, ui.xray2Selector)
    ]
    return [None if node is None else node.GetName() for node in nodes]


@pytest.fixture
def a_case(a_panel: Any, tmp_path: Path) -> Path:
    """The demo case's folder, somewhere else."""
    return Path(shutil.copytree(a_panel.logic.demoCase().parent, tmp_path / "a case"))


@pytest.mark.parametrize("what", ["folder", "case.json", "both of them", "case.json among images"])
def test_a_dropped_case_becomes_the_inputs(a_panel: Any, a_case: Path, host: Any, what: str) -> None:
    paths = {
        "folder": [a_case],
        "case.json": [a_case / "case.json"],
        "both of them": [a_case, a_case / "case.json"],
        "case.json among images": [a_case / "ct.nii.gz", a_case / "case.json"],
    }[what]
    assert slicer.util.mainWindow().drop(paths) == ["Load as a RadGS-Reg case"]
    host.wait_until(lambda: selected(a_panel) == ["CT", "Vertebrae", "AP", "LAT"], 30)
    assert to_do(a_panel) == "Confirm the level"
    assert slicer.util.mainWindow().moduleSelector().selectedModule() == "RadGSReg"


def test_what_is_no_case_is_left_to_others(a_panel: Any, a_case: Path, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("{}", encoding="utf-8")
    for paths in (
        [tmp_path],
        [a_case / "ct.nii.gz"],
        [tmp_path / "other.json"],
        [tmp_path / "nowhere" / "case.json"],
        [],
    ):
        assert slicer.util.mainWindow().drop(paths) == []
    slicer.app.processEvents()
    assert selected(a_panel) == [None] * 4


def test_a_dropped_case_that_cannot_be_read_is_told(a_panel: Any, tmp_path: Path, host: Any) -> None:
    (tmp_path / "case.json").write_text("{", encoding="utf-8")
    slicer.util.mainWindow().drop([tmp_path])
    host.wait_until(lambda: a_panel.ui.messageLabel.isVisible(), 10)
    assert "case.json" in a_panel.ui.messageLabel.text
    assert selected(a_panel) == [None] * 4


def test_a_case_is_chosen_in_a_dialog(a_panel: Any, a_case: Path, user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import qt

    asked: list[Any] = []

    def answer(*arguments: Any) -> str:
        asked.append(arguments)
        return str(a_case / "case.json")

    monkeypatch.setattr(qt.QFileDialog, "getOpenFileName", answer)
    user.press(a_panel.ui.loadCaseButton)
    assert selected(a_panel) == ["CT", "Vertebrae", "AP", "LAT"]
    assert asked[0][-1] == "Cases (*.json)"
