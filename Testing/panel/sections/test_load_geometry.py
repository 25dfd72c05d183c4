"""Load...: every kind of calibration, its conventions asked for where it does not say them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calibrated_films import FRONTAL, LATERAL, SIZE, assert_same_rays, choose_files, say, write_matrices
from dialogs import answer, child, ok_button, open_dialog

from radgs.geometry.sigma import GeometrySigma
from radgs.io.calibrations import CalibratedView, Calibration
from radgs.io.calibrations.calibration_file import write_calibration_file


def test_matrices_are_taken_once_every_choice_is_made(
    a_panel: Any, two_films: Any, user: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    choose_files(monkeypatch, *write_matrices(tmp_path))
    seen: list[str] = []

    def act(dialog: Any) -> None:
        status = child(dialog, "calibrationStatusLabel")
        assert not ok_button(dialog).enabled
        seen.append(status.text)
        say(dialog, extrinsics=1, rows=1)
        seen.append(status.text)
        say(dialog, pixels=1, superior=3, anterior=1)  # +y, +x
        seen.append(status.text)
        user.press(ok_button(dialog))

    answer(act)
    user.press(a_panel.ui.loadGeometry1Button)
    assert "where the first pixel's centre is" in seen[1]
    assert "how the patient lies" in seen[1]
    assert "rows are counted" not in seen[1]
    assert "AP: source" in seen[2]
    assert "LAT: source" in seen[2]
    assert_same_rays(two_films[0], FRONTAL)
    assert_same_rays(two_films[1], LATERAL)
    assert a_panel.ui.geometry1Label.text.startswith("from AP.txt, LAT.txt (matrices)")


def test_clicks_stay_on_their_pixels_whichever_xray_asks(
    a_panel: Any, two_films: Any, user: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """X-rays that stood where they did not belong, and were clicked there; the files come in the other order."""
    from RadGSRegLib.scene.view_geometry import put_geometry
    from RadGSRegLib.scene.xray_nodes import click_pixel, set_click_pixel

    bone = np.array([45.0, -35.0, 40.0])
    node = a_panel.logic.getParameterNode().parameterNode
    for film, view in zip(two_films, (LATERAL, FRONTAL), strict=True):  # in the wrong places at first
        put_geometry(film, view, "somewhere")
    pixels = [view.project(bone) for view in (FRONTAL, LATERAL)]
    for film, pixel in zip(two_films, pixels, strict=True):
        set_click_pixel(node, "L3", film, tuple(pixel))
    choose_files(monkeypatch, *reversed(write_matrices(tmp_path)))
    a_panel.logic.getParameterNode().segments = {"L3": "L3"}

    def act(dialog: Any) -> None:
        say(dialog, extrinsics=1, rows=1, pixels=1, superior=3, anterior=1)
        assert child(dialog, "viewOf0ComboBox").currentText == "AP"
        user.press(ok_button(dialog))

    answer(act)
    user.press(a_panel.ui.loadGeometry2Button)
    assert_same_rays(two_films[0], FRONTAL)
    for film, pixel in zip(two_films, pixels, strict=True):
        np.testing.assert_allclose(click_pixel(node, "L3", film), pixel, atol=1e-3)


def test_a_wrong_choice_is_told_in_a_sentence(
    a_panel: Any, two_films: Any, user: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    choose_files(monkeypatch, *write_matrices(tmp_path))
    seen: list[str] = []

    def act(dialog: Any) -> None:
        say(dialog, extrinsics=1, rows=2, pixels=1, superior=3, anterior=1)  # rows from the bottom
        seen.append(child(dialog, "calibrationStatusLabel").text)
        assert not ok_button(dialog).enabled

    answer(act)
    user.press(a_panel.ui.loadGeometry1Button)
    assert "No reading of the calibration fits" in seen[0]
    assert not any(film.GetNodeReference("RadGSReg.source") for film in two_films)


def test_directions_that_are_one_are_told(
    a_panel: Any, two_films: Any, user: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    choose_files(monkeypatch, *write_matrices(tmp_path))
    seen: list[str] = []

    def act(dialog: Any) -> None:
        say(dialog, extrinsics=1, rows=1, pixels=1, superior=3, anterior=4)  # +y, -y
        seen.append(child(dialog, "calibrationStatusLabel").text)

    answer(act)
    user.press(a_panel.ui.loadGeometry1Button)
    assert "nearly the same" in seen[0]


def test_our_own_file_needs_no_answer_and_brings_its_uncertainty(
    a_panel: Any, two_films: Any, user: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from RadGSRegLib.engine.case_export import view_entry

    sigma = GeometrySigma(np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.2, 0.3]), np.array([0.01, 0.02, 0.03]))
    views = tuple(CalibratedView(n, v, (), sigma) for n, v in (("LAT", LATERAL), ("AP", FRONTAL)))  # by name
    path = tmp_path / "calibration.json"
    write_calibration_file(path, Calibration("phantom", views, patient_axes=True))
    choose_files(monkeypatch, str(path))
    answer(lambda dialog: user.press(ok_button(dialog)))
    user.press(a_panel.ui.loadGeometry2Button)
    assert_same_rays(two_films[0], FRONTAL)
    assert_same_rays(two_films[1], LATERAL)
    assert a_panel.ui.geometry2Label.text.startswith("from calibration.json; SDD 1000 mm")
    kept = view_entry(two_films[0], path).geometry_sigma
    assert kept is not None
    np.testing.assert_allclose(kept.source_mm, [1.0, 2.0, 3.0])
    a_panel.logic.setSource(two_films[0], [0.0, -600.0, 0.0])  # nobody knows any more how sure it is
    assert view_entry(two_films[0], path).geometry_sigma is None


def test_one_view_is_not_given_to_two_xrays(
    a_panel: Any, two_films: Any, user: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "calibration.json"
    views = (CalibratedView("AP", FRONTAL), CalibratedView("LAT", LATERAL))
    write_calibration_file(path, Calibration("phantom", views, patient_axes=True))
    choose_files(monkeypatch, str(path))

    def act(dialog: Any) -> None:
        say(dialog, viewOf0=1, viewOf1=1)
        user.press(ok_button(dialog))

    answer(act)
    user.press(a_panel.ui.loadGeometry1Button)
    assert "The view AP was given to two X-rays." in a_panel.ui.messageLabel.text
    assert not any(film.GetNodeReference("RadGSReg.source") for film in two_films)


def test_mayacam_1_asks_for_its_unit(
    a_panel: Any, two_films: Any, user: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A camera at z = 90 cm that looks along its -z, at no angle."""
    from RadGSRegLib.scene.xray_nodes import geometry_of

    path = tmp_path / "cam1.csv"
    path.write_text(f"0,0,90\n0,0,0\n0,0,0\n60.5,50.5,-500\n1,{SIZE[0]},{SIZE[1]}\n", "utf-8")
    choose_files(monkeypatch, str(path))

    def act(dialog: Any) -> None:
        say(dialog, unit=1, superior=3, anterior=5)  # centimetres; +y, +z
        user.press(ok_button(dialog))

    answer(act)
    user.press(a_panel.ui.loadGeometry1Button)
    np.testing.assert_allclose(geometry_of(two_films[0]).source_ras, [0.0, 900.0, 0.0], atol=1e-9)
    assert two_films[1].GetNodeReference("RadGSReg.source") is None


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("notes.txt", "hello", "holds no numbers"),
        ("trial.xma", "", "is a project of XMALab"),
        ("K.txt", "1 2 3\n4 5 6\n7 8 9\n1 2 3 4\n1 2 3 4\n1 2 3 4", "are no camera matrix K"),
    ],
)
def test_what_is_no_calibration_is_told(
    a_panel: Any,
    two_films: Any,
    user: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    text: str,
    sentence: str,
) -> None:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    choose_files(monkeypatch, str(path))
    user.press(a_panel.ui.loadGeometry1Button)
    assert sentence in a_panel.ui.messageLabel.text
    assert open_dialog() is None


