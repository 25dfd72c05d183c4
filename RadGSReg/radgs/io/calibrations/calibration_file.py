"""calibration.json, schema radgs.calibration/1: views of a calibrated C-arm, as ``radgs calibrate`` writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from radgs.errors import GeometryError
from radgs.geometry import ViewGeometry
from radgs.geometry.sigma import GeometrySigma
from radgs.io.atomic import write_text
from radgs.io.calibrations.calibration import CalibratedView, Calibration
from radgs.io.json_fields import JsonObject, json_text, read_json_object

CALIBRATION_SCHEMA = "radgs.calibration/1"
#: Of a view's source, detector and its rotation together.
NUMBERS = 9
#: Pixels along a side of the largest detectors, with room to spare; no source is nearer to its film.
LARGEST_SIDE, NEAREST_MM = 65535, 1.0
#: What rounding leaves of a covariance's symmetry.
SYMMETRIC = 1e-6


def read_calibration_file(path: Path) -> Calibration:
    """Reads a calibration.json.

    Raises:
        InputFileError: Missing, or not JSON.
        GeometryError: Another schema, or a field missing or of a wrong type.
    """
    top = read_json_object(path, CALIBRATION_SCHEMA, GeometryError)
    views = tuple(_read_view(entry) for entry in top.objects("views"))
    names = [view.name for view in views]
    if not views or len(set(names)) < len(names):
        raise top.fail("views", "one view or more, each with a name of its own")
    return Calibration("calibration.json", views, patient_axes=top.values.get("patient_axes") is True)


def write_calibration_file(path: Path, calibration: Calibration, more: dict[str, Any] | None = None) -> None:
    """Writes a calibration.json, with members of the caller's beside the schema's.

    Raises:
        OutputError: The file cannot be written.
    """
    values: dict[str, Any] = {
        "schema": CALIBRATION_SCHEMA,
        "patient_axes": calibration.patient_axes,
        "views": [_view_values(view) for view in calibration.views],
        **(more or {}),
    }
    write_text(path, json_text(values))


def read_sigma(entry: JsonObject) -> GeometrySigma | None:
    """The member ``geometry_sigma`` of a view; None where there is none.

    Raises:
        RadgsError: Of the object's kind, when it is not what it should be.
    """
    if "geometry_sigma" not in entry:
        return None
    sigma = entry.object("geometry_sigma")
    values = [sigma.numbers(key, 3) for key in ("source_mm", "detector_mm", "detector_deg")]
    if any((value < 0).any() for value in values):
        raise entry.fail("geometry_sigma", "standard deviations, none of them negative")
    if "covariance" not in sigma:
        return GeometrySigma(*values)
    covariance = sigma.numbers("covariance", NUMBERS, NUMBERS)
    if not np.allclose(covariance, covariance.T, atol=SYMMETRIC) or np.linalg.eigvalsh(covariance)[0] < -SYMMETRIC:
        raise sigma.fail("covariance", "a covariance: symmetric, and no variance negative")
    return GeometrySigma.of_covariance((covariance + covariance.T) / 2)


def _read_view(entry: JsonObject) -> CalibratedView:
    size = entry.numbers("size", 2)
    columns, rows = (int(number) for number in size)
    if (
        not (np.array([columns, rows]) == size).all()
        or not 1 <= min(columns, rows) <= max(columns, rows) <= LARGEST_SIDE
    ):
        raise entry.fail("size", "columns and rows of an image")
    detector_to_ras = entry.numbers("detector_to_ras", 4, 4)
    if np.linalg.matrix_rank(detector_to_ras[:3, :2]) < 2:
        raise entry.fail("detector_to_ras", "a matrix whose first two columns span the film")
    geometry = ViewGeometry(entry.numbers("source_ras", 3), detector_to_ras, (rows, columns))
    if not geometry.source_to_detector_mm > NEAREST_MM:
        raise entry.fail("source_ras", "a place off the film")
    return CalibratedView(entry.text("name"), geometry, sigma=read_sigma(entry))


def _view_values(view: CalibratedView) -> dict[str, Any]:
    rows, columns = view.geometry.shape
    values: dict[str, Any] = {
        "name": view.name,
        "size": [int(columns), int(rows)],
        "source_ras": np.round(view.geometry.source_ras, 9).tolist(),
        "detector_to_ras": np.round(view.geometry.detector_to_ras, 12).tolist(),
    }
    if view.assumed:
        values["assumed"] = list(view.assumed)
    if view.sigma is not None:
        values["geometry_sigma"] = view.sigma.to_json_dict()
    return values
