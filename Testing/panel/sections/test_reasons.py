"""Every reason of a verdict has a Show that leads to where it can be seen."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import slicer
from slicer_fixtures import PROJECT

from radgs.case import LevelResult, Reason
from radgs.case.result import AGAINST_A_POSE
from radgs.geometry import RigidTransform

ENGINE = PROJECT / "RadGSReg" / "radgs"


def codes_of_the_engine() -> set[str]:
    """What stands in the source as a reason's code: of ``Reason(code, ...)`` and of ``weigh(..., code, message)``."""
    found = set()
    for path in [*(ENGINE / "pipeline").glob("*.py"), *(ENGINE / "case").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                code = {"Reason": 0, "weigh": 3}.get(node.func.id)
                if code is not None and isinstance(node.args[code], ast.Constant):
                    found.add(node.args[code].value)
    return found


CODES = sorted(codes_of_the_engine() | AGAINST_A_POSE)


def test_the_codes_are_found() -> None:
    assert set(CODES) >= AGAINST_A_POSE
    assert {"no_frame", "no_reconstruction", "views", "other_level"} <= set(CODES)


def test_a_view_is_named_as_a_word_of_its_own(host: Any) -> None:
    from RadGSRegLib.review.where_to_look import views_named

    assert views_named("The model explains view AP poorly.", ["AP", "LAT"]) == ["AP"]
    assert views_named("Views C-arm 1 and LAT differ: LAPAROSCOPY.", ["AP", "LAT", "C-arm 1"]) == ["LAT", "C-arm 1"]


@pytest.fixture
def shown_result(the_panel: Any, host: Any, a_scene: Any, user: Any, tmp_path: Path) -> Any:
    """The demo case with a doubtful result that has every reason there is; view LAT is named in each."""
    import numpy as np
    from exported_scene import bring_in

    from radgs.case.pose_covariance import PoseCovariance

    ui, logic = the_panel.ui, the_panel.logic
    host.wait_until(lambda: not logic.worker.busy, 60)
    user.press(ui.demoButton)
    user.press(ui.confirmLevelsCheckBox)
    pose = RigidTransform.from_rotation_vector([-0.1, -0.07, -0.03], [-16.6, -10.0, 11.4])
    reasons = tuple(Reason(code, f"What {code} says of view LAT.") for code in CODES)
    covariance = PoseCovariance(pose.apply([0.0, 0.0, 0.0]), np.diag([1e-4] * 3 + [0.2] * 3))
    level = LevelResult(pose, "check", reasons=reasons, stages={"start": pose, "refined": pose}, covariance=covariance)
    bring_in(tmp_path / "result", logic.inputs(), {"L3": level})
    slicer.app.processEvents()
    return the_panel


def press_show(panel: Any, code: str) -> None:
    """As Qt does when the link is clicked."""
    links = re.findall('href="([^"]*)"', panel.ui.reasonsLabel.text)
    assert len(links) == len(CODES), panel.ui.reasonsLabel.text
    panel.ui.reasonsLabel.linkActivated.emit(links[CODES.index(code)])
    slicer.app.processEvents()


@pytest.mark.slow
def test_every_code_is_shown_where_it_can_be_seen(shown_result: Any, user: Any, host: Any) -> None:
    from RadGSRegLib.review.where_to_look import where_to_look

    panel, ui = shown_result, shown_result.ui
    if ui.drawButton.enabled:
        user.press(ui.drawButton)
    host.wait_until(ui.pictureLabel1.isVisible, 120)
    slicer.app.processEvents()
    before = bytes(ui.pictureLabel2.pixmap.toImage().constBits())
    for code in CODES:
        where = where_to_look(code)
        assert where is not None, f"nothing shows {code}"
        for name in ("inputs", "initialization", "visualQa"):
            getattr(ui, f"{name}CollapsibleButton").collapsed = True
        press_show(panel, code)
        if where.place == "pictures":
            assert not ui.visualQaCollapsibleButton.collapsed, code
            assert ui.modeComboBox.currentData == where.mode, code
            assert (ui.startRadioButton if where.pose == "start" else ui.resultRadioButton).checked, code
            assert ui.visualQaLabel.text == f"L3: {where.what}", code
            assert ui.contourCheckBox.checked == (where.mode != "agreement"), code
            marked = ui.pictureLabel2.pixmap.toImage().pixelColor(1, 100).name()
            assert marked == "#f0e442", f"{code}: LAT is not framed"
            assert ui.pictureLabel1.pixmap.toImage().pixelColor(1, 100).name() != "#f0e442", code
        else:
            section = "initialization" if where.place == "clicks" else "inputs"
            assert not getattr(ui, f"{section}CollapsibleButton").collapsed, code
            assert ui.messageLabel.text == where.what, code
        assert ui.uncertaintyCheckBox.checked or not where.uncertainty, code
    user.press(ui.visualQaCollapsibleButton)
    host.wait_until(lambda: ui.drawButton.isVisible() and ui.drawButton.enabled, 60)
    user.press(ui.drawButton)  # whoever goes on by themselves is not told any more where to look
    host.wait_until(lambda: not ui.visualQaLabel.text.startswith("Drawing"), 120)
    assert ui.visualQaLabel.text == "L3: the contour should follow the bone in both views"
    ui.modeComboBox.setCurrentIndex(0)
    ui.contourCheckBox.checked = True
    assert bytes(ui.pictureLabel2.pixmap.toImage().constBits()) == before


@pytest.mark.slow
def test_pictures_that_are_not_drawn_yet_are_drawn_first(shown_result: Any, host: Any) -> None:
    ui = shown_result.ui
    shown_result.logic.worker.stop()
    slicer.app.processEvents()
    press_show(shown_result, "dissimilar")
    host.wait_until(ui.pictureLabel1.isVisible, 120)
    assert ui.modeComboBox.currentData == "agreement"
    assert "yellow" in ui.visualQaLabel.text
    ui.modeComboBox.setCurrentIndex(0)  # whoever compares in another way looks on by themselves
    assert ui.visualQaLabel.text == "L3: the contour should follow the bone in both views"
    assert ui.pictureLabel2.pixmap.toImage().pixelColor(1, 100).name() != "#f0e442"
    ui.contourCheckBox.checked = True


def test_a_code_of_another_version_has_no_show(shown_result: Any, tmp_path: Path) -> None:
    from exported_scene import bring_in

    level = LevelResult(RigidTransform.identity(), "check", reasons=(Reason("unheard-of", "It is < 3 & odd."),))
    bring_in(tmp_path / "other", shown_result.logic.inputs(), {"L3": level})
    slicer.app.processEvents()
    assert shown_result.ui.reasonsLabel.text == "L3: It is &lt; 3 &amp; odd."
