"""Files that say where X-rays' sources and films stand: what each is, what it leaves open, and the views in it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from radgs.errors import CaseError, GeometryError
from radgs.geometry import RigidTransform, ViewGeometry
from radgs.geometry.projection import Convention
from radgs.io.calibrations import Calibration
from radgs.io.calibrations.autoscoper_tracking import upright
from radgs.io.calibrations.calibration import calibration_origin, named_direction, patient_rotation
from radgs.io.calibrations.matrices import read_matrices
from radgs.io.calibrations.reading import calibration_kind, open_choices, read_calibration
from radgs.io.case_file import read_case_file
from radgs.io.dicom_files import is_dicom
from radgs.io.input_files import head_of
from radgs.io.xray_images import read_xray
from RadGSRegLib.scene import xray_nodes
from RadGSRegLib.scene.trial_files import TRACKING_SUFFIX, TRIAL_SUFFIX
from RadGSRegLib.scene.view_geometry import check_size, pixel_on_film, put_geometry

#: What a file may leave open, in the order in which it is asked.
QUESTIONS = ("extrinsics", "rows", "pixels", "unit", "pose", "directions")

#: More than any case.json holds.
LARGEST_CASE = 2**24


@dataclass(frozen=True)
class Answers:
    """What the user says of a calibration beside its files.

    Attributes:
        convention: What plain matrices mean, as far as the user said so.
        unit_mm: Millimetres of the file's unit.
        superior: The patient's superior direction in the calibration's world, such as "+z"; None while not said.
        anterior: The same of anterior.
        pose: Where a bone is in that world, as Autoscoper tracked it; it tells both directions.
    """

    convention: Convention = field(default_factory=Convention)
    unit_mm: float = 1.0
    superior: str | None = None
    anterior: str | None = None
    pose: RigidTransform | None = None


@dataclass(frozen=True, eq=False)
class Reading:
    """What files and answers say together.

    Attributes:
        calibration: Its views, in the patient's axes; None while something is open.
        still_open: What has to be answered first, of ``QUESTIONS``.
    """

    calibration: Calibration | None
    still_open: tuple[str, ...] = ()


def kind_of(path: Path) -> str:
    """What a file is, by its content: "case.json", "DICOM", "trial", "tracking", or the calibration's kind.

    Raises:
        RadgsError: It is none of them.
    """
    if is_dicom(path):
        return "DICOM"
    if path.suffix.lower() == ".json" and b"radgs.case/" in head_of(path, LARGEST_CASE):
        return "case.json"
    if path.suffix.lower() == TRIAL_SUFFIX:
        return "trial"
    if path.suffix.lower() == TRACKING_SUFFIX:
        return "tracking"
    return calibration_kind(path)


def questions_of(paths: Sequence[Path], *, tracked: bool = False) -> tuple[str, ...]:
    """What calibration files leave open, of ``QUESTIONS``.

    Args:
        paths: The calibration's own files.
        tracked: Whether poses of bones came with them, of which one tells how the patient lies.

    Raises:
        RadgsError: A file is no calibration.
    """
    asked: set[str] = set()
    for path in paths:
        kind = calibration_kind(path)
        if kind == "matrices":
            asked |= {"rows", "pixels"}
            if read_matrices(path, (1, 1)).intrinsics is not None:
                asked.add("extrinsics")
        elif kind == "MayaCam 1.0":
            asked.add("unit")
        if kind != "calibration.json" or not read_calibration([path])[0].patient_axes:
            asked.add("pose" if tracked else "directions")
    return tuple(question for question in QUESTIONS if question in asked)


def read_views(
    paths: Sequence[Path], answers: Answers, size: tuple[int, int], clicks: Sequence[tuple[float, float]] | None = None
) -> Reading:
    """The views of calibration files, as far as the answers tell what their numbers mean.

    Args:
        paths: One file, or one per view.
        answers: What the user said so far.
        size: Columns and rows of the X-rays, for files that do not say.
        clicks: Per view, the same bone as (column, row); readings whose rays miss each other there are left out.

    Raises:
        RadgsError: A file cannot be used, or no reading of it fits.
    """
    candidates = _fitting(paths, answers, answers.convention, size, clicks)
    still_open = open_choices(candidates, answers.convention) if len(candidates) > 1 else []
    calibration = candidates[0]
    if not calibration.patient_axes:
        turn = _turn(answers)
        if turn is None:
            still_open.append("directions")
        else:
            calibration = calibration.moved(turn)
    return Reading(None, tuple(still_open)) if still_open else Reading(calibration)


def possible_readings(
    paths: Sequence[Path], answers: Answers, size: tuple[int, int], clicks: Sequence[tuple[float, float]] | None = None
) -> tuple[Calibration, ...]:
    """Every reading that an eye can tell from the others, whichever of them the answers name, in the patient's axes.

    Readings that differ by half a pixel are one. None, while it is not known how the patient lies.

    Args:
        paths: One file, or one per view.
        answers: What the user said so far; of a convention only the pixels count.
        size: Columns and rows of the X-rays, for files that do not say.
        clicks: As of ``read_views``.

    Raises:
        RadgsError: A file cannot be used, or no reading of it fits.
    """
    candidates = _fitting(paths, answers, Convention(pixels=answers.convention.pixels), size, clicks)
    if not candidates[0].patient_axes:
        turn = _turn(answers)
        if turn is None:
            return ()
        candidates = [candidate.moved(turn) for candidate in candidates]
    told_apart = {_seen_apart(candidate): candidate for candidate in reversed(candidates)}
    return tuple(reversed(told_apart.values()))


def _fitting(
    paths: Sequence[Path],
    answers: Answers,
    convention: Convention,
    size: tuple[int, int],
    clicks: Sequence[tuple[float, float]] | None,
) -> list[Calibration]:
    """The readings under a convention that fit the views, and the clicks where these tell anything."""
    candidates = read_calibration(paths, convention=convention, size=size, unit_mm=answers.unit_mm)
    if len(candidates) > 1 and clicks is not None and len(clicks) == len(candidates[0].views):
        with suppress(GeometryError):  # of another bone, or of the other view: then they tell nothing
            candidates = read_calibration(
                paths, convention=convention, size=size, unit_mm=answers.unit_mm, clicks=clicks
            )
    return candidates


def _turn(answers: Answers) -> RigidTransform | None:
    """What turns the calibration's world into the patient's axes; None while that is not said.

    Raises:
        CaseError: The two directions are one.
    """
    if answers.pose is not None:
        return upright(answers.pose)
    if answers.superior is None or answers.anterior is None:
        return None
    return patient_rotation(named_direction(answers.superior), named_direction(answers.anterior))


def _seen_apart(calibration: Calibration) -> Convention | None:
    """What of a reading an eye can tell from another's."""
    return None if calibration.convention is None else replace(calibration.convention, pixels=None)


