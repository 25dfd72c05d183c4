"""One DICOM X-ray's view: source and detector in the patient's axes, which attributes said so, which are missing."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError

from radgs.errors import InputFileError
from radgs.geometry import FloatArray
from radgs.geometry.c_arm import PATIENT_ON_TABLE, CArm
from radgs.io.calibrations.calibration import CalibratedView
from radgs.io.dicom_files import whole
from radgs.io.dicom_geometry.film import film_turn, isocentre_pixel, pixel_size
from radgs.io.dicom_geometry.frame_attributes import FrameAttributes, named
from radgs.io.dicom_geometry.shutter import open_field

ANGLES = "PositionerPositionSequence"
DISTANCES = "XRayGeometrySequence"
ISOCENTRE = "IsocenterReferenceSystemSequence"
TABLE = "TablePositionSequence"

#: Where the detector is when a radiographic view has no angles (PS3.3 C.8.11.5.1.1): degrees of the primary angle.
PRIMARY_OF_VIEW = {"PA": 0.0, "AP": 180.0, "LL": 90.0, "RL": -90.0}

#: A tilt that a file states below this changes nothing that can be seen, degrees.
SMALL_ANGLE_DEG = 0.5

#: Codes of how a patient lies, SNOMED CT and the older SRT.
HEAD_FIRST, FEET_FIRST = {"102540001", "F-10470"}, {"102541002", "F-10480"}
SUPINE, PRONE = {"40199007", "F-10340"}, {"1240000", "F-10310"}


@dataclass(frozen=True)
class Given:
    """What the user says of a view in the file's place; None leaves it to the file.

    Attributes:
        primary_deg: LAO positive.
        secondary_deg: Cranial positive.
        source_to_detector_mm: SDD.
        source_to_isocentre_mm: SOD.
        spacing_mm: Width and height of a pixel on the detector.
    """

    primary_deg: float | None = None
    secondary_deg: float | None = None
    source_to_detector_mm: float | None = None
    source_to_isocentre_mm: float | None = None
    spacing_mm: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class DicomView:
    """What one frame of a DICOM X-ray says of its geometry.

    Attributes:
        path: The file.
        frame: Which frame, from 0.
        frames: How many it has.
        study_uid: Its study.
        c_arm: The exposure; None while something is missing.
        said: Which attributes said what, a phrase each.
        assumed: What they do not say and was taken to be so, a sentence each.
        missing: Attributes that are missing, as the standard names them.
        table_lps: (3,) place of the table in the room, along the patient's LPS axes; None where the file does not say.
        stated: The numbers that the file itself says, each where it says it.
        says_how_it_is_turned: Whether the file says how the image lies on the detector.
        field: (N, 2) corners (column, row) of what shutter and collimator leave open; None where the file names none.
    """

    path: Path
    frame: int
    frames: int
    study_uid: str
    c_arm: CArm | None
    said: tuple[str, ...]
    assumed: tuple[str, ...]
    missing: tuple[str, ...]
    table_lps: FloatArray | None = None
    stated: Given = Given()
    says_how_it_is_turned: bool = False
    field: FloatArray | None = None

    @property
    def origin(self) -> str:
        """Where its geometry comes from, in a few words."""
        frame = f", frame {self.frame}" if self.frames > 1 else ""
        return f"from {self.path.name} (DICOM{frame})"

    def calibrated(self, name: str, first: DicomView | None = None) -> CalibratedView:
        """The view in the patient's axes, its isocentre at the origin or moved as the table moved since the first view.

        Args:
            name: What to call it.
            first: The view whose isocentre is the origin.

        Raises:
            InputFileError: Something is missing.
        """
        if self.c_arm is None:
            raise InputFileError(
                f"{self.path} does not say its geometry: {', '.join(self.missing)} missing.", "Give what is missing."
            )
        assumed = self.assumed
        isocentre = np.zeros(3)
        if first is not None and first is not self:
            if self.table_lps is not None and first.table_lps is not None:
                # The patient moved with the table; in the patient's axes the isocentre moved the other way.
                isocentre = (first.table_lps - self.table_lps) * np.array([-1.0, -1.0, 1.0])
            else:
                assumed = (*assumed, "The table did not move between the views.")
        return CalibratedView(name, self.c_arm.view(isocentre), assumed)


def read_dicom_view(path: Path, frame: int | None = None, given: Given | None = None) -> DicomView:
    """Reads the geometry of one frame.

    Args:
        path: XA, RF, DX, CR, or enhanced XA or XRF.
        frame: From 0; not needed where there is one.
        given: What the user says in the file's place.

    Raises:
        InputFileError: Unreadable, of a slot scanner, a run without a chosen frame, or a geometry that is not that of a
            detector perpendicular to its beam.
    """
    dataset = _header(path)
    _refuse_slot_scanner(path, dataset)
    frames = whole(path, dataset, "NumberOfFrames", 1)
    size = (whole(path, dataset, "Columns"), whole(path, dataset, "Rows"))
    if frame is None and frames > 1:
        raise InputFileError(f"{path} is a run of {frames} frames.", "Choose one, counted from 0.")
    chosen = frame or 0
    if not 0 <= chosen < frames:
        raise InputFileError(f"{path} has no frame {chosen}; it has {frames}.", "Choose one, counted from 0.")
    attributes = FrameAttributes(dataset, chosen)
    try:
        _refuse_tilts(attributes)
        _refuse_motion(attributes)
        return _view(path, attributes, frames, size, given or Given())
    except InputFileError as error:
        raise InputFileError(f"{path}: {error.problem}", error.remedy) from error


def _view(path: Path, attributes: FrameAttributes, frames: int, size: tuple[int, int], given: Given) -> DicomView:
    said: list[str] = []
    assumed: list[str] = []
    missing: list[str] = []
    primary, secondary = _angles(attributes, given, said, assumed, missing)
    detector, isocentre = _distances(attributes, given, said, missing)
    pixels = pixel_size(attributes)
    c_arm = None
    turned = False
    if given.spacing_mm is None and pixels is None:
        missing.append(f"{named('ImagerPixelSpacing')} or {named('PixelSpacing')}")
    if None not in (primary, secondary, detector, isocentre) and (given.spacing_mm or pixels):
        assert primary is not None
        assert secondary is not None
        assert detector is not None
        assert isocentre is not None
        spacing = given.spacing_mm
        if spacing is None:
            assert pixels is not None
            magnification = 1.0 if pixels.at_detector else detector / isocentre
            spacing = (pixels.spacing_mm[0] * magnification, pixels.spacing_mm[1] * magnification)
            said.append(f"Pixel size: {pixels.said_by}")
        turn, by, noted = film_turn(attributes, primary, secondary)
        said += [f"Image axes: {one}" for one in by]
        turned = bool(by)
        assumed += noted
        pixel, by = isocentre_pixel(attributes, size, spacing, turn)
        said += [f"Isocentre: {', '.join(by)}"] if by else []
        if pixel is None:
            assumed.append("The isocentre projects to the image's middle.")
        c_arm = CArm(primary, secondary, detector, isocentre, spacing, size, pixel, turn)
    field, by = open_field(attributes, size)
    said += [f"Measured: {', '.join(by)}"] if by else []
    study = attributes.text("StudyInstanceUID")
    return DicomView(
        path,
        attributes.frame,
        frames,
        study,
        c_arm,
        tuple(said),
        tuple(assumed),
        tuple(missing),
        _table(attributes, assumed),
        Given(
            source_to_detector_mm=attributes.number("DistanceSourceToDetector", DISTANCES),
            spacing_mm=pixels.spacing_mm if pixels is not None and pixels.at_detector else None,
        ),
        turned,
        field,
    )


def _angles(
    attributes: FrameAttributes, given: Given, said: list[str], assumed: list[str], missing: list[str]
) -> tuple[float | None, float | None]:
    primary = attributes.number("PositionerPrimaryAngle", ANGLES)
    secondary = attributes.number("PositionerSecondaryAngle", ANGLES)
    if given.primary_deg is not None or given.secondary_deg is not None:
        said.append("Angles: as stated")
        return given.primary_deg or 0.0, given.secondary_deg or 0.0
    if primary is not None:
        said.append(f"Angles: {named('PositionerPrimaryAngle')}, {named('PositionerSecondaryAngle')}")
        if secondary is None:
            assumed.append("The secondary angle is 0.")
        return primary, secondary or 0.0
    view = attributes.text("ViewPosition").strip().upper()
    if view in PRIMARY_OF_VIEW:
        said.append(f"Angles: {named('ViewPosition')} {view}")
        assumed.append(f"A view {view} was taken at exactly {PRIMARY_OF_VIEW[view]:g} and 0 degrees.")
        return PRIMARY_OF_VIEW[view], 0.0
    missing += [named("PositionerPrimaryAngle"), named("PositionerSecondaryAngle")]
    return None, None


def _distances(
    attributes: FrameAttributes, given: Given, said: list[str], missing: list[str]
) -> tuple[float | None, float | None]:
    """SDD and SOD; the magnification factor stands in for one of them."""
    detector = given.source_to_detector_mm or attributes.number("DistanceSourceToDetector", DISTANCES)
    isocentre = given.source_to_isocentre_mm
    by = "as stated"
    for keyword in ("DistanceSourceToIsocenter", "DistanceSourceToPatient"):
        if isocentre is None:
            isocentre = attributes.number(keyword, DISTANCES)
            by = named(keyword)
    factor = attributes.number("EstimatedRadiographicMagnificationFactor")
    if factor is not None and factor > 1:
        magnified = named("EstimatedRadiographicMagnificationFactor")
        if isocentre is None and detector is not None:
            isocentre, by = detector / factor, magnified
        elif detector is None and isocentre is not None:
            detector = isocentre * factor
    if detector is None:
        missing.append(named("DistanceSourceToDetector"))
    if isocentre is None:
        missing.append(named("DistanceSourceToPatient"))
    if detector is not None and isocentre is not None:
        said.append(f"Distances: {detector:g} mm to the detector, {isocentre:g} mm to the isocentre ({by})")
    return detector, isocentre


def _table(attributes: FrameAttributes, assumed: list[str]) -> FloatArray | None:
    """Where the table stands, along the patient's LPS axes (PS3.3 C.8.19.6.13: X left, Y down, Z to its head)."""
    place = [
        attributes.number(keyword, ISOCENTRE)
        for keyword in ("TableXPositionToIsocenter", "TableYPositionToIsocenter", "TableZPositionToIsocenter")
    ]
    if any(number is None for number in place):
        return None
    position = _patient_position(attributes.dataset)
    if position not in PATIENT_ON_TABLE:
        assumed.append("The patient lies on the back with the head at the table's head (HFS).")
    return np.array(place, dtype=np.float64) * np.array(PATIENT_ON_TABLE.get(position, (1.0, 1.0, 1.0)))


