"""What a self-calibration found, in result.json and in words; and a covariance of a geometry in files."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from radgs.case import LevelResult, RegistrationResult, SelfCalibratedView, ViewMove
from radgs.errors import GeometryError
from radgs.geometry import RigidTransform, ViewGeometry, XRayView
from radgs.geometry.sigma import GeometrySigma
from radgs.io.calibrations import CalibratedView, Calibration
from radgs.io.calibrations.calibration_file import read_calibration_file, write_calibration_file

COVARIANCE = np.diag(np.arange(1.0, 10.0)) + 0.2
DETECTOR = np.array([[0.0, 0.0, 1.0, -400.0], [0.5, 0.0, 0.0, -32.0], [0.0, -0.5, 0.0, 24.0], [0.0, 0.0, 0.0, 1.0]])
FOUND = SelfCalibratedView(
    view="LAT",
    source_ras=np.array([601.0, 2.0, 3.0]),
    detector_to_ras=DETECTOR,
    sigma=GeometrySigma.of_covariance(COVARIANCE),
    changed=np.array([3.0, 4.0, 0.0, 0.0, 0.0, 1.5, 0.0, 0.0, 2.0]),
    moves=(
        ViewMove("roll", "the turn about the beam", "degrees", 2.0, 0.1),
        ViewMove("sdd", "the source-detector distance", "mm", 5.0, 20.0),
    ),
    held=("the source-detector distance",),
    beyond_sigma=True,
)
RESULT = RegistrationResult({"L3": LevelResult(RigidTransform.identity(), "check")}, self_calibration=FOUND)


def test_what_was_found_comes_back_and_older_results_have_none(tmp_path: Path) -> None:
    RESULT.save(tmp_path)
    back = RegistrationResult.load(tmp_path).self_calibration
    assert back is not None
    assert back.to_json_dict() == FOUND.to_json_dict()
    assert (back.view, back.moves, back.held, back.beyond_sigma) == ("LAT", FOUND.moves, FOUND.held, True)
    np.testing.assert_allclose(back.changed, FOUND.changed)
    assert back.sigma.covariance is not None
    np.testing.assert_allclose(back.sigma.covariance, COVARIANCE)
    replace(RESULT, self_calibration=None).save(tmp_path)
    assert "self_calibration" not in json.loads((tmp_path / "result.json").read_text())
    assert RegistrationResult.load(tmp_path).self_calibration is None


def test_the_schema_knows_it() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema, of the test extra, is not installed")
    text = files("radgs").joinpath("data", "schemas", "result.schema.json").read_text(encoding="utf-8")
    validator = jsonschema.Draft202012Validator(json.loads(text))
    values = RESULT.to_json_dict()
    validator.validate(values)
    values["self_calibration"].pop("held")
    assert not validator.is_valid(values)


def test_its_sentences_tell_what_changed_and_what_was_left() -> None:
    moved, changed, left = FOUND.sentences
    assert "view LAT was moved by 5.0 mm, its detector by 1.5 mm and 2.00 degrees" in moved
    assert "the turn about the beam by +2.00 degrees (standard deviation 0.10)" in changed
    assert "distance" not in changed  # within its uncertainty
    assert left == "The images tell too little of this to make it surer: the source-detector distance."
    assert len(replace(FOUND, held=()).sentences) == 2


def test_only_its_own_view_is_moved() -> None:
    geometry = ViewGeometry(np.array([0.0, 600.0, 0.0]), DETECTOR, (96, 128))
    views = [XRayView(name, np.zeros((96, 128), np.float32), geometry) for name in ("AP", "LAT")]
    first, second = FOUND.applied(views)
    assert first is views[0]
    assert second.geometry.source_ras is FOUND.source_ras
    assert second.geometry.shape == (96, 128)
    assert second.geometry_sigma is FOUND.sigma


def test_a_geometrys_covariance_is_kept_and_turned_with_its_world(tmp_path: Path) -> None:
    geometry = ViewGeometry(FOUND.source_ras, DETECTOR, (96, 128))
    calibration = Calibration("patient", (CalibratedView("LAT", geometry, (), FOUND.sigma),), patient_axes=True)
    write_calibration_file(tmp_path / "calibration.json", calibration)
    (view,) = read_calibration_file(tmp_path / "calibration.json").views
    assert view.sigma is not None
    np.testing.assert_allclose(view.sigma.as_covariance, COVARIANCE)
    quarter = RigidTransform.from_rotation_vector([0.0, 0.0, np.pi / 2])
    turned = view.sigma.turned(quarter.rotation)
    np.testing.assert_allclose(turned.source_mm, view.sigma.source_mm[[1, 0, 2]], atol=1e-9)
    assert turned.covariance is not None
    assert turned.covariance[0, 5] == pytest.approx(-COVARIANCE[1, 5])  # old y is the new -x
    values = json.loads((tmp_path / "calibration.json").read_text())
    values["views"][0]["geometry_sigma"]["covariance"][0][1] = 7.0  # no longer symmetric
    (tmp_path / "calibration.json").write_text(json.dumps(values))
    with pytest.raises(GeometryError, match="covariance"):
        read_calibration_file(tmp_path / "calibration.json")
