"""Registration with a second view whose geometry may be off: registered, solved for, and registered again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from radgs.anatomy import body_centre
from radgs.calibration import SelfCalibration, calibrate_from_patient
from radgs.case import Level, LevelResult, Reason, RegistrationCase, SelfCalibratedView
from radgs.geometry import FloatArray, RigidTransform, XRayView
from radgs.geometry.sigma import USUAL_SIGMA
from radgs.io.cache_folder import CacheFolder
from radgs.networks import Networks
from radgs.pipeline.registration import Progress, Registration, register
from radgs.pipeline.verdict import capped
from radgs.vertebra import VertebraAnatomy, build_vertebra_anatomy
from radgs.vertebra.separated_ct import neighbouring_labels

#: Which view is solved for; the first is held.
SECOND = 1
#: So many vertebrae tell where it stands.
ENOUGH = 3
#: Of the whole, the first registration's share and the second's beginning.
SOLVE_FROM, AGAIN_FROM = 0.6, 0.8


def register_self_calibrating(
    case: RegistrationCase,
    *,
    device: str = "auto",
    vertebrae: Mapping[str, VertebraAnatomy] | None = None,
    networks: Mapping[str, Networks] | None = None,
    keep: Callable[[dict[str, VertebraAnatomy]], None] | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
    starts: Mapping[str, RigidTransform] | None = None,
    remembered: CacheFolder | None = None,
) -> tuple[RegistrationCase, Registration]:
    """Registers with the geometry as given, solves for the second view's, and registers again with what was found.

    The arguments are those of ``register``.

    Returns:
        The case with the geometry that was found, and its registration, whose result says what changed. Where that is
        more than the geometry's uncertainty allows, no pose is accepted.

    Raises:
        RadgsError: The case cannot be registered as it is; the message says why and what to do.
    """

    def tell(begin: float, end: float) -> Callable[[Progress], None]:
        return lambda at: progress(replace(at, fraction=begin + (end - begin) * at.fraction))

    given = register(
        case,
        device=device,
        vertebrae=vertebrae,
        networks=networks,
        keep=keep,
        progress=tell(0.0, SOLVE_FROM),
        starts=starts,
        remembered=remembered,
    )

    def solving(done: float, message: str) -> None:
        name = case.views[SECOND].name
        progress(Progress(name, "calibrate", SOLVE_FROM + (AGAIN_FROM - SOLVE_FROM) * done, message))

    solved = _solved(case, given, starts or {}, solving)
    found = solved.found
    calibrated = replace(case, views=found.applied(case.views))
    again = register(
        calibrated,
        device=device,
        vertebrae=given.vertebrae,
        networks=networks,
        progress=tell(AGAIN_FROM, 1.0),
        starts=solved.ct_to_world,
    )
    levels = {name: _under_caution(level, found) for name, level in again.result.levels.items()}
    return calibrated, replace(again, result=replace(again.result, levels=levels, self_calibration=found))


def _solved(
    case: RegistrationCase,
    given: Registration,
    nudged: Mapping[str, RigidTransform],
    progress: Callable[[float, str], None],
) -> SelfCalibration:
    """The second view from what was registered; from the clicks, where that went wrong."""
    levels = list(given.vertebrae.values())
    vertebrae = sorted([*levels, *neighbours_seen(case, levels)], key=lambda one: -float(one.centre[2]))
    registered = {
        name: level.ct_to_world for name, level in given.result.levels.items() if level.ct_to_world is not None
    }
    marked = {one.level.name: case.start_pose(one.level.name, one.centre) for one in levels}
    nudged_ones = {name: pose for name, pose in nudged.items() if name in marked}
    believed = case.views[SECOND].geometry_sigma or USUAL_SIGMA
    return calibrate_from_patient(
        case.views,
        vertebrae,
        registered,
        {**marked, **nudged_ones},
        moving=SECOND,
        believed=believed,
        progress=progress,
    )


def neighbours_seen(case: RegistrationCase, vertebrae: Sequence[VertebraAnatomy]) -> list[VertebraAnatomy]:
    """Labelled neighbours of the vertebrae whose bodies all views show, until there are ``ENOUGH`` together.

    One vertebra hardly tells where a view stands: it was seen to move the source of a right one by 5 mm. A level of the
    case that is not among the vertebrae could not be registered, so its label is not believed here either.

    Args:
        case: The case; its start brings the neighbours along.
        vertebrae: At least one of its levels: those that were registered.
    """
    failed = {level.label for level in case.levels} - {one.level.label for one in vertebrae}
    known, found = {one.level.label for one in vertebrae}, list[VertebraAnatomy]()
    for one in vertebrae:
        start = case.start_pose(one.level.name, one.centre)
        for label in neighbouring_labels(case.labels, one.level.label, one.centre):
            if label in known | failed or len(known) >= ENOUGH:
                continue
            if all(_shows(view, start.apply(body_centre(case.labels, label))) for view in case.views):
                known.add(label)
                anatomy = build_vertebra_anatomy(case.ct, case.labels, Level(f"label {label}", label))
                found.append(anatomy.to(one.device))
    return found


def _shows(view: XRayView, point: FloatArray) -> bool:
    """Whether a world point (3,) falls on what the X-ray measured."""
    column, row = np.round(view.geometry.project(point)).astype(int)
    rows, columns = view.image.shape
    return bool(0 <= row < rows and 0 <= column < columns and view.measured[row, column])


def _under_caution(level: LevelResult, found: SelfCalibratedView) -> LevelResult:
    """A pose on a geometry that had to be changed more than it may is not accepted; a person looks at the change."""
    if not found.beyond_sigma or level.ct_to_world is None:
        return level
    message = (
        f"View {found.view} had to be moved by more than the uncertainty of its geometry allows: "
        "check its calibration, or have it made anew."
    )
    verdict, reasons = capped(level.verdict, level.reasons, [Reason("self_calibrated", message)])
    return replace(level, verdict=verdict, reasons=reasons)
