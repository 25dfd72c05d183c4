"""Pictures are drawn by the engine, show what the slider and the boxes say, and go when what they show has changed."""

from __future__ import annotations

from typing import Any

import pytest
import slicer

pytestmark = pytest.mark.slow


@pytest.fixture
def a_drawn_panel(the_panel: Any, host: Any, a_scene: Any, user: Any) -> Any:
    """The demo case with the pictures of its start."""
    host.wait_until(lambda: not the_panel.logic.worker.busy, 60)
    user.press(the_panel.ui.demoButton)
    user.press(the_panel.ui.showStartButton)
    assert the_panel.ui.visualQaLabel.text == "Drawing L3..."
    host.wait_until(the_panel.ui.pictureLabel1.isVisible, 60)
    return the_panel


def pixels(label: Any) -> bytes:
    image = label.pixmap.toImage()
    return bytes(image.constBits())


def test_slider_and_contour_change_the_pictures_and_the_slice_views(a_drawn_panel: Any, user: Any) -> None:
    ui = a_drawn_panel.ui
    red = slicer.mrmlScene.GetSingletonNode("Red", "vtkMRMLSliceCompositeNode")
    seen = set()
    for share in (0, 50, 100):
        ui.blendSlider.value = share
        seen.add(pixels(ui.pictureLabel1))
        assert red.GetForegroundOpacity() == pytest.approx(share / 100)
    user.press(ui.contourCheckBox)
    seen.add(pixels(ui.pictureLabel1))
    assert len(seen) == 4
    user.press(ui.contourCheckBox)
    assert not ui.resultRadioButton.enabled


def test_the_line_of_a_split_is_dragged_in_the_picture(a_drawn_panel: Any) -> None:
    from PySide6 import QtCore, QtGui, QtTest

    ui, left = a_drawn_panel.ui, QtCore.Qt.MouseButton.LeftButton
    picture = ui.pictureLabel1
    ui.blendSlider.value = 50
    QtTest.QTest.mouseClick(picture, left, pos=QtCore.QPoint(20, 90))
    assert ui.blendSlider.value == 50  # a blend has no line
    ui.modeComboBox.setCurrentIndex(ui.modeComboBox.findData("split"))
    seen = {pixels(picture)}
    QtTest.QTest.mousePress(picture, left, pos=QtCore.QPoint(52, 90))
    assert ui.blendSlider.value == 25
    seen.add(pixels(picture))
    move = QtGui.QMouseEvent(
        QtCore.QEvent.Type.MouseMove,
        QtCore.QPointF(156, 90),
        picture.mapToGlobal(QtCore.QPointF(156, 90)),
        left,
        left,
        QtCore.Qt.KeyboardModifier.NoModifier,
    )
    QtCore.QCoreApplication.sendEvent(picture, move)
    assert ui.blendSlider.value == 75
    seen.add(pixels(picture))
    QtTest.QTest.mouseRelease(picture, left, pos=QtCore.QPoint(156, 90))
    assert len(seen) == 3
    assert pixels(ui.pictureLabel2)
    ui.modeComboBox.setCurrentIndex(0)


def test_a_moved_click_takes_the_picture_of_the_start_away(a_drawn_panel: Any) -> None:
    ui, logic = a_drawn_panel.ui, a_drawn_panel.logic
    logic.setClick("L3", logic.getParameterNode().xray1, [0.0, 0.0, 0.0])
    slicer.app.processEvents()
    assert not ui.pictureLabel1.isVisible()
    assert ui.visualQaLabel.text == "Press Draw to compare"


def test_another_geometry_takes_the_pictures_away(a_drawn_panel: Any) -> None:
    ui, logic = a_drawn_panel.ui, a_drawn_panel.logic
    xray = logic.getParameterNode().xray2
    logic.setSource(xray, [-700.0, 50.0, -30.0])
    slicer.app.processEvents()
    assert not ui.pictureLabel2.isVisible()


def test_a_transform_that_is_not_linear_is_told_and_not_raised(a_drawn_panel: Any, user: Any, a_scene: Any) -> None:
    ui = a_drawn_panel.ui
    bent = a_scene.AddNewNodeByClass("vtkMRMLGridTransformNode", "Bent")
    ui.xray1Selector.currentNode().SetAndObserveTransformNodeID(bent.GetID())
    slicer.app.processEvents()
    assert "is not a linear transform" in ui.geometry1Label.text
    user.press(ui.showXraysButton)
    assert "is not a linear transform" in ui.messageLabel.text
    assert not ui.applyButton.enabled


def test_of_several_requests_the_newest_is_drawn(a_drawn_panel: Any, host: Any) -> None:
    logic, told = a_drawn_panel.logic, []
    for number in range(3):
        logic.draw(logic.inputs(), "L3", {}, lambda folder, number=number: told.append(number), told.append)
    host.wait_until(lambda: told and not logic.worker.busy, 60)
    assert told == [2]


def test_what_the_engine_cannot_draw_is_told(a_drawn_panel: Any, user: Any, host: Any) -> None:
    ui, logic = a_drawn_panel.ui, a_drawn_panel.logic
    logic.setClick("L3", logic.getParameterNode().xray1, [0.0, 0.0, 200.0])
    slicer.app.processEvents()
    user.press(ui.drawButton)
    host.wait_until(lambda: not ui.visualQaLabel.text.startswith("Drawing"), 60)
    assert "L3" in ui.visualQaLabel.text
    assert not ui.pictureLabel1.isVisible()