def test_a_dicom_file_gives_its_xray_the_geometry(
    a_panel: Any, two_films: Any, user: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from dicom_xray_files import Exposure, write

    path = write(tmp_path / "lateral.dcm", Exposure("XA", 90.0, 0.0, 1000.0, 650.0, (2.0, 2.0), SIZE[::-1], flip=True))
    choose_files(monkeypatch, str(path))
    user.press(a_panel.ui.loadGeometry2Button)
    assert_same_rays(two_films[1], LATERAL)
    assert a_panel.ui.geometry2Label.text.startswith("from lateral.dcm (DICOM); SDD 1000 mm")
    wrong = write(tmp_path / "small.dcm", Exposure("XA", 90.0, 0.0, 1000.0, 650.0, (2.0, 2.0), (50, 60)))
    choose_files(monkeypatch, str(wrong))
    user.press(a_panel.ui.loadGeometry2Button)
    assert "The geometry is that of an image of 60 x 50 pixels" in a_panel.ui.messageLabel.text


def test_a_frame_of_a_run_is_chosen_among_thumbnails(
    a_panel: Any, two_films: Any, user: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from dicom_xray_files import Exposure, write

    exposure = Exposure(
        "EnhancedXA", 90.0, 0.0, 1000.0, 650.0, (2.0, 2.0), SIZE[::-1], flip=True, frames=4, frame=2, per_frame=True
    )
    choose_files(monkeypatch, str(write(tmp_path / "run.dcm", exposure)))

    def act(dialog: Any) -> None:
        frames = child(dialog, "framesList")
        assert [frames.item(row).text() for row in range(frames.count)] == ["1", "2", "3", "4"]
        assert not frames.item(0).icon().isNull()
        frames.setCurrentRow(2)
        user.press(ok_button(dialog))

    answer(act)
    user.press(a_panel.ui.loadGeometry2Button)
    assert_same_rays(two_films[1], LATERAL)
    assert "run.dcm (DICOM, frame 2)" in a_panel.ui.geometry2Label.text
