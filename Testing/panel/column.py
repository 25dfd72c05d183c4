"""The panel as a column in Slicer's module panel: how wide it is, and what is where in it."""

from __future__ import annotations

from typing import Any

import slicer

#: Pixels: what Slicer gives its module panel in a window of 1080 px.
WIDTH, SCREEN = 480, 900

SECTIONS = ("inputs", "initialization", "patientModel", "outputs", "results", "visualQa", "export", "advanced")


def lay_out(panel: Any) -> Any:
    """Gives the column its width and the height that it asks for, and returns its frame."""
    frame = panel.parent
    for _turn in range(3):  # labels that wrap know their height only once they know their width
        for _event in range(5):
            slicer.app.processEvents()
        frame.resize(WIDTH, frame.layout().heightForWidth(WIDTH) or frame.layout().sizeHint().height())
    for _event in range(5):
        slicer.app.processEvents()
    return frame


def place_of(panel: Any, name: str) -> tuple[int, int]:
    """Top and bottom of a widget in the column, pixels; it has to be seen."""
    import qt

    widget = getattr(panel.ui, name)
    assert widget.isVisible(), f"{name} cannot be seen"
    top = widget.mapTo(panel.parent, qt.QPoint(0, 0)).y()
    return top, top + widget.height


def open_sections(panel: Any) -> set[str]:
    """The sections that are open."""
    return {name for name in SECTIONS if not getattr(panel.ui, f"{name}CollapsibleButton").collapsed}


def click_header(button: Any) -> None:
    """Opens or folds a section as a user does, by its title."""
    button.click()
    slicer.app.processEvents()
