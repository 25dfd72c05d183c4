"""Checks that the parts of a case fit together: names, orientation, clicks, and where they place the vertebra."""

from __future__ import annotations

import re

import numpy as np

from radgs.case.checks.bone_under_label import check_bone_under_label
from radgs.case.checks.views import check_arrangement, check_view
from radgs.case.checks.volumes import check_ct, check_label
from radgs.case.content import CaseContent, Level
from radgs.errors import CaseError, GeometryError, RadgsError
from radgs.geometry import FloatArray, RigidTransform, angle_between

#: Rays of one level's clicks that pass farther apart than this mark different things (mm).
MAX_CLICK_GAP_MM = 15.0

#: The world's axes are the patient's to within this (degrees).
MAX_ORIENTATION_DEG = 30.0

FORBIDDEN_IN_NAMES = re.compile(r'[\\/:*?"<>|\x00-\x1f]|^\.|^\s|\s$|^$')


def check_case(case: CaseContent) -> None:
    """Refuses a case of which no level can be registered.

    Raises:
        InputFileError: The CT, the labels or an X-ray are not what they should be.
        CaseError: The parts of the case do not fit together.
        GeometryError: A view's geometry, or the views' arrangement, cannot be used.
    """
    problems_of_levels(case)


def problems_of_levels(case: CaseContent) -> dict[str, RadgsError]:
    """Why levels cannot be registered, by name: a level that is at fault keeps no other from being registered.

    Raises:
        RadgsError: The case as a whole cannot be used, or no level can be registered: then the first one's error.
    """
    check_whole(case)
    problems = {}
    for level in case.levels:
        try:
            check_level(case, level)
        except RadgsError as error:
            problems[level.name] = error
    if len(problems) == len(case.levels):
        raise problems[case.levels[0].name]
    return problems


def check_whole(case: CaseContent) -> None:
    """Refuses what no level of a case can be registered with: names, orientation, CT and views.

    Raises:
        RadgsError: As ``check_case`` says.
    """
    check_names(case)
    check_orientation(case)
    check_ct(case.ct)
    for view in case.views:
        check_view(view)
    check_arrangement(case.views)


def check_level(case: CaseContent, level: Level) -> None:
    """Refuses a level of a case that is whole otherwise.

    Raises:
        RadgsError: Its label shows no vertebra, or its start does not place it where every view sees it.
    """
    vertebra = check_label(case.ct, case.labels, level)
    check_bone_under_label(case.ct, case.labels, level)
    check_start(case, level, vertebra)


def check_names(case: CaseContent) -> None:
    """Levels and views are there, with names of their own that can stand in file names, and no others are spoken of."""
    if not case.levels:
        raise CaseError("The case names no level.", "Name at least one vertebra and its label.")
    if len(case.views) < 2:
        raise CaseError(f"The case has {len(case.views)} X-ray view(s).", "Give at least two, such as AP and lateral.")
    _check_unique("level", [level.name for level in case.levels])
    _check_unique("view", [view.name for view in case.views])
    labels = [level.label for level in case.levels]
    for level in case.levels:
        if level.label <= 0:
            raise CaseError(
                f"Level {level.name} has the label {level.label}, which is background.", "Labels start at 1."
            )
        if labels.count(level.label) > 1:
            raise CaseError(
                f"Two levels have the label {level.label}.", "Give every level the label of its own vertebra."
            )
    known = {level.name for level in case.levels}
    for place, named in (("initial", case.initial), ("truth", case.truth)):
        for name in named:
            if name not in known:
                levels = ", ".join(sorted(known))
                raise CaseError(
                    f"'{place}' speaks of a level {name} that is not among the levels.", f"The levels are {levels}."
                )


def check_orientation(case: CaseContent) -> None:
    """The world's axes are the patient's to within 30 degrees."""
    if case.world_orientation is None:
        return
    stated = {"superior": (case.world_orientation.superior, "+S"), "anterior": (case.world_orientation.anterior, "+A")}
    axes = {"superior": np.array([0.0, 0.0, 1.0]), "anterior": np.array([0.0, 1.0, 0.0])}
    for name, (direction, axis) in stated.items():
        if not np.isfinite(direction).all() or np.linalg.norm(direction) < 1e-6:
            raise CaseError(
                f"The {name} direction of world_orientation has no length.", "Give it as three numbers, not all zero."
            )
        degrees = np.degrees(angle_between(direction, axes[name]))
        if degrees > MAX_ORIENTATION_DEG:
            raise CaseError(
                f"The patient's {name} direction lies {degrees:.0f} degrees off the world's {axis} axis.",
                "Turn source_ras and detector_to_ras of all views together until the world's axes are the patient's "
                f"right, anterior and superior to within {MAX_ORIENTATION_DEG:.0f} degrees.",
            )


