"""The column fits a screen of 1080 px, in every state; sections open in their time; nothing widens it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import slicer
import without_engine
from column import SCREEN, SECTIONS, WIDTH, click_header, lay_out, open_sections, place_of
from exported_scene import bring_in

#: A path that no line can break.
LONG = "/" + "a" * 299


@pytest.fixture
def confirmed(a_panel: Any, user: Any) -> Any:
    """The demo case, confirmed."""
    user.press(a_panel.ui.demoButton)
    user.press(a_panel.ui.confirmLevelsCheckBox)
    return a_panel


@pytest.fixture
def registered(confirmed: Any, tmp_path: Path) -> Any:
    """The same with results for three levels."""
    bring_in(tmp_path / "result", confirmed.logic.inputs())
    slicer.app.processEvents()
    return confirmed


def bottom_of(panel: Any, name: str) -> int:
    return place_of(panel, name)[1]


def test_apply_is_reached_without_scrolling(a_panel: Any, user: Any) -> None:
    for step in (None, a_panel.ui.demoButton, a_panel.ui.confirmLevelsCheckBox):
        if step is not None:
            user.press(step)
        lay_out(a_panel)
        assert bottom_of(a_panel, "applyButton") < SCREEN


@pytest.mark.skipif(without_engine.needed(), reason="the offer to install the engine's libraries has room of its own")
def test_the_whole_column_fits_until_apply_is_pressed(confirmed: Any) -> None:
    assert lay_out(confirmed).height <= SCREEN


def test_apply_stays_where_it_is_while_it_is_pressed(confirmed: Any, user: Any, host: Any) -> None:
    """Who presses Apply finds Cancel under the mouse."""
    lay_out(confirmed)
    before = place_of(confirmed, "applyButton")
    user.press(confirmed.ui.applyButton)
    lay_out(confirmed)
    assert confirmed.ui.applyButton.text == "Cancel"
    assert place_of(confirmed, "applyButton") == before
    assert bottom_of(confirmed, "progressBar") < SCREEN
    user.press(confirmed.ui.applyButton)
    host.wait_until(lambda: not confirmed.logic.running, 30)
    lay_out(confirmed)
    assert bottom_of(confirmed, "messageLabel") < SCREEN


@pytest.mark.slow
def test_verdict_and_pictures_are_seen_without_scrolling(registered: Any, user: Any, host: Any) -> None:
    registered.logic.getParameterNode().segments = dict(registered.logic.getParameterNode().segments)
    user.press(registered.ui.drawButton)
    host.wait_until(registered.ui.pictureLabel1.isVisible, 120)
    lay_out(registered)
    for name in ("applyButton", "resultsTable", "acceptButton", "pictureLabel1", "pictureLabel2", "blendSlider"):
        assert bottom_of(registered, name) < SCREEN, name


@pytest.mark.slow
def test_a_nudge_is_made_without_scrolling(registered: Any, user: Any, host: Any) -> None:
    ui = registered.ui
    user.press(ui.drawButton)
    host.wait_until(lambda: ui.nudgeButton.enabled, 120)
    before = lay_out(registered).layout().minimumSize().width()
    user.press(ui.nudgeButton)
    width = lay_out(registered).layout().minimumSize().width()
    for name in ("pictureLabel1", "nudgeShiftRButton", "nudgeTurnFaceLButton", "nudgeRefineButton"):
        assert bottom_of(registered, name) < SCREEN, name
    assert width <= before


@pytest.mark.slow
def test_the_pictures_of_the_start_are_seen_without_scrolling(confirmed: Any, user: Any, host: Any) -> None:
    user.press(confirmed.ui.showStartButton)
    host.wait_until(confirmed.ui.pictureLabel1.isVisible, 120)
    assert "visualQa" in open_sections(confirmed)
    lay_out(confirmed)
    for name in ("applyButton", "pictureLabel1", "blendSlider"):
        assert bottom_of(confirmed, name) < SCREEN, name


def test_sections_open_when_their_time_comes_and_fold_when_they_are_done(
    a_panel: Any, user: Any, tmp_path: Path
) -> None:
    ui = a_panel.ui
    assert open_sections(a_panel) == {"inputs"}
    user.press(ui.demoButton)
    assert open_sections(a_panel) == {"inputs", "initialization"}
    user.press(ui.confirmLevelsCheckBox)
    assert open_sections(a_panel) == {"inputs", "initialization", "outputs"}
    bring_in(tmp_path / "result", a_panel.logic.inputs())
    slicer.app.processEvents()
    assert open_sections(a_panel) == {"results", "visualQa"}
    user.press(ui.acceptButton)
    assert open_sections(a_panel) == {"results", "visualQa", "export"}
    user.press(ui.undoButton)
    assert open_sections(a_panel) == {"results", "visualQa"}


def test_a_section_that_the_user_moved_stays_as_the_user_put_it(a_panel: Any, user: Any, tmp_path: Path) -> None:
    ui = a_panel.ui
    lay_out(a_panel)
    click_header(ui.inputsCollapsibleButton)
    click_header(ui.exportCollapsibleButton)
    assert open_sections(a_panel) == {"export"}
    a_panel.logic.loadCase(a_panel.logic.demoCase())
    slicer.app.processEvents()
    assert open_sections(a_panel) == {"export", "initialization"}
    click_header(ui.inputsCollapsibleButton)
    lay_out(a_panel)
    user.press(ui.confirmLevelsCheckBox)
    bring_in(tmp_path / "result", a_panel.logic.inputs())
    slicer.app.processEvents()
    assert open_sections(a_panel) == {"inputs", "results", "visualQa", "export"}


def test_another_scene_starts_over(a_panel: Any, a_scene: Any) -> None:
    lay_out(a_panel)
    click_header(a_panel.ui.inputsCollapsibleButton)
    assert open_sections(a_panel) == set()
    a_scene.Clear(0)
    assert open_sections(a_panel) == {"inputs"}


def test_what_a_section_hides_stays_hidden_when_it_opens(confirmed: Any, user: Any) -> None:
    for name in SECTIONS:
        button = getattr(confirmed.ui, f"{name}CollapsibleButton")
        if button.collapsed:
            lay_out(confirmed)
            click_header(button)
    for name in ("forceLabel", "exportQuestionFrame", "ctDicomEdit", "preparationProgressBar", "segmentationHintRow"):
        assert not getattr(confirmed.ui, name).isVisible(), name


def test_no_path_and_no_name_widens_the_column(registered: Any) -> None:
    from RadGSRegLib.scene.node_contract import GEOMETRY_ATTRIBUTE

    ui, parameters = registered.ui, registered.logic.getParameterNode()
    for name in SECTIONS:
        getattr(ui, f"{name}CollapsibleButton").collapsed = False
    before = lay_out(registered).layout().minimumSize().width()
    assert before <= WIDTH
    for node in (parameters.ct, parameters.segmentation, parameters.xray1):
        node.SetName(LONG)
    parameters.xray1.SetAttribute(GEOMETRY_ATTRIBUTE, f"from {LONG}")
    parameters.models = {"L3": LONG + ".radgs.safetensors"}
    parameters.transformName = LONG + "{level}"
    ui.exportFolderEdit.currentPath = LONG
    registered.panel.say(f"<b>There is no file {LONG}.</b><br>Check {LONG}.")
    registered.panel.refresh()
    labels = (ui.preparationLabel, ui.exportedLabel, ui.streamStateLabel, ui.visualQaLabel, ui.reasonsLabel)
    for label in (*labels, ui.dependenciesLabel, ui.forceLabel, ui.exportQuestionLabel, ui.exportObstacleLabel):
        label.text = LONG
        label.setVisible(True)
    ui.dependenciesFrame.setVisible(True)
    slicer.app.processEvents()
    assert registered.parent.layout().minimumSize().width() <= before


def test_a_long_path_is_shortened_where_it_is_shown_and_whole_in_the_tooltip(a_panel: Any) -> None:
    a_panel.panel.say(f"There is no file {LONG}/case.json.")
    label = a_panel.ui.messageLabel
    assert LONG not in label.text
    assert "case.json" in label.text
    assert all(len(word) <= 56 for word in re.split(r"[\s<>]", label.text))
    assert f"{LONG}/case.json" in label.toolTip


def test_many_levels_do_not_widen_the_column(confirmed: Any, user: Any) -> None:
    before = lay_out(confirmed).layout().minimumSize().width()
    levels = [f"T{number}" for number in range(1, 13)] + [f"L{number}" for number in range(1, 6)]
    parameters = confirmed.logic.getParameterNode()
    identifier = parameters.segments["L3"]
    segmentation = parameters.segmentation.GetSegmentation()
    for level in levels:
        copy = slicer.vtkSegment()
        copy.DeepCopy(segmentation.GetSegment(identifier))
        copy.SetName(level)
        segmentation.AddSegment(copy, f"many {level}")
    parameters.segments = {level: f"many {level}" for level in levels}
    slicer.app.processEvents()
    assert "T1" in confirmed.ui.confirmLevelsCheckBox.text
    assert confirmed.parent.layout().minimumSize().width() <= before
    assert all(level in confirmed.ui.confirmLevelsCheckBox.toolTip for level in levels)


def test_every_field_has_a_tooltip(a_panel: Any) -> None:
    import ctk
    import qt

    kinds = (
        *(qt.QAbstractButton, qt.QLineEdit, qt.QAbstractSpinBox, qt.QComboBox, qt.QAbstractSlider),
        *(qt.QAbstractItemView, qt.QProgressBar, ctk.ctkPathLineEdit, slicer.qMRMLNodeComboBox),
    )
    fields = {name: widget for name, widget in vars(a_panel.ui).items() if isinstance(widget, kinds)}
    for name in [*fields]:  # sections say what they are in their titles; parts of Qt's own widgets belong to them
        if isinstance(fields[name], ctk.ctkCollapsibleButton) or name.startswith("qt_"):
            del fields[name]
    assert len(fields) > 40
    assert [name for name, widget in fields.items() if not widget.toolTip] == []
