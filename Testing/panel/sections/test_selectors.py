"""Selectors offer what fits and nothing else; what is chosen is never taken away, and a new name loses no clicks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from column import lay_out
from exported_scene import bring_in
from placing import to_do


@pytest.fixture
def a_filled_panel(a_panel: Any, user: Any, tmp_path: Path) -> Any:
    """The demo case with all that a registration leaves: a reconstruction, and DRRs on the films."""
    from radgs.geometry import Volume
    from radgs.io.volumes import write_volume
    from RadGSRegLib.scene.drr_nodes import put_drr

    user.press(a_panel.ui.demoButton)
    inputs = a_panel.logic.inputs()
    write_volume(tmp_path / "L3_reconstruction.nrrd", Volume(np.zeros((4, 5, 6), np.float32), np.eye(4)))
    bring_in(tmp_path, inputs)
    drr = tmp_path / "drr.npy"
    np.save(drr, np.zeros((8, 8), np.float32))
    for xray in inputs.xrays:
        put_drr(xray, "L3", drr, 1)
    slicer.app.processEvents()
    return a_panel


def offered(selector: Any) -> list[str]:
    return [node.GetName() for node in selector.nodes()]


def test_no_xray_drr_or_reconstruction_is_offered_as_the_ct(a_filled_panel: Any) -> None:
    names = {node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")}
    assert {"CT", "AP", "LAT", "L3 reconstruction", "L3 DRR in AP"} <= names
    assert offered(a_filled_panel.ui.ctSelector) == ["CT"]


def test_no_ct_drr_or_reconstruction_is_offered_as_an_xray(a_filled_panel: Any) -> None:
    for selector in (a_filled_panel.ui.xray1Selector, a_filled_panel.ui.xray2Selector):
        assert offered(selector) == ["AP", "LAT"]


def test_what_is_loaded_later_is_offered_where_it_fits(a_filled_panel: Any) -> None:
    slicer.util.addVolumeFromArray(np.zeros((3, 4, 5), np.int16), name="Another CT")
    slicer.util.addVolumeFromArray(np.zeros((1, 4, 5), np.int16), name="Oblique")
    slicer.app.processEvents()
    assert offered(a_filled_panel.ui.ctSelector) == ["CT", "Another CT"]
    assert offered(a_filled_panel.ui.xray1Selector) == ["AP", "LAT", "Oblique"]


def test_a_misfit_that_a_script_chose_stays_chosen(a_filled_panel: Any) -> None:
    parameters = a_filled_panel.logic.getParameterNode()
    film = parameters.xray1
    parameters.ct = film
    slicer.app.processEvents()
    a_filled_panel.panel.refresh()
    assert parameters.ct is film
    assert a_filled_panel.ui.ctSelector.currentNode() is film


def test_what_was_hidden_in_one_scene_is_not_hidden_in_the_next(a_filled_panel: Any, a_scene: Any, user: Any) -> None:
    """Slicer gives the IDs of a closed scene again."""
    from RadGSRegLib.scene.placement import in_scene

    drr = slicer.util.getNode("L3 DRR in AP")
    identifier = drr.GetID()
    assert identifier in a_filled_panel.ui.ctSelector.sortFilterProxyModel().hiddenNodeIDs
    a_scene.Clear(0)
    assert not in_scene(drr)
    while not a_scene.GetNodeByID(identifier):
        volume = slicer.util.addVolumeFromArray(np.zeros((3, 4, 5), np.int16), name="New CT")
    a_filled_panel.logic.getParameterNode().ct = volume
    slicer.app.processEvents()
    assert a_filled_panel.ui.ctSelector.currentNode() is volume


def test_inputs_can_be_renamed_and_neither_made_nor_deleted(a_panel: Any) -> None:
    ui = a_panel.ui
    for selector in (ui.ctSelector, ui.segmentationSelector, ui.xray1Selector, ui.xray2Selector):
        assert (selector.renameEnabled, selector.addEnabled, selector.removeEnabled) == (True, False, False)


def test_a_renamed_xray_keeps_its_click(a_filled_panel: Any) -> None:
    from RadGSRegLib.scene.node_contract import VIEW_ATTRIBUTE

    logic, parameters = a_filled_panel.logic, a_filled_panel.logic.getParameterNode()
    xray = parameters.xray1
    xray.RemoveAttribute(VIEW_ATTRIBUTE)  # as an X-ray that Slicer loaded
    logic.setClick("L3", xray, [0.0, 0.0, 0.0])
    xray.SetName("Anterior")
    slicer.app.processEvents()
    assert logic.click("L3", xray) is not None


def test_without_a_segmentation_the_way_to_one_is_shown(
    a_filled_panel: Any, user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ui = a_filled_panel.ui
    assert not ui.segmentationHintRow.isVisible()
    a_filled_panel.logic.getParameterNode().segmentation = None
    ui.inputsCollapsibleButton.collapsed = False
    slicer.app.processEvents()
    assert "named like L3" in ui.segmentationHintLabel.text
    assert not ui.segmentButton.isVisible()  # this application has neither module
    chosen = []
    monkeypatch.setattr(slicer.util, "selectModule", chosen.append)
    for name, title in (("SegmentEditor", "Segment Editor..."), ("TotalSegmentator", "TotalSegmentator...")):
        monkeypatch.setattr(slicer.modules, name.lower(), type("Module", (), {"name": name}), raising=False)
        a_filled_panel.panel.refresh()
        assert ui.segmentButton.text == title
        lay_out(a_filled_panel)
        lines = ui.segmentationHintLabel.fontMetrics().lineSpacing()
        assert ui.segmentationHintRow.height < 5 * lines, "the hint stands in a gap"
        user.press(ui.segmentButton)
    assert chosen == ["SegmentEditor", "TotalSegmentator"]
    assert to_do(a_filled_panel) == "Choose a segmentation"
