"""The DICOM files that volumes of the scene were loaded from, and whether they are of one patient."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import slicer

from radgs.case.checks.identity import compare_identities
from radgs.errors import InputFileError
from radgs.io.dicom_identity import Identity, read_identity
from RadGSRegLib.scene.node_contract import DICOM_FILE_ATTRIBUTE
from RadGSRegLib.scene.xray_nodes import view_name

#: On a volume: the SOP instance UIDs of its DICOM objects, separated by spaces. Slicer's DICOM module writes it.
INSTANCES_ATTRIBUTE = "DICOM.instanceUIDs"


def instance_uids(volume: Any) -> list[str]:
    """The SOP instance UIDs of a volume that Slicer loaded from DICOM; none for another."""
    return (volume.GetAttribute(INSTANCES_ATTRIBUTE) or "").split()


def dicom_files(volume: Any) -> tuple[Path, ...]:
    """The DICOM files that Slicer loaded a volume from, as its DICOM database knows them; none where one is missing."""
    database = getattr(slicer, "dicomDatabase", None)
    if database is None:
        return ()
    files = [database.fileForInstance(uid) for uid in instance_uids(volume)]
    return tuple(map(Path, files)) if all(files) else ()


def check_one_patient(ct: Any, xrays: Sequence[Any]) -> None:
    """Compares whose the CT and the X-rays are, as far as their DICOM files say and are still there.

    Raises:
        CaseError: Two of them are of different patients.
    """
    known = {view_name(xray): identity for xray in xrays if (identity := _identity(xray)) is not None}
    compare_identities(_identity(ct), known)


def _identity(volume: Any) -> Identity | None:
    place = (volume.GetAttribute(DICOM_FILE_ATTRIBUTE) or "").rpartition("#")[0]
    files = dicom_files(volume) or ((Path(place),) if place else ())
    try:
        return read_identity(files[0]) if files and files[0].is_file() else None
    except InputFileError:  # a file that cannot be read says nothing of who it is
        return None
