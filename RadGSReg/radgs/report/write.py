"""From a result and its case to report.html."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from radgs.case import FAILED, LevelResult, RegistrationCase, RegistrationResult
from radgs.errors import InputFileError
from radgs.io.atomic import write_text
from radgs.io.case_file import read_case_file
from radgs.overlay.contours import Contours
from radgs.overlay.picture_names import reconstruction_name
from radgs.overlay.pictures import drawn_anatomy
from radgs.report.page import ReportedLevel, page
from radgs.report.scene import ShownVertebra

REPORT_NAME = "report.html"


def case_of(result: RegistrationResult, folder: Path, named: Path | None = None) -> Path:
    """The case.json that a result is of.

    Args:
        result: The result.
        folder: Where its result.json lies.
        named: What the user says; otherwise the result says it.

    Raises:
        InputFileError: Nobody says which, or it is not there.
    """
    if named is None and result.case is None:
        raise InputFileError("The result does not say which case it is of.", "Name it with --case case.json.")
    path = named or folder / str(result.case)
    if not path.exists():
        raise InputFileError(f"The result's case, {path}, is not there.", "Name it with --case case.json.")
    return path


def check_same_case(result: RegistrationResult, case: RegistrationCase, path: Path) -> None:
    """Refuses to draw a pose on another patient's images.

    Raises:
        InputFileError: The case is not the one that was registered, or its files have changed since.
    """
    if result.case_sha256 is not None and result.case_sha256 != case.sha256:
        raise InputFileError(
            f"{path} is not the case that was registered, or its files have changed since.",
            "Give the case as it was, or register it again.",
        )


def write_report(
    out: Path, result: RegistrationResult, case: RegistrationCase, path: Path, pictures: Path | None = None
) -> Path:
    """Writes the page.

    Args:
        out: The file to write.
        result: What is reported; its levels are levels of the case.
        case: What was registered.
        path: The case.json, whose geometry is stated with where it comes from.
        pictures: Where the registration's own pictures may lie.

    Raises:
        RadgsError: The case lacks a level, its files cannot be read, or the page cannot be written.
    """
    origins = {view.name: view.geometry_from or "as the case states it" for view in read_case_file(path).views}
    if result.self_calibration is not None:
        case = replace(case, views=result.self_calibration.applied(case.views))
        origins[result.self_calibration.view] = "self-calibrated: see below"
    shown = {name: level for name, level in result.levels.items() if not _could_not_be_registered(level)}
    levels = {name: _reported(name, level, case, pictures) for name, level in shown.items()}
    name = path.name if path.is_file() else f"{path.name}/case.json"
    write_text(out, page(result, case, levels, name, origins))
    return out


def _could_not_be_registered(level: LevelResult) -> bool:
    """Its label or its clicks cannot be used: there is nothing to draw."""
    return level.ct_to_world is None and any(reason.code == FAILED for reason in level.reasons)


def _reported(name: str, level: LevelResult, case: RegistrationCase, pictures: Path | None) -> ReportedLevel:
    labelled = case.level(name)
    anatomy = drawn_anatomy(case.ct, case.labels, labelled)
    contours = Contours.of(case.labels, labelled.label, anatomy.frame_to_ct)
    surface, vertebra = contours.vertebra, None
    if level.ct_to_world is not None:
        vertebra = ShownVertebra(name, level.ct_to_world.apply(surface.vertices), surface.triangles)
    found = None if pictures is None else pictures / reconstruction_name(name)
    return ReportedLevel(
        level,
        anatomy,
        contours,
        vertebra,
        [("What the networks saw", found)] if found is not None and found.is_file() else [],
    )
