"""Colours of what is said, readable in the application's light and in its dark theme.

A test computes their contrast with the backgrounds of qSlicerStyle's light and dark palettes.
"""

from __future__ import annotations

from typing import Any

import qt

from radgs.colours import WORD_COLOURS

#: Of a selected row; the application's own are too light for the white words on them.
SELECTION, ON_SELECTION = "#1f5f8b", "#ffffff"

#: Of 255: a palette whose window is darker is a dark one.
MIDDLE_GREY = 128


def colour(kind: str, widget: Any) -> str:
    """A colour by its meaning ("#rrggbb"), for words on a widget's own background.

    Args:
        kind: One of ``WORD_COLOURS``.
        widget: Any widget of the panel; its palette is the application's.
    """
    on_light, on_dark = WORD_COLOURS[kind]
    return on_dark if widget.palette.window().color().lightness() < MIDDLE_GREY else on_light


def in_colour(text: str, widget: Any) -> str:
    """Rich text in which "@good" and the like stand for colours, with the colours of the theme that is shown now."""
    for kind in WORD_COLOURS:
        text = text.replace(f"color: @{kind}", f"color: {colour(kind, widget)}")
    return text


def colour_on_selection(kind: str) -> str:
    """The same for a patch on a selected row, which is dark in either theme."""
    return WORD_COLOURS[kind][1]


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
