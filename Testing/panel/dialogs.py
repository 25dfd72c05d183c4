"""Dialogs of the panel, as a user has them before them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer


def open_dialog() -> Any:
    """The dialog that is open; None where none is."""
    import qt

    slicer.app.processEvents()
    widgets = qt.QApplication.topLevelWidgets()
    return next((each for each in widgets if isinstance(each, qt.QDialog) and each.isVisible()), None)


def child(dialog: Any, name: str) -> Any:
    """A dialog's widget by its name."""
    import qt

    found = dialog.findChild(qt.QWidget, name)
    assert found is not None, f"the dialog has no {name}"
    return found


def ok_button(dialog: Any) -> Any:
    import qt

    return dialog.findChild(qt.QDialogButtonBox).button(qt.QDialogButtonBox.Ok)


def answer(act: Callable[[Any], None]) -> None:
    """Has a modal dialog, once it is open, answered by a function; whatever it does, the dialog ends."""
    import qt

    def when_open() -> None:
        dialog = open_dialog()
        if dialog is None:
            qt.QTimer.singleShot(20, when_open)
            return
        try:
            act(dialog)
        finally:
            if dialog.isVisible():
                dialog.reject()

    qt.QTimer.singleShot(20, when_open)
