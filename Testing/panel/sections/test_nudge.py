"""A copy of the vertebra is moved by hand and the result stays; pictures follow, and a registration can start there."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer

from radgs.case import LevelResult, RegistrationCase
from radgs.geometry import RigidTransform


@pytest.fixture(scope="module")
def truth(the_module: Any) -> RigidTransform:
    """L3's true pose in the demo case."""
    logic = the_module.RadGSRegLogic()
    case = RegistrationCase.load(logic.demoCase())
    logic.cleanup()
    return case.truth["L3"]


@pytest.fixture
def a_result(the_panel: Any, host: Any, a_scene: Any, user: Any, truth: RigidTransform, tmp_path: Path) -> Any:
    """The demo case, confirmed, with a result 3 mm too far up, drawn."""
    from exported_scene import bring_in

    host.wait_until(lambda: not the_panel.logic.worker.busy, 60)
    user.press(the_panel.ui.demoButton)
    user.press(the_panel.ui.confirmLevelsCheckBox)
    off = RigidTransform(truth.rotation, truth.translation + [0.0, 0.0, 3.0])
    stages = {"start": truth, "refined": off}
    bring_in(tmp_path / "result", the_panel.logic.inputs(), {"L3": LevelResult(off, "accept", stages=stages)})
    slicer.app.processEvents()
    if the_panel.ui.drawButton.enabled:  # a warm engine draws a result without being asked
        user.press(the_panel.ui.drawButton)
    host.wait_until(lambda: the_panel.ui.nudgeButton.enabled, 120)
    yield the_panel
    the_panel.logic.stopDrawingMoved()


def nudge() -> Any:
    return slicer.util.getFirstNodeByClassByName("vtkMRMLLinearTransformNode", "L3 nudged")


def pose_of(name: str) -> np.ndarray:
    return slicer.util.arrayFromTransformMatrix(slicer.util.getNode(name))


def pixels(label: Any) -> bytes:
    return bytes(label.pixmap.toImage().constBits())


@pytest.mark.slow
def test_a_copy_is_moved_and_drawn_and_the_result_stays(a_result: Any, user: Any, host: Any) -> None:
    ui, before = a_result.ui, pose_of("L3CTToWorld")
    assert not ui.nudgeFrame.isVisible()
    films = slicer.util.arrayFromVolume(slicer.util.getNode("L3 DRR in AP")).copy()
    user.press(ui.nudgeButton)
    # The slice views keep the result's DRR, from which the copy sets out.
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(slicer.util.getNode("L3 DRR in AP")), films)
    assert not nudge().GetSaveWithScene()
    display = nudge().GetDisplayNode()
    assert display.GetEditorVisibility()
    assert display.GetEditorVisibility3D()
    assert display.GetEditorSliceIntersectionVisibility()
    assert not display.GetEditorScalingEnabled()
    assert not display.GetEditorScalingSliceEnabled()
    host.wait_until(lambda: ui.nudgedRadioButton.isVisible() and not a_result.logic.worker.busy, 60)
    assert ui.nudgedRadioButton.checked
    shown = pixels(ui.pictureLabel1)
    ui.nudgeStepComboBox.setCurrentIndex(3)  # 2 mm
    user.press(ui.nudgeShiftIButton)
    np.testing.assert_allclose(pose_of("L3 nudged")[:3, 3] - before[:3, 3], [0.0, 0.0, -2.0], atol=1e-9)
    host.wait_until(lambda: pixels(ui.pictureLabel1) != shown, 60)
    assert ui.nudgeLabel.text == "2.0 mm and 0.0° from the result"
    user.press(ui.nudgeTurnTiltRButton)
    top = np.array([0.0, 0.0, 1.0])
    assert (pose_of("L3 nudged")[:3, :3] @ np.linalg.inv(before[:3, :3]) @ top)[0] > 0  # towards the right
    assert ui.nudgeLabel.text == "2.0 mm and 2.0° from the result"
    np.testing.assert_array_equal(pose_of("L3CTToWorld"), before)
    user.press(ui.nudgeBackButton)
    assert ui.nudgeLabel.text == "0.0 mm and 0.0° from the result"
    user.press(ui.nudgeButton)
    assert nudge() is None
    assert slicer.util.getFirstNodeByClassByName("vtkMRMLModelNode", "L3 vertebra, nudged") is None
    assert not ui.nudgedRadioButton.isVisible()
    assert ui.resultRadioButton.checked


