"""A press on Report... writes the registered level as a page and opens it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import slicer
from PySide6 import QtGui, QtWidgets

pytestmark = pytest.mark.slow


@pytest.fixture
def a_registered_panel(the_panel: Any, host: Any, a_scene: Any, user: Any) -> Any:
    """The demo case, registered."""
    host.wait_until(lambda: not the_panel.logic.worker.busy, 60)
    user.press(the_panel.ui.demoButton)
    assert not the_panel.ui.reportButton.enabled
    user.press(the_panel.ui.confirmLevelsCheckBox)
    user.press(the_panel.ui.applyButton)
    host.wait_until(lambda: not the_panel.logic.running, 180)
    host.wait_until(lambda: the_panel.ui.pictureLabel1.isVisible() and not the_panel.logic.worker.busy, 60)
    return the_panel


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the system is asked to open, which a test machine has nothing for."""
    asked: list[str] = []
    monkeypatch.setattr(QtGui.QDesktopServices, "openUrl", lambda url: asked.append(url.toLocalFile()) or True)
    return asked


def test_the_report_is_written_and_opened(
    a_registered_panel: Any, user: Any, host: Any, opened: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ui = a_registered_panel.ui
    monkeypatch.setattr(QtWidgets.QFileDialog, "getSaveFileName", staticmethod(lambda *given: str(tmp_path / "L3")))
    user.press(ui.reportButton)
    assert not ui.reportButton.enabled
    host.wait_until(lambda: opened or (ui.messageLabel.isVisible() and "cannot" in ui.messageLabel.text), 60)
    page = tmp_path / "L3.html"
    assert opened == [str(page)]
    text = page.read_text(encoding="utf-8")
    assert "✓ accept" in text
    assert "from case.json" in text  # where the geometry comes from
    assert ui.reportButton.enabled


def test_no_path_no_report(
    a_registered_panel: Any, user: Any, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QtWidgets.QFileDialog, "getSaveFileName", staticmethod(lambda *given: ""))
    user.press(a_registered_panel.ui.reportButton)
    assert a_registered_panel.ui.reportButton.enabled
    assert opened == []


def test_a_transform_moved_by_hand_is_not_reported(
    a_registered_panel: Any, user: Any, opened: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ui = a_registered_panel.ui
    chosen = str(tmp_path / "L3.html")
    monkeypatch.setattr(QtWidgets.QFileDialog, "getSaveFileName", staticmethod(lambda *given: chosen))
    transform = slicer.util.getNode("L3CTToWorld")
    matrix = slicer.util.arrayFromTransformMatrix(transform)
    matrix[0, 3] += 3.0
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    user.press(ui.reportButton)
    assert "moved by hand" in ui.messageLabel.text
    assert not (tmp_path / "L3.html").exists()
