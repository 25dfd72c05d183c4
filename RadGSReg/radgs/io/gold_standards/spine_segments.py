"""The spine data of van de Kraats et al. (IEEE TMI 2005;24:1177, doi:10.1109/TMI.2005.853240), and their 200 starts.

What is stated of them (isi.uu.nl/Research/Databases/GS): raw files of volumes, projections and masks; source, film and
volumes in one world (WCS), the volumes where they truly are; starts as translations along x, y and z and rotations
about x, y and z, about a centre in the world that every vertebra has of its own; 200 of them, 0 to 20 mm of mTRE, the
same for all. How their files write these numbers down stands in no part of the description that could be had, so that
they are not read: a person writes them into one JSON file, and chooses there what is open, such as the order of the
rotations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from radgs.errors import InputFileError
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, Volume
from radgs.io.calibrations.calibration import moved_view, named_direction, patient_rotation
from radgs.io.input_files import open_input
from radgs.io.json_fields import JsonObject, read_json_object

SCHEMA = "radgs.gold-standard/1"
TYPES = {"uint8": "u1", "int8": "i1", "uint16": "u2", "int16": "i2", "float32": "f4"}
BYTE_ORDERS = {"little": "<", "big": ">"}
COLUMNS = ("tx", "ty", "tz", "rx", "ry", "rz")
#: The published starts move a vertebra by 20 mm at most; what moves its centre further was read in other units.
LARGEST_START_MM = 40.0
REMEDY = "Correct it as docs/gold-standards.md shows."


@dataclass(frozen=True)
class SpineStart:
    """One start.

    Attributes:
        number: Its line in the table, from 1.
        translation: (3,) mm, in patient axes.
        rotation: (3, 3) in patient axes.
    """

    number: int
    translation: FloatArray
    rotation: FloatArray

    def about(self, centre: FloatArray) -> RigidTransform:
        """The displacement of the world about a vertebra's centre (3,): p -> R (p - c) + c + t."""
        return RigidTransform(self.rotation, centre - self.rotation @ centre + self.translation)


@dataclass(frozen=True, eq=False)
class SpineSegment:
    """A segment of a spine, its X-rays, and where registrations start; patient axes (RAS), mm.

    The volume stands where it truly is: ``ct_to_world`` is the identity, and that of a start its displacement.

    Attributes:
        ct: Hounsfield units, or whatever the modality has.
        labels: The vertebrae's masks as one label map, 1 onwards.
        vertebrae: Names by label.
        centres: By name, (3,) what starts turn about.
        views: Name, pixel values and geometry of every X-ray.
        pixel_types: By view, what its values are.
        starts: The table.
    """

    ct: Volume
    labels: Volume
    vertebrae: dict[int, str]
    centres: dict[str, FloatArray]
    views: dict[str, tuple[NDArray, ViewGeometry]]
    pixel_types: dict[str, str]
    starts: tuple[SpineStart, ...]


def read_spine_segment(path: Path) -> SpineSegment:
    """Reads a segment by its JSON file, schema radgs.gold-standard/1; files are named relative to it.

    Raises:
        InputFileError: A file is missing, of another size than stated, or a field is not what it should be.
        CaseError: The patient's directions span no space.
    """
    top = read_json_object(path, SCHEMA, InputFileError)
    superior, anterior = (named_direction(top.text(key)) for key in ("superior", "anterior"))
    to_patient = patient_rotation(superior, anterior)
    volume = top.object("volume")
    size = _size(volume, 3)
    slope, intercept = volume.numbers("hu", 2) if "hu" in volume else (1.0, 0.0)
    values = _raw(volume, size)
    if (slope, intercept) != (1.0, 0.0):
        values = (values * slope + intercept).astype(np.float32)
    index_to_ras = to_patient.matrix @ volume.numbers("index_to_wcs", 4, 4)
    labels, vertebrae, centres = np.zeros(size[::-1], np.uint8), {}, {}
    for label, one in enumerate(top.objects("vertebrae"), start=1):
        name = one.text("name")
        labels[_raw(one, size) != 0] = label
        vertebrae[label] = name
        centres[name] = to_patient.apply(one.numbers("centre_wcs", 3))
    views, pixel_types = {}, {}
    for one in top.objects("views"):
        columns, rows = _size(one, 2)
        geometry = ViewGeometry(one.numbers("source_wcs", 3), one.numbers("detector_to_wcs", 4, 4), (rows, columns))
        views[one.text("name")] = _raw(one, (columns, rows)), moved_view(geometry, to_patient)
        pixel_types[one.text("name")] = one.text("pixel_type")
    return SpineSegment(
        ct=Volume(values, index_to_ras),
        labels=Volume(labels, index_to_ras),
        vertebrae=vertebrae,
        centres=centres,
        views=views,
        pixel_types=pixel_types,
        starts=_starts(top.object("starts"), to_patient),
    )


