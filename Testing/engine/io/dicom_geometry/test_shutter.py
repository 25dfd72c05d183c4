"""What shutters and collimators leave open, against the pixels that the standard's words cover.

PS3.3 C.7.6.11: edges of a rectangular shutter are given as column and row, a circle by its centre (row, column) and its
radius in pixels, a polygon by its corners (row, column); pixels count from 1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_xray_files import Exposure, sequence, write
from skimage.draw import polygon2mask

from radgs.errors import InputFileError
from radgs.io.dicom_geometry import read_dicom_view

ROWS, COLUMNS = SIZE = (60, 80)
ROW, COLUMN = np.mgrid[1 : ROWS + 1, 1 : COLUMNS + 1]  # as the standard counts
EXPOSURE = Exposure("XA", 0.0, 0.0, 1200.0, 780.0, (0.3, 0.3), SIZE)
RECTANGLE = (COLUMN > 11) & (COLUMN < 70) & (ROW > 5) & (ROW < 52)
CIRCLE = (ROW - 30) ** 2 + (COLUMN - 41) ** 2 < 25**2


def edges(name: str) -> dict[str, Any]:
    shape = {f"{name}Shape": "RECTANGULAR"}
    return {
        **shape,
        f"{name}LeftVerticalEdge": "11",
        f"{name}RightVerticalEdge": "70",
        f"{name}UpperHorizontalEdge": "5",
        f"{name}LowerHorizontalEdge": "52",
    }


ROUND = {"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": ["30", "41"], "RadiusOfCircularShutter": "25"}


@pytest.mark.parametrize(
    ("attributes", "open_pixels"),
    [
        (edges("Shutter"), RECTANGLE),
        (edges("Collimator"), RECTANGLE),
        (ROUND, CIRCLE),
        ({**edges("Shutter"), **ROUND, "ShutterShape": ["RECTANGULAR", "CIRCULAR"]}, RECTANGLE & CIRCLE),
        ({**edges("Collimator"), **ROUND}, RECTANGLE & CIRCLE),
        (
            {"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": ["1", "1", "60", "1", "60", "60"]},
            (COLUMN <= ROW),
        ),
        (
            {"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": ["60", "60", "60", "1", "1", "1"]},
            (COLUMN <= ROW),
        ),
    ],
)
def test_what_is_covered_is_not_measured(attributes: dict[str, Any], open_pixels: np.ndarray, tmp_path: Path) -> None:
    view = read_dicom_view(write(tmp_path / "x.dcm", EXPOSURE, **attributes))
    assert view.field is not None
    found = polygon2mask(SIZE, view.field[:, ::-1])
    wrong = (found != open_pixels).mean()
    assert wrong < 0.02  # along a slanted edge
    assert any(said.startswith("Measured: ") for said in view.said)


def test_a_rectangle_is_exact_to_the_pixel(tmp_path: Path) -> None:
    view = read_dicom_view(write(tmp_path / "x.dcm", EXPOSURE, **edges("Shutter")))
    assert view.field is not None
    np.testing.assert_array_equal(polygon2mask(SIZE, view.field[:, ::-1]), RECTANGLE)


def test_an_open_shutter_is_none_and_an_enhanced_object_keeps_its_collimator_in_its_groups(tmp_path: Path) -> None:
    everything = {
        **edges("Shutter"),
        "ShutterLeftVerticalEdge": "0",
        "ShutterRightVerticalEdge": str(COLUMNS + 1),
        "ShutterUpperHorizontalEdge": "0",
        "ShutterLowerHorizontalEdge": str(ROWS + 1),
    }
    assert read_dicom_view(write(tmp_path / "open.dcm", EXPOSURE, **everything)).field is None
    assert read_dicom_view(write(tmp_path / "none.dcm", EXPOSURE)).field is None
    enhanced = Exposure("EnhancedXA", 0.0, 0.0, 1200.0, 780.0, (0.3, 0.3), SIZE, isocentre=(70.0, 55.0))
    path = write(tmp_path / "enhanced.dcm", enhanced)
    assert read_dicom_view(path).field is None
    import pydicom

    dataset = pydicom.dcmread(path)
    dataset.SharedFunctionalGroupsSequence[0].CollimatorShapeSequence = sequence(**edges("Collimator"))
    dataset.save_as(path)
    view = read_dicom_view(path)
    assert view.field is not None
    np.testing.assert_array_equal(polygon2mask(SIZE, view.field[:, ::-1]), RECTANGLE)


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({**edges("Shutter"), "ShutterLeftVerticalEdge": "69"}, "leaves nothing of the image"),
        ({**ROUND, "CenterOfCircularShutter": ["500", "500"]}, "leaves nothing of the image"),
        ({"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": ["1", "1", "9"]}, "no list of rows"),
        ({**ROUND, "CenterOfCircularShutter": ["30"]}, "should be 2 number"),
    ],
)
def test_a_shutter_that_cannot_be_is_told(attributes: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.dcm", EXPOSURE, **attributes)
    with pytest.raises(InputFileError, match=said):
        read_dicom_view(path)


def test_a_collimator_in_some_other_unit_is_not_believed(tmp_path: Path) -> None:
    """A radiograph of pydicom's data has edges of -184 to 184 and 907 to 1299 in 1841 x 1955 pixels."""
    path = write(tmp_path / "x.dcm", EXPOSURE, **{**edges("Collimator"), "CollimatorRightVerticalEdge": "-20"})
    assert read_dicom_view(path).field is None
