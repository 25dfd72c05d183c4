"""What is said in colour can be read in Slicer's light and in its dark theme."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import slicer
from exported_scene import bring_in

#: Window, Base, AlternateBase and Button of ``qSlicerStyle`` (Base/QTGUI/qSlicerStyle.cxx), 5.10 and main.
BACKGROUNDS = {"light": ("#ffffff", "#e4e4fe", "#fcfcfc"), "dark": ("#323232", "#1e1e1e")}

#: WCAG 2.1, 1.4.3: text of the size that a panel has.
READABLE = 4.5


def luminance(colour: str) -> float:
    """WCAG's relative luminance of "#rrggbb"."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest, host: Any) -> Any:
    """The application in one of its themes."""
    host.use_theme(request.param)
    yield request.param
    host.use_theme("light")


def test_contrast_is_measured_as_wcag_does() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_every_colour_is_readable_on_every_background(theme: str, a_panel: Any) -> None:
    from radgs.colours import WORD_COLOURS
    from RadGSRegLib.theme import colour

    for kind in WORD_COLOURS:
        shown = colour(kind, a_panel.ui.applyButton)
        for background in BACKGROUNDS[theme]:
            assert contrast(shown, background) >= READABLE, (kind, background)


def test_the_selected_verdict_is_readable(theme: str, a_panel: Any) -> None:
    import qt

    from RadGSRegLib.theme import colour_on_selection

    palette = a_panel.ui.resultsTable.palette
    background, words = (palette.color(role).name() for role in (qt.QPalette.Highlight, qt.QPalette.HighlightedText))
    assert contrast(background, words) >= READABLE
    for kind in ("good", "doubt", "bad"):
        assert contrast(background, colour_on_selection(kind)) >= 3.0  # WCAG 2.1, 1.4.11: what is no text


def test_everything_in_colour_on_the_panel_is_readable(
    theme: str, a_panel: Any, user: Any, tmp_path: Path, a_scene: Any
) -> None:
    """Labels' style sheets and rich text, tables' and lists' words, whatever their colours are called."""
    from RadGSRegLib.scene.node_contract import SOURCE_ROLE

    found = colours_of(a_panel)
    user.press(a_panel.ui.demoButton)
    found |= colours_of(a_panel)
    user.press(a_panel.ui.confirmLevelsCheckBox)
    bring_in(tmp_path / "result", a_panel.logic.inputs())
    a_scene.RemoveNode(a_panel.logic.getParameterNode().xray1.GetNodeReference(SOURCE_ROLE))
    slicer.app.processEvents()
    found |= colours_of(a_panel)
    assert len(found) >= 4
    for colour in found:
        for background in BACKGROUNDS[theme]:
            assert contrast(colour, background) >= READABLE, (colour, background)


def test_a_verdict_in_a_sentence_is_readable_and_follows_the_theme(a_panel: Any, host: Any) -> None:
    from radgs.case import LevelResult
    from RadGSRegLib.sections.apply import _line

    try:
        for verdict in ("accept", "check", "reject"):
            a_panel.panel.say(_line("L3", LevelResult(None, verdict)))
            for name, backgrounds in BACKGROUNDS.items():
                host.use_theme(name)
                a_panel.panel.refresh()
                (colour,) = re.findall(r"#\w{6}", a_panel.ui.messageLabel.text)
                assert all(contrast(colour, background) >= READABLE for background in backgrounds), name
    finally:
        host.use_theme("light")


def test_the_table_of_results_follows_the_theme(a_panel: Any, host: Any) -> None:
    """A style sheet would keep the background of the theme in which it was set."""
    table = a_panel.ui.resultsTable
    a_panel.ui.resultsCollapsibleButton.collapsed = False
    try:
        for name in ("dark", "light", "dark"):
            host.use_theme(name)
            drawn = table.viewport().grab().toImage().pixelColor(2, 2).name()
            assert drawn == {"light": "#ffffff", "dark": "#1e1e1e"}[name]
    finally:
        host.use_theme("light")


def colours_of(panel: Any) -> set[str]:
    import qt

    ui, found = panel.ui, set()
    for widget in vars(ui).values():
        if hasattr(widget, "styleSheet") and "selection" not in widget.styleSheet:
            found |= {qt.QColor(name).name() for name in re.findall(r"color: ([#\w]+)", widget.styleSheet)}
    table, levels = ui.resultsTable, ui.exportLevelsList
    found |= {table.item(row, 1).foreground().color().name() for row in range(table.rowCount)}
    found |= {levels.item(row).foreground().color().name() for row in range(levels.count)}
    return found
