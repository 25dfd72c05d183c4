"""The check box of self-calibration: bound, saved, handed to the engine; and what the engine found, in the scene."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest


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