def _size(object_: JsonObject, dimensions: int) -> tuple[int, ...]:
    size = object_.numbers("size", dimensions)
    if (size != np.round(size)).any() or size.min() < 1 or size.max() > 2**14:
        raise object_.fail("size", f"{dimensions} whole numbers")
    return tuple(int(one) for one in size)


def _raw(object_: JsonObject, size: Sequence[int]) -> NDArray:
    """A raw file's values, the last axis of ``size`` first; the file holds them and nothing else."""
    kind, order = TYPES.get(object_.text("type")), BYTE_ORDERS.get(object_.text("byte_order"))
    if kind is None:
        raise object_.fail("type", "one of " + ", ".join(TYPES))
    if order is None:
        raise object_.fail("byte_order", "little or big")
    path = _beside(object_, "file")
    expected = int(np.prod(size)) * np.dtype(kind).itemsize
    with open_input(path) as file:
        content = file.read(expected + 1)
    if len(content) != expected:
        raise InputFileError(f"{path} does not hold {expected} bytes, as its size and type say.", REMEDY)
    values = np.frombuffer(content, order + kind).reshape(tuple(size)[::-1])
    return values.astype(kind)


def _beside(object_: JsonObject, key: str) -> Path:
    return Path(object_.file).parent / object_.path(key)


def _starts(object_: JsonObject, to_patient: RigidTransform) -> tuple[SpineStart, ...]:
    """The table, turned into patient axes."""
    columns = object_.text("columns").split()
    if sorted(columns) != sorted(COLUMNS):
        raise object_.fail("columns", "the names " + " ".join(COLUMNS) + " in the file's order")
    order, unit = object_.text("rotation_order"), object_.text("angle_unit")
    if sorted(order) != ["x", "y", "z"]:
        raise object_.fail("rotation_order", "the letters x, y and z in the order in which the rotations are done")
    if unit not in ("degrees", "radians"):
        raise object_.fail("angle_unit", "degrees or radians")
    path = _beside(object_, "file")
    try:
        with open_input(path) as file:
            table = np.loadtxt(file, ndmin=2)
    except ValueError as problem:
        raise InputFileError(f"{path} is no table of numbers.", REMEDY) from problem
    if table.shape[1] != len(COLUMNS) or not np.isfinite(table).all():
        raise InputFileError(f"{path} does not hold six numbers a line.", REMEDY)
    starts = []
    for number, line in enumerate(table, start=1):
        named = dict(zip(columns, line, strict=True))
        # Lower-case axes are the world's own: the first letter's rotation is done first.
        angles = [named[f"r{axis}"] for axis in order]
        turn = Rotation.from_euler(order, angles, degrees=unit == "degrees").as_matrix()
        shift = np.array([named[f"t{axis}"] for axis in "xyz"])
        if np.linalg.norm(shift) > LARGEST_START_MM:
            raise InputFileError(
                f"{path}: start {number} is off by {np.linalg.norm(shift):.0f} mm; the published ones are 20 at most.",
                "Check the columns' order, and that the translations are in millimetres.",
            )
        world = to_patient.rotation
        starts.append(SpineStart(number, world @ shift, world @ turn @ world.T))
    return tuple(starts)
