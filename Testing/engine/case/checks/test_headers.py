"""What a DICOM X-ray or an image's own place says of the geometry is held against case.json."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dicom_xray_files import Exposure, write

from radgs.case import Reason, RegistrationCase, load_case
from radgs.case.checks.headers import StatedView, compare_headers
from radgs.case.checks.views import doubtful_size
from radgs.geometry import RigidTransform, ViewGeometry, XRayView
from radgs.io.dicom_geometry import read_dicom_view
from radgs.io.xray_images import write_xray

AP = Exposure("XA", 2.0, 3.0, 1100.0, 720.0, (0.8, 0.8), (64, 64))
LATERAL = Exposure("XA", -88.0, -2.0, 1150.0, 750.0, (0.8, 0.8), (64, 64))


def geometry_of(path: Path) -> ViewGeometry:
    c_arm = read_dicom_view(path).c_arm
    assert c_arm is not None
    return c_arm.view()


@pytest.fixture
def stated(tmp_path: Path) -> list[StatedView]:
    """Two views as an import writes them: case.json says what the headers say."""
    files = {
        "AP": write(tmp_path / "ap.dcm", AP, PatientOrientation=["L", "F"]),
        "LAT": write(tmp_path / "lat.dcm", LATERAL),
    }
    return [StatedView(name, geometry_of(path), path) for name, path in files.items()]


def with_geometry(view: StatedView, change: Callable[[ViewGeometry], ViewGeometry]) -> StatedView:
    return replace(view, geometry=change(view.geometry))


def longer(geometry: ViewGeometry) -> ViewGeometry:
    away = -geometry.normal * 0.08 * geometry.source_to_detector_mm
    return ViewGeometry(geometry.source_ras + away, geometry.detector_to_ras, geometry.shape)


def coarser(geometry: ViewGeometry) -> ViewGeometry:
    matrix = geometry.detector_to_ras.copy()
    matrix[:3, :2] *= 1.1
    return ViewGeometry(geometry.source_ras, matrix, geometry.shape)


def turned(degrees: float) -> Callable[[ViewGeometry], ViewGeometry]:
    turn = RigidTransform.from_rotation_vector([0.0, 0.0, np.radians(degrees)])

    def change(geometry: ViewGeometry) -> ViewGeometry:
        return ViewGeometry(turn.apply(geometry.source_ras), turn.matrix @ geometry.detector_to_ras, geometry.shape)

    return change


def mirrored(geometry: ViewGeometry) -> ViewGeometry:
    matrix = geometry.detector_to_ras.copy()
    matrix[:3, 3] += matrix[:3, 0] * (geometry.shape[1] - 1)
    matrix[:3, 0] *= -1
    return ViewGeometry(geometry.source_ras, matrix, geometry.shape)


def test_an_imported_case_contradicts_nothing(stated: list[StatedView]) -> None:
    assert compare_headers(stated) == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (longer, "source-detector distance"),
        (coarser, "a pixel's width"),
        (turned(60.0), "the beam's direction"),
        (turned(8.0), "degrees apart"),
        (mirrored, "mirrored"),
    ],
)
def test_a_case_that_contradicts_a_header_is_told(
    stated: list[StatedView], change: Callable[[ViewGeometry], ViewGeometry], said: str
) -> None:
    cautions = compare_headers([with_geometry(stated[0], change), stated[1]])
    assert any(said in caution.message and "AP" in caution.message for caution in cautions), cautions
    assert {caution.code for caution in cautions} == {"header"}


def test_a_small_recalibration_is_no_contradiction(stated: list[StatedView]) -> None:
    def recalibrated(geometry: ViewGeometry) -> ViewGeometry:
        source = geometry.source_ras - geometry.normal * 0.01 * geometry.source_to_detector_mm
        return turned(2.0)(ViewGeometry(source, geometry.detector_to_ras, geometry.shape))

    assert compare_headers([with_geometry(stated[0], recalibrated), stated[1]]) == ()


def placed(folder: Path, moved_mm: float) -> tuple[Reason, ...]:
    """An image written where its detector stands, and a case.json that says it stands elsewhere."""
    geometry = geometry_of(write(folder / "ap.dcm", AP))
    image = np.random.default_rng(0).normal(size=geometry.shape).astype(np.float32)
    write_xray(folder / "ap.nrrd", XRayView("AP", image, geometry))
    matrix = geometry.detector_to_ras.copy()
    matrix[:3, 3] += [0.0, 0.0, moved_mm]
    moved = ViewGeometry(geometry.source_ras, matrix, geometry.shape)
    return compare_headers([StatedView("AP", moved, folder / "ap.nrrd")])


def test_an_image_that_stands_where_the_case_says_is_believed(tmp_path: Path) -> None:
    assert placed(tmp_path, 0.0) == ()


def test_an_image_that_says_another_place_is_told(tmp_path: Path) -> None:
    (caution,) = placed(tmp_path, 10.0)
    assert "10 mm" in caution.message


def seen_from(columns: int, rows: int, foot: tuple[float, float]) -> ViewGeometry:
    """A detector of 1 mm pixels whose beam meets it at a pixel."""
    detector = np.eye(4)
    detector[:3, 3] = [-foot[0], -foot[1], 0.0]
    return ViewGeometry(np.array([0.0, 0.0, -1000.0]), detector, (rows, columns))


@pytest.mark.parametrize(
    ("geometry", "stated_size", "place"),
    [
        (seen_from(384, 384, (191.5, 191.5)), None, None),
        (seen_from(384, 384, (196.0, 184.0)), None, None),  # a detector that hangs a little
        (seen_from(346, 384, (153.5, 191.5)), None, "left or right"),  # a tenth cut off
        (seen_from(384, 340, (191.5, 191.5)), None, "top or bottom"),
        (seen_from(346, 384, (153.5, 191.5)), (346, 384), None),  # it says so: calibrated as it is
    ],
)
def test_an_image_off_its_beam_whose_size_nobody_states_may_be_cropped(
    geometry: ViewGeometry, stated_size: tuple[int, int] | None, place: str | None
) -> None:
    found = doubtful_size("AP", geometry, stated_size)
    assert [reason.code for reason in found] == ([] if place is None else ["header"])
    assert all(f"cropped at its {place}" in reason.message for reason in found)


def test_a_case_that_states_no_size_of_a_cropped_image_is_cautioned(
    small_case: RegistrationCase, tmp_path: Path
) -> None:
    front = small_case.views[0]
    cut = front.image[:, front.image.shape[1] // 8 :].copy()
    narrower = ViewGeometry(front.geometry.source_ras, front.geometry.detector_to_ras, cut.shape)
    cropped = replace(front, image=cut, geometry=narrower)
    path = replace(small_case, views=(cropped, *small_case.views[1:])).save(tmp_path)
    assert "header" not in {reason.code for reason in load_case(path).cautions}  # a case that we write states it
    content = json.loads(path.read_text(encoding="utf-8"))
    for view in content["views"]:
        view.pop("size", None)
    path.write_text(json.dumps(content), encoding="utf-8")
    (caution,) = load_case(path).cautions
    assert "cropped at its left or right" in caution.message
