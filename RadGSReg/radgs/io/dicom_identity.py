"""Whose images a DICOM file or folder holds, and of which day."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pydicom

from radgs.errors import InputFileError
from radgs.io.dicom_files import is_dicom, read_dataset

#: Where the day of an image is looked for, the most particular first.
DATES = ("AcquisitionDate", "SeriesDate", "StudyDate")


@dataclass(frozen=True)
class Identity:
    """What headers say of the patient; empty where they say nothing (PS3.3 C.7.1.1).

    Attributes:
        patient_id: Patient ID (0010,0020).
        issuer: Issuer of Patient ID (0010,0021): who numbers so.
        name: Family and given name, folded so that case and padding do not matter.
        birth_date: Patient's Birth Date (0010,0030), YYYYMMDD.
        sex: Patient's Sex (0010,0040): M, F or O.
        date: Day of the image, YYYYMMDD.
        deidentified: Whether Patient Identity Removed (0012,0062) says so: identities were then made up.
    """

    patient_id: str = ""
    issuer: str = ""
    name: str = ""
    birth_date: str = ""
    sex: str = ""
    date: str = ""
    deidentified: bool = False


def read_identity(path: Path) -> Identity | None:
    """The identity in a DICOM file, or in the first one of a folder; None where there is no DICOM.

    Raises:
        InputFileError: Missing, or a DICOM file that cannot be read.
    """
    file = _first_dicom(path) if path.is_dir() else path
    if file is None or not is_dicom(file):
        return None
    dataset = read_dataset(file, pixels=False)
    return Identity(
        patient_id=_text(dataset, "PatientID"),
        issuer=_text(dataset, "IssuerOfPatientID"),
        name=_name(_text(dataset, "PatientName")),
        birth_date=_text(dataset, "PatientBirthDate"),
        sex=_text(dataset, "PatientSex").upper(),
        date=next((day for keyword in DATES if (day := _text(dataset, keyword))), ""),
        deidentified=_text(dataset, "PatientIdentityRemoved").upper() == "YES",
    )


def _first_dicom(folder: Path) -> Path | None:
    for file in sorted(entry for entry in folder.iterdir() if entry.is_file()):
        try:
            if is_dicom(file):
                return file
        except InputFileError:
            continue
    return None


def _text(dataset: pydicom.Dataset, keyword: str) -> str:
    try:
        value = dataset.get(keyword)
    except Exception:  # a value that cannot be decoded says nothing of who it is
        return ""
    return "" if value is None else str(value).strip()


def _name(text: str) -> str:
    """Family and given name of the alphabetic group; middle names, prefixes and suffixes come and go."""
    parts = text.split("=")[0].split("^")
    return " ".join(part.strip().casefold() for part in parts[:2] if part.strip())