def check_start(case: CaseContent, level: Level, vertebra: FloatArray) -> None:
    """A level's clicks or pose place the vertebra where every view can see it.

    Args:
        case: The case, its views and labels already checked.
        level: The level.
        vertebra: (N, 3) voxels of its vertebra in the CT, RAS mm.
    """
    initial = case.initial.get(level.name)
    if initial is None or (not initial.clicks and initial.ct_to_world is None):
        raise CaseError(
            f"Level {level.name} has neither clicks nor a pose to start from.",
            "Click on the vertebral body's centre in every view, or give ct_to_world.",
        )
    centroid = vertebra.mean(axis=0)
    if not initial.clicks:
        assert initial.ct_to_world is not None
        _check_visible(case, level, initial.ct_to_world.apply(vertebra))
        return
    _check_clicks(case, level, initial.clicks)
    try:
        triangulation = case.triangulation(level.name)
    except GeometryError as error:
        raise GeometryError(f"Level {level.name}: {error.problem}", error.remedy) from error
    assert triangulation is not None
    _check_between(case, level, triangulation.point)
    if triangulation.gap_mm > MAX_CLICK_GAP_MM:
        raise CaseError(
            f"The rays of level {level.name}'s clicks miss each other by {triangulation.gap_mm:.0f} mm.",
            "Click on the same vertebral body's centre in every view; if the clicks are right, check the geometry.",
        )
    rotation = np.eye(3) if initial.ct_to_world is None else initial.ct_to_world.rotation
    _check_visible(case, level, RigidTransform(rotation, triangulation.point - rotation @ centroid).apply(vertebra))


def _check_unique(kind: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise CaseError(f"Two {kind}s are called {name}.", f"Give every {kind} a name of its own.")
        if FORBIDDEN_IN_NAMES.search(name):
            raise CaseError(
                f'The {kind} name "{name}" cannot stand in a file name.',
                "Use letters, digits, spaces inside, and signs such as - _ .",
            )


def _check_clicks(case: CaseContent, level: Level, clicks: dict[str, tuple[float, float]]) -> None:
    views = {view.name: view for view in case.views}
    for name, pixel in clicks.items():
        if name not in views:
            raise CaseError(
                f"Level {level.name} has a click in a view {name} that the case does not have.",
                f"Its views are {', '.join(views)}.",
            )
        rows, columns = views[name].geometry.shape
        if not np.isfinite(pixel).all() or not views[name].geometry.contains(pixel):
            raise CaseError(
                f"Level {level.name}'s click in view {name} lies outside the image, at column {pixel[0]:.1f} and "
                f"row {pixel[1]:.1f}.",
                f"The image has {columns} columns and {rows} rows, counted from 0.",
            )
    if len(clicks) < 2:
        raise CaseError(
            f"Level {level.name} has a click in one view only.", "Click on the vertebral body in at least two views."
        )


def _check_between(case: CaseContent, level: Level, centre: FloatArray) -> None:
    """The vertebra stands between every view's source and detector."""
    for view in case.views:
        geometry = view.geometry
        depth = float(geometry.normal @ (centre - geometry.source_ras))
        if not 0 < depth < geometry.source_to_detector_mm:
            where = "behind the source" if depth <= 0 else "behind the detector"
            raise GeometryError(
                f"In view {view.name}, level {level.name} stands {where}.",
                "Check source_ras and detector_to_ras: the patient is between the source and the detector.",
            )


def _check_visible(case: CaseContent, level: Level, vertebra: FloatArray) -> None:
    """The vertebra's centre, and at least half of it, project onto every view's image."""
    centre = vertebra.mean(axis=0)
    _check_between(case, level, centre)
    some = vertebra[:: max(1, len(vertebra) // 2000)]
    for view in case.views:
        pixel = view.geometry.project(centre)
        seen = view.geometry.contains(view.geometry.project(some)).mean()
        if not view.geometry.contains(pixel) or seen < 0.5:
            raise CaseError(
                f"Level {level.name}'s region lies outside the image of view {view.name}: it projects to column "
                f"{pixel[0]:.0f} and row {pixel[1]:.0f}.",
                "Leave out the view if it does not show the vertebra; otherwise correct the start or the geometry.",
            )