@pytest.mark.slow
def test_while_a_handle_is_dragged_the_newest_pose_wins(a_result: Any, user: Any, host: Any) -> None:
    """Poses come faster than pictures; the last one is drawn, and most of the others never were."""
    ui, logic = a_result.ui, a_result.logic
    user.press(ui.nudgeButton)
    host.wait_until(lambda: not logic.worker.busy, 60)
    drawn: list[float] = []
    section = next(s for s in a_result.panel.sections if type(s).__name__ == "VisualQaSection")
    take = section._live._take

    def counted(*arguments: Any) -> None:
        take(*arguments)
        drawn.append(section._shown.pictures.pose("nudged").translation[2])

    section._live._take = counted
    start = pose_of("L3 nudged")
    for number in range(40):  # what a drag does: the matrix is set at every move of the mouse
        moved = start.copy()
        moved[2, 3] -= 0.1 * (number + 1)
        slicer.util.updateTransformMatrixFromArray(nudge(), moved)
        slicer.app.processEvents()
        time.sleep(0.01)
    host.wait_until(lambda: drawn and drawn[-1] == pytest.approx(start[2, 3] - 4.0), 60)
    del section._live._take
    assert drawn == sorted(drawn, reverse=True)
    assert len(drawn) < 40


@pytest.mark.slow
def test_another_way_to_compare_is_drawn_once_the_hand_rests(a_result: Any, user: Any, host: Any) -> None:
    ui = a_result.ui
    user.press(ui.nudgeButton)
    host.wait_until(lambda: not a_result.logic.worker.busy, 60)
    ui.modeComboBox.setCurrentIndex(ui.modeComboBox.findData("agreement"))
    user.press(ui.nudgeShiftIButton)
    host.wait_until(lambda: "edges agree" in ui.pictureLabel1.toolTip, 120)
    assert ui.nudgedRadioButton.checked
    ui.modeComboBox.setCurrentIndex(0)


@pytest.mark.slow
def test_a_copy_that_is_deleted_or_scaled_leaves_a_working_panel(a_result: Any, user: Any, a_scene: Any) -> None:
    ui = a_result.ui
    user.press(ui.nudgeButton)
    stretched = pose_of("L3 nudged")
    stretched[:3, :3] *= 1.5
    slicer.util.updateTransformMatrixFromArray(nudge(), stretched)
    slicer.app.processEvents()
    assert "not rigid" in ui.messageLabel.text
    user.press(ui.nudgeBackButton)
    assert ui.nudgeLabel.text == "0.0 mm and 0.0° from the result"
    a_scene.RemoveNode(nudge())
    slicer.app.processEvents()
    assert not ui.nudgeFrame.isVisible()
    assert not ui.nudgeButton.checked
    assert slicer.util.getFirstNodeByClassByName("vtkMRMLModelNode", "L3 vertebra, nudged") is None
    assert ui.resultRadioButton.checked
    user.press(ui.nudgeButton)
    assert nudge() is not None


@pytest.mark.slow
def test_the_result_of_another_run_ends_a_nudge(a_result: Any, user: Any, host: Any, tmp_path: Path) -> None:
    from exported_scene import bring_in

    user.press(a_result.ui.nudgeButton)
    other = LevelResult(RigidTransform.from_matrix(pose_of("L3CTToWorld")), "check")
    bring_in(tmp_path / "other", a_result.logic.inputs(), {"L3": other})
    slicer.app.processEvents()
    assert nudge() is None
    assert not a_result.ui.nudgeFrame.isVisible()


@pytest.mark.slow
def test_a_registration_starts_from_the_nudge_and_ends_it(a_result: Any, user: Any, host: Any) -> None:
    ui = a_result.ui
    user.press(ui.nudgeButton)
    ui.nudgeStepComboBox.setCurrentIndex(3)
    user.press(ui.nudgeShiftIButton)
    start = pose_of("L3 nudged")
    host.wait_until(lambda: not a_result.logic.worker.busy, 60)
    user.press(ui.nudgeRefineButton)
    assert ui.applyButton.text == "Cancel", ui.messageLabel.text
    host.wait_until(lambda: not a_result.logic.running, 300)
    slicer.app.processEvents()
    assert nudge() is None
    result = json.loads(slicer.util.getNode("L3CTToWorld").GetAttribute("RadGSReg.result"))
    np.testing.assert_allclose(result["stages"]["start"], start, atol=1e-9)
    assert ui.runsComboBox.count == 2


def test_without_a_drawn_result_there_is_nothing_to_nudge(the_panel: Any, a_scene: Any, user: Any) -> None:
    user.press(the_panel.ui.demoButton)
    assert not the_panel.ui.nudgeButton.enabled
    assert "before a result" in the_panel.ui.nudgeButton.toolTip
