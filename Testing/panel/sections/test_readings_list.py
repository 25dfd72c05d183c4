"""Where several readings of a calibration remain, each is drawn beside the X-rays and chosen by its picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from calibrated_films import (
    WORLD_TO_RAS,
    assert_same_rays,
    choose_files,
    say,
    write_matrices,
    write_projections,
)
from dialogs import answer, child, ok_button, open_dialog
from thumbnails import alike

from radgs.geometry import ViewGeometry
from radgs.io.calibrations import CalibratedView, Calibration
from radgs.io.calibrations.calibration_file import write_calibration_file


@pytest.fixture
def the_demo_s_films(a_panel: Any, user: Any) -> tuple[tuple[Any, Any], list[ViewGeometry]]:
    """The demo case's X-rays, nothing clicked in them, and where they truly stand; CT and segmentation are there."""
    from RadGSRegLib.scene.xray_nodes import geometry_of

    user.press(a_panel.ui.demoButton)
    films = a_panel.logic.inputs().xrays
    for film in films:
        slicer.mrmlScene.RemoveNode(a_panel.logic.click("L3", film))
    slicer.app.processEvents()
    return films, [geometry_of(film) for film in films]


def test_every_reading_is_drawn_beside_the_xrays_and_chosen_by_its_picture(
    a_panel: Any, the_demo_s_films: Any, user: Any, host: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    films, true = the_demo_s_films
    choose_files(monkeypatch, *write_projections(tmp_path, true))
    a_panel.logic.setSource(films[0], [0.0, 100.0, 0.0])  # somewhere else
    seen: dict[str, Any] = {}

    def act(dialog: Any) -> None:
        readings = child(dialog, "readingsList")
        assert readings.isHidden()  # before it is known how the patient lies, there is nothing to be seen
        say(dialog, superior=3, anterior=1)
        host.wait_until(lambda: not a_panel.logic.drawingExposures, 400)
        assert readings.count > 1
        texts = [readings.item(row).text() for row in range(readings.count)]
        pictures = [readings.item(row).icon().pixmap(readings.iconSize) for row in range(readings.count)]
        agree = [alike(picture, tmp_path / "picture.png") for picture in pictures]
        seen["texts"], seen["agree"] = texts, agree
        assert not ok_button(dialog).enabled
        readings.setCurrentRow(int(np.argmax(agree)))
        seen["rows"] = child(dialog, "rowsComboBox").currentText
        assert "first pixel" in child(dialog, "calibrationStatusLabel").text  # no eye tells half a pixel
        say(dialog, pixels=1)
        host.wait_until(lambda: not a_panel.logic.drawingExposures, 400)
        assert readings.count > 1
        assert readings.currentRow == int(np.argmax(agree))
        user.press(ok_button(dialog))

    answer(act)
    user.press(a_panel.ui.loadGeometry1Button)
    assert sorted(seen["texts"]) == ["rows from the bottom", "rows from the top"]
    assert max(seen["agree"]) > min(seen["agree"]) + 0.1
    assert seen["rows"].startswith("from the top")
    for film, view in zip(films, true, strict=True):
        assert_same_rays(film, view)


def test_one_reading_is_drawn_too_so_that_wrong_directions_are_seen(
    a_panel: Any, the_demo_s_films: Any, user: Any, host: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _films, true = the_demo_s_films
    path = tmp_path / "calibration.json"
    moved = Calibration("c", tuple(CalibratedView(n, v) for n, v in zip(("AP", "LAT"), true, strict=True)))
    write_calibration_file(path, moved.moved(WORLD_TO_RAS.inverse(), patient_axes=False))
    choose_files(monkeypatch, str(path))
    agree: list[float] = []

    def act(dialog: Any) -> None:
        readings = child(dialog, "readingsList")
        for superior, anterior in ((3, 1), (4, 1), (3, 2)):  # as it is; upside down; front and back exchanged
            say(dialog, superior=superior, anterior=anterior)
            host.wait_until(lambda: not a_panel.logic.drawingExposures, 400)
            assert readings.count == 1
            agree.append(alike(readings.item(0).icon().pixmap(readings.iconSize), tmp_path / "picture.png"))

    answer(act)
    user.press(a_panel.ui.loadGeometry2Button)
    assert agree[0] > 0.5
    assert max(agree[1:]) < agree[0] - 0.1


def test_without_a_ct_it_is_said_why_nothing_is_drawn(
    a_panel: Any, two_films: Any, user: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    choose_files(monkeypatch, *write_matrices(tmp_path))
    seen: list[str] = []

    def act(dialog: Any) -> None:
        say(dialog, superior=3, anterior=1)
        seen.append(child(dialog, "readingsCaptionLabel").text)
        assert child(dialog, "readingsList").isHidden()

    answer(act)
    user.press(a_panel.ui.loadGeometry1Button)
    assert "Choose the CT first" in seen[0]


def test_closing_the_dialog_frees_the_engine(
    a_panel: Any, the_demo_s_films: Any, user: Any, host: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _films, true = the_demo_s_films
    choose_files(monkeypatch, *write_projections(tmp_path, true))
    answer(lambda dialog: say(dialog, superior=3, anterior=1))
    user.press(a_panel.ui.loadGeometry1Button)
    host.wait_until(lambda: not a_panel.logic.worker.busy, 400)
    assert open_dialog() is None
