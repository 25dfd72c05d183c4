"""Two runs of a level are compared: how far apart, what each was judged, and both contours in one picture."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer

from radgs.case import LevelResult
from radgs.colours import OTHER, RESULT
from radgs.geometry import RigidTransform

FIRST = RigidTransform.from_rotation_vector([-0.1, -0.07, -0.03], [-16.6, -10.0, 11.4])
SECOND = RigidTransform(FIRST.rotation, FIRST.translation + [0.0, 0.0, 6.0])


@pytest.fixture
def two_runs(the_panel: Any, host: Any, a_scene: Any, user: Any, tmp_path: Path) -> Any:
    """The demo case, registered twice, 6 mm apart."""
    from exported_scene import bring_in

    host.wait_until(lambda: not the_panel.logic.worker.busy, 60)
    user.press(the_panel.ui.demoButton)
    user.press(the_panel.ui.confirmLevelsCheckBox)
    assert not the_panel.ui.compareComboBox.isVisible()
    for number, (pose, verdict) in enumerate(((FIRST, "accept"), (SECOND, "check"))):
        level = LevelResult(pose, verdict, {"surface_p95": 0.8}, stages={"start": FIRST, "refined": pose})
        bring_in(tmp_path / str(number), the_panel.logic.inputs(), {"L3": level})
        slicer.app.processEvents()
    return the_panel


def colours_of(label: Any) -> set[str]:
    image = label.pixmap.toImage()
    return {image.pixelColor(x, y).name() for x in range(image.width()) for y in range(image.height())}


def test_their_distance_and_verdicts_are_said(two_runs: Any) -> None:
    ui = two_runs.ui
    assert (ui.runsComboBox.count, ui.compareComboBox.count) == (2, 3)
    assert not ui.compareLabel.isVisible()
    ui.compareComboBox.setCurrentIndex(1)
    assert re.fullmatch(
        r"\? check \(blue\) against ✓ accept \(green\): 6\.00 mm apart at the surface, 6\.00 at most, and 0\.00°",
        ui.compareLabel.text,
    )
    ui.compareComboBox.setCurrentIndex(2)  # itself
    assert not ui.compareLabel.isVisible()
    assert ui.compareComboBox.currentIndex == 0
    ui.compareComboBox.setCurrentIndex(1)
    ui.runsComboBox.setCurrentIndex(0)  # the one that was compared comes back: nothing is left to compare
    assert not ui.compareLabel.isVisible()
    ui.compareComboBox.setCurrentIndex(2)
    assert ui.compareLabel.text.startswith("✓ accept (blue) against ? check (green)")
    ui.compareComboBox.setCurrentIndex(0)
    assert not ui.compareLabel.isVisible()


@pytest.mark.slow
def test_both_contours_are_in_one_picture(two_runs: Any, user: Any, host: Any) -> None:
    ui = two_runs.ui
    if ui.drawButton.enabled:
        user.press(ui.drawButton)
    host.wait_until(lambda: ui.pictureLabel1.isVisible() and ui.resultRadioButton.enabled, 120)
    ui.blendSlider.value = 0
    alone = colours_of(ui.pictureLabel1)
    assert RESULT.lower() in alone
    assert OTHER.lower() not in alone
    ui.compareComboBox.setCurrentIndex(1)
    host.wait_until(lambda: OTHER.lower() in colours_of(ui.pictureLabel1), 60)
    assert RESULT.lower() in colours_of(ui.pictureLabel1)
    assert ui.resultRadioButton.checked
    ui.runsComboBox.setCurrentIndex(0)
    ui.compareComboBox.setCurrentIndex(2)  # the other way round
    host.wait_until(lambda: ui.resultRadioButton.enabled and OTHER.lower() in colours_of(ui.pictureLabel1), 120)
    ui.compareComboBox.setCurrentIndex(0)
    assert OTHER.lower() not in colours_of(ui.pictureLabel1)
    np.testing.assert_allclose(
        slicer.util.arrayFromTransformMatrix(slicer.util.getNode("L3CTToWorld")), FIRST.matrix, atol=1e-9
    )
    ui.blendSlider.value = 50
