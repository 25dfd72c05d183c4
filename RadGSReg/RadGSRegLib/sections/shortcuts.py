"""Keys that work anywhere in the application's window while the module is open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import qt
import slicer

#: As they are written in tooltips; Slicer itself uses none of them.
BEFORE_AFTER, MORE_XRAY, MORE_DRR = "Ctrl+Shift+B", "Ctrl+Shift+X", "Ctrl+Shift+D"


class Shortcuts:
    """Shortcuts of the main window's, because who compares pictures looks at the views; gone when the module is left.

    Args:
        deeds: What each key does.
    """

    def __init__(self, deeds: Mapping[str, Callable[[], None]]) -> None:
        self._deeds = deeds
        self._made: list[Any] = []

    def install(self) -> None:
        """From here on the keys work."""
        window = slicer.util.mainWindow()
        if window is None or self._made:
            return  # a script without a window presses no keys
        for key, deed in self._deeds.items():
            shortcut = qt.QShortcut(window)
            shortcut.setKey(qt.QKeySequence(key))
            shortcut.connect("activated()", deed)
            self._made.append(shortcut)

    def remove(self) -> None:
        """The keys are free again."""
        for shortcut in self._made:
            shortcut.enabled = False
            shortcut.deleteLater()
        self._made = []
