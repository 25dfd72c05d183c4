"""DICOM Spatial Registration: valid, filed with its patient, and the same map again when it is read."""

from __future__ import annotations

import re
import shutil
import subprocess
from copy import deepcopy
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

from radgs.case import LevelResult, RegistrationResult
from radgs.errors import ExportError, GeometryError, InputFileError
from radgs.export import SpatialRegistrationFormat, export_files, release
from radgs.geometry import RigidTransform
from radgs.io.dicom_series import DicomSeries, read_dicom_series
from radgs.io.dicom_versions import write_dicom_file
from radgs.io.spatial_registration import (
    FrameOfReference,
    Heading,
    read_spatial_registration,
    write_spatial_registration,
)

POSE = RigidTransform.from_rotation_vector([0.31, -0.17, 0.53], [12.0, -34.0, 56.0])
CT_FRAME, WORLD_FRAME = "1.2.3.4.1", "1.2.3.4.2"
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])

transforms = st.builds(
    RigidTransform.from_rotation_vector,
    arrays(np.float64, 3, elements=st.floats(-1.7, 1.7)),
    arrays(np.float64, 3, elements=st.floats(-1000, 1000)),
)


def write_series(folder: Path, frame: str | None, count: int = 2, study: str = "1.2.3.5", **attributes: str) -> Path:
    """The headers of a CT (or, without a frame of reference, of projection X-rays)."""
    folder.mkdir()
    series = generate_uid()
    for number in range(count):
        dataset = Dataset()
        dataset.SpecificCharacterSet = "ISO_IR 144"
        dataset.SOPClassUID = DigitalXRayImageStorageForPresentation if frame is None else CTImageStorage
        dataset.SOPInstanceUID = generate_uid()
        dataset.SeriesInstanceUID, dataset.StudyInstanceUID = series, study
        dataset.StudyDate, dataset.StudyTime = "20260102", "101112"
        dataset.ReferringPhysicianName, dataset.StudyID, dataset.AccessionNumber = "", "7", "A1"
        dataset.PatientName, dataset.PatientID = "Жанна", "P1"
        dataset.PatientBirthDate, dataset.PatientSex = "19600504", "F"
        if frame is not None:
            dataset.FrameOfReferenceUID = frame
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        write_dicom_file(folder / f"{number}.dcm", dataset)
    (folder / "readme.txt").write_text("not DICOM")
    return folder


@pytest.fixture
def ct(tmp_path: Path) -> DicomSeries:
    return read_dicom_series([write_series(tmp_path / "ct", CT_FRAME)])


@pytest.fixture
def xrays(tmp_path: Path) -> DicomSeries:
    return read_dicom_series([write_series(tmp_path / "xa", WORLD_FRAME, study="1.2.3.6")])


@pytest.fixture
def result() -> RegistrationResult:
    levels = {"L3": LevelResult(POSE, "accept", {"surface_p95": 0.8}), "L4": LevelResult(POSE @ POSE, "accept")}
    return RegistrationResult(levels, case_sha256="ab" * 32)


def export(result: RegistrationResult, chosen: SpatialRegistrationFormat, folder: Path) -> pydicom.Dataset:
    return pydicom.dcmread(export_files(release(result), chosen, folder)[0])


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(transform=transforms)
def test_a_registration_reads_back_the_same(transform: RigidTransform, tmp_path: Path) -> None:
    path = tmp_path / "reg.dcm"
    heading = Heading({"SOPInstanceUID": "1.2", "StudyInstanceUID": "1.3", "SeriesInstanceUID": "1.4"}, "a comment")
    write_spatial_registration(path, transform, FrameOfReference("1.2.3"), FrameOfReference("1.2.4"), heading)
    read = read_spatial_registration(path)
    np.testing.assert_allclose(read.ct_to_world.matrix, transform.matrix, atol=1e-9)
    assert (read.ct_frame_uid, read.world_frame_uid) == ("1.2.3", "1.2.4")


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed: apt install dicom3tools")
@pytest.mark.parametrize("known", ["nothing", "ct", "both", "x-rays without a frame"])
def test_dciodvfy_finds_no_error(known: str, result: RegistrationResult, tmp_path: Path) -> None:
    series = {
        "ct": read_dicom_series([write_series(tmp_path / "ct", CT_FRAME)]),
        "xa": read_dicom_series([write_series(tmp_path / "xa", WORLD_FRAME, study="1.2.3.6")]),
        "dx": read_dicom_series([write_series(tmp_path / "dx", None, study="1.2.3.6")]),
    }
    chosen = {
        "nothing": SpatialRegistrationFormat(),
        "ct": SpatialRegistrationFormat(series["ct"]),
        "both": SpatialRegistrationFormat(series["ct"], series["xa"]),
        "x-rays without a frame": SpatialRegistrationFormat(series["ct"], series["dx"]),
    }[known]
    files = [path for path in export_files(release(result), chosen, tmp_path / "out") if path.suffix == ".dcm"]
    assert len(files) == 2
    for path in files:
        said = subprocess.run(["dciodvfy", "-new", str(path)], capture_output=True, text=True, check=False)
        assert "SpatialRegistration" in said.stdout + said.stderr
        assert not re.findall(r"^Error.*$", said.stdout + said.stderr, re.MULTILINE)


