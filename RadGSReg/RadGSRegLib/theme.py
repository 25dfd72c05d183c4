"""Colours of what is said, readable in the application's light and in its dark theme.

Each pair was chosen for a contrast of at least 4.5 : 1 (WCAG 2.1, 1.4.3) with the backgrounds of qSlicerStyle's light
and dark palettes; a test computes it.
"""

from __future__ import annotations

from typing import Any

import qt

#: On light, on dark. Told apart with every kind of colour vision; words say the same.
COLOURS = {
    "good": ("#176b31", "#7fd494"),
    "doubt": ("#a04d00", "#f5b041"),
    "bad": ("#b2182b", "#ff9a8f"),
    "faint": ("#5f5f5f", "#b8b8b8"),
}

#: Of a selected row; the application's own are too light for the white words on them.
SELECTION, ON_SELECTION = "#1f5f8b", "#ffffff"

#: Of 255: a palette whose window is darker is a dark one.
MIDDLE_GREY = 128


def colour(kind: str, widget: Any) -> str:
    """A colour by its meaning ("#rrggbb"), for words on a widget's own background.

    Args:
        kind: One of ``COLOURS``.
        widget: Any widget of the panel; its palette is the application's.
    """
    on_light, on_dark = COLOURS[kind]
    return on_dark if widget.palette.window().color().lightness() < MIDDLE_GREY else on_light


def in_colour(text: str, widget: Any) -> str:
    """Rich text in which "@good" and the like stand for colours, with the colours of the theme that is shown now."""
    for kind in COLOURS:
        text = text.replace(f"color: @{kind}", f"color: {colour(kind, widget)}")
    return text


def colour_on_selection(kind: str) -> str:
    """The same for a patch on a selected row, which is dark in either theme."""
    return COLOURS[kind][1]


def darken_selection(widget: Any) -> None:
    """Gives a table or list the selection above.

    By its palette: a style sheet would hold on to the colours of the theme that it was set in.
    """
    palette = widget.palette
    palette.setColor(qt.QPalette.Highlight, qt.QColor(SELECTION))
    palette.setColor(qt.QPalette.HighlightedText, qt.QColor(ON_SELECTION))
    widget.palette = palette


def style(kind: str, widget: Any) -> str:
    """The same as a style sheet."""
    return f"color: {colour(kind, widget)}"
