"""A stand-in for qSlicerMainWindow: a status bar, the selector of modules, and what is dropped onto it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import slicer
from PySide6 import QtCore, QtWidgets

from slicerhost.file_dialog import drop
from slicerhost.pythonqt import expose_properties


class qSlicerModuleSelectorToolBar(QtCore.QObject):  # noqa: N801
    """Knows which module was asked for last; to show it is the tests' business (``open_panel``)."""

    STAND_IN = True

    def __init__(self, parent: QtCore.QObject) -> None:
        super().__init__(parent)
        self._selected = ""

    def selectModule(self, name: str) -> None:  # noqa: N802
        """Base/QTGUI/qSlicerModuleSelectorToolBar.h: what no module is called is passed over with a warning."""
        if getattr(slicer.modules, name.lower(), None) is None:
            QtCore.qWarning(f"There is no module {name}")
            return
        self._selected = name

    def selectedModule(self) -> str:  # noqa: N802
        return self._selected


class qSlicerMainWindow(QtWidgets.QMainWindow):  # noqa: N801
    """The window that ``slicer.util.mainWindow`` finds by its name."""

    STAND_IN = True

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self._selector = qSlicerModuleSelectorToolBar(self)
        self.statusBar()

    def moduleSelector(self) -> qSlicerModuleSelectorToolBar:  # noqa: N802
        return self._selector

    @staticmethod
    def drop(paths: Sequence[Path]) -> Any:
        """Drops files onto the window, as a file manager does; see ``file_dialog.drop``."""
        return drop(paths)


def install() -> qSlicerMainWindow:
    """Makes the window; whoever asks has to keep it."""
    expose_properties(qSlicerMainWindow)
    return qSlicerMainWindow()
