"""From the demo case to an accepted transform with a user at the mouse, the real engine, and all that can go wrong."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from placing import click_in_the_view, place_button, to_do

from radgs.case import RegistrationCase
from radgs.geometry import mean_distance


@pytest.fixture
def a_panel(the_panel: Any, host: Any, a_scene: Any, user: Any) -> Any:
    """The same panel with the demo case in a new scene, its level confirmed."""
    host.wait_until(lambda: not the_panel.logic.worker.busy, 30)
    user.press(the_panel.ui.demoButton)
    user.press(the_panel.ui.confirmLevelsCheckBox)
    assert the_panel.ui.applyButton.enabled
    return the_panel


def apply(panel: Any, user: Any, host: Any, until: str = "") -> None:
    """Presses Apply, and waits until the progress bar speaks of something, or else to the end."""
    user.press(panel.ui.applyButton)
    assert panel.ui.applyButton.text == "Cancel", panel.ui.messageLabel.text
    host.wait_until(lambda: not panel.logic.running or (until and until in panel.ui.progressBar.format), 180)


def cells(panel: Any, row: int) -> list[str]:
    table = panel.ui.resultsTable
    return [table.item(row, column).text() for column in range(table.columnCount)]


def level_transforms() -> list[str]:
    """Names of the transforms that registrations made; slice views have transforms of their own."""
    nodes = slicer.util.getNodesByClass("vtkMRMLLinearTransformNode")
    return [node.GetName() for node in nodes if node.GetAttribute("RadGSReg.level")]


def pose_of(level: str) -> Any:
    return slicer.util.arrayFromTransformMatrix(slicer.util.getNode(f"{level}CTToWorld"))


@pytest.mark.slow
def test_from_the_demo_case_to_an_accepted_transform_and_back(
    a_panel: Any, user: Any, host: Any, a_scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ui, ct = a_panel.ui, a_panel.ui.ctSelector.currentNode()
    assert not ui.acceptButton.enabled
    apply(a_panel, user, host, until="L3")
    assert ui.progressBar.isVisible()
    assert not ui.ctSelector.enabled
    host.wait_until(lambda: not a_panel.logic.running, 180)
    assert not ui.progressBar.isVisible()
    assert slicer.util.mainWindow().statusBar().currentMessage() == "RadGS-Reg: registered: L3 accept"
    level, verdict, error, similarity, state = cells(a_panel, 0)
    assert (level, verdict, state) == ("L3", "✓ accept", "not accepted")
    assert float(error.removesuffix(" mm")) < 2.0
    assert [line.split()[0] for line in similarity.splitlines()] == ["AP", "LAT"]
    truth = truth_of_l3(a_panel.logic)
    surface = slicer.util.arrayFromModelPoints(slicer.util.getNode("L3 vertebra"))
    pose = pose_of("L3")
    assert mean_distance(surface, truth, type(truth).from_matrix(pose)) < 1.0
    assert ct.GetParentTransformNode() is slicer.util.getNode("L3CTToWorld")

    host.wait_until(lambda: ui.pictureLabel1.isVisible(), 30)
    assert ui.resultRadioButton.checked
    red = a_scene.GetSingletonNode("Red", "vtkMRMLSliceCompositeNode")
    assert a_scene.GetNodeByID(red.GetForegroundVolumeID()).GetName() == "L3 DRR in AP"

    asked: list[str] = []
    monkeypatch.setattr(slicer.util, "confirmYesNoDisplay", lambda text, *rest: not asked.append(text))
    user.press(ui.acceptButton)
    assert "held still" in asked[0]
    assert cells(a_panel, 0)[-1] == "✓ accepted"
    assert not ui.acceptButton.enabled

    bundle = str(tmp_path / "scene.mrb")
    assert a_scene.WriteToMRB(bundle)
    a_scene.Clear(0)
    assert ui.resultsTable.rowCount == 0
    a_scene.ReadFromMRB(bundle)
    assert cells(a_panel, 0)[-1] == "✓ accepted"
    assert ui.applyButton.text == "Apply"
    np.testing.assert_allclose(pose_of("L3"), pose, atol=1e-9)
    ct = ui.ctSelector.currentNode()
    user.press(ui.revertButton)
    assert ct.GetParentTransformNode() is None
    assert not ui.revertButton.enabled
    assert cells(a_panel, 0)[-1] == "not accepted"


@pytest.mark.slow
def test_cancel_in_the_middle_changes_nothing(a_panel: Any, user: Any, host: Any) -> None:
    ui = a_panel.ui
    apply(a_panel, user, host, until="reading the case")
    user.press(ui.applyButton)
    assert (ui.applyButton.text, ui.applyButton.enabled) == ("Cancelling...", False)
    host.wait_until(lambda: not a_panel.logic.running, 5)
    assert "The registration was cancelled." in ui.messageLabel.text
    assert (ui.applyButton.text, ui.applyButton.enabled) == ("Apply", True)
    assert level_transforms() == []


def test_closing_the_scene_in_the_middle_leaves_an_empty_panel(
    a_panel: Any, user: Any, host: Any, a_scene: Any
) -> None:
    apply(a_panel, user, host, until="reading the case")
    a_scene.Clear(0)
    assert to_do(a_panel) == "Choose a CT"
    assert not a_panel.ui.progressBar.isVisible()
    host.wait_until(lambda: not a_panel.logic.worker.busy, 5)
    assert level_transforms() == []


@pytest.mark.slow
def test_deleting_the_ct_in_the_middle_is_told(a_panel: Any, user: Any, host: Any, a_scene: Any) -> None:
    ui = a_panel.ui
    apply(a_panel, user, host, until="reading the case")
    a_scene.RemoveNode(ui.ctSelector.currentNode())
    host.wait_until(lambda: not a_panel.logic.running, 300)
    assert "The CT was deleted while it was being registered." in ui.messageLabel.text
    assert to_do(a_panel) == "Choose a CT"
    assert level_transforms() == []


def test_without_a_gpu_cuda_is_refused_with_the_way_out(a_panel: Any, user: Any, host: Any) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    a_panel.ui.deviceComboBox.setCurrentText("cuda")
    apply(a_panel, user, host)
    assert "PyTorch finds no CUDA device here." in a_panel.ui.messageLabel.text
    assert "Choose auto or cpu" in a_panel.ui.messageLabel.text
    assert a_panel.ui.applyButton.enabled


@pytest.mark.slow
def test_two_levels_in_one_run_with_the_xrays_swapped_and_the_ct_follows_the_row(
    a_panel: Any, user: Any, host: Any
) -> None:
    ui, logic = a_panel.ui, a_panel.logic
    levels = ui.levelsList
    user.tick(next(levels.item(row) for row in range(levels.count) if levels.item(row).text() == "L4"))
    assert (to_do(a_panel), ui.confirmLevelsCheckBox.text) == (
        "Confirm the levels",
        "I confirm: L3, L4 are meant",
    )
    user.press(ui.confirmLevelsCheckBox)
    assert to_do(a_panel) == "Click L4 in AP"
    centre = body_centre_seen_from(logic, "L4")
    for column in (1, 2):
        user.press(place_button(a_panel, 1, column))
        click_in_the_view(centre)
    xrays = ui.xray1Selector.currentNode(), ui.xray2Selector.currentNode()
    ui.xray1Selector.setCurrentNode(xrays[1])
    ui.xray2Selector.setCurrentNode(xrays[0])
    assert ui.applyButton.enabled  # clicks belong to X-rays, not to their order
    apply(a_panel, user, host)
    assert [cells(a_panel, row)[0] for row in range(2)] == ["L3", "L4"]
    assert level_transforms() == ["L3CTToWorld", "L4CTToWorld"]
    surface = slicer.util.arrayFromModelPoints(slicer.util.getNode("L3 vertebra"))
    truth = truth_of_l3(logic)
    assert mean_distance(surface, truth, type(truth).from_matrix(pose_of("L3"))) < 1.0
    ct = ui.ctSelector.currentNode()
    assert ct.GetParentTransformNode() is slicer.util.getNode("L3CTToWorld")
    user.choose_row(ui.resultsTable, 1)
    assert ct.GetParentTransformNode() is slicer.util.getNode("L4CTToWorld")
    assert ui.acceptButton.text == "Accept L4"
    body = np.linalg.inv(truth.matrix) @ [*centre, 1.0]
    off = np.linalg.norm((pose_of("L4") @ body)[:3] - centre)
    assert off < 5.0 or cells(a_panel, 1)[1] != "✓ accept"  # far from the click it is never simply accepted


def truth_of_l3(logic: Any) -> Any:
    return RegistrationCase.load(logic.demoCase()).truth["L3"]


def body_centre_seen_from(logic: Any, level: str) -> Any:
    """(3,) where the other level's pose puts this level's vertebra in the world."""
    parameters = logic.getParameterNode()
    identifier = logic.levels(parameters.segmentation)[level]
    centre = np.array(parameters.segmentation.GetSegmentCenterRAS(identifier))
    body = centre + [0.0, 20.0, 0.0]  # the processes behind draw a vertebra's centre back
    return truth_of_l3(logic).apply(body)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.slow
def test_a_killed_engine_is_told_and_the_panel_goes_on(a_panel: Any, user: Any, host: Any) -> None:
    ui = a_panel.ui
    apply(a_panel, user, host, until="reading the case")
    os.kill(a_panel.logic.worker.pid, signal.SIGKILL)
    host.wait_until(lambda: not a_panel.logic.running, 10)
    assert "ended in the middle of its work" in ui.messageLabel.text
    assert (ui.applyButton.text, ui.applyButton.enabled) == ("Apply", True)