def _patient_position(dataset: pydicom.Dataset) -> str:
    """Patient Position (0018,5100), or what the codes in its place in enhanced objects say (PS3.16 CID 20, 21)."""
    stated = str(dataset.get("PatientPosition", "")).strip().upper()
    if stated:
        return stated

    def codes(*keywords: str) -> set[str]:
        place: pydicom.Dataset | None = dataset
        for keyword in keywords:
            items = place.get(keyword) if place is not None else None
            place = items[0] if items else None
        return set() if place is None else {str(place.get("CodeValue", ""))}

    lying = codes("PatientOrientationCodeSequence", "PatientOrientationModifierCodeSequence")
    entering = codes("PatientGantryRelationshipCodeSequence")
    first = "HF" if entering & HEAD_FIRST else "FF" if entering & FEET_FIRST else ""
    side = "S" if lying & SUPINE else "P" if lying & PRONE else ""
    return first + side if first and side else ""


def _refuse_tilts(attributes: FrameAttributes) -> None:
    """Tilted detectors, tubes and tables, whose directions the other attributes do not settle, are not guessed at."""
    for keyword, macro in (
        ("DetectorPrimaryAngle", ""),
        ("DetectorSecondaryAngle", ""),
        ("ColumnAngulation", ""),
        ("ColumnAngulationPatient", ANGLES),
        ("PositionerIsocenterDetectorRotationAngle", ISOCENTRE),
        ("TableHorizontalRotationAngle", ISOCENTRE),
        ("TableHeadTiltAngle", ISOCENTRE),
        ("TableCradleTiltAngle", ISOCENTRE),
    ):
        angle = attributes.number(keyword, macro)
        if angle is not None and abs(angle) > SMALL_ANGLE_DEG:
            raise InputFileError(
                f"{named(keyword)} is {angle:g} degrees; such a tilt is not read.",
                "Calibrate this view, or give source_ras and detector_to_ras yourself.",
            )


