"""The film of a DICOM X-ray: how large its pixels are, how it is turned, and where the isocentre projects.

Field of view attributes are those of PS3.3 C.8.11.4 (DX Detector) and C.8.19.6.2 (Enhanced XA/XRF): the field's corner
is measured on the detector; the field is then turned clockwise, and then flipped, into the stored image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radgs.errors import InputFileError
from radgs.geometry.c_arm import FilmTurn, turn_of_orientation
from radgs.io.dicom_geometry.frame_attributes import FrameAttributes, named

FIELD = "FieldOfViewSequence"
PIXELS = "FramePixelDataPropertiesSequence"
ORIENTATION = "PatientOrientationInFrameSequence"


@dataclass(frozen=True)
class PixelSize:
    """Width and height of a stored pixel.

    Attributes:
        spacing_mm: Width and height.
        said_by: The attribute that says it, with what was made of it.
        at_detector: Whether it is measured on the detector, not in the patient.
    """

    spacing_mm: tuple[float, float]
    said_by: str
    at_detector: bool


def pixel_size(attributes: FrameAttributes) -> PixelSize | None:
    """The size of a pixel, by Imager Pixel Spacing before Pixel Spacing; None where neither is there.

    Pixel Spacing that was calibrated (PS3.3 10.7.1.1) is measured in the patient, at the isocentre's depth.
    """
    for keyword, macro in (("ImagerPixelSpacing", PIXELS), ("NominalScannedPixelSpacing", ""), ("PixelSpacing", "")):
        numbers = attributes.numbers(keyword, 2, macro)
        if numbers is None or min(numbers) <= 0:
            continue
        calibrated = attributes.text("PixelSpacingCalibrationType")
        in_patient = keyword == "PixelSpacing" and calibrated in ("GEOMETRY", "FIDUCIAL")
        note = f", calibrated in the patient ({calibrated})" if in_patient else ""
        return PixelSize((numbers[1], numbers[0]), named(keyword) + note, not in_patient)
    return None


def film_turn(
    attributes: FrameAttributes, primary_deg: float, secondary_deg: float
) -> tuple[FilmTurn, list[str], list[str]]:
    """How the stored image is turned against the detector, which attribute says it, and what was assumed.

    Patient Orientation speaks of the stored image itself and goes before the field of view's turn and flip. An image
    of a radiographic view that says neither is taken as such are shown: the patient's left at its right.
    """
    field = _field_turn(attributes)
    orientation = attributes.text("PatientOrientation", ORIENTATION).split("\\")
    if len(orientation) == 2:
        turn = turn_of_orientation(primary_deg, secondary_deg, *orientation)
        said = f"{named('PatientOrientation')} {'/'.join(orientation)}"
        if turn is not None:
            other = field is not None and not np.array_equal(field.axes, turn.axes)
            note = [f"{named('FieldOfViewRotation')} and flip say another turn and were not used."] if other else []
            return turn, [said], note
        if field is None:
            return FilmTurn(), [], [f"{said} fits no view from these angles and was not used."]
    if field is not None:
        return field, [f"{named('FieldOfViewRotation')}, {named('FieldOfViewHorizontalFlip')}"], []
    if attributes.text("ViewPosition").strip().upper() == "AP" and abs(primary_deg) > 90:
        return FilmTurn(flipped=True), [], ["The image shows the patient's left at its right."]
    return FilmTurn(), [], ["The image is taken as the detector has it, not turned and not mirrored."]


def isocentre_pixel(
    attributes: FrameAttributes, size: tuple[int, int], spacing_mm: tuple[float, float], turn: FilmTurn
) -> tuple[tuple[float, float] | None, list[str]]:
    """(column, row) of the stored image where the isocentre projects, and which attributes say it.

    None where the file does not say; XA assumes the middle then (PS3.17 FFF.2.1.5.2).
    """
    position = attributes.numbers("PositionOfIsocenterProjection", 2)
    element = attributes.numbers("DetectorElementSpacing", 2)
    if position is None or element is None:
        return None, []
    origin = attributes.numbers("FieldOfViewOrigin", 2, FIELD) or (0.0, 0.0)
    # Rows come first: distance down the column, then along the row, from the first element's centre; the field's corner
    # is a corner of elements, half an element before the centre of its first one.
    down = (position[0] + 0.5 - origin[0]) * element[0]
    along = (position[1] + 0.5 - origin[1]) * element[1]
    # Millimetres from the field's corner to the stored image's: turn about the field's middle.
    stored_mm = np.array([size[0] * spacing_mm[0], size[1] * spacing_mm[1]])
    field_mm = np.abs(turn.axes) @ stored_mm
    from_middle = turn.axes.T @ (np.array([along, down]) - field_mm / 2)
    column, row = (from_middle + stored_mm / 2) / np.array(spacing_mm) - 0.5
    said = [named("PositionOfIsocenterProjection"), named("DetectorElementSpacing"), named("FieldOfViewOrigin")]
    return (float(column), float(row)), said


def _field_turn(attributes: FrameAttributes) -> FilmTurn | None:
    rotation = attributes.number("FieldOfViewRotation", FIELD)
    flip = attributes.text("FieldOfViewHorizontalFlip", FIELD)
    if rotation is None and not flip:
        return None
    quarters = (rotation or 0.0) / 90.0
    if quarters != round(quarters):
        raise InputFileError(
            f"{named('FieldOfViewRotation')} is {rotation:g} degrees, no quarter turn.", "Give the geometry yourself."
        )
    return FilmTurn(int(quarters) % 4, flip == "YES")
