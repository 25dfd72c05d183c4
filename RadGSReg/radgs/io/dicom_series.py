"""Whose DICOM files these are, and in which frame of reference: what an object derived from them has to repeat."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError

from radgs.errors import InputFileError

#: Attributes of the Patient and General Study modules (PS3.3 C.7.1.1, C.7.2.1) that a derived object takes over.
PATIENT = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")
STUDY = ("StudyInstanceUID", "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber")

_UIDS = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
_TAGS = [*PATIENT, *STUDY, *_UIDS, "FrameOfReferenceUID", "ImagePositionPatient"]


@dataclass(frozen=True)
class Instance:
    """One DICOM object, as others refer to it."""

    sop_class_uid: str
    sop_instance_uid: str
    series_uid: str
    study_uid: str


@dataclass(frozen=True, eq=False)
class DicomSeries:
    """DICOM objects of one patient, one study and one frame of reference.

    Attributes:
        path: Where they were read.
        frame_uid: Frame of Reference UID (0020,0052); None where the files name none, as projection X-rays often do.
        instances: The objects.
        patient: Attributes of ``PATIENT`` that the files have, as texts.
        study: Attributes of ``STUDY`` that the files have, as texts.
        positions_lps: Where the first voxel of each object stands in the frame of reference, LPS mm (Image Position
            (Patient), 0020,0032); objects that do not say are left out.
    """

    path: Path
    frame_uid: str | None
    instances: tuple[Instance, ...]
    patient: dict[str, str] = field(default_factory=dict)
    study: dict[str, str] = field(default_factory=dict)
    positions_lps: tuple[tuple[float, float, float], ...] = ()


def read_dicom_series(paths: Sequence[Path]) -> DicomSeries:
    """Reads the headers of DICOM files, given one by one or as folders, whose other files are passed over.

    Where some objects name a frame of reference, those that name none are passed over too.

    Raises:
        InputFileError: Missing, not DICOM, or of several patients, studies or frames of reference.
    """
    found = [dataset for path in paths for dataset in _headers(path)]
    # What names no frame among what does (a report, a dose) is not of the series.
    datasets = [dataset for dataset in found if dataset.get("FrameOfReferenceUID")] or found
    place = paths[0]
    for keyword, called in (
        ("PatientID", "patients"),
        ("StudyInstanceUID", "studies"),
        ("FrameOfReferenceUID", "frames of reference"),
    ):
        values = {str(dataset.get(keyword, "")) for dataset in datasets}
        if len(values) > 1:
            raise InputFileError(
                f"The DICOM files at {place} are of {len(values)} {called}.", "Give those of one alone."
            )
    first = datasets[0]
    return DicomSeries(
        path=place,
        frame_uid=str(first.get("FrameOfReferenceUID", "")) or None,
        instances=tuple(
            Instance(*(str(dataset.get(keyword, "")) for keyword in _UIDS))
            for dataset in sorted(datasets, key=lambda dataset: str(dataset.get("SOPInstanceUID", "")))
        ),
        patient={keyword: str(first[keyword].value) for keyword in PATIENT if keyword in first},
        study={keyword: str(first[keyword].value or "") for keyword in STUDY if keyword in first},
        positions_lps=tuple(position for dataset in datasets if (position := _position(dataset)) is not None),
    )


def _position(dataset: pydicom.Dataset) -> tuple[float, float, float] | None:
    try:
        x, y, z = (float(number) for number in dataset.get("ImagePositionPatient") or ())
    except ValueError:
        return None
    return x, y, z


def _headers(path: Path) -> list[pydicom.Dataset]:
    if not path.exists():
        raise InputFileError(f"There is no file or folder {path}.", "Check the path.")
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    found = [dataset for file in files if (dataset := _header(file)) is not None]
    if not found:
        raise InputFileError(f"{path} holds no DICOM object.", "Give a DICOM file, or a folder of them.")
    return found


def _header(file: Path) -> pydicom.Dataset | None:
    """The attributes asked for; None where the file is no DICOM object that others can refer to."""
    try:
        with warnings.catch_warnings():  # what is unusual in the file is not ours to judge
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(file, specific_tags=_TAGS, stop_before_pixels=True)
            complete = all(dataset.get(keyword) for keyword in _UIDS)
    except (InvalidDicomError, OSError, EOFError, ValueError):
        return None
    return dataset if complete else None