def assign(xrays: Sequence[Any], calibration: Calibration, asked: int) -> list[int | None]:
    """Which view goes to which X-ray, before the user says otherwise: by name, else in order; one to the one asked for.

    Args:
        xrays: The X-rays, in the panel's order.
        calibration: The views.
        asked: The number of the X-ray that the geometry is asked for.
    """
    names = [view.name for view in calibration.views]
    called = [xray_nodes.view_name(xray) for xray in xrays]
    if any(name in names for name in called):
        return [names.index(name) if name in names else None for name in called]
    if len(names) == 1:
        return [0 if number == asked else None for number in range(len(xrays))]
    return [number if number < len(names) else None for number in range(len(xrays))]


def apply(calibration: Calibration, views: Sequence[tuple[Any, int]], source: str) -> None:
    """Gives X-rays the geometry of views; all or none.

    Args:
        calibration: The views, in the patient's axes.
        views: Pairs of an X-ray and the number of its view.
        source: The file's name, or the files' names.

    Raises:
        RadgsError: A view's image has another size than its X-ray, or one view was given to two X-rays.
    """
    numbers = [number for _xray, number in views]
    if len(set(numbers)) < len(numbers):
        twice = next(calibration.views[number].name for number in numbers if numbers.count(number) > 1)
        raise CaseError(f"The view {twice} was given to two X-rays.", "Give each X-ray a view of its own.")
    for xray, number in views:
        check_size(xray, calibration.views[number].geometry.shape)
    origin = calibration_origin(source, calibration.kind)
    for xray, number in views:
        view = calibration.views[number]
        put_geometry(xray, view.geometry, origin, view.assumed, view.sigma)


def common_clicks(parameter_node: Any, levels: Sequence[str], xrays: Sequence[Any]) -> list[tuple[float, float]] | None:
    """Where both X-rays show the same level, as (column, row) per X-ray; None where no level was clicked in both.

    A click on an X-ray without a source counts by where it stands on the film.
    """
    for level in levels:
        fiducials = [xray_nodes.click_of(parameter_node, level, xray) for xray in xrays]
        if all(fiducial is not None for fiducial in fiducials):
            pixels = [pixel_on_film(xray, fiducial) for xray, fiducial in zip(xrays, fiducials, strict=True)]
            return [(float(column), float(row)) for column, row in pixels]
    return None


def load_from_case(volume: Any, path: Path) -> None:
    """Puts an X-ray and its source where a case.json's view of the same name says.

    Raises:
        CaseError: The case has no view of that name.
        GeometryError: The view's image has another size.
        InputFileError: The file cannot be read.
    """
    file = read_case_file(path)
    name = xray_nodes.view_name(volume)
    view = next((view for view in file.views if view.name == name), None)
    if view is None:
        known = ", ".join(view.name for view in file.views) or "none"
        raise CaseError(
            f"{file.path.name} knows no view {name}; its views are {known}.",
            "Choose another file, or rename the X-ray with Edit...",
        )
    shape = xray_nodes.pixels_of(volume).shape[:2]
    if view.image.is_file():  # a case without its images cannot be checked
        check_size(volume, read_xray(view.image, view.pixel_type).image.shape)
    geometry = ViewGeometry(view.source_ras, view.detector_to_ras, shape)
    put_geometry(volume, geometry, f"from {file.path.name}", (), view.geometry_sigma)
