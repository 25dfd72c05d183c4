"""X-rays as machines write them: XA, XRF, CR, DX and the enhanced ones, complete enough for a validator."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

SOP_CLASSES = {
    "XA": "1.2.840.10008.5.1.4.1.1.12.1",
    "RF": "1.2.840.10008.5.1.4.1.1.12.2",
    "CR": "1.2.840.10008.5.1.4.1.1.1",
    "DX": "1.2.840.10008.5.1.4.1.1.1.1",
    "EnhancedXA": "1.2.840.10008.5.1.4.1.1.12.1.1",
    "EnhancedXRF": "1.2.840.10008.5.1.4.1.1.12.2.1",
}
STUDY = generate_uid(entropy_srcs=["study"])


@dataclass(frozen=True)
class Exposure:
    """The facts that a file states, in the standard's own terms.

    Angles in degrees; distances and spacings in mm, rows first; the field of view's corner (row, column) on the
    detector in elements; its clockwise turn in degrees; its flip.
    """

    kind: str
    primary: float
    secondary: float
    sdd: float
    sod: float
    spacing: tuple[float, float]
    size: tuple[int, int]  # rows, columns
    rotation: int = 0
    flip: bool = False
    origin: tuple[float, float] = (0.0, 0.0)
    isocentre: tuple[float, float] | None = None
    table: tuple[float, float, float] = (0.0, 0.0, 0.0)
    frames: int = 1
    frame: int = 0
    per_frame: bool = False


def sequence(**values: Any) -> Sequence:
    """A sequence of one item."""
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return Sequence([item])


def code(value: str, scheme: str, meaning: str) -> Sequence:
    return sequence(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def write(path: Path, exposure: Exposure, **attributes: Any) -> Path:
    """Writes one file; what ``attributes`` names is set last, None deletes."""
    enhanced = exposure.kind.startswith("Enhanced")
    dataset = _common(exposure)
    if enhanced:
        _enhanced(dataset, exposure)
    else:
        _plain(dataset, exposure)
    rows, columns = exposure.size
    image = np.random.default_rng(5).integers(0, 4096, (exposure.frames, rows, columns)).astype(np.uint16)
    dataset.PixelData = image.tobytes()
    for keyword, value in attributes.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


def _common(exposure: Exposure) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = UID(SOP_CLASSES[exposure.kind])
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY, generate_uid()
    dataset.Modality = {"EnhancedXA": "XA", "EnhancedXRF": "XA"}.get(exposure.kind, exposure.kind)
    dataset.PatientName, dataset.PatientID = "Phantom^C-arm", "C1"
    dataset.PatientBirthDate, dataset.PatientSex = "", "O"
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID = "20200101", "120000", "1"
    dataset.AccessionNumber = dataset.ReferringPhysicianName = ""
    dataset.SeriesNumber, dataset.InstanceNumber = "1", "1"
    dataset.Manufacturer, dataset.ManufacturerModelName = "Nobody", "Model"
    dataset.DeviceSerialNumber, dataset.SoftwareVersions = "1", "1"
    dataset.ContentDate, dataset.ContentTime = "20200101", "120000"
    dataset.AcquisitionDateTime, dataset.AcquisitionNumber = "20200101120000", "1"
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.LossyImageCompression, dataset.BurnedInAnnotation = "00", "NO"
    dataset.Rows, dataset.Columns = exposure.size
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    return dataset


def _plain(dataset: Dataset, exposure: Exposure) -> None:
    if exposure.frames > 1:
        dataset.NumberOfFrames = exposure.frames
        dataset.FrameIncrementPointer = 0x00181063
        dataset.FrameTime, dataset.PositionerMotion = "40", "STATIC"
        dataset.TableMotion = "STATIC"
    if exposure.kind in ("XA", "RF"):
        dataset.Laterality = ""
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "SINGLE PLANE"]
        dataset.PixelIntensityRelationship, dataset.PixelIntensityRelationshipSign = "LIN", 1
        dataset.KVP, dataset.RadiationSetting = "80", "GR"
        dataset.ExposureTime, dataset.XRayTubeCurrent, dataset.Exposure = "10", "100", "1"
        dataset.PatientOrientation = ""
    dataset.PositionerType = "CARM"
    dataset.PositionerPrimaryAngle, dataset.PositionerSecondaryAngle = str(exposure.primary), str(exposure.secondary)
    dataset.DistanceSourceToDetector, dataset.DistanceSourceToPatient = str(exposure.sdd), str(exposure.sod)
    dataset.ImagerPixelSpacing = [str(number) for number in exposure.spacing]
    if exposure.rotation or exposure.flip:
        dataset.FieldOfViewOrigin = [str(number) for number in exposure.origin]
        dataset.FieldOfViewRotation = str(exposure.rotation)
        dataset.FieldOfViewHorizontalFlip = "YES" if exposure.flip else "NO"
    if exposure.kind in ("CR", "DX"):
        dataset.BodyPartExamined = "LSPINE"
        dataset.PatientOrientation = ""
    if exposure.kind == "CR":
        dataset.ViewPosition = ""
        del dataset.PositionerType
    if exposure.kind == "DX":
        dataset.PresentationIntentType = "FOR PRESENTATION"
        dataset.ImageType = ["ORIGINAL", "PRIMARY", ""]
        dataset.ImageLaterality = "U"
        dataset.AnatomicRegionSequence = code("T-11503", "SRT", "Lumbar spine")
        dataset.DetectorType = "DIRECT"
        dataset.PixelIntensityRelationship, dataset.PixelIntensityRelationshipSign = "LOG", -1
        dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", "1", "US"
        dataset.PresentationLUTShape = "IDENTITY"
        dataset.PatientOrientation = ["L", "F"]
        dataset.WindowCenter, dataset.WindowWidth = "2048", "4096"
        dataset.AcquisitionContextSequence = Sequence([])


def _enhanced(dataset: Dataset, exposure: Exposure) -> None:
    dataset.NumberOfFrames = exposure.frames
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "SINGLE PLANE", "NONE"]
    dataset.PixelIntensityRelationship = "LIN"
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = generate_uid(), ""
    dataset.ContentQualification = "RESEARCH"
    dataset.PresentationLUTShape = "IDENTITY"
    dataset.AcquisitionContextSequence = Sequence([])
    dataset.DetectorType, dataset.PhysicalDetectorSize = "DIRECT", [300.0, 300.0]
    dataset.XRayReceptorType, dataset.PositionerType = "DIGITAL_DETECTOR", "CARM"
    dataset.CArmPositionerTabletopRelationship = "YES"
    _lie_down(dataset)
    dataset.SynchronizationFrameOfReferenceUID = generate_uid()
    dataset.SynchronizationTrigger, dataset.AcquisitionTimeSynchronized = "NO TRIGGER", "N"
    dataset.PlaneIdentification = "MONOPLANE"
    dataset.PlanesInAcquisition, dataset.AcquisitionProtocolName = "SINGLE PLANE", "Spine"
    dataset.KVP, dataset.RadiationSetting, dataset.RadiationMode = "80", "GR", "PULSED"
    dataset.AveragePulseWidth, dataset.AcquisitionDuration = "10", 1.0
    dataset.ExposureInmAs = 1.0
    dataset.DistanceReceptorPlaneToDetectorHousing, dataset.AcquiredImageAreaDoseProduct = None, None
    # Detector elements are half as large as the stored pixels here; 2 x 2 of them make a pixel.
    dataset.DetectorElementSpacing = [str(number / 2) for number in exposure.spacing]
    if exposure.isocentre is not None:
        dataset.PositionOfIsocenterProjection = list(exposure.isocentre)
    right, wrong = _functional_groups(exposure), _functional_groups(_elsewhere(exposure))
    shared, frames = Dataset(), []
    for number in range(exposure.frames):
        groups = right if number == exposure.frame else wrong
        frame = Dataset()
        frame.FrameContentSequence = sequence(
            FrameAcquisitionDateTime="20200101120000",
            FrameAcquisitionDuration=10.0,
            FrameReferenceDateTime="20200101120000",
            FrameAcquisitionNumber=number + 1,
        )
        frame.IrradiationEventIdentificationSequence = sequence(IrradiationEventUID=generate_uid())
        if exposure.per_frame:
            for keyword, value in groups.items():
                setattr(frame, keyword, value)
        frames.append(frame)
    if not exposure.per_frame:
        for keyword, value in right.items():
            setattr(shared, keyword, value)
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    dataset.PerFrameFunctionalGroupsSequence = Sequence(frames)


def _lie_down(dataset: Dataset) -> None:
    """On the back, head first, as enhanced objects say it."""
    dataset.PatientOrientationCodeSequence = code("102538003", "SCT", "recumbent")
    dataset.PatientOrientationCodeSequence[0].PatientOrientationModifierCodeSequence = code("40199007", "SCT", "supine")
    dataset.PatientGantryRelationshipCodeSequence = code("102540001", "SCT", "headfirst")


def _elsewhere(exposure: Exposure) -> Exposure:
    """Another exposure, for the frames that are not looked at."""
    return replace(
        exposure, primary=round(exposure.primary / 2 + 7, 3), sdd=round(exposure.sdd + 50, 3), flip=not exposure.flip
    )


def _functional_groups(exposure: Exposure) -> dict[str, Sequence]:
    rows, columns = exposure.size
    field = sequence(
        FieldOfViewShape="RECTANGLE",
        FieldOfViewDimensionsInFloat=[float(columns * exposure.spacing[1]), float(rows * exposure.spacing[0])],
        FieldOfViewOrigin=[str(number) for number in exposure.origin],
        FieldOfViewRotation=str(exposure.rotation),
        FieldOfViewHorizontalFlip="YES" if exposure.flip else "NO",
    )
    isocentre = sequence(
        PositionerIsocenterPrimaryAngle=float(exposure.primary),
        PositionerIsocenterSecondaryAngle=float(exposure.secondary),
        PositionerIsocenterDetectorRotationAngle=0.0,
        TableXPositionToIsocenter=exposure.table[0],
        TableYPositionToIsocenter=exposure.table[1],
        TableZPositionToIsocenter=exposure.table[2],
        TableHorizontalRotationAngle=0.0,
        TableHeadTiltAngle=0.0,
        TableCradleTiltAngle=0.0,
    )
    return {
        "FramePixelDataPropertiesSequence": sequence(
            FrameType=["ORIGINAL", "PRIMARY", "SINGLE PLANE", "NONE"],
            ImagerPixelSpacing=[str(number) for number in exposure.spacing],
            PixelIntensityRelationship="LIN",
            PixelIntensityRelationshipSign=1,
            GeometricalProperties="UNIFORM",
            ImageProcessingApplied="NONE",
        ),
        "PositionerPositionSequence": sequence(
            PositionerPrimaryAngle=str(exposure.primary), PositionerSecondaryAngle=str(exposure.secondary)
        ),
        "XRayGeometrySequence": sequence(
            DistanceSourceToIsocenter=float(exposure.sod), DistanceSourceToDetector=str(exposure.sdd)
        ),
        "FieldOfViewSequence": field,
        "IsocenterReferenceSystemSequence": isocentre,
        "FrameAnatomySequence": sequence(
            AnatomicRegionSequence=code("122496007", "SCT", "Lumbar spine"), FrameLaterality="U"
        ),
        "FrameVOILUTSequence": sequence(WindowCenter="2048", WindowWidth="4096"),
        "XAXRFFrameCharacteristicsSequence": sequence(
            DerivationDescription="", AcquisitionDeviceProcessingDescription="", AcquisitionDeviceProcessingCode=""
        ),
        "FrameDetectorParametersSequence": sequence(),
        "PatientOrientationInFrameSequence": sequence(PatientOrientation=["L", "F"]),
        "TablePositionSequence": sequence(
            TableTopVerticalPosition=0.0,
            TableTopLongitudinalPosition=0.0,
            TableTopLateralPosition=0.0,
            TableHorizontalRotationAngle=0.0,
            TableHeadTiltAngle=0.0,
            TableCradleTiltAngle=0.0,
        ),
        "ProjectionPixelCalibrationSequence": sequence(
            DistanceObjectToTableTop=100.0,
            ObjectPixelSpacingInCenterOfBeam=[0.2, 0.2],
            BeamAngle=0.0,
            TableHeight="100",
        ),
        "CollimatorShapeSequence": sequence(
            CollimatorShape="RECTANGULAR",
            CollimatorLeftVerticalEdge="0",
            CollimatorRightVerticalEdge=str(columns + 1),
            CollimatorUpperHorizontalEdge="0",
            CollimatorLowerHorizontalEdge=str(rows + 1),
        ),
    }
