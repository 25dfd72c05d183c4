"""What goes wrong where nobody can catch it: in slots, in observers, in Qt's and VTK's own words."""

from __future__ import annotations

import sys
import traceback
from types import TracebackType

from PySide6 import QtCore

#: What Qt says on a machine without a desktop, whatever the program does.
HARMLESS = ("propagateSizeHints", "XDG_RUNTIME_DIR", "fontconfig")


class Failures:
    """Collects them, so that a test can fail on them."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def install(self) -> None:
        """From here on, exceptions that reach no caller and Qt's warnings are collected."""
        sys.excepthook = self._uncaught
        sys.unraisablehook = lambda info: self._uncaught(info.exc_type, info.exc_value, info.exc_traceback)
        QtCore.qInstallMessageHandler(self._qt_message)

    def take(self) -> list[str]:
        """What was collected since the last call."""
        found, self._found = self._found, []
        return found

    def _uncaught(self, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        text = "".join(traceback.format_exception(kind, error, trace))
        self._found.append(text)
        sys.stderr.write(text)

    def _qt_message(self, kind: QtCore.QtMsgType, _: QtCore.QMessageLogContext, text: str) -> None:
        serious = kind not in (QtCore.QtMsgType.QtDebugMsg, QtCore.QtMsgType.QtInfoMsg)
        if serious and not any(word in text for word in HARMLESS):
            self._found.append(f"Qt: {text}")
