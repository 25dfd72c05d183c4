"""What a DICOM X-ray or an image's own place says of the geometry is held against case.json."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dicom_xray_files import Exposure, write

from radgs.case import Reason
from radgs.case.checks.headers import StatedView, compare_headers
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
