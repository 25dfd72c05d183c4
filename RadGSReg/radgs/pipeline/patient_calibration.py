"""`radgs calibrate --case`: a view whose angles and distances were read off, calibrated from the patient."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from radgs.anatomy import body_centre
from radgs.anatomy.levels import LABEL_NUMBERINGS, suggest_numbering
from radgs.calibration import SelfCalibration, calibrate_from_patient
from radgs.case import Level, RegistrationCase
from radgs.errors import CaseError
from radgs.geometry import RigidTransform
from radgs.pipeline.registration import choose_device
from radgs.vertebra import VertebraAnatomy, build_vertebra_anatomy

#: Share of the progress that separating the vertebrae takes.
SEPARATED = 0.7


@dataclass(frozen=True, eq=False)
class CalibratedCase:
    """What a calibration from the patient came to.

    Attributes:
        case: With the geometry that was found.
        solved: What was found.
        left_out: Why levels of the case were not looked at, a sentence each.
    """

    case: RegistrationCase
    solved: SelfCalibration
    left_out: tuple[str, ...] = ()


def calibrate_case(
    case: RegistrationCase,
    levels: Sequence[str] = (),
    view: str | None = None,
    *,
    device: str = "auto",
    progress: Callable[[float, str], None] = lambda fraction, message: None,
) -> CalibratedCase:
    """Solves for one view of a case, the others held.

    A level of the case whose label or start cannot be used is left out, unless it was asked for by name.

    Args:
        case: CT, labels and X-rays, with a start of one level or more.
        levels: Vertebrae to be seen in all views, ``L3`` or ``L3=29`` with its label; the case's own by default. The
            label map may hold more than the case names.
        view: Which view is solved for; the second by default.
        device: "auto", "cpu" or "cuda".
        progress: Called with the fraction done and what is being done.

    Raises:
        RadgsError: There is no such level or view, nothing to start from, or none of the levels can be used.
    """
    names = [one.name for one in case.views]
    if view is not None and view not in names:
        raise CaseError(f"The case has no view {view}.", f"Its views are {', '.join(names)}.")
    moving = 1 if view is None else names.index(view)
    refused = case.problems_of_levels()
    asked = [_level(case, text.strip()) for text in levels]
    for level in asked:
        if level.name in refused:
            raise refused[level.name]
    wanted = asked or [level for level in case.levels if level.name not in refused]
    on_device, vertebrae = choose_device(device), list[VertebraAnatomy]()
    for number, level in enumerate(wanted):

        def separating(done: float, number: int = number, name: str = level.name) -> None:
            progress(SEPARATED * (number + done) / len(wanted), f"separating {name} from the CT")

        separating(0.0)
        try:
            vertebrae.append(build_vertebra_anatomy(case.ct, case.labels, level, separating).to(on_device))
        except CaseError as error:
            if asked or len(refused) + 1 == len(case.levels):
                raise
            refused[level.name] = error
    vertebrae.sort(key=lambda one: -float(one.centre[2]))
    solved = calibrate_from_patient(
        case.views,
        vertebrae,
        _starts(case, vertebrae, refused),
        moving=moving,
        progress=lambda done, message: progress(SEPARATED + (1 - SEPARATED) * done, message),
    )
    left_out = () if asked else tuple(f"{name} is left out: {error.problem}" for name, error in refused.items())
    return CalibratedCase(replace(case, views=solved.found.applied(case.views)), solved, left_out)


def _level(case: RegistrationCase, text: str) -> Level:
    """A level by its name in the case or by the label map's numbering, or with its label."""
    name, _, number = text.partition("=")
    if number:
        if not number.isdigit():
            raise CaseError(f'"{text}" is not a level.', "Write L3, or L3=29 with the label's number.")
        return Level(name, int(number))
    for level in case.levels:
        if level.name == name:
            return level
    numbering = suggest_numbering(case.labels)
    label = None if numbering is None else LABEL_NUMBERINGS[numbering].get(name)
    if label is None or not np.any(case.labels.array == label):
        raise CaseError(f"Neither case nor label map has a level {name}.", f"Write {name}=LABEL with its label.")
    return Level(name, label)


def _starts(
    case: RegistrationCase, vertebrae: Sequence[VertebraAnatomy], refused: Collection[str]
) -> dict[str, RigidTransform]:
    """Poses of the levels that the case gives a start; of another level, they bring the CT as well."""
    starts = {}
    for level in case.levels:
        if level.name in case.initial and level.name not in refused:
            starts[level.name] = case.start_pose(level.name, body_centre(case.labels, level.label))
    known = {name: pose for name, pose in starts.items() if any(one.level.name == name for one in vertebrae)}
    if known or not starts:
        return known
    return {vertebrae[0].level.name: next(iter(starts.values()))}
