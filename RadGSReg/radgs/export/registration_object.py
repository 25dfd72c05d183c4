"""DICOM Spatial Registration, one REG per level: for PACS, planning systems and SlicerRT."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydicom.uid import generate_uid

from radgs.errors import ExportError
from radgs.export.formats import WrittenFile
from radgs.export.released_poses import TRIAL_POINT, ReleasedPose, ReleasedPoses, point_text
from radgs.geometry import RigidTransform
from radgs.io.dicom_series import DicomSeries
from radgs.io.raster import LPS_TO_RAS
from radgs.io.spatial_registration import (
    FrameOfReference,
    Heading,
    read_spatial_registration,
    write_spatial_registration,
)
from radgs.versions import ENGINE_VERSION

#: Under which frames of reference get UIDs of their own, as UUIDs (PS3.5 B.2).
NAMESPACE = uuid.UUID("6f7a4a1e-53a5-4c0b-9d2e-4f1f6f3f0c66")

HOLDS = (
    "A DICOM Spatial Registration (REG): the item of the Registration Sequence with the CT's frame of reference holds "
    "ct_to_world in LPS and millimetres, which multiplies column vectors; the item of the world holds the identity."
)


@dataclass(frozen=True, eq=False)
class SpatialRegistrationFormat:
    """``<level>_ct_to_world.dcm``, in one series.

    The frames of reference are those of the given files. One that is not given, or that the files do not name, gets a
    UID made from the case's hash, the same in every export of that case; new ones where the case is not known.
    Patient and study are the X-rays', else the CT's, else left empty and new.

    Attributes:
        ct: The CT's DICOM files.
        xrays: The X-rays' DICOM files; their frame of reference has to be the frame in which they are calibrated.

    Raises:
        ExportError: The CT and the X-rays are of different patients.
    """

    ct: DicomSeries | None = None
    xrays: DicomSeries | None = None
    name: str = "dicom"
    title: str = "DICOM Spatial Registration (.dcm)"

    def __post_init__(self) -> None:
        if self.ct is None or self.xrays is None:
            return
        ids = {series.patient.get("PatientID") or "" for series in (self.ct, self.xrays)}
        if len(ids - {""}) > 1:
            raise ExportError(
                f"The CT at {self.ct.path} and the X-rays at {self.xrays.path} have different patient IDs.",
                "Give the files of one patient.",
            )

    def write(self, released: ReleasedPoses, folder: Path) -> list[WrittenFile]:
        """See ``ExportFormat``."""
        common: dict[str, str | int] = {
            **self._patient_and_study(),
            "SeriesInstanceUID": generate_uid(prefix=None),
            "SeriesNumber": 1,
            "SeriesDescription": "RadGSReg: CT to X-ray world",
            "BodyPartExamined": "SPINE",
            "Manufacturer": "RadGSReg",
            "ManufacturerModelName": "radgs",
            "DeviceSerialNumber": "none",
            "SoftwareVersions": ENGINE_VERSION,
        }
        written, unknown_case = [], generate_uid(prefix=None)
        for number, pose in enumerate(released.poses, start=1):
            path = folder / f"{pose.level}_ct_to_world.dcm"
            case = pose.provenance.case_sha256 or unknown_case
            ct, world = _frame(self.ct, case, "ct"), _frame(self.xrays, case, "world")
            heading = Heading({**common, **_content(pose, number)}, f"{pose.level}: CT to world, {pose.verdict}")
            write_spatial_registration(path, pose.ct_to_world, ct, world, heading)
            written.append(WrittenFile(path, (pose,)))
        return written

    def read(self, path: Path) -> list[RigidTransform]:
        """See ``ExportFormat``."""
        return [read_spatial_registration(path).ct_to_world]

    def explain(self, written: WrittenFile) -> str:
        """See ``ExportFormat``."""
        registration = read_spatial_registration(written.path)
        ct_lps = LPS_TO_RAS[:3, :3] @ TRIAL_POINT
        world_lps = LPS_TO_RAS[:3, :3] @ written.poses[0].trial_point_in_world
        return "\n".join(
            [
                HOLDS,
                f"The CT's frame of reference: {registration.ct_frame_uid} ({_source(self.ct)}).",
                f"The world's: {registration.world_frame_uid} ({_source(self.xrays)}).",
                f"Try it: the CT's matrix times {point_text(ct_lps)} must give {point_text(world_lps)}.",
            ]
        )

    def _patient_and_study(self) -> dict[str, str]:
        """The X-rays', because that is when the registration was made; else the CT's."""
        given = self.xrays or self.ct
        if given is not None:
            return given.patient | given.study
        now = datetime.now()
        started = {"StudyDate": now.strftime("%Y%m%d"), "StudyTime": now.strftime("%H%M%S")}
        return {"StudyInstanceUID": generate_uid(prefix=None), **started}


def _content(pose: ReleasedPose, number: int) -> Mapping[str, str | int]:
    """The Content Identification macro (PS3.3 10.9); a label is at most 16 capitals, digits and underscores."""
    label = f"{pose.level.upper()}_CT_TO_WORLD"
    fits = len(label) <= 16 and all(letter.isascii() and (letter.isalnum() or letter == "_") for letter in label)
    return {
        "SOPInstanceUID": generate_uid(prefix=None),
        "InstanceNumber": number,
        "ContentLabel": label if fits else "CT_TO_WORLD",
        "ContentDescription": f"{pose.level}: {pose.verdict}, {pose.expectation}"[:64],
    }


def _frame(series: DicomSeries | None, case: str, which: str) -> FrameOfReference:
    instances = () if series is None else series.instances
    if series is not None and series.frame_uid is not None:
        return FrameOfReference(series.frame_uid, instances)
    return FrameOfReference(f"2.25.{uuid.uuid5(NAMESPACE, f'{which} {case}').int}", instances)


def _source(series: DicomSeries | None) -> str:
    if series is None:
        return "made for this case, because no DICOM files were given; no other object knows it yet"
    if series.frame_uid is None:
        return f"made for this case, because the files at {series.path} name none; no other object knows it yet"
    return f"that of the files at {series.path}"


SPATIAL_REGISTRATION = SpatialRegistrationFormat()
