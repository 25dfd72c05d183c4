"""Registration with a second view whose geometry may be off: registered, solved for, and registered again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from radgs.calibration import SelfCalibration, calibrate_from_patient
from radgs.case import LevelResult, Reason, RegistrationCase, SelfCalibratedView
from radgs.geometry import RigidTransform
from radgs.geometry.sigma import USUAL_SIGMA
from radgs.io.cache_folder import CacheFolder
from radgs.networks import Networks
from radgs.pipeline.registration import Progress, Registration, register
from radgs.pipeline.verdict import capped
from radgs.vertebra import VertebraAnatomy

#: Which view is solved for; the first is held.
SECOND = 1
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
    vertebrae = sorted(given.vertebrae.values(), key=lambda one: -float(one.centre[2]))
    registered = {
        name: level.ct_to_world for name, level in given.result.levels.items() if level.ct_to_world is not None
    }
    marked = {one.level.name: case.start_pose(one.level.name, one.centre) for one in vertebrae}
    believed = case.views[SECOND].geometry_sigma or USUAL_SIGMA
    return calibrate_from_patient(
        case.views, vertebrae, registered, {**marked, **nudged}, moving=SECOND, believed=believed, progress=progress
    )


def _under_caution(level: LevelResult, found: SelfCalibratedView) -> LevelResult:
    """A pose on a geometry that had to be changed more than it may is not accepted; a person looks at the change."""
    if not found.beyond_sigma:
        return level
    message = (
        f"View {found.view} had to be moved by more than the uncertainty of its geometry allows: "
        "check its calibration, or have it made anew."
    )
    verdict, reasons = capped(level.verdict, level.reasons, [Reason("self_calibrated", message)])
    return replace(level, verdict=verdict, reasons=reasons)
