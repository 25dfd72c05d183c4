"""case.json, schema radgs.case/1: its fields read and written, and the files that it names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from radgs.errors import CaseError
from radgs.geometry import FloatArray, RigidTransform
from radgs.geometry.sigma import GeometrySigma
from radgs.io.atomic import write_text
from radgs.io.calibrations.calibration_file import read_sigma
from radgs.io.content import ContentHashes
from radgs.io.json_fields import JsonObject, json_text, read_json_object

CASE_SCHEMA = "radgs.case/1"

#: The largest uncertainty of a start that means anything, mm.
MOST_SIGMA_MM = 200.0

ORIENTATION_QUESTION = (
    'Which directions of the world are the patient\'s superior and anterior? Write them as "world_orientation": '
    '{"superior": [x, y, z], "anterior": [x, y, z]}.'
)


@dataclass(frozen=True, eq=False)
class ViewEntry:
    """One member of ``views``.

    Attributes:
        name: The view's name.
        image: Path of the image file.
        pixel_type: What its pixel values are.
        source_ras: (3,) focal spot, RAS mm.
        detector_to_ras: (4, 4) map from (column, row, 0, 1) to RAS mm.
        conversion: How line integrals came about before they were written, where they were.
        geometry_sigma: How uncertain the geometry is, where that is known.
        field: Where the X-ray was measured, where the file says so: an image that is 0 elsewhere, or the (N, 2)
            corners (column, row) of a polygon.
        size: Columns and rows of the image that was calibrated, where the file says so.
        geometry_from: Where source and detector come from, in a few words for people; None where nobody said.
    """

    name: str
    image: Path
    pixel_type: str
    source_ras: FloatArray
    detector_to_ras: FloatArray
    conversion: str | None = None
    geometry_sigma: GeometrySigma | None = None
    field: Path | FloatArray | None = None
    size: tuple[int, int] | None = None
    geometry_from: str | None = None


@dataclass(frozen=True, eq=False)
class CaseFile:
    """The fields of a case.json, with paths resolved and nothing that they name opened yet.

    Attributes:
        path: The case.json itself.
        ct: CT volume, a file or a folder with a DICOM series.
        labels: Label map.
        levels: Name and label of every level.
        views: The X-rays.
        clicks: Per level and view, the vertebral body's centre as (column, row).
        initial_poses: Per level, ``ct_to_world`` to start from.
        start_sigmas_mm: Per level, how far off the start may be, one standard deviation; where the file states it.
        truth: Per level, the true ``ct_to_world``, for scoring only.
        world_orientation: (3,) superior and (3,) anterior direction in the world, where the file states them.
    """

    path: Path
    ct: Path
    labels: Path
    levels: tuple[tuple[str, int], ...]
    views: tuple[ViewEntry, ...]
    clicks: dict[str, dict[str, tuple[float, float]]] = field(default_factory=dict)
    initial_poses: dict[str, RigidTransform] = field(default_factory=dict)
    start_sigmas_mm: dict[str, float] = field(default_factory=dict)
    truth: dict[str, RigidTransform] = field(default_factory=dict)
    world_orientation: tuple[FloatArray, FloatArray] | None = None

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The case.json itself and everything it names: CT, labels, then the images in their order."""
        fields = (view.field for view in self.views if isinstance(view.field, Path))
        return (self.path, self.ct, self.labels, *(view.image for view in self.views), *fields)

    def sha256(self, hashes: ContentHashes | None = None) -> str:
        """SHA-256 over the SHA-256 of every input, see ``radgs.io.content``.

        Args:
            hashes: Remembers what unchanged files hash to.

        Raises:
            InputFileError: A file cannot be read, or changes while it is.
        """
        return (hashes or ContentHashes()).of(*self.inputs)


def read_case_file(path: Path) -> CaseFile:
    """Reads the fields of a case.json (or of the case.json in a folder).

    Raises:
        InputFileError: Missing, or not JSON.
        CaseError: Another schema, a field missing or of a wrong type, or a world said to be of unknown orientation.
        GeometryError: A transform is not rigid.
    """
    path = path / "case.json" if path.is_dir() else path
    top = read_json_object(path, CASE_SCHEMA, CaseError)
    folder = path.parent
    levels = tuple((entry.text("name"), entry.integer("label")) for entry in top.objects("levels"))
    clicks, poses, sigmas = _read_initial(top, levels)
    return CaseFile(
        path=path,
        ct=folder / top.text("ct"),
        labels=folder / top.text("labels"),
        levels=levels,
        # A CT can be prepared for before any X-ray is taken.
        views=tuple(_read_view(entry, folder) for entry in top.objects("views")) if "views" in top else (),
        clicks=clicks,
        initial_poses=poses,
        start_sigmas_mm=sigmas,
        truth={name: truth.rigid("ct_to_world") for name, truth in top.object("truth").members()}
        if "truth" in top
        else {},
        world_orientation=_read_orientation(top),
    )


