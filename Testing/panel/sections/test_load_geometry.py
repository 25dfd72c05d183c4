"""Load...: every kind of calibration, its conventions asked for where it does not say them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from dialogs import answer, child, ok_button, open_dialog
from thumbnails import alike

from radgs.geometry import RigidTransform, ViewGeometry
from radgs.geometry.c_arm import CArm, FilmTurn
from radgs.geometry.sigma import GeometrySigma
from radgs.io.calibrations import CalibratedView, Calibration
from radgs.io.calibrations.calibration_file import write_calibration_file

SIZE = (120, 100)
#: As a camera at the source sees them, which is not how films are hung.
FRONTAL, LATERAL = (
    CArm(angle, 0.0, 1000.0, 650.0, (2.0, 2.0), SIZE, turn=FilmTurn(0, True)).view() for angle in (0.0, 90.0)
)
#: The calibration's world is turned against the patient: its +y is the patient's head, its +x the front.
WORLD_TO_RAS = RigidTransform(np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]), np.zeros(3))


@pytest.fixture
def two_films(a_panel: Any) -> tuple[Any, Any]:
    """X-rays 1 and 2 of the panel, of which nothing is known."""
    parameters, films = a_panel.logic.getParameterNode(), add_films()
    parameters.xray1, parameters.xray2 = films
    slicer.app.processEvents()
    return films


def add_films() -> tuple[Any, Any]:
    """Two images, AP and LAT."""
    images = [np.random.default_rng(number).random((1, SIZE[1], SIZE[0])).astype(np.float32) for number in (1, 2)]
    ap, lat = (
        slicer.util.addVolumeFromArray(image, name=name) for image, name in zip(images, ("AP", "LAT"), strict=True)
    )
    return ap, lat


def camera(view: ViewGeometry) -> tuple[Any, Any]:
    """K and world-to-camera [R|t] of a view, in the calibration's world, OpenCV's way."""
    projection = view.ras_to_homogeneous_pixel @ WORLD_TO_RAS.matrix
    projection = projection / np.linalg.norm(projection[2, :3])
    turned = np.flipud(np.eye(3))
    orthogonal, upper = np.linalg.qr((turned @ projection[:, :3]).T)
    intrinsics, rotation = turned @ upper.T @ turned, turned @ orthogonal.T
    signs = np.diag(np.sign(np.diag(intrinsics)))
    intrinsics, rotation = intrinsics @ signs, signs @ rotation
    return intrinsics, np.column_stack([rotation, np.linalg.solve(intrinsics, projection[:, 3])])


def write_matrices(folder: Path) -> list[str]:
    """A file of K and [R|t] for each view."""
    paths = []
    for name, view in (("AP", FRONTAL), ("LAT", LATERAL)):
        intrinsics, extrinsics = camera(view)
        paths.append(folder / f"{name}.txt")
        lines = [" ".join(f"{number:.12g}" for number in row) for row in (*intrinsics, *extrinsics)]
        paths[-1].write_text("\n".join(lines), "utf-8")
    return [str(path) for path in paths]


def choose_files(monkeypatch: pytest.MonkeyPatch, *paths: str) -> None:
    import qt

    monkeypatch.setattr(qt.QFileDialog, "getOpenFileNames", lambda *arguments: paths)


def say(dialog: Any, **choices: int) -> None:
    for name, index in choices.items():
        child(dialog, f"{name}ComboBox").setCurrentIndex(index)


def assert_same_rays(xray: Any, view: ViewGeometry) -> None:
    from RadGSRegLib.scene.xray_nodes import geometry_of

    points = np.random.default_rng(4).uniform(-40, 40, (20, 3))
    np.testing.assert_allclose(geometry_of(xray).project(points), view.project(points), atol=1e-6)


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


def write_projections(folder: Path, views: list[ViewGeometry]) -> list[str]:
    """A file of P for each view, multiplied by some number."""
    paths = []
    for name, view in zip(("AP", "LAT"), views, strict=True):
        paths.append(folder / f"{name}.txt")
        np.savetxt(paths[-1], -3.7 * view.ras_to_homogeneous_pixel @ WORLD_TO_RAS.matrix)
    return [str(path) for path in paths]


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


def write_trial(folder: Path) -> tuple[Path, Path]:
    """A trial of Autoscoper with both views as MayaCam 2.0, and two bones tracked in its world in frames 2 and 3."""
    for name, view in (("cam01", FRONTAL), ("cam02", LATERAL)):
        intrinsics, extrinsics = camera(view)
        parts = {
            "image size": [SIZE],
            "camera matrix": intrinsics,
            "rotation": extrinsics[:, :3],
            "translation": extrinsics[:, 3:],
        }
        lines: list[str] = []
        for title, rows in parts.items():
            lines += [title, *(",".join(f"{number:.12g}" for number in row) for row in rows), ""]
        (folder / f"{name}.txt").write_text("\n".join(lines), "utf-8")
        (folder / f"{name} films").mkdir()
    trial = folder / "wrist.cfg"
    entries = [f"mayaCam_csv {name}.txt\nCameraRootDir {name} films" for name in ("cam01", "cam02")]
    entries += [f"VolumeFile {bone}.tif\nVolumeFlip 0 0 0\nVoxelSize 0.4 0.4 0.6" for bone in ("radius", "ulna")]
    trial.write_text("\n".join(entries), "utf-8")
    # A bone that lies in the patient as in its CT: model (left, anterior, inferior) to the calibration's world.
    upright = WORLD_TO_RAS.matrix.T @ np.diag([-1.0, 1.0, -1.0, 1.0])
    askew = upright @ RigidTransform.from_rotation_vector([0.0, 0.0, np.pi / 2], [5.0, 0.0, 0.0]).matrix
    lost = np.full(16, np.nan)
    rows = [[*lost, *lost], [*upright.ravel(), *askew.ravel()], [*askew.ravel(), *lost]]
    tracking = folder / "tracked.tra"
    np.savetxt(tracking, rows, delimiter=",")
    return trial, tracking


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
