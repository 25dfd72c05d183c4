"""DICOM Spatial Registration (REG): a rigid map between two frames of reference.

The object is that of PS3.3 A.39.1 with the Spatial Registration module of C.20.2. Its Frame of Reference UID names the
registered coordinate system, here the world. Each item of its Registration Sequence takes one frame of reference there
by a matrix in LPS and millimetres that multiplies column vectors (C.20.2.1.1): the world by the identity, the CT by
``ct_to_world``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, SpatialRegistrationStorage
from pydicom.valuerep import DSfloat

from radgs.errors import GeometryError, InputFileError
from radgs.geometry import FloatArray, RigidTransform
from radgs.io.atomic import write_atomically
from radgs.io.dicom_files import read_dataset
from radgs.io.dicom_series import PATIENT, STUDY, Instance
from radgs.io.dicom_versions import write_dicom_file
from radgs.io.raster import LPS_TO_RAS


@dataclass(frozen=True)
class FrameOfReference:
    """A frame of reference and the objects known to lie in it."""

    uid: str
    instances: tuple[Instance, ...] = ()


@dataclass(frozen=True)
class Heading:
    """What a REG says of itself beside its matrix.

    Attributes:
        attributes: Patient, study, series, equipment and content, by keyword; what PS3.3 wants to be there and is not
            is written empty.
        comment: On the matrix (3006,00C8), at most 64 letters.
    """

    attributes: dict[str, str | int]
    comment: str


@dataclass(frozen=True, eq=False)
class SpatialRegistration:
    """What a REG holds: ``ct_to_world`` (RAS, mm) and the UIDs of the two frames."""

    ct_to_world: RigidTransform
    ct_frame_uid: str
    world_frame_uid: str


def write_spatial_registration(
    path: Path, ct_to_world: RigidTransform, ct: FrameOfReference, world: FrameOfReference, heading: Heading
) -> None:
    """Writes a REG that takes the CT's frame of reference to the world's.

    Raises:
        InputFileError: The two frames are the same.
        OutputError: The file cannot be written.
    """
    if ct.uid == world.uid:
        raise InputFileError(
            "The CT and the X-rays name the same frame of reference, between which no pose can stand.",
            "Leave out --xray-dicom, so that the world gets a frame of reference of its own.",
        )
    dataset = _headed(heading)
    dataset.FrameOfReferenceUID = world.uid
    dataset.PositionReferenceIndicator = ""
    matrix_lps = LPS_TO_RAS @ ct_to_world.matrix @ LPS_TO_RAS
    dataset.RegistrationSequence = Sequence(
        [
            _registration_item(world, np.eye(4), "125021", "Frame of Reference Identity", "World: identity"),
            _registration_item(ct, matrix_lps, "125024", "Image Content-based Alignment", heading.comment),
        ]
    )
    _add_references(dataset, [*ct.instances, *world.instances])
    with write_atomically(path) as aside:
        write_dicom_file(aside, dataset)


def read_spatial_registration(path: Path) -> SpatialRegistration:
    """Reads a REG between two frames of reference, whichever of them stands first.

    Raises:
        InputFileError: Missing, not a REG, or one that does not tie exactly one other frame to its own.
        GeometryError: A matrix is not rigid.
    """
    dataset = read_dataset(path)
    try:
        if dataset.get("SOPClassUID") != SpatialRegistrationStorage:
            raise InputFileError(f"{path} is not a Spatial Registration.", "Give a DICOM object of modality REG.")
        world = str(dataset.get("FrameOfReferenceUID", ""))
        items = dataset.get("RegistrationSequence", None) or ()
        to_registered = {str(item.FrameOfReferenceUID): _item_matrix(item) for item in items}
    except InputFileError:
        raise
    except Exception as problem:  # pydicom parses a value when it is asked for, and raises what it stumbles over
        reason = f": {problem}" if isinstance(problem, AttributeError) else ""
        raise InputFileError(f"{path} is incomplete{reason}.", "Give a registration by matrices.") from problem
    others = [uid for uid in to_registered if uid != world]
    if len(others) != 1:
        raise InputFileError(
            f"{path} ties {len(others)} frames of reference to its own.", "Give a registration of exactly one."
        )
    world_to_registered = to_registered.get(world, np.eye(4))
    try:
        matrix = LPS_TO_RAS @ np.linalg.inv(world_to_registered) @ to_registered[others[0]] @ LPS_TO_RAS
    except np.linalg.LinAlgError as problem:
        raise GeometryError(f"{path}: a matrix cannot be inverted.", "Give a rigid registration.") from problem
    try:
        return SpatialRegistration(RigidTransform.from_matrix(matrix), others[0], world)
    except GeometryError as error:
        raise GeometryError(f"{path}: {error.problem}", error.remedy) from error


def _headed(heading: Heading) -> Dataset:
    """A dataset with everything but the registration: PS3.3 C.7.1.1, C.7.2.1, C.20.1, C.7.5.1, C.7.5.2, C.12.1."""
    now = datetime.now()
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = SpatialRegistrationStorage
    dataset.Modality = "REG"
    for keyword in (*PATIENT, *STUDY, "ContentCreatorName"):
        setattr(dataset, keyword, "")
    dataset.ContentDate = dataset.SeriesDate = dataset.InstanceCreationDate = now.strftime("%Y%m%d")
    dataset.ContentTime = dataset.SeriesTime = dataset.InstanceCreationTime = now.strftime("%H%M%S")
    for keyword, value in heading.attributes.items():
        setattr(dataset, keyword, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def _registration_item(
    frame: FrameOfReference, matrix_lps: FloatArray, code: str, meaning: str, comment: str
) -> Dataset:
    """One item of the Registration Sequence (0070,0308); the code is of CID 7100, RCS Registration Method Type."""
    matrix = Dataset()
    matrix.FrameOfReferenceTransformationMatrixType = "RIGID"
    matrix.FrameOfReferenceTransformationMatrix = [
        DSfloat(number, auto_format=True) for number in (matrix_lps + 0.0).ravel().tolist()
    ]
    method = Dataset()
    method.CodeValue, method.CodingSchemeDesignator, method.CodeMeaning = code, "DCM", meaning
    registration = Dataset()
    registration.FrameOfReferenceTransformationComment = comment[:64]
    registration.RegistrationTypeCodeSequence = Sequence([method])
    registration.MatrixSequence = Sequence([matrix])
    item = Dataset()
    item.FrameOfReferenceUID = frame.uid
    if frame.instances:
        item.ReferencedImageSequence = Sequence([_reference(instance) for instance in frame.instances])
    item.MatrixRegistrationSequence = Sequence([registration])
    return item


def _add_references(dataset: Dataset, instances: list[Instance]) -> None:
    """The Common Instance Reference module (PS3.3 C.12.2): every object spoken of, by study and series."""
    study = str(dataset.StudyInstanceUID)
    here = _series_items([instance for instance in instances if instance.study_uid == study])
    if here:
        dataset.ReferencedSeriesSequence = Sequence(here)
    elsewhere = []
    for uid in dict.fromkeys(instance.study_uid for instance in instances if instance.study_uid != study):
        item = Dataset()
        item.ReferencedSeriesSequence = Sequence(_series_items(i for i in instances if i.study_uid == uid))
        item.StudyInstanceUID = uid
        elsewhere.append(item)
    if elsewhere:
        dataset.StudiesContainingOtherReferencedInstancesSequence = Sequence(elsewhere)


def _series_items(instances: Iterable[Instance]) -> list[Dataset]:
    by_series: dict[str, list[Instance]] = {}
    for instance in instances:
        by_series.setdefault(instance.series_uid, []).append(instance)
    items = []
    for uid, members in by_series.items():
        item = Dataset()
        item.ReferencedInstanceSequence = Sequence([_reference(instance) for instance in members])
        item.SeriesInstanceUID = uid
        items.append(item)
    return items


def _reference(instance: Instance) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = instance.sop_class_uid
    item.ReferencedSOPInstanceUID = instance.sop_instance_uid
    return item


def _item_matrix(item: Dataset) -> FloatArray:
    """(4, 4) LPS: the matrices of one item multiplied in their order, M1 M2 ... (PS3.3 equation C.20.2-2)."""
    matrices = [
        np.array([float(number) for number in entry.FrameOfReferenceTransformationMatrix]).reshape(4, 4)
        for registration in item.MatrixRegistrationSequence
        for entry in registration.MatrixSequence
    ]
    return reduce(np.matmul, matrices, np.eye(4))
