"""Where a level's results go: nodes that are made, nodes that there are, and names that are patterns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from exported_scene import L3, LEVELS, bring_in


@pytest.fixture
def confirmed(a_panel: Any, user: Any) -> Any:
    user.press(a_panel.ui.demoButton)
    user.press(a_panel.ui.confirmLevelsCheckBox)
    return a_panel


@pytest.fixture
def bring(confirmed: Any, tmp_path: Path) -> Any:
    """Brings L3 into the scene as the engine leaves it, with a reconstruction of the value given."""
    from radgs.geometry import Volume
    from radgs.io.volumes import write_volume

    def brought(value: float = 1.0) -> None:
        volume = Volume(np.full((4, 5, 6), value, np.float32), np.diag([2.0, 2.0, 2.0, 1.0]))
        write_volume(tmp_path / "L3_reconstruction.nrrd", volume)
        bring_in(tmp_path, confirmed.logic.inputs(), {"L3": LEVELS["L3"]})
        slicer.app.processEvents()

    return brought


def pose_in(transform: Any) -> Any:
    return slicer.util.arrayFromTransformMatrix(transform)


def test_without_a_choice_new_nodes_are_made_and_then_replaced(confirmed: Any, bring: Any) -> None:
    ui = confirmed.ui
    assert ui.outputTransformSelector.noneDisplay == "New: L3CTToWorld"
    assert ui.outputVolumeSelector.noneDisplay == "New: L3 reconstruction"
    bring()
    first = slicer.util.getNode("L3CTToWorld")
    assert ui.outputTransformSelector.noneDisplay == "Replace L3CTToWorld"
    assert ui.outputVolumeSelector.noneDisplay == "Replace L3 reconstruction"
    first.SetName("planned")
    bring()
    assert slicer.util.getNode("planned") is first  # whoever renamed it is not overruled
    assert slicer.mrmlScene.GetFirstNodeByName("L3CTToWorld") is None


def test_results_go_into_nodes_that_are_made_in_the_panel(confirmed: Any, bring: Any) -> None:
    ui = confirmed.ui
    transform, volume = ui.outputTransformSelector.addNode(), ui.outputVolumeSelector.addNode()
    assert (transform.GetName(), volume.GetName()) == ("L3CTToWorld", "L3 reconstruction")
    parameters = confirmed.logic.getParameterNode()
    assert (parameters.outputTransform, parameters.outputVolume) == (transform, volume)
    bring(7.0)
    np.testing.assert_allclose(pose_in(transform), L3.matrix, atol=1e-9)
    assert slicer.util.arrayFromVolume(volume).max() == 7.0
    assert volume.GetSpacing() == (2.0, 2.0, 2.0)
    ct = ui.ctSelector.currentNode()
    assert ct.GetParentTransformNode() is transform
    assert (
        len([node for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") if "recon" in node.GetName()]) == 1
    )
    bring(8.0)
    assert slicer.util.arrayFromVolume(volume).max() == 8.0
    assert (ui.outputTransformSelector.currentNode(), ui.outputVolumeSelector.currentNode()) == (transform, volume)


def test_the_transform_that_a_level_had_becomes_a_plain_one(confirmed: Any, bring: Any, user: Any) -> None:
    from RadGSRegLib.scene.levels import level_transforms

    ui = confirmed.ui
    bring()
    former, ct = slicer.util.getNode("L3CTToWorld"), ui.ctSelector.currentNode()
    user.press(ui.acceptButton)
    chosen = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Second try")
    ui.outputTransformSelector.setCurrentNode(chosen)
    bring()
    assert level_transforms(ct) == {"L3": chosen}
    assert ct.GetParentTransformNode() is chosen
    assert slicer.util.getNode("L3 vertebra").GetParentTransformNode() is chosen
    np.testing.assert_allclose(pose_in(former), L3.matrix, atol=1e-9)  # pose and name stay
    assert not [name for name in former.GetAttributeNames() if name.startswith("RadGSReg")]
    user.press(ui.revertButton)
    assert ct.GetParentTransformNode() is None


def test_only_what_nobody_needs_is_offered(confirmed: Any, a_scene: Any, bring: Any, tmp_path: Path) -> None:
    ui, ct = confirmed.ui, confirmed.ui.ctSelector.currentNode()
    couch, free, other = (
        a_scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name) for name in ("Couch", "Free", "Of L4")
    )
    confirmed.logic.getParameterNode().xray1.SetAndObserveTransformNodeID(couch.GetID())
    other.SetAttribute("RadGSReg.level", "L4")
    other.SetNodeReferenceID("RadGSReg.ct", ct.GetID())
    slicer.app.processEvents()
    assert [node.GetName() for node in ui.outputTransformSelector.nodes()] == ["Free"]
    assert ui.outputVolumeSelector.nodes() == []  # no CT and no X-ray is written over
    empty = a_scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
    slicer.app.processEvents()
    assert ui.outputVolumeSelector.nodes() == [empty]
    assert free in ui.outputTransformSelector.nodes()


def test_a_transform_of_the_users_is_never_chosen_by_itself(confirmed: Any, a_scene: Any) -> None:
    """Slicer's selector makes another entry current when what it says for none is changed."""
    a_scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "The user's own")
    slicer.app.processEvents()
    told: list[Any] = []
    confirmed.ui.outputTransformSelector.connect("currentNodeChanged(vtkMRMLNode*)", told.append)
    confirmed.ui.transformNameEdit.text = "pose of {level}"
    slicer.app.processEvents()
    assert confirmed.ui.outputTransformSelector.noneDisplay == "New: pose of L3"
    assert confirmed.ui.outputTransformSelector.currentNode() is None
    assert told == []
    assert confirmed.logic.getParameterNode().outputTransform is None


def test_an_output_of_one_level_is_let_go_when_another_is_ticked(confirmed: Any, bring: Any) -> None:
    parameters = confirmed.logic.getParameterNode()
    confirmed.ui.outputTransformSelector.addNode()
    bring()
    assert parameters.outputTransform is not None
    parameters.segments = {"L4": confirmed.logic.levels(parameters.segmentation)["L4"]}
    slicer.app.processEvents()
    assert confirmed.logic.getParameterNode().outputTransform is None
    assert confirmed.logic.inputs().output_transform is None


def test_several_levels_are_named_by_the_patterns_under_advanced(confirmed: Any) -> None:
    ui, parameters = confirmed.ui, confirmed.logic.getParameterNode()
    ui.outputTransformSelector.addNode()
    levels = confirmed.logic.levels(parameters.segmentation)
    parameters.segments = {level: levels[level] for level in ("L3", "L4")}
    ui.outputsCollapsibleButton.collapsed = False
    slicer.app.processEvents()
    assert not ui.outputTransformSelector.isVisible()
    assert ui.outputsLabel.text == "L3CTToWorld (new), L4CTToWorld (new)"
    ui.transformNameEdit.text = "pose of {level}"
    slicer.app.processEvents()
    assert ui.outputsLabel.text == "pose of L3 (new), pose of L4 (new)"
    assert confirmed.logic.inputs().output_transform is None  # which of them would it be for?
