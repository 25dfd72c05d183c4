"""A row per level with its verdict; what was rejected cannot be accepted, what is in doubt is asked about first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import slicer

from radgs.case import LevelResult, Reason, RegistrationResult
from radgs.errors import CaseError
from radgs.geometry import RigidTransform

POSE = RigidTransform.from_rotation_vector([0.02, -0.01, 0.03], [5.0, -6.0, 7.0])
REASON = Reason("far", "The result lies 34 mm from the start.")
SIMILARITY = {"AP": {"start": 0.31, "result": 0.99}, "LAT": {"start": 0.7, "result": float("nan")}}

LEVELS = {
    "L2": LevelResult(POSE, "accept", {"surface_p95": 0.84}, similarity=SIMILARITY),
    "L3": LevelResult(POSE, "check", {"surface_p95": 1.5}, (REASON,)),
    "L4": LevelResult(POSE, "reject", {"surface_p95": float("nan")}, (REASON,)),
}

Bring = Callable[[dict[str, LevelResult]], None]


@pytest.fixture
def bring(a_panel: Any, user: Any, tmp_path: Path) -> Bring:
    """Brings results into the scene as they come from the engine."""
    from RadGSRegLib.engine.result_import import import_steps

    user.press(a_panel.ui.demoButton)
    logic = a_panel.logic
    parameters = logic.getParameterNode()
    segments = logic.levels(parameters.segmentation)
    parameters.segments = {level: segments[level] for level in LEVELS}

    def brought(levels: dict[str, LevelResult]) -> None:
        RegistrationResult(levels).save(tmp_path / "result")
        list(import_steps(tmp_path / "result", logic.inputs()))
        slicer.app.processEvents()

    return brought


def cells(panel: Any, row: int) -> list[str]:
    table = panel.ui.resultsTable
    return [table.item(row, column).text() for column in range(table.columnCount)]


def test_every_level_has_a_row_with_verdict_error_and_similarity(a_panel: Any, bring: Bring) -> None:
    bring(LEVELS)
    assert cells(a_panel, 0) == ["L2", "✓ accept", "0.8 mm", "AP 0.31 → 0.99\nLAT 0.70 → –", "not accepted"]
    assert cells(a_panel, 1)[:3] == ["L3", "? check", "1.5 mm"]
    assert cells(a_panel, 2)[:3] == ["L4", "✗ reject", "unknown"]
    table = a_panel.ui.resultsTable
    colours = [table.item(row, 1).foreground().color().name() for row in range(3)]
    assert colours == ["#176b31", "#a04d00", "#b2182b"]


def test_a_row_moves_the_ct_and_shows_its_reasons(a_panel: Any, bring: Bring, user: Any) -> None:
    bring(LEVELS)
    ui = a_panel.ui
    user.choose_row(ui.resultsTable, 1)
    assert ui.ctSelector.currentNode().GetParentTransformNode().GetName() == "L3CTToWorld"
    assert ui.reasonsLabel.text == "L3: The result lies 34 mm from the start."


def test_a_level_that_was_never_found_has_a_row_and_says_why(a_panel: Any, bring: Bring, user: Any) -> None:
    failed = LevelResult.failed(CaseError("The label of L4 is a sliver.", "Segment it again."))
    bring({**{level: LEVELS[level] for level in ("L2", "L3")}, "L4": failed})
    ui = a_panel.ui
    rows = {cells(a_panel, row)[0]: row for row in range(ui.resultsTable.rowCount)}
    assert cells(a_panel, rows["L4"]) == ["L4", "✗ reject", "no pose", "", ""]
    assert "L4: The label of L4 is a sliver. Segment it again." in ui.reasonsLabel.text
    user.choose_row(ui.resultsTable, rows["L4"])  # there is nowhere to put the CT
    assert ui.ctSelector.currentNode().GetParentTransformNode().GetName() == "L2CTToWorld"
    bring(LEVELS)
    assert ui.resultsTable.rowCount == 3
    assert "sliver" not in ui.reasonsLabel.text


def test_a_scene_remembers_a_level_that_was_never_found(a_panel: Any, bring: Bring) -> None:
    from RadGSRegLib.review.never_found import never_found
    from RadGSRegLib.scene.node_contract import NEVER_FOUND_ATTRIBUTE

    bring({"L2": LEVELS["L2"], "L4": LevelResult.failed(CaseError("Too thin.", "Segment it again."))})
    ct = a_panel.ui.ctSelector.currentNode()
    assert list(never_found(ct)) == ["L4"]
    ct.SetAttribute(NEVER_FOUND_ATTRIBUTE, "somebody else's")
    assert never_found(ct) == {}


def test_a_rejected_pose_cannot_be_accepted(a_panel: Any, bring: Bring, user: Any) -> None:
    from radgs.errors import CaseError
    from RadGSRegLib.review.acceptance import accept

    bring(LEVELS)
    user.choose_row(a_panel.ui.resultsTable, 2)
    assert not a_panel.ui.acceptButton.enabled
    assert "cannot be accepted" in a_panel.ui.acceptButton.toolTip
    with pytest.raises(CaseError, match="The pose of L4 was rejected"):
        accept(a_panel.ui.ctSelector.currentNode(), "L4")


@pytest.mark.parametrize(("answer", "state"), [(False, "not accepted"), (True, "✓ accepted")])
def test_a_pose_to_be_checked_is_asked_about(
    a_panel: Any, bring: Bring, user: Any, monkeypatch: pytest.MonkeyPatch, answer: bool, state: str
) -> None:
    asked = []
    monkeypatch.setattr(slicer.util, "confirmYesNoDisplay", lambda text, *rest: asked.append(text) or answer)
    bring(LEVELS)
    user.choose_row(a_panel.ui.resultsTable, 1)
    user.press(a_panel.ui.acceptButton)
    assert "34 mm from the start" in asked[0]
    assert cells(a_panel, 1)[-1] == state


def test_an_accepted_pose_that_is_moved_by_hand_is_accepted_no_longer(a_panel: Any, bring: Bring, user: Any) -> None:
    bring(LEVELS)
    user.choose_row(a_panel.ui.resultsTable, 0)
    user.press(a_panel.ui.acceptButton)
    assert cells(a_panel, 0)[-1] == "✓ accepted"
    slicer.util.updateTransformMatrixFromArray(slicer.util.getNode("L2CTToWorld"), RigidTransform.identity().matrix)
    slicer.app.processEvents()
    assert cells(a_panel, 0)[-1] == "moved since"
    assert not a_panel.ui.acceptButton.enabled


def test_a_pose_counts_no_longer_when_an_xray_stands_elsewhere(a_panel: Any, bring: Bring, user: Any) -> None:
    """The X-rays' frame is where the pose leads to."""
    bring(LEVELS)
    user.choose_row(a_panel.ui.resultsTable, 0)
    user.press(a_panel.ui.acceptButton)
    xray = a_panel.ui.xray1Selector.currentNode()
    origin = xray.GetOrigin()
    xray.SetOrigin(origin[0] + 1.0, origin[1], origin[2])
    slicer.app.processEvents()
    assert cells(a_panel, 0)[-1] == "moved since"
    assert not a_panel.ui.acceptButton.enabled
    assert "does not stand where it stood" in a_panel.ui.acceptButton.toolTip
    xray.SetOrigin(*origin)
    slicer.app.processEvents()
    assert cells(a_panel, 0)[-1] == "✓ accepted"


