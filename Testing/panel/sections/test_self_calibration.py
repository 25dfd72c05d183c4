"""The check box of self-calibration: bound, saved, handed to the engine; and what the engine found, in the scene."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from radgs.case import SelfCalibratedView
from radgs.geometry.sigma import GeometrySigma


@pytest.fixture
def a_filled_panel(a_panel: Any, user: Any) -> Any:
    """The demo case, its level confirmed, Advanced unfolded."""
    user.press(a_panel.ui.demoButton)
    user.press(a_panel.ui.confirmLevelsCheckBox)
    a_panel.ui.advancedCollapsibleButton.collapsed = False
    return a_panel


def test_the_check_box_is_off_until_it_is_ticked_and_a_saved_scene_remembers_it(
    a_filled_panel: Any, a_scene: Any, user: Any, tmp_path: Path
) -> None:
    box, logic = a_filled_panel.ui.selfCalibrateCheckBox, a_filled_panel.logic
    assert not box.checked
    assert not logic.inputs().self_calibrate
    user.press(box)
    assert logic.inputs().self_calibrate
    bundle = str(tmp_path / "scene.mrb")
    assert a_scene.WriteToMRB(bundle)
    a_scene.Clear(0)
    assert not box.checked
    a_scene.ReadFromMRB(bundle)
    assert box.checked
    assert logic.inputs().self_calibrate


def found(view: Any, shift: float = 2.0) -> SelfCalibratedView:
    """What a self-calibration may find of a view: its source elsewhere, the detector as it was."""
    sigma = GeometrySigma(np.full(3, 0.4), np.full(3, 0.3), np.full(3, 0.1))
    source = view.source_ras + [shift, 0.0, 0.0]
    changed = np.array([shift, *np.zeros(8)])
    return SelfCalibratedView("LAT", source, view.detector_to_ras, sigma, changed, (), (), False)


def test_what_a_self_calibration_changed_can_be_undone(a_filled_panel: Any, user: Any, a_scene: Any) -> None:
    """Geometry, where it came from and its uncertainty are back; and a second change goes back to the first."""
    import slicer

    from RadGSRegLib.engine.result_import import put_calibrated
    from RadGSRegLib.scene.view_geometry import set_sigma, sigma_of
    from RadGSRegLib.scene.xray_nodes import click_pixel, geometry_of

    ui, parameters = a_filled_panel.ui, a_filled_panel.logic.getParameterNode()
    xray, node = parameters.xray2, parameters.parameterNode
    given, clicked, said = geometry_of(xray), click_pixel(node, "L3", xray), ui.geometry2Label.text
    stated = GeometrySigma(np.full(3, 0.9), np.full(3, 0.8), np.full(3, 0.2))
    set_sigma(xray, stated)
    assert not ui.undoGeometry2Button.isVisible()
    for shift in (2.0, 5.0):
        put_calibrated(found(given, shift), (parameters.xray1, xray))
    slicer.app.processEvents()
    assert "self-calibrated" in ui.geometry2Label.text
    assert "moved the source by 5.0 mm" in ui.geometry2Label.toolTip
    assert not ui.undoGeometry1Button.isVisible()
    ui.inputsCollapsibleButton.collapsed = False  # folded since the registration began
    user.press(ui.undoGeometry2Button)
    now, sigma = geometry_of(xray), sigma_of(xray)
    np.testing.assert_allclose(now.source_ras, given.source_ras, atol=1e-9)
    np.testing.assert_allclose(now.detector_to_ras, given.detector_to_ras, atol=1e-9)
    assert ui.geometry2Label.text == said
    assert sigma is not None
    np.testing.assert_allclose(sigma.source_mm, stated.source_mm)
    np.testing.assert_allclose(click_pixel(node, "L3", xray), clicked, atol=1e-6)
    assert not ui.undoGeometry2Button.isVisible()
    assert "before the self-calibration" in ui.messageLabel.text


def test_another_geometry_leaves_nothing_to_go_back_to(a_filled_panel: Any, a_scene: Any, tmp_path: Path) -> None:
    """The way back is saved with the scene, and goes when the source is put elsewhere."""
    import slicer

    from RadGSRegLib.engine.result_import import put_calibrated
    from RadGSRegLib.scene.xray_nodes import geometry_of

    ui, logic = a_filled_panel.ui, a_filled_panel.logic
    xrays = logic.inputs().xrays
    put_calibrated(found(geometry_of(xrays[1])), xrays)
    bundle = str(tmp_path / "scene.mrb")
    assert a_scene.WriteToMRB(bundle)
    a_scene.Clear(0)
    a_scene.ReadFromMRB(bundle)
    slicer.app.processEvents()
    assert ui.undoGeometry2Button.isVisible()
    logic.setSource(logic.inputs().xrays[1], [0.0, 700.0, 0.0])
    slicer.app.processEvents()
    assert not ui.undoGeometry2Button.isVisible()


@pytest.mark.slow
def test_the_second_xray_takes_the_geometry_that_was_found_and_says_so(
    a_filled_panel: Any, user: Any, host: Any
) -> None:
    from RadGSRegLib.scene.xray_nodes import geometry_of, geometry_origin

    ui, parameters = a_filled_panel.ui, a_filled_panel.logic.getParameterNode()
    given = [geometry_of(xray) for xray in (parameters.xray1, parameters.xray2)]
    user.press(ui.selfCalibrateCheckBox)
    user.press(ui.applyButton)
    assert not ui.selfCalibrateCheckBox.enabled
    host.wait_until(lambda: not a_filled_panel.logic.running, 900)
    assert "Self-calibration: the source of view LAT" in ui.messageLabel.text
    found = [geometry_of(xray) for xray in (parameters.xray1, parameters.xray2)]
    np.testing.assert_allclose(found[0].source_ras, given[0].source_ras, atol=1e-9)
    assert np.linalg.norm(found[1].source_ras - given[1].source_ras) < 3.0  # it stood where it should
    assert geometry_origin(parameters.xray2) == "self-calibrated from the patient"
    assert "self-calibrated" in ui.geometry2Label.text
    ui.inputsCollapsibleButton.collapsed = False  # folded since the registration began
    user.press(ui.undoGeometry2Button)
    np.testing.assert_allclose(geometry_of(parameters.xray2).source_ras, given[1].source_ras, atol=1e-9)
