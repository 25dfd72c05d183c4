"""What a DICOM X-ray's shutter and collimator leave of the image, as a polygon.

PS3.3 C.7.6.11 (Display Shutter) and C.8.7.3 (X-Ray Collimator): columns and rows count from 1; the edges of a rectangle
are the last that are covered, a circle has a centre (row, column) and a radius, a polygon its corners (row, column).
Several shapes cover what any of them covers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radgs.errors import InputFileError
from radgs.geometry import FloatArray
from radgs.io.dicom_geometry.frame_attributes import FrameAttributes, named

#: Where enhanced objects keep the collimator.
COLLIMATOR = "CollimatorShapeSequence"
#: Corners of the polygon that stands for a circle.
ROUND = 72
#: What leaves less of the image than this is a mistake of the file's: nothing could be registered in it.
LEAST_SHARE = 0.02


@dataclass(frozen=True)
class _Kind:
    """The keywords of a shutter or a collimator.

    Attributes:
        may_be_nonsense: Devices write this one in millimetres about the middle, too: what leaves nothing is not meant.
    """

    shape: str
    prefix: str
    centre: str
    radius: str
    corners: str
    macro: str = ""
    may_be_nonsense: bool = False


KINDS = (
    _Kind(
        "ShutterShape",
        "Shutter",
        "CenterOfCircularShutter",
        "RadiusOfCircularShutter",
        "VerticesOfThePolygonalShutter",
    ),
    _Kind(
        "CollimatorShape",
        "Collimator",
        "CenterOfCircularCollimator",
        "RadiusOfCircularCollimator",
        "VerticesOfThePolygonalCollimator",
        COLLIMATOR,
        may_be_nonsense=True,
    ),
)


def open_field(attributes: FrameAttributes, size: tuple[int, int]) -> tuple[FloatArray | None, list[str]]:
    """The part of the image that neither covers.

    Args:
        attributes: Of the frame.
        size: Columns and rows.

    Returns:
        (N, 2) corners (column, row), pixel centres at integers, the first at 0; None where all of the image is open.
        And which attributes said so.

    Raises:
        InputFileError: An attribute has no numbers of its kind.
    """
    columns, rows = size
    whole = np.array([[-0.5, -0.5], [columns - 0.5, -0.5], [columns - 0.5, rows - 0.5], [-0.5, rows - 0.5]])
    field = whole
    said: list[str] = []
    for kind in KINDS:
        left, by = field, []
        shapes = attributes.text(kind.shape, kind.macro).upper().split("\\")
        for name in shapes:
            shape = _shape(attributes, kind, name.strip(), size)
            if shape is not None:
                left = _cut(shape, left) if name.strip() == "POLYGONAL" else _cut(left, shape)
                by.append(f"{named(kind.shape)} {name.strip()}")
        if _area(left) >= LEAST_SHARE * _area(whole):
            field, said = left, [*said, *by]
        elif not kind.may_be_nonsense:
            raise InputFileError(
                f"{', '.join(by)} leaves nothing of the image.", "Correct it, or export the image without it."
            )
    return (None, []) if _area(field) >= 0.999 * _area(whole) else (field, said)


def _shape(attributes: FrameAttributes, kind: _Kind, name: str, size: tuple[int, int]) -> FloatArray | None:
    """(N, 2) corners of one shape, in a sense that turns the same way as the image's own; None for a name unknown."""
    if name == "RECTANGULAR":
        edges = [
            attributes.number(f"{kind.prefix}{edge}Edge", kind.macro)
            for edge in ("LeftVertical", "RightVertical", "UpperHorizontal", "LowerHorizontal")
        ]
        if any(edge is None for edge in edges):
            return None
        # The last column that is covered has its centre at (edge - 1), its inner border half a pixel further.
        left, right, upper, lower = (float(edge or 0.0) - 1.0 for edge in edges)
        left, right, upper, lower = left + 0.5, right - 0.5, upper + 0.5, lower - 0.5
        return np.array([[left, upper], [right, upper], [right, lower], [left, lower]])
    if name == "CIRCULAR":
        centre = attributes.numbers(kind.centre, 2, kind.macro)
        radius = attributes.number(kind.radius, kind.macro)
        if centre is None or radius is None:
            return None
        angles = np.arange(ROUND) * 2 * np.pi / ROUND
        return np.array([centre[1], centre[0]]) - 1.0 + radius * np.column_stack([np.cos(angles), np.sin(angles)])
    if name == "POLYGONAL":
        text = attributes.text(kind.corners, kind.macro)
        try:
            values = np.array([float(part) for part in text.split("\\")]) if text else np.empty(0)
        except ValueError:
            values = np.empty(1)
        if len(values) % 2 or not np.isfinite(values).all():
            raise InputFileError(f"{named(kind.corners)} is no list of rows and columns.", "Correct it.")
        if len(values) < 6:
            return None
        corners: FloatArray = values.reshape(-1, 2)[:, ::-1] - 1.0
        return corners if _signed_area(corners) > 0 else corners[::-1]
    return None


def _cut(polygon: FloatArray, window: FloatArray) -> FloatArray:
    """A polygon within a convex window, whose corners turn from the columns' axis to the rows."""
    for begin, end in zip(window, np.roll(window, -1, axis=0), strict=True):
        if not len(polygon):
            return polygon
        along = end - begin
        inside = along[0] * (polygon[:, 1] - begin[1]) - along[1] * (polygon[:, 0] - begin[0])
        kept = []
        for number, (corner, depth) in enumerate(zip(polygon, inside, strict=True)):
            before, depth_before = polygon[number - 1], inside[number - 1]
            if (depth >= 0) != (depth_before >= 0):
                kept.append(before + (corner - before) * depth_before / (depth_before - depth))
            if depth >= 0:
                kept.append(corner)
        polygon = np.array(kept).reshape(-1, 2)
    return polygon


def _signed_area(polygon: FloatArray) -> float:
    following = np.roll(polygon, -1, axis=0)
    return float((polygon[:, 0] * following[:, 1] - polygon[:, 1] * following[:, 0]).sum() / 2)


def _area(polygon: FloatArray) -> float:
    return abs(_signed_area(polygon)) if len(polygon) > 2 else 0.0
