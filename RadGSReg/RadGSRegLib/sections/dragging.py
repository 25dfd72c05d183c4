"""A place in a picture that is pressed, or to which the mouse is dragged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt


class Dragging(qt.QObject):
    """Tells where in a widget the left button is held down; Slicer's own panels listen to a widget in this way.

    Args:
        widget: Any widget.
        told: Called with the place across the widget, 0 at its left and 1 at its right.
    """

    def __init__(self, widget: Any, told: Callable[[float], None]) -> None:
        qt.QObject.__init__(self)
        self._widget, self._told = widget, told
        widget.installEventFilter(self)

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Called by Qt with everything that happens to the widget; nothing is kept from it."""
        pressed = event.type() == qt.QEvent.MouseButtonPress and event.button() == qt.Qt.LeftButton
        moved = event.type() == qt.QEvent.MouseMove and bool(event.buttons() & qt.Qt.LeftButton)
        if pressed or moved:
            self._told(min(max(event.pos().x() / max(self._widget.width, 1), 0.0), 1.0))
        return False
