"""A trial of Autoscoper in *Load...*: its cameras, and how the patient lies by a bone's pose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from calibrated_films import FRONTAL, LATERAL, assert_same_rays, choose_files, say, write_trial
from dialogs import answer, child, ok_button


def test_a_trial_of_autoscoper_gives_its_cameras_and_a_pose_how_the_patient_lies(
    a_panel: Any, two_films: Any, user: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files = write_trial(tmp_path)
    choose_files(monkeypatch, *map(str, files))
    seen: dict[str, Any] = {}

    def act(dialog: Any) -> None:
        box = child(dialog, "poseComboBox")
        seen["poses"] = [box.itemText(row) for row in range(box.count)]
        seen["open"] = child(dialog, "calibrationStatusLabel").text
        box.setCurrentIndex(1)
        user.press(ok_button(dialog))

    answer(act)
    user.press(a_panel.ui.loadGeometry1Button)
    assert seen["poses"] == ["choose", "radius, frame 2", "radius, frame 3", "ulna, frame 2"]
    assert "how the patient lies" in seen["open"]
    assert_same_rays(two_films[0], FRONTAL)
    assert_same_rays(two_films[1], LATERAL)
    assert a_panel.ui.geometry1Label.text.startswith("from wrist.cfg, tracked.tra (MayaCam 2.0)")


def test_a_trial_alone_asks_for_the_directions_and_poses_alone_for_the_trial(
    a_panel: Any, two_films: Any, user: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trial, tracking = write_trial(tmp_path)
    choose_files(monkeypatch, str(trial))

    def act(dialog: Any) -> None:
        say(dialog, superior=3, anterior=1)
        user.press(ok_button(dialog))

    answer(act)
    user.press(a_panel.ui.loadGeometry1Button)
    assert_same_rays(two_films[0], FRONTAL)
    choose_files(monkeypatch, str(tracking))
    user.press(a_panel.ui.loadGeometry1Button)
    assert "Poses of bones were chosen, and no calibration" in a_panel.ui.messageLabel.text
    tracking.write_text(",".join(["NaN"] * 32), "utf-8")
    choose_files(monkeypatch, str(trial), str(tracking))
    user.press(a_panel.ui.loadGeometry1Button)
    assert "no frame in which a bone was tracked" in a_panel.ui.messageLabel.text
    (tmp_path / "cam02.txt").unlink()
    choose_files(monkeypatch, str(trial))
    user.press(a_panel.ui.loadGeometry1Button)
    assert "cam02.txt" in a_panel.ui.messageLabel.text
