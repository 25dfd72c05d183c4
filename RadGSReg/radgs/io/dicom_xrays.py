"""DICOM X-rays (CR, DX, XA, RF): pixel values through the Modality LUT, and what their attributes say they mean.

Attributes are those of PS3.3: Photometric Interpretation (0028,0004), Pixel Intensity Relationship (0028,1040) and its
Sign (0028,1041). The VOI window is never applied: it changes contrast only, and clips.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.errors import InvalidDicomError

from radgs.errors import InputFileError
from radgs.io.dicom_versions import modality_values
from radgs.io.line_integrals import QUESTION, KnownPixelType, bone_sense, guess_pixel_type
from radgs.io.volumes import read_image_array


@dataclass(frozen=True, eq=False)
class DicomXRay:
    """A DICOM X-ray's pixels and the attributes that explain them.

    Attributes:
        values: (H, W) or (frames, H, W) values after the Modality LUT.
        photometric: MONOCHROME1 (larger is shown darker), MONOCHROME2, or a colour.
        relationship: LIN, LOG, DISP, or empty where the file does not say.
        sign: 1 when larger values mean more beam, -1 when they mean less, None where the file does not say.
        ceiling: The largest value the stored bits can express, after the Modality LUT.
        for_processing: Whether the file says that its values are raw rather than made to be looked at.
    """

    values: NDArray
    photometric: str
    relationship: str
    sign: int | None
    ceiling: float
    for_processing: bool = False

    @property
    def displayed(self) -> NDArray:
        """Values in the sense in which they are shown: larger is brighter."""
        return self.ceiling - self.values if self.photometric == "MONOCHROME1" else self.values

    def interpret(self) -> tuple[NDArray, KnownPixelType, str]:
        """The pixel values, their kind, and the reason as a phrase, from the attributes.

        Raises:
            InputFileError: The attributes leave it open and so does the image.
        """
        rises = self.sign != -1
        if self.relationship == "LIN":
            values = self.values if rises else self.ceiling - self.values
            return values, "intensity", "DICOM says linear in the beam's intensity"
        if self.relationship == "LOG":
            values = self.ceiling - self.values if rises else self.values
            return values, "display", "DICOM says logarithm of the beam's intensity, turned so that bone is bright"
        if self.for_processing and not self.relationship:
            kind, because = guess_pixel_type(self.values)
            return self.values, kind, f"DICOM values for processing, {because}"
        shown = f"DICOM {self.photometric} display values"
        bone = bone_sense(self.displayed)
        if bone == "bright":
            return self.displayed, "display", f"{shown}, bone bright"
        if bone == "dark":
            return self.ceiling - self.displayed, "display", f"{shown}, bone dark and so inverted"
        raise InputFileError(
            "Neither the DICOM attributes nor the image tell whether bone is bright or dark in it.", QUESTION
        )


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM: by its preamble, or its suffix."""
    with path.open("rb") as file:
        head = file.read(132)
    return head[128:] == b"DICM" or path.suffix.lower() in {".dcm", ".dicom", ".ima"}


def read_dicom_xray(path: Path) -> DicomXRay:
    """Reads one DICOM X-ray.

    Raises:
        InputFileError: Unreadable, without pixels, or with pixels whose compression cannot be undone.
    """
    try:
        with warnings.catch_warnings():  # what is wrong with the file is told below, in our own words
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(path)
    except (InvalidDicomError, OSError, EOFError, ValueError) as problem:
        raise InputFileError(
            f"{path} is not a DICOM file that can be read.", "Check that the file is complete."
        ) from problem
    try:
        values = modality_values(dataset)
    except Exception:  # pydicom's plugins raise what they like; ITK undoes compressions that they do not
        values = read_image_array(path)
    sign = dataset.get("PixelIntensityRelationshipSign")
    return DicomXRay(
        values=values,
        photometric=str(dataset.get("PhotometricInterpretation", "MONOCHROME2")),
        relationship=str(dataset.get("PixelIntensityRelationship", "") or "").upper(),
        sign=None if sign is None else int(sign),
        ceiling=_ceiling(dataset, values),
        for_processing=str(dataset.get("PresentationIntentType", "")).upper() == "FOR PROCESSING",
    )


def _ceiling(dataset: pydicom.Dataset, values: NDArray) -> float:
    """The largest value that the stored bits can express, on the scale of ``values``."""
    bits = int(dataset.get("BitsStored", 16))
    stored = 2 ** (bits - 1) - 1 if int(dataset.get("PixelRepresentation", 0)) == 1 else 2**bits - 1
    if "ModalityLUTSequence" in dataset:
        return float(values.max())
    slope, intercept = float(dataset.get("RescaleSlope", 1) or 1), float(dataset.get("RescaleIntercept", 0) or 0)
    return max(float(values.max()), float(np.max([stored * slope + intercept])))