def test_the_xrays_stand_in_3d(a_drawn_panel: Any, user: Any) -> None:
    box = a_drawn_panel.ui.xraysIn3DCheckBox
    views = [slicer.mrmlScene.GetSingletonNode(tag, "vtkMRMLSliceNode") for tag in ("Red", "Yellow")]
    user.press(box)
    assert [bool(view.GetSliceVisible()) for view in views] == [True, True]
    user.press(box)
    assert [bool(view.GetSliceVisible()) for view in views] == [False, False]


def test_an_opacity_that_was_set_at_the_view_stays(a_drawn_panel: Any, user: Any) -> None:
    ui = a_drawn_panel.ui
    red = slicer.mrmlScene.GetSingletonNode("Red", "vtkMRMLSliceCompositeNode")
    red.SetForegroundOpacity(0.23)
    a_drawn_panel.panel.refresh()
    user.press(ui.contourCheckBox)
    user.press(ui.contourCheckBox)
    user.press(ui.showXraysButton)
    a_drawn_panel.exit()
    a_drawn_panel.enter()
    assert red.GetForegroundOpacity() == pytest.approx(0.23)
    assert ui.drawButton.isVisible()  # who comes back finds the section open


def test_pictures_drawn_again_leave_the_views_opacity(a_drawn_panel: Any, user: Any, host: Any) -> None:
    ui = a_drawn_panel.ui
    red = slicer.mrmlScene.GetSingletonNode("Red", "vtkMRMLSliceCompositeNode")
    red.SetForegroundOpacity(0.23)
    user.press(ui.drawButton)
    host.wait_until(lambda: not ui.visualQaLabel.text.startswith("Drawing"), 60)
    assert red.GetForegroundOpacity() == pytest.approx(0.23)


def test_keys_mix_the_pictures_while_the_module_is_open(a_drawn_panel: Any) -> None:
    from PySide6 import QtCore, QtTest

    ui, window = a_drawn_panel.ui, slicer.util.mainWindow()
    window.show()
    window.activateWindow()
    slicer.app.processEvents()
    both = QtCore.Qt.KeyboardModifier.ControlModifier | QtCore.Qt.KeyboardModifier.ShiftModifier

    def press(key: QtCore.Qt.Key) -> int:
        QtTest.QTest.keyClick(window, key, both)
        slicer.app.processEvents()
        return ui.blendSlider.value

    ui.blendSlider.value = 50
    assert press(QtCore.Qt.Key.Key_D) == 60
    assert press(QtCore.Qt.Key.Key_X) == 50
    ui.resultRadioButton.enabled = True  # as after a registration
    ui.resultRadioButton.checked = True
    press(QtCore.Qt.Key.Key_B)
    assert ui.startRadioButton.checked
    press(QtCore.Qt.Key.Key_B)
    assert ui.resultRadioButton.checked
    a_drawn_panel.exit()
    assert press(QtCore.Qt.Key.Key_D) == 50
    a_drawn_panel.enter()
    window.hide()


def test_pictures_given_up_for_a_registration_do_not_seem_to_be_drawn_for_ever(
    a_drawn_panel: Any, host: Any, user: Any
) -> None:
    ui, logic = a_drawn_panel.ui, a_drawn_panel.logic
    user.press(ui.confirmLevelsCheckBox)
    user.press(ui.drawButton)
    user.press(ui.applyButton)
    assert logic.running
    user.press(ui.applyButton)
    host.wait_until(lambda: not logic.running, 120)
    a_drawn_panel.panel.refresh()
    assert ui.visualQaLabel.text != "Drawing L3..." or logic.drawing
    host.wait_until(lambda: ui.drawButton.enabled or ui.pictureLabel1.isVisible(), 60)


def test_the_keys_are_not_slicers_own() -> None:
    """What Slicer 5.10 and main have taken.

    Base/QTApp/Resources/UI/qSlicerMainWindow.ui, Base/QTGUI/qSlicerModuleSelectorToolBar.cxx, and the widgets of the
    modules Markups (qMRMLMarkupsToolBar.cxx), Sequences (qMRMLSequenceBrowserPlayWidget.cxx) and SubjectHierarchy.
    """
    from RadGSRegLib.sections.shortcuts import BEFORE_AFTER, MORE_DRR, MORE_XRAY

    with_control = set("OSWZYXCVHFB4265") | {"Left", "Right"}
    with_both = {"A", "T", "Space", "Down", "Left", "Right"}
    taken = {f"Ctrl+{key}" for key in with_control} | {f"Ctrl+Shift+{key}" for key in with_both}
    assert not taken & {BEFORE_AFTER, MORE_XRAY, MORE_DRR}


def test_tooltips_name_the_keys(a_drawn_panel: Any) -> None:
    ui = a_drawn_panel.ui
    assert "Ctrl+Shift+B" in ui.startRadioButton.toolTip
    assert "Ctrl+Shift+X" in ui.blendSlider.toolTip


def test_in_3d_only_the_sources_have_labels(a_drawn_panel: Any) -> None:
    """Clicks lie on the films, those of neighbouring levels on each other; sources are a metre apart."""
    fiducials = slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode")
    shown = {node.GetName() for node in fiducials if node.GetDisplayNode().GetVisibility3D()}
    assert shown == {"AP source", "LAT source"}
    assert all(node.GetDisplayNode().GetVisibility2D() for node in fiducials)
