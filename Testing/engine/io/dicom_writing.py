"""DICOM objects for tests: slices, enhanced CT, segmentations, as hospitals' systems write them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from radgs.io.dicom_versions import write_dicom_file

CT_IMAGE, ENHANCED_CT, SEGMENTATION = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.66.4",
)
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
FRAME, STUDY = generate_uid(), generate_uid()


def save(path: Path, dataset: Dataset) -> Path:
    """Writes a dataset, its folder made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_dicom_file(path, dataset)
    return path


def image(sop_class: str, modality: str, pixels: np.ndarray, **attributes: Any) -> Dataset:
    """An image of 16 bits; ``pixels`` is (rows, columns) or (frames, rows, columns)."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = STUDY, generate_uid(), FRAME
    dataset.Modality, dataset.PatientID = modality, "P1"
    if pixels.ndim == 3:
        dataset.NumberOfFrames = len(pixels)
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.PixelData = pixels.astype(np.uint16).tobytes()
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return dataset


def slices(
    folder: Path,
    positions: Sequence[tuple[float, float, float]],
    orientation: Sequence[float] = AXIAL,
    spacing: Sequence[float] = (0.6, 0.5),
) -> list[Dataset]:
    """Datasets of axial slices of 24 x 32 pixels; stored value = 100 * slice + column. ``write`` saves them."""
    series = generate_uid()
    pixels = np.broadcast_to(np.arange(32), (24, 32))
    return [
        image(
            CT_IMAGE,
            "CT",
            pixels + 100 * number,
            SeriesInstanceUID=series,
            ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
            ImagePositionPatient=list(position),
            ImageOrientationPatient=list(orientation),
            PixelSpacing=list(spacing),
            RescaleSlope=1,
            RescaleIntercept=-1024,
            filename=str(folder / f"{99 - number}.dcm"),  # names run against the order of the slices
        )
        for number, position in enumerate(positions)
    ]


def write(datasets: Sequence[Dataset]) -> Path:
    """Saves what ``slices`` made; returns the folder."""
    for dataset in datasets:
        save(Path(dataset.filename), dataset)
    return Path(datasets[0].filename).parent


def item(**attributes: Any) -> Dataset:
    """An item of a sequence."""
    dataset = Dataset()
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return dataset


def placed(position: Sequence[float], orientation: Sequence[float] = AXIAL, **more: Any) -> Dataset:
    """A frame's functional groups."""
    return item(
        PlanePositionSequence=[item(ImagePositionPatient=list(position))],
        PlaneOrientationSequence=[item(ImageOrientationPatient=list(orientation))],
        **more,
    )


def enhanced_ct(positions: Sequence[Sequence[float]], orientation: Sequence[float] = AXIAL) -> Dataset:
    """A multi-frame CT of 24 x 32 pixels; stored value = 100 * frame + column; frames need not be in order."""
    pixels = np.stack([np.broadcast_to(np.arange(32) + 100 * n, (24, 32)) for n in range(len(positions))])
    dataset = image(ENHANCED_CT, "CT", pixels, ImageType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"])
    dataset.SharedFunctionalGroupsSequence = [
        item(
            PixelMeasuresSequence=[item(PixelSpacing=[0.6, 0.5], SliceThickness=1)],
            PixelValueTransformationSequence=[item(RescaleSlope=1, RescaleIntercept=-1024, RescaleType="HU")],
        )
    ]
    dataset.PerFrameFunctionalGroupsSequence = [placed(position, orientation) for position in positions]
    return dataset


def segmentation(masks: dict[int, np.ndarray], kind: str = "BINARY", step: float = 2.0) -> Dataset:
    """A SEG that leaves out empty frames.

    Args:
        masks: Per segment number, (slices, rows, columns) membership 0 to 1.
        kind: BINARY or FRACTIONAL.
        step: Distance between slices, mm; the first lies at z = 10.
    """
    frames = [(number, k, mask[k]) for number, mask in masks.items() for k in range(len(mask)) if mask[k].any()]
    stacked = np.stack([frame for _, _, frame in frames])
    dataset = image(SEGMENTATION, "SEG", stacked, SegmentationType=kind)
    if kind == "BINARY":
        dataset.BitsAllocated = dataset.BitsStored = 1
        dataset.HighBit = 0
        packed = np.packbits(stacked.ravel() >= 0.5, bitorder="little").tobytes()
    else:
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit, dataset.MaximumFractionalValue = 7, 200
        packed = np.round(stacked * 200).astype(np.uint8).tobytes()
    dataset.PixelData = packed + b"\0" * (len(packed) % 2)
    dataset.SegmentSequence = [item(SegmentNumber=number, SegmentLabel=f"L{number}") for number in masks]
    dataset.SharedFunctionalGroupsSequence = [
        item(
            PixelMeasuresSequence=[item(PixelSpacing=[0.6, 0.5], SliceThickness=step)],
            PlaneOrientationSequence=[item(ImageOrientationPatient=list(AXIAL))],
        )
    ]
    dataset.PerFrameFunctionalGroupsSequence = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=[-5.0, -6.0, 10.0 + step * k])],
            SegmentIdentificationSequence=[item(ReferencedSegmentNumber=number)],
        )
        for number, k, _ in frames
    ]
    return dataset