def test_a_new_result_has_to_be_accepted_anew(a_panel: Any, bring: Bring, user: Any) -> None:
    bring(LEVELS)
    user.press(a_panel.ui.acceptButton)
    bring(LEVELS)
    assert cells(a_panel, 0)[-1] == "not accepted"


def test_a_level_that_is_not_found_any_more_does_not_seem_to_stand_where_it_was(a_panel: Any, bring: Bring) -> None:
    bring(LEVELS)
    ct = a_panel.ui.ctSelector.currentNode()
    assert ct.GetParentTransformNode().GetName() == "L2CTToWorld"
    bring({"L2": LevelResult(None, "reject", reasons=(REASON,))})
    assert cells(a_panel, 0)[:3] == ["L2", "✗ reject", "no pose"]
    assert ct.GetParentTransformNode() is None
    assert slicer.mrmlScene.GetFirstNodeByName("L2 vertebra") is None


def test_a_level_that_could_not_be_registered_is_told_with_its_sentence_and_the_others_are_shown(
    a_panel: Any, bring: Bring
) -> None:
    from RadGSRegLib.sections.apply import _line

    error = CaseError("L2 has only 7 mm3 and is no vertebra.", "Choose the vertebra's own label.")
    bring({"L2": LevelResult.failed(error), "L3": LEVELS["L3"]})
    assert cells(a_panel, 0)[0] == "L3"
    assert slicer.mrmlScene.GetFirstNodeByName("L2CTToWorld") is None
    assert str(error) in _line("L2", LevelResult.failed(error))


