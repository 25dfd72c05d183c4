"""As a new user would: a folder of DICOM from the archive, and a verdict, in the panel, without an editor."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from demo_dicom import ArchivedDemo, load_ct_and_segment, write_archive
from placing import click_in_the_view, place_button, to_do
from slicer_fixtures import PROJECT, in_full_slicer

from radgs.geometry import mean_distance


@pytest.fixture
def the_browser(host: Any, a_scene: Any, the_module: Any) -> Iterator[Any]:
    """Slicer's DICOM browser with our plugin."""
    if in_full_slicer():
        pytest.skip("the full Slicer has a DICOM database of its own")
    from slicerhost import dicom_library

    dicom_library.install()
    dicom_library.load_plugin(PROJECT / "RadGSReg" / "RadGSRegDICOMPlugin.py")
    yield dicom_library
    del slicer.dicomDatabase, slicer.modules.dicomPlugins, sys.modules["DICOMLib"]


@pytest.fixture
def archived(the_module: Any, a_panel: Any, tmp_path: Path) -> ArchivedDemo:
    return write_archive(a_panel.logic.demoCase(), tmp_path / "from the archive")


def tick(panel: Any, user: Any, level: str) -> None:
    levels = panel.ui.levelsList
    user.tick(next(levels.item(row) for row in range(levels.count) if levels.item(row).text() == level))


@pytest.mark.slow
def test_a_folder_of_dicom_comes_to_a_verdict(
    the_browser: Any, a_panel: Any, archived: ArchivedDemo, user: Any, host: Any
) -> None:
    from RadGSRegLib.scene.xray_nodes import geometry_of

    ui, logic = a_panel.ui, a_panel.logic
    assert the_browser.load(the_browser.examine([[path] for path in archived.xrays])) == []
    slicer.app.processEvents()
    inputs = logic.inputs()
    assert len(inputs.xrays) == 2  # they are the inputs without being chosen
    for xray, view in zip(inputs.xrays, archived.case.views, strict=True):
        np.testing.assert_allclose(geometry_of(xray).source_ras, view.geometry.source_ras, atol=1e-3)
        np.testing.assert_allclose(geometry_of(xray).detector_to_ras, view.geometry.detector_to_ras, atol=1e-3)
    assert ui.geometry1Label.text.startswith("from xray 1.dcm (DICOM); SDD 989 mm")
    assert to_do(a_panel) == "Choose a CT"
    ct, segmentation = load_ct_and_segment(archived)
    ui.ctSelector.setCurrentNode(ct)
    ui.segmentationSelector.setCurrentNode(segmentation)
    slicer.app.processEvents()
    assert not ui.segmentationHintLabel.isVisible()  # nothing is wrong with these levels
    tick(a_panel, user, "L3")
    user.press(ui.confirmLevelsCheckBox)
    for column, (xray, name) in enumerate(zip(inputs.xrays, archived.clicks, strict=True), 1):
        assert to_do(a_panel) == f"Click L3 in {name}"
        user.press(place_button(a_panel, 0, column))
        click_in_the_view(geometry_of(xray).pixel_to_ras(archived.clicks[name]))
    assert to_do(a_panel) == ""
    user.press(ui.applyButton)
    host.wait_until(lambda: not logic.running, 900)
    assert "L3:" in ui.messageLabel.text
    assert "accept" in ui.messageLabel.text
    pose = slicer.util.arrayFromTransformMatrix(slicer.util.getFirstNodeByName("L3CTToWorld"), toWorld=True)
    label = archived.case.level("L3").label
    surface = archived.case.labels.to_ras(np.argwhere(archived.case.labels.array == label)[::7, ::-1])
    found = type(archived.truth).from_matrix(pose)
    assert mean_distance(surface, found, archived.truth) < 1.0
