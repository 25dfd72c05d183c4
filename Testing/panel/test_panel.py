"""The panel says what is missing, starts and stops a registration, shows its outcome, and survives its scene."""

from __future__ import annotations

import weakref
from typing import Any

import slicer
from placing import to_do


def test_an_empty_scene_leaves_a_panel_that_says_what_is_missing(a_panel: Any) -> None:
    button = a_panel.ui.applyButton
    assert (button.text, button.enabled) == ("Apply", False)
    assert a_panel.ui.applyHintLabel.text == "Choose a CT (3 more to do)"
    assert button.toolTip == "Still to do: Choose a CT; Choose a segmentation; Choose X-ray 1; Choose X-ray 2"


def test_the_demo_case_fills_every_input_but_the_confirmation(a_panel: Any, user: Any) -> None:
    user.press(a_panel.ui.demoButton)
    ui = a_panel.ui
    selectors = (ui.ctSelector, ui.segmentationSelector, ui.xray1Selector, ui.xray2Selector)
    assert [selector.currentNode().GetName() for selector in selectors] == ["CT", "Vertebrae", "AP", "LAT"]
    assert (to_do(a_panel), ui.applyButton.text, ui.applyButton.enabled) == ("Confirm the level", "Apply", False)
    user.press(ui.confirmLevelsCheckBox)
    assert (to_do(a_panel), ui.applyButton.text, ui.applyButton.enabled) == ("", "Apply", True)


def test_a_deleted_input_is_missing_again(a_panel: Any, a_scene: Any, user: Any) -> None:
    user.press(a_panel.ui.demoButton)
    a_scene.RemoveNode(a_panel.ui.ctSelector.currentNode())
    assert to_do(a_panel) == "Choose a CT"
    a_scene.RemoveNode(a_panel.ui.segmentationSelector.currentNode())
    assert not a_panel.ui.applyButton.enabled


def test_a_closed_scene_leaves_a_working_panel(a_panel: Any, a_scene: Any, user: Any) -> None:
    user.press(a_panel.ui.demoButton)
    a_scene.Clear(0)
    assert to_do(a_panel) == "Choose a CT"
    user.press(a_panel.ui.demoButton)
    assert to_do(a_panel) == "Confirm the level"


def test_leaving_and_coming_back_shows_the_same(a_panel: Any, user: Any) -> None:
    user.press(a_panel.ui.demoButton)
    a_panel.exit()
    a_panel.ui.deviceComboBox.setCurrentText("cpu")
    assert a_panel.logic.getParameterNode().device == "auto"
    a_panel.enter()
    assert a_panel.ui.deviceComboBox.currentText == "auto"
    assert to_do(a_panel) == "Confirm the level"


def test_nothing_stays_on_the_node_of_a_panel_that_was_left(a_panel: Any) -> None:
    """An observer that keeps the wrapper alive slows every change; collected with it, it ends the application."""
    left = weakref.ref(a_panel.panel.parameters)
    a_panel.exit()
    assert left() is None


def test_the_modules_own_self_test_passes(a_scene: Any, the_module: Any) -> None:
    the_module.RadGSRegTest().runTest()


def test_the_module_says_what_it_is(the_module: Any) -> None:
    parent = slicer.modules.RadGSRegInstance.parent
    assert parent.title == "RadGS-Reg"
    assert parent.categories == ["Registration"]
    assert not parent.icon.isNull()
    assert "not a medical device" in parent.helpText
