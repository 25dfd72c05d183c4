"""A scene with registered levels, as an export finds it: no engine has run, but the files are the engine's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from radgs.case import LevelResult, Reason, RegistrationResult
from radgs.geometry import RigidTransform
from radgs.io.dicom_versions import write_dicom_file

#: No entry of a pose can be swapped, negated or transposed without being noticed.
L3 = RigidTransform.from_rotation_vector([0.31, -0.17, 0.53], [12.0, -34.0, 56.0])
L4 = RigidTransform.from_rotation_vector([-0.22, 0.41, 0.13], [-7.0, 25.0, 91.0])
L5 = L4 @ L3

LEVELS: Mapping[str, LevelResult] = {
    "L3": LevelResult(L3, "accept", {"surface_p95": 0.8}),
    "L4": LevelResult(L4, "check", {"surface_p95": 2.5}, (Reason("views", "The views disagree by 3 mm."),)),
    "L5": LevelResult(L5, "reject", {}, (Reason("level", "The X-rays fit L4 better."),)),
}

CASE_SHA256 = "ab" * 32

#: Where a pedicle screw is planned to enter, in the CT, RAS mm.
SCREW_ENTRY = np.array([-21.5, -48.25, 103.0])


def bring_in(folder: Path, inputs: Any, levels: Mapping[str, LevelResult] = LEVELS, case: str = CASE_SHA256) -> str:
    """Brings a result into the scene as a registration does, and returns the SHA-256 of its result.json."""
    from radgs.export.verified_write import sha256_of
    from RadGSRegLib.engine.result_import import import_steps

    result = RegistrationResult(levels, case_sha256=case, versions={"radgs": "0.1.0"})
    path = result.save(folder)
    segments = dict.fromkeys(levels, inputs.segments["L3"])
    for _ in import_steps(folder, replace(inputs, segments=segments)):
        pass
    return sha256_of(path)


def write_ct_series(
    folder: Path, ct: Any, frame: str, shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> list[Path]:
    """The headers of the DICOM objects that a CT volume could have been loaded from, slice by slice."""
    import slicer

    from RadGSRegLib.scene.placement import ijk_to_own_ras

    folder.mkdir()
    series, study, files = generate_uid(), generate_uid(), []
    for k in range(slicer.util.arrayFromVolume(ct).shape[0]):
        dataset = Dataset()
        dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid()
        dataset.SeriesInstanceUID, dataset.StudyInstanceUID = series, study
        dataset.PatientName, dataset.PatientID = "Spine", "P1"
        dataset.FrameOfReferenceUID = frame
        corner = ijk_to_own_ras(ct) @ [0.0, 0.0, k, 1.0]
        dataset.ImagePositionPatient = [float(f"{x:.6f}") for x in (corner[:3] * [-1, -1, 1] + shift)]
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        files.append(folder / f"{k}.dcm")
        write_dicom_file(files[-1], dataset)
    return files


def load_into_database(monkeypatch: Any, ct: Any, files: list[Path]) -> None:
    """Says of a CT what Slicer's DICOM module says when it has loaded it: its objects, and where their files are."""
    import slicer
    from slicerhost.dicom_library import Database

    database = Database()
    for file in files:
        database.insert(str(file))
    ct.SetAttribute("DICOM.instanceUIDs", " ".join(database.fileValue(str(file), "0008,0018") for file in files))
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
