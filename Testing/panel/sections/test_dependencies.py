"""What the engine lacks is a row at the top of the panel; nothing is installed that was not asked."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import slicer

NAME = "radgs-package-that-nobody-has"


has_torch = find_spec("torch") is not None
with_torch = pytest.mark.skipif(not has_torch, reason="torch is not here")


@pytest.fixture
def lacking(a_panel: Any, user: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The panel where a package is missing that pip, without a server, will not find."""
    from RadGSRegLib.engine.dependencies import Dependencies

    for name, value in (("CONFIG_FILE", os.devnull), ("NO_INDEX", "1"), ("DISABLE_PIP_VERSION_CHECK", "1")):
        monkeypatch.setenv(f"PIP_{name}", value)
    (tmp_path / "requirements.txt").write_text(f"{NAME}>=1.0\n", "utf-8")
    user.press(a_panel.ui.demoButton)
    user.press(a_panel.ui.confirmLevelsCheckBox)
    a_panel.logic.dependencies = Dependencies(tmp_path / "requirements.txt")
    a_panel.panel.refresh()
    return a_panel


@pytest.fixture
def agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user says yes to whatever is asked."""
    monkeypatch.setattr(slicer.util, "confirmYesNoDisplay", lambda text, *_: True)


@with_torch
def test_where_nothing_is_missing_there_is_no_row(a_panel: Any) -> None:
    assert not a_panel.ui.dependenciesFrame.isVisible()


def test_apply_and_prepare_say_what_is_missing_and_where_to_press(lacking: Any, user: Any) -> None:
    assert lacking.ui.dependenciesFrame.isVisible()
    assert NAME in lacking.ui.dependenciesLabel.text
    lacking.ui.patientModelCollapsibleButton.collapsed = False
    for button in (lacking.ui.applyButton, lacking.ui.prepareButton):
        lacking.panel.say("")
        user.press(button)
        assert f"not all installed: {NAME}." in lacking.ui.messageLabel.text
        assert "Press Install at the top of the panel." in lacking.ui.messageLabel.text
    assert not lacking.logic.worker.running


def test_nothing_happens_without_the_users_word(lacking: Any, user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(slicer.util, "confirmYesNoDisplay", lambda text, *_: bool(asked.append(text)))
    monkeypatch.setenv("PATH", "")  # pip could not even be started
    user.press(lacking.ui.installButton)
    assert NAME in asked[0]
    assert "(numpy, scipy, SimpleITK, pydicom and others) stays as it is" in asked[0]
    assert "Nothing was installed." in lacking.ui.messageLabel.text
    assert lacking.ui.installButton.enabled


def test_no_waiting_cursor_lies_over_a_dialog(lacking: Any, user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pip's progress and PyTorch's questions are dialogs; the user has to be able to answer them."""
    import qt

    seen: list[Any] = []

    def opens_dialogs(*_: Any) -> Any:
        seen.append(qt.QApplication.overrideCursor())
        return []

    monkeypatch.setattr(slicer.util, "confirmYesNoDisplay", lambda text, *_: opens_dialogs() == [])
    monkeypatch.setattr(lacking.logic, "installDependencies", opens_dialogs)
    user.press(lacking.ui.installButton)
    assert seen == [None, None]


@with_torch
def test_what_cannot_be_had_is_told_and_can_be_tried_again(lacking: Any, user: Any, agreed: None) -> None:
    """The real pip."""
    user.press(lacking.ui.installButton)
    assert f"nothing that fits. Still missing: {NAME}" in lacking.ui.messageLabel.text
    assert lacking.ui.installButton.enabled
    assert NAME in lacking.ui.dependenciesLabel.text


@with_torch
def test_what_has_come_in_the_meantime_takes_the_row_away(
    lacking: Any, user: Any, agreed: None, tmp_path: Path
) -> None:
    (tmp_path / "requirements.txt").write_text("pytest>=1.0\n", "utf-8")
    user.press(lacking.ui.installButton)
    assert "Installed." in lacking.ui.messageLabel.text
    assert not lacking.ui.dependenciesFrame.isVisible()


@pytest.mark.skipif(has_torch, reason="the engine's libraries are here")
def test_a_fresh_slicer_opens_the_panel_and_names_what_it_lacks(a_panel: Any, user: Any) -> None:
    assert a_panel.ui.dependenciesFrame.isVisible()
    assert "missing: PyTorch, scikit-image, matplotlib" in a_panel.ui.dependenciesLabel.text
    assert a_panel.ui.installButton.enabled
