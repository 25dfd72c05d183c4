"""calibration.json round-trips; a world is turned into the patient's axes with everything in it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from radgs.errors import CaseError, GeometryError
from radgs.geometry import RigidTransform
from radgs.geometry.projection import view_of_projection
from radgs.geometry.sigma import GeometrySigma
from radgs.io.calibrations import CalibratedView, Calibration
from radgs.io.calibrations.calibration import film_at, named_direction, patient_rotation
from radgs.io.calibrations.calibration_file import read_calibration_file, write_calibration_file

P = np.array([[4000.0, 10.0, 600.0, 90000.0], [-20.0, 4100.0, 480.0, 80000.0], [0.0, 0.0, 1.0, 900.0]])
VIEW = CalibratedView(
    "AP",
    view_of_projection(P, (1280, 960), 1200.0),
    ("The film's distance is 1200 mm.",),
    GeometrySigma(np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.2, 0.3]), np.array([0.01, 0.02, 0.03])),
)
POINTS = np.random.default_rng(3).uniform(-50, 50, (20, 3))


def pixels(points: np.ndarray) -> np.ndarray:
    homogeneous = np.column_stack([points, np.ones(len(points))]) @ P.T
    return homogeneous[:, :2] / homogeneous[:, 2:]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_calibration_file(tmp_path / "c.json", Calibration("phantom", (VIEW,), patient_axes=True), {"note": 1})
    read = read_calibration_file(tmp_path / "c.json")
    assert read.patient_axes
    np.testing.assert_allclose(read.views[0].geometry.project(POINTS), pixels(POINTS), atol=1e-6)
    assert read.views[0].geometry.shape == (960, 1280)
    assert read.views[0].sigma is not None
    np.testing.assert_allclose(read.views[0].sigma.source_mm, [1, 2, 3])
    np.testing.assert_allclose(read.views[0].sigma.detector_deg, [0.01, 0.02, 0.03])


@pytest.mark.parametrize("value", [{"source_mm": [1, 1, 1]}, [1, 2, 3], {"source_mm": [-1, 1, 1]}])
def test_a_wrong_uncertainty_is_told_with_its_place(value: object, tmp_path: Path) -> None:
    write_calibration_file(tmp_path / "c.json", Calibration("phantom", (VIEW,)))
    values = json.loads((tmp_path / "c.json").read_text())
    if isinstance(value, dict) and value["source_mm"][0] < 0:
        value = {**values["views"][0]["geometry_sigma"], **value}
    values["views"][0]["geometry_sigma"] = value
    (tmp_path / "c.json").write_text(json.dumps(values))
    with pytest.raises(GeometryError, match=r"views\[0\].geometry_sigma"):
        read_calibration_file(tmp_path / "c.json")


def test_a_film_moved_along_its_rays_shows_the_same() -> None:
    moved = film_at(VIEW.geometry, 1500.0)
    assert moved.source_to_detector_mm == pytest.approx(1500.0)
    np.testing.assert_allclose(moved.project(POINTS), pixels(POINTS), atol=1e-9)


def test_a_moved_world_takes_its_views_along() -> None:
    motion = RigidTransform.from_rotation_vector([0.3, 1.2, -0.5], [5.0, 6.0, 7.0])
    moved = Calibration("phantom", (VIEW,)).moved(motion)
    np.testing.assert_allclose(moved.views[0].geometry.project(motion.apply(POINTS)), pixels(POINTS), atol=1e-8)
    assert moved.patient_axes


@pytest.mark.parametrize(
    ("superior", "anterior", "right"),
    [("+z", "+y", "+x"), ("-y", "+z", "+x"), ("+x", "-y", "+z"), ("0.1,0,1", "+y", "1,0,-0.1")],
)
def test_named_directions_become_the_patients_axes(superior: str, anterior: str, right: str) -> None:
    rotation = patient_rotation(named_direction(superior), named_direction(anterior))
    for name, axis in ((right, [1, 0, 0]), (anterior, [0, 1, 0]), (superior, [0, 0, 1])):
        np.testing.assert_allclose(rotation.apply(named_direction(name)), axis, atol=1e-12)
    assert np.linalg.det(rotation.rotation) == pytest.approx(1.0)


def test_directions_that_say_nothing_are_told() -> None:
    for text in ("up", "1,2", "0,0,0", "nan,0,1"):
        with pytest.raises(CaseError, match="not a direction"):
            named_direction(text)
    with pytest.raises(CaseError, match="nearly the same"):
        patient_rotation([0, 0, 1], [0, 0.05, -1])


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"size": [0, 0]}, "size"),
        ({"size": [-3, 4]}, "size"),
        ({"size": [10.5, 3]}, "size"),
        ({"size": [1e12, 3]}, "size"),
        ({"detector_to_ras": np.zeros((4, 4)).tolist()}, "detector_to_ras"),
        ({"source_ras": VIEW.geometry.centre_ras.tolist()}, "source_ras"),
    ],
)
def test_a_view_that_cannot_be_is_told_with_its_place(changed: dict[str, object], place: str, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    write_calibration_file(path, Calibration("phantom", (VIEW,)))
    values = json.loads(path.read_text())
    values["views"][0].update(changed)
    path.write_text(json.dumps(values))
    with pytest.raises(GeometryError, match=rf"views\[0\]\.{place}"):
        read_calibration_file(path)


@pytest.mark.parametrize("count", [0, 2])
def test_views_are_there_and_each_has_a_name_of_its_own(count: int, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    write_calibration_file(path, Calibration("phantom", (VIEW,) * count))
    with pytest.raises(GeometryError, match="a name of its own"):
        read_calibration_file(path)