def _refuse_motion(attributes: FrameAttributes) -> None:
    """In a run whose C-arm or table moves, the angles are those of the first frame (PS3.3 C.8.7.5.1.2)."""
    for keyword in ("PositionerMotion", "TableMotion"):
        moving = attributes.text(keyword).strip().upper() == "DYNAMIC"
        if moving and attributes.frame > 0 and "PerFrameFunctionalGroupsSequence" not in attributes.dataset:
            raise InputFileError(
                f"{named(keyword)} is DYNAMIC, and frame {attributes.frame} is not the first.",
                "Choose frame 0, to which the stated angles apply, or give this frame's angles.",
            )


def _refuse_slot_scanner(path: Path, dataset: pydicom.Dataset) -> None:
    maker = " ".join(str(dataset.get(key, "")) for key in ("Manufacturer", "ManufacturerModelName")).upper().split()
    if "EOS" in maker or "STEREOS" in maker:
        raise InputFileError(
            f"{path} is from a slot scanner (EOS), which is no cone beam: every row has a source of its own.",
            "Use X-rays of a C-arm or of a fixed tube.",
        )


def _header(path: Path) -> pydicom.Dataset:
    try:
        with warnings.catch_warnings():  # what is wrong with the file is told in our own words
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(path, stop_before_pixels=True)
    except (InvalidDicomError, OSError, EOFError, ValueError) as problem:
        raise InputFileError(f"{path} is not a DICOM file that can be read.", "Check that it is complete.") from problem
    if "Rows" not in dataset or "Columns" not in dataset:
        raise InputFileError(f"{path} holds no image.", "Give an X-ray.")
    return dataset
