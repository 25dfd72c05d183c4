"""A stand-in for qSlicerScriptedFileDialog and for how qSlicerIOManager offers what is dropped to the dialogs.

Read from Base/QTGUI/qSlicerScriptedFileDialog.cxx, qSlicerScriptedLoadableModule.cxx (registerFileDialog) and
qSlicerIOManager.cxx (dragEnterEvent, dropEvent).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import slicer
from PySide6 import QtCore, QtGui

#: The dialogs that modules registered, by the module's name.
DIALOGS: dict[str, Any] = {}


class qSlicerFileDialog:  # noqa: N801
    Read, Write = 0, 1


class qSlicerScriptedFileDialog:  # noqa: N801
    """What the application hands a module's ``<Module>FileDialog``; other names are refused."""

    __slots__ = ("_accepted", "_event", "_mime_data", "_object", "action", "description", "fileType")

    def __init__(self) -> None:
        self._accepted, self._mime_data, self._event, self._object = False, None, None, None

    def mimeData(self) -> QtCore.QMimeData:  # noqa: N802
        return self._mime_data

    def acceptMimeData(self, accept: bool) -> None:  # noqa: N802
        if not isinstance(accept, bool):
            raise TypeError("acceptMimeData takes a bool")
        self._accepted = accept

    def dropEvent(self) -> QtGui.QDropEvent:  # noqa: N802
        return self._event

    def self(self) -> Any:
        return self._object

    def _accepts(self, data: QtCore.QMimeData) -> bool:
        self._mime_data, self._accepted = data, False
        self._object.isMimeDataAccepted()
        return self._accepted

    def _take(self, event: QtGui.QDropEvent) -> None:
        self._event, self._mime_data = event, event.mimeData()
        self._object.dropEvent()
        if event.isAccepted() and not isinstance(self._object.execDialog(), bool):
            raise TypeError("execDialog has to return a bool")


def register(module: ModuleType) -> None:
    """Makes the dialog of a module whose file defines ``<Module>FileDialog``; others have none."""
    make = getattr(module, f"{module.__name__}FileDialog", None)
    DIALOGS.pop(module.__name__, None)
    if make is not None:
        dialog = qSlicerScriptedFileDialog()
        dialog._object = make(dialog)
        if dialog.action != qSlicerFileDialog.Read:
            raise ValueError("what is dropped goes to dialogs that read")
        DIALOGS[module.__name__] = dialog


def drop(paths: Sequence[Path]) -> list[str]:
    """Drops files: the first dialog that accepts them gets them. Returns the descriptions of all that accepted.

    The application asks the user where several accept; only a module's own are known here.
    """
    data = QtCore.QMimeData()
    data.setUrls([QtCore.QUrl.fromLocalFile(str(path)) for path in paths])
    takers = [dialog for dialog in DIALOGS.values() if dialog._accepts(data)]
    if takers:
        buttons, modifiers = QtCore.Qt.MouseButton.LeftButton, QtCore.Qt.KeyboardModifier.NoModifier
        event = QtGui.QDropEvent(QtCore.QPointF(), QtCore.Qt.DropAction.CopyAction, data, buttons, modifiers)
        event.ignore()
        takers[0]._take(event)
    return [dialog.description for dialog in takers]


def install() -> None:
    """Puts the class where modules look for it."""
    slicer.qSlicerFileDialog = qSlicerFileDialog
