"""What a user says of a CT and X-rays beside their files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from radgs.geometry.projection import Convention
from radgs.io.dicom_geometry import Given


@dataclass(frozen=True)
class DicomImport:
    """What a user says beside the files.

    Attributes:
        places: Folders and files.
        ct: The CT, where several series are there, or where it is no DICOM.
        labels: The label map, or a DICOM SEG.
        xrays: Per view, its file and frame (None where it has one); all X-rays of one study where not given.
        given: Per view, what is said in the file's place.
        preset: Usual machine whose numbers stand in for what neither files nor user say, of ``radgs.geometry.c_arm``.
        levels: The levels to register; ``L3`` by the label map's numbering, or ``L3=29``.
        clicks: Per level and view, the vertebral body's centre as (column, row).
        calibrations: Files of a calibration, whose views go before what DICOM files say of theirs.
        convention: For plain matrices.
        size: Columns and rows of the X-rays, for calibrations that do not say.
        unit_mm: Millimetres of the calibration's unit.
        superior: A direction of the calibration's world that is the patient's superior.
        anterior: The same of anterior.
    """

    places: tuple[Path, ...]
    ct: Path | None = None
    labels: Path | None = None
    xrays: Mapping[str, tuple[Path, int | None]] = field(default_factory=dict)
    given: Mapping[str, Given] = field(default_factory=dict)
    preset: str | None = None
    levels: tuple[str, ...] = ()
    clicks: Mapping[str, Mapping[str, tuple[float, float]]] = field(default_factory=dict)
    calibrations: tuple[Path, ...] = ()
    convention: Convention = field(default_factory=Convention)
    size: tuple[int, int] | None = None
    unit_mm: float = 1.0
    superior: str | None = None
    anterior: str | None = None
