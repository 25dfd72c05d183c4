"""DICOM X-rays (CR, DX, XA, RF): pixel values through the Modality LUT, and what their attributes say they mean.

Attributes are those of PS3.3: Photometric Interpretation (0028,0004), Presentation LUT Shape (2050,0020), Pixel
Intensity Relationship (0028,1040) and its Sign (0028,1041). Files state them wrongly often enough that the image has a
vote: where it clearly says otherwise, the user is asked. The VOI window is never applied: it changes contrast only, and
clips.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pydicom
from numpy.typing import NDArray

from radgs.errors import InputFileError
from radgs.io.dicom_files import items, numbers, read_dataset, text
from radgs.io.dicom_pixels import PLAIN, PixelLayout, pixel_layout, stored_values
from radgs.io.input_files import INCOMPLETE
from radgs.io.line_integrals import QUESTION, KnownPixelType, bone_sense, guess_pixel_type
from radgs.io.rescaling import rescaled

#: Colour spaces whose first component is brightness, or whose components make it.
COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")


@dataclass(frozen=True, eq=False)
class DicomXRay:
    """A DICOM X-ray's pixels and the attributes that explain them.

    Attributes:
        values: (H, W) or (frames, H, W) values after the Modality LUT; colours in a last axis.
        photometric: MONOCHROME1 (larger is shown darker), MONOCHROME2, or a colour.
        relationship: LIN, LOG, DISP, or empty where the file does not say.
        sign: 1 when larger values mean more beam, -1 when they mean less, None where the file does not say.
        ceiling: The largest value the stored bits can express, after the Modality LUT.
        for_processing: Whether the file says that its values are raw rather than made to be looked at.
        shape: The Presentation LUT's: INVERSE (larger is shown darker), IDENTITY, or empty.
    """

    values: NDArray
    photometric: str
    relationship: str
    sign: int | None
    ceiling: float
    for_processing: bool = False
    shape: str = ""

    @property
    def displayed(self) -> NDArray:
        """Values in the sense in which they are shown, as Photometric Interpretation says: larger is brighter."""
        return self.turned if self.photometric == "MONOCHROME1" else self.values

    @property
    def turned(self) -> NDArray:
        """Values upside down."""
        return self.ceiling - self.values

    def shown(self) -> NDArray:
        """``displayed``, where the attributes agree, or else where the image shows bone bright.

        Raises:
            InputFileError: The attributes contradict each other, and the image does not tell.
        """
        if self.shape in ("", "INVERSE" if self.photometric == "MONOCHROME1" else "IDENTITY"):
            return self.displayed
        bone = _sense(self.values)
        if bone == "unclear":
            raise InputFileError(
                f"DICOM's {self.photometric} and its Presentation LUT Shape {self.shape} contradict each other.",
                'Export the image with bone bright as a file such as .png, and set its pixel_type: "display".',
            )
        return self.values if bone == "bright" else self.turned

    def interpret(self) -> tuple[NDArray, KnownPixelType, str]:
        """The pixel values, their kind, and the reason as a phrase, from the attributes and the image's own vote.

        Raises:
            InputFileError: The attributes leave it open and so does the image, or the two contradict each other.
        """
        rises = self.sign != -1
        if self.relationship in ("LIN", "LOG"):
            self._hear_the_image(rises)
        if self.relationship == "LIN":
            values = self.values if rises else self.turned
            return values, "intensity", "DICOM says linear in the beam's intensity"
        if self.relationship == "LOG":
            values = self.turned if rises else self.values
            return values, "display", "DICOM says logarithm of the beam's intensity, turned so that bone is bright"
        if self.for_processing and not self.relationship:
            kind, because = guess_pixel_type(self.values)
            return self.values, kind, f"DICOM values for processing, {because}"
        shown = f"DICOM {self.photometric} display values"
        values = self.displayed
        bone = _sense(values)
        if bone == "bright":
            return values, "display", f"{shown}, bone bright"
        if bone == "dark":
            return self.ceiling - values, "display", f"{shown}, bone dark and so inverted"
        raise InputFileError(
            "Neither the DICOM attributes nor the image tell whether bone is bright or dark in it.", QUESTION
        )

    def _hear_the_image(self, rises: bool) -> None:
        """Refuses a relationship whose sign the image clearly contradicts."""
        expected = "dark" if rises else "bright"
        seen = _sense(self.values)
        if seen not in (expected, "unclear"):
            stated = "more" if rises else "less"
            raise InputFileError(
                f"DICOM says that larger values mean {stated} of the beam, and so bone is {expected}, but the image "
                f"shows bone {seen}.",
                QUESTION,
            )


def read_dicom_xray(path: Path) -> DicomXRay:
    """Reads one DICOM X-ray.

    Raises:
        InputFileError: Damaged, without pixels, of palette colours, or with pixels whose compression cannot be undone.
    """
    dataset = read_dataset(path)
    layout = pixel_layout(path, dataset)
    photometric = text(dataset, "PhotometricInterpretation") or "MONOCHROME2"
    if photometric not in ("MONOCHROME1", "MONOCHROME2", *COLOURS):
        raise InputFileError(
            f"{path} holds pixels of the kind {photometric}, which are no grey values.", "Export it in grey values."
        )
    stored = stored_values(path, dataset)
    if layout.samples > 1 and photometric.startswith("YBR") and layout.syntax in PLAIN:
        stored = stored[..., 0]
    values = _through_modality_lut(path, dataset, stored[0] if layout.frames == 1 else stored)
    sign = numbers(path, dataset, "PixelIntensityRelationshipSign", 1)
    return DicomXRay(
        values=values,
        photometric=photometric,
        relationship=text(dataset, "PixelIntensityRelationship"),
        sign=None if sign is None else int(sign[0]),
        ceiling=_ceiling(path, dataset, layout, values),
        for_processing=text(dataset, "PresentationIntentType") == "FOR PROCESSING",
        shape=text(dataset, "PresentationLUTShape"),
    )


def _sense(values: NDArray) -> Literal["bright", "dark", "unclear"]:
    """How the image shows bone; of several frames or colours nothing is said."""
    return bone_sense(values) if values.ndim == 2 else "unclear"


def _through_modality_lut(path: Path, dataset: pydicom.Dataset, stored: NDArray) -> NDArray:
    """Stored values through the Modality LUT sequence, or slope and intercept (PS3.3 C.11.1)."""
    tables = items(path, dataset, "ModalityLUTSequence")
    if tables:
        return _looked_up(path, tables[0], stored)
    slope, intercept = numbers(path, dataset, "RescaleSlope", 1), numbers(path, dataset, "RescaleIntercept", 1)
    return rescaled(path, stored, 1.0 if slope is None else slope[0], 0.0 if intercept is None else intercept[0])


def _looked_up(path: Path, table: pydicom.Dataset, stored: NDArray) -> NDArray:
    """Values by a table: descriptor (entries, first value mapped, bits) and data."""
    descriptor = numbers(path, table, "LUTDescriptor", 3)
    data = table.get("LUTData")
    if descriptor is None or data is None:
        raise InputFileError(f"{path} has a Modality LUT without its table.", INCOMPLETE)
    entries, first = int(descriptor[0]) or 65536, int(descriptor[1])
    if stored.dtype.kind == "i" and first > 32767:
        first -= 65536  # pydicom may take a signed first value for an unsigned one
    try:
        lut = np.frombuffer(data, "<u2") if isinstance(data, bytes) else np.array(data, np.uint16)
    except (ValueError, OverflowError) as problem:
        raise InputFileError(f"{path} has a Modality LUT that cannot be read.", INCOMPLETE) from problem
    if lut.size < entries:
        raise InputFileError(f"{path} has a Modality LUT that is cut short.", INCOMPLETE)
    return lut[np.clip(stored.astype(np.int64) - first, 0, entries - 1)]


def _ceiling(path: Path, dataset: pydicom.Dataset, layout: PixelLayout, values: NDArray) -> float:
    """The largest value that the stored bits can express, on the scale of ``values``."""
    if "ModalityLUTSequence" in dataset:
        return float(values.max())
    slope, intercept = numbers(path, dataset, "RescaleSlope", 1), numbers(path, dataset, "RescaleIntercept", 1)
    top = layout.ceiling * (1.0 if slope is None else slope[0]) + (0.0 if intercept is None else intercept[0])
    return max(float(values.max()), top)