def test_results_bear_the_names_that_the_user_gave(a_panel: Any, bring: Bring) -> None:
    ui = a_panel.ui
    ui.transformNameEdit.text = "pose of {level}"
    assert ui.outputsLabel.text.startswith("pose of L2 (new)")
    bring(LEVELS)
    assert slicer.mrmlScene.GetFirstNodeByName("pose of L3") is not None
    assert ui.outputsLabel.text.startswith("pose of L2 (will be replaced)")
    ui.transformNameEdit.text = "pose"
    assert "Put {level} into the name of the transforms" in ui.applyButton.toolTip


def test_revert_puts_the_ct_back(a_panel: Any, bring: Bring, user: Any) -> None:
    bring(LEVELS)
    user.press(a_panel.ui.revertButton)
    assert a_panel.ui.ctSelector.currentNode().GetParentTransformNode() is None
    assert not a_panel.ui.revertButton.enabled
    assert "before any registration" in a_panel.ui.revertButton.toolTip


def test_an_accept_is_undone(a_panel: Any, bring: Bring, user: Any) -> None:
    bring(LEVELS)
    ui = a_panel.ui
    assert (ui.undoButton.text, ui.undoButton.enabled) == ("Undo", False)
    user.press(ui.acceptButton)
    assert ui.undoButton.text == "Undo Accept L2"
    user.press(ui.undoButton)
    assert cells(a_panel, 0)[-1] == "not accepted"
    assert ui.acceptButton.enabled
    assert not ui.undoButton.enabled


def test_a_revert_is_undone_with_the_acceptance_that_it_took(a_panel: Any, bring: Bring, user: Any) -> None:
    bring(LEVELS)
    ui, ct = a_panel.ui, a_panel.ui.ctSelector.currentNode()
    couch = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Couch")
    user.press(ui.revertButton)
    for node in (ct, ui.segmentationSelector.currentNode()):
        node.SetAndObserveTransformNodeID(couch.GetID())
    bring(LEVELS)
    user.press(ui.acceptButton)
    user.press(ui.revertButton)
    assert ct.GetParentTransformNode() is couch
    assert cells(a_panel, 0)[-1] == "not accepted"
    user.press(ui.undoButton)
    for node in (ct, ui.segmentationSelector.currentNode()):
        assert node.GetParentTransformNode().GetName() == "L2CTToWorld"
    assert cells(a_panel, 0)[-1] == "✓ accepted"
    user.press(ui.revertButton)  # and the way back is known still
    assert ct.GetParentTransformNode() is couch


def test_another_result_leaves_nothing_to_undo(a_panel: Any, bring: Bring, user: Any) -> None:
    """What was accepted is not what there is now."""
    bring(LEVELS)
    user.press(a_panel.ui.acceptButton)
    other = RigidTransform.from_rotation_vector([0.0, 0.0, 0.0], [1.0, 2.0, 3.0])
    bring({"L2": LevelResult(other, "accept", {"surface_p95": 0.84})})
    assert not a_panel.ui.undoButton.enabled


def test_a_closed_scene_leaves_nothing_to_undo(a_panel: Any, bring: Bring, user: Any, a_scene: Any) -> None:
    bring(LEVELS)
    user.press(a_panel.ui.acceptButton)
    a_scene.Clear(0)
    assert not a_panel.ui.undoButton.enabled


def test_an_earlier_run_of_the_level_can_be_brought_back(a_panel: Any, bring: Bring) -> None:
    from dataclasses import replace

    import numpy as np

    ui = a_panel.ui
    bring({"L2": LEVELS["L2"]})
    assert not ui.runsComboBox.isVisible()  # one run leaves nothing to choose
    moved = RigidTransform(POSE.rotation, POSE.translation + [0.0, 3.0, 0.0])
    bring({"L2": replace(LEVELS["L2"], ct_to_world=moved, verdict="check", reasons=(REASON,))})
    assert ui.runsComboBox.isVisible()
    assert ui.runsComboBox.count == 2
    assert ui.runsComboBox.currentIndex == 1
    assert "? check" in ui.runsComboBox.itemText(1)
    assert cells(a_panel, 0)[1] == "? check"
    ui.runsComboBox.setCurrentIndex(0)
    slicer.app.processEvents()
    assert cells(a_panel, 0)[1] == "✓ accept"
    pose = slicer.util.arrayFromTransformMatrix(slicer.util.getNode("L2CTToWorld"))
    np.testing.assert_allclose(pose, POSE.matrix, atol=1e-9)
    assert ui.runsComboBox.count == 2  # nothing was lost