def test_it_names_both_frames_and_every_object_and_joins_the_x_rays_study(
    result: RegistrationResult, ct: DicomSeries, xrays: DicomSeries, tmp_path: Path
) -> None:
    registration = export(result, SpatialRegistrationFormat(ct, xrays), tmp_path / "out")
    world, moving = registration.RegistrationSequence
    assert (registration.FrameOfReferenceUID, world.FrameOfReferenceUID) == (WORLD_FRAME, WORLD_FRAME)
    assert moving.FrameOfReferenceUID == CT_FRAME
    assert (registration.StudyInstanceUID, registration.StudyID) == ("1.2.3.6", "7")
    assert (str(registration.PatientName), registration.PatientID) == ("Жанна", "P1")
    referenced = {image.ReferencedSOPInstanceUID for image in moving.ReferencedImageSequence}
    assert referenced == {instance.sop_instance_uid for instance in ct.instances}
    (own,) = registration.ReferencedSeriesSequence
    (elsewhere,) = registration.StudiesContainingOtherReferencedInstancesSequence
    assert own.SeriesInstanceUID == xrays.instances[0].series_uid
    assert elsewhere.StudyInstanceUID == "1.2.3.5"
    assert len(elsewhere.ReferencedSeriesSequence[0].ReferencedInstanceSequence) == 2


def test_it_says_level_and_verdict_and_two_levels_are_two_objects_of_one_series(
    result: RegistrationResult, tmp_path: Path
) -> None:
    paths = [
        path for path in export_files(release(result), SpatialRegistrationFormat(), tmp_path) if path.suffix == ".dcm"
    ]
    l3, l4 = (pydicom.dcmread(path) for path in paths)
    assert (l3.ContentLabel, l4.ContentLabel) == ("L3_CT_TO_WORLD", "L4_CT_TO_WORLD")
    assert l3.ContentDescription == "L3: accept, predicted error 0.8 mm (95 % of the surface)"
    assert l3.SeriesInstanceUID == l4.SeriesInstanceUID
    assert l3.SOPInstanceUID != l4.SOPInstanceUID
    assert l3.FrameOfReferenceUID == l4.FrameOfReferenceUID
    assert (l3.InstanceNumber, l4.InstanceNumber) == (1, 2)


def test_a_case_without_dicom_files_has_the_same_frames_in_every_export_and_says_so(
    result: RegistrationResult, tmp_path: Path
) -> None:
    first, second = (export(result, SpatialRegistrationFormat(), tmp_path / name) for name in ("a", "b"))
    other_case = RegistrationResult(result.levels, case_sha256="cd" * 32)
    other = export(other_case, SpatialRegistrationFormat(), tmp_path / "c")
    frames = [{item.FrameOfReferenceUID for item in reg.RegistrationSequence} for reg in (first, second, other)]
    assert frames[0] == frames[1]
    assert len(frames[0]) == 2
    assert not frames[0] & frames[2]
    assert all(uid.startswith("2.25.") and len(uid) <= 64 for uid in frames[0])
    assert first.StudyInstanceUID != second.StudyInstanceUID
    about = " ".join((tmp_path / "a" / "L3_ct_to_world.dcm.about.txt").read_text(encoding="utf-8").split())
    assert "made for this case, because no DICOM files were given; no other object knows it yet" in about


def test_x_rays_that_name_no_frame_get_one_and_are_still_referred_to(
    result: RegistrationResult, ct: DicomSeries, tmp_path: Path
) -> None:
    dx = read_dicom_series([write_series(tmp_path / "dx", None, study="1.2.3.6")])
    assert dx.frame_uid is None
    registration = export(result, SpatialRegistrationFormat(ct, dx), tmp_path / "out")
    assert registration.FrameOfReferenceUID.startswith("2.25.")
    assert len(registration.RegistrationSequence[0].ReferencedImageSequence) == 2
    about = " ".join((tmp_path / "out" / "L3_ct_to_world.dcm.about.txt").read_text(encoding="utf-8").split())
    assert "name none; no other object knows it yet" in about