def write_case_file(case: CaseFile) -> None:
    """Writes a case.json to ``case.path``; the files it names are written as paths relative to it where they can be."""
    folder = case.path.parent

    def relative(path: Path) -> str:
        return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)

    initial: dict[str, dict[str, Any]] = {}
    for level, by_view in case.clicks.items():
        initial.setdefault(level, {})["clicks"] = {view: list(pixel) for view, pixel in by_view.items()}
    for level, pose in case.initial_poses.items():
        initial.setdefault(level, {})["ct_to_world"] = pose.matrix.tolist()
    for level, sigma_mm in case.start_sigmas_mm.items():
        initial.setdefault(level, {})["sigma_mm"] = sigma_mm
    values: dict[str, Any] = {
        "schema": CASE_SCHEMA,
        "ct": relative(case.ct),
        "labels": relative(case.labels),
        "levels": [{"name": name, "label": label} for name, label in case.levels],
        "views": [_view_values(view, relative) for view in case.views],
        "initial": initial,
    }
    if case.truth:
        values["truth"] = {level: {"ct_to_world": pose.matrix.tolist()} for level, pose in case.truth.items()}
    if case.world_orientation is not None:
        superior, anterior = case.world_orientation
        values["world_orientation"] = {"superior": superior.tolist(), "anterior": anterior.tolist()}
    write_text(case.path, json_text(values))


def _view_values(view: ViewEntry, relative: Callable[[Path], str]) -> dict[str, Any]:
    values: dict[str, Any] = {"name": view.name, "image": relative(view.image), "pixel_type": view.pixel_type}
    if view.conversion is not None:
        values["conversion"] = view.conversion
    if isinstance(view.field, Path):
        values["field"] = relative(view.field)
    elif view.field is not None:
        values["field"] = view.field.tolist()
    if view.size is not None:
        values["size"] = list(view.size)
    if view.geometry_from is not None:
        values["geometry_from"] = view.geometry_from
    values |= {"source_ras": view.source_ras.tolist(), "detector_to_ras": view.detector_to_ras.tolist()}
    return values if view.geometry_sigma is None else values | {"geometry_sigma": view.geometry_sigma.to_json_dict()}


def _read_view(entry: JsonObject, folder: Path) -> ViewEntry:
    return ViewEntry(
        name=entry.text("name"),
        image=folder / entry.text("image"),
        pixel_type=entry.text("pixel_type", "auto"),
        source_ras=entry.numbers("source_ras", 3),
        detector_to_ras=entry.numbers("detector_to_ras", 4, 4),
        conversion=entry.text("conversion") if "conversion" in entry else None,
        geometry_sigma=read_sigma(entry),
        field=_read_field(entry, folder) if "field" in entry else None,
        size=_read_size(entry) if "size" in entry else None,
        geometry_from=entry.text("geometry_from") if "geometry_from" in entry else None,
    )


def _read_size(entry: JsonObject) -> tuple[int, int]:
    columns, rows = entry.numbers("size", 2)
    if columns != round(columns) or rows != round(rows) or min(columns, rows) < 1:
        raise entry.fail("size", "the image's columns and rows, whole numbers")
    return int(columns), int(rows)


def _read_field(entry: JsonObject, folder: Path) -> Path | FloatArray:
    """A file's path, or corners."""
    value = entry.values["field"]
    if isinstance(value, str):
        return folder / entry.text("field")
    corners = len(value) if isinstance(value, list) else 0
    if corners < 3:
        raise CaseError(
            f"{entry.file}: 'field' of a view is neither a file nor a polygon.",
            "Name an image that is 0 where nothing was measured, or give three corners [column, row] or more.",
        )
    return entry.numbers("field", corners, 2)


def _read_initial(
    top: JsonObject, levels: tuple[tuple[str, int], ...]
) -> tuple[dict[str, dict[str, tuple[float, float]]], dict[str, RigidTransform], dict[str, float]]:
    """Clicks, poses and uncertainties per level; ``clicks`` directly under ``initial`` belong to the only level."""
    clicks: dict[str, dict[str, tuple[float, float]]] = {}
    poses: dict[str, RigidTransform] = {}
    sigmas: dict[str, float] = {}
    if "initial" not in top:
        return clicks, poses, sigmas
    initial = top.object("initial")
    if "clicks" in initial:
        if len(levels) != 1:
            raise CaseError(
                f"{top.file}: 'initial.clicks' does not say for which of the {len(levels)} levels it is.",
                'With several levels, write "initial": {"L3": {"clicks": ...}, ...}.',
            )
        entries = [(levels[0][0], initial)]
    else:
        entries = list(initial.members())
    for level, entry in entries:
        if "clicks" in entry:
            by_view = entry.object("clicks")
            pixels = {view: by_view.numbers(view, 2).tolist() for view in by_view.values}
            clicks[level] = {view: (column, row) for view, (column, row) in pixels.items()}
        if "ct_to_world" in entry:
            poses[level] = entry.rigid("ct_to_world")
        if "sigma_mm" in entry:
            sigmas[level] = entry.number("sigma_mm", above=0.0, at_most=MOST_SIGMA_MM)
    return clicks, poses, sigmas


def _read_orientation(top: JsonObject) -> tuple[FloatArray, FloatArray] | None:
    """The stated superior and anterior directions; None where the file says nothing and the schema's contract holds."""
    if "world_orientation" not in top:
        return None
    if top.values["world_orientation"] in (None, "unknown"):
        raise CaseError(f"{top.file}: the orientation of the world is unknown.", ORIENTATION_QUESTION)
    orientation = top.object("world_orientation")
    return orientation.numbers("superior", 3), orientation.numbers("anterior", 3)