def test_what_cannot_belong_together_is_refused(result: RegistrationResult, ct: DicomSeries, tmp_path: Path) -> None:
    same = read_dicom_series([write_series(tmp_path / "same", CT_FRAME)])
    with pytest.raises(InputFileError, match="the same frame of reference"):
        export(result, SpatialRegistrationFormat(ct, same), tmp_path / "out")
    stranger = read_dicom_series([write_series(tmp_path / "stranger", WORLD_FRAME, PatientID="P2")])
    with pytest.raises(ExportError, match="different patient IDs"):
        SpatialRegistrationFormat(ct, stranger)
    nameless = read_dicom_series([write_series(tmp_path / "nameless", WORLD_FRAME, PatientID="")])
    SpatialRegistrationFormat(ct, nameless)
    mixed = [write_series(tmp_path / "one", "1.2.9"), write_series(tmp_path / "two", "1.2.8")]
    with pytest.raises(InputFileError, match="2 frames of reference"):
        read_dicom_series(mixed)
    with pytest.raises(InputFileError, match="no file or folder"):
        read_dicom_series([tmp_path / "nowhere"])
    with pytest.raises(InputFileError, match="holds no DICOM object"):
        read_dicom_series([tmp_path / "one" / "readme.txt"])


def test_what_lies_in_the_folder_without_a_frame_of_reference_is_passed_over(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "ct", CT_FRAME)
    write_series(folder / "reports", None, count=1, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11")
    series = read_dicom_series([folder])
    assert series.frame_uid == CT_FRAME
    assert {instance.sop_class_uid for instance in series.instances} == {CTImageStorage}


def written(folder: Path) -> tuple[Path, pydicom.Dataset]:
    path = folder / "reg.dcm"
    heading = Heading({"SOPInstanceUID": "1.2", "StudyInstanceUID": "1.3", "SeriesInstanceUID": "1.4"}, "")
    write_spatial_registration(path, POSE, FrameOfReference(CT_FRAME), FrameOfReference(WORLD_FRAME), heading)
    return path, pydicom.dcmread(path)


def test_a_registration_that_another_program_wrote_otherwise_reads_the_same(tmp_path: Path) -> None:
    """The items in the other order, the world turned as well, and the CT's matrix as a product (equation C.20.2-2)."""
    path, registration = written(tmp_path)
    world, moving = registration.RegistrationSequence
    turn, shift = POSE @ POSE, RigidTransform(np.eye(3), np.array([1.0, 2.0, 3.0]))
    factors = [turn @ POSE @ shift.inverse(), shift]

    def numbers(transform: RigidTransform) -> list[str]:
        return [f"{number:.10f}"[:16] for number in (LPS @ transform.matrix @ LPS).ravel()]

    matrices = moving.MatrixRegistrationSequence[0].MatrixSequence
    matrices.append(deepcopy(matrices[0]))
    for matrix, factor in zip(matrices, factors, strict=True):
        matrix.FrameOfReferenceTransformationMatrix = numbers(factor)
    world.MatrixRegistrationSequence[0].MatrixSequence[0].FrameOfReferenceTransformationMatrix = numbers(turn)
    registration.RegistrationSequence = pydicom.Sequence([moving, world])
    registration.save_as(path)
    np.testing.assert_allclose(read_spatial_registration(path).ct_to_world.matrix, POSE.matrix, atol=1e-7)


def test_what_is_no_registration_of_two_frames_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="There is no file"):
        read_spatial_registration(tmp_path / "missing.dcm")
    image = write_series(tmp_path / "ct", CT_FRAME) / "0.dcm"
    with pytest.raises(InputFileError, match="not a Spatial Registration"):
        read_spatial_registration(image)

    path, registration = written(tmp_path)
    registration.RegistrationSequence = pydicom.Sequence([registration.RegistrationSequence[0]])
    registration.save_as(path)
    with pytest.raises(InputFileError, match="ties 0 frames"):
        read_spatial_registration(path)

    path, registration = written(tmp_path)
    del registration.RegistrationSequence[1].MatrixRegistrationSequence
    registration.save_as(path)
    with pytest.raises(InputFileError, match="incomplete"):
        read_spatial_registration(path)

    path, registration = written(tmp_path)
    matrix = registration.RegistrationSequence[1].MatrixRegistrationSequence[0].MatrixSequence[0]
    matrix.FrameOfReferenceTransformationMatrix = ["2", *["0"] * 4, "1", *["0"] * 4, "1", *["0"] * 4, "1"]
    registration.save_as(path)
    with pytest.raises(GeometryError, match="not rigid"):
        read_spatial_registration(path)
