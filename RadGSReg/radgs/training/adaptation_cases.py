"""What an adaptation learns from: the vertebrae of cases, with poses where results or files give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from radgs.anatomy import body_centre
from radgs.case import Level, RegistrationCase, RegistrationResult
from radgs.errors import InputFileError, RadgsError
from radgs.geometry import RigidTransform
from radgs.io.transforms import read_transform
from radgs.networks import Networks
from radgs.report import case_of, check_same_case
from radgs.training.training_vertebra import TrainingVertebra
from radgs.training.xray_source import VertebraOnXRays


@dataclass(frozen=True, eq=False)
class AdaptationCase:
    """A case, and which of its poses are known.

    Attributes:
        name: For people.
        case: CT, X-rays and marks.
        poses: By level, ``ct_to_world``; a case's own truth is never used.
        told: What was not taken from a result, a sentence each.
    """

    name: str
    case: RegistrationCase
    poses: Mapping[str, RigidTransform] = field(default_factory=dict)
    told: tuple[str, ...] = ()


def read_adaptation_cases(paths: Sequence[Path], poses: Mapping[str, Path]) -> list[AdaptationCase]:
    """Reads cases and results.

    Args:
        paths: Each a case.json or a result.json, or the folder of one; of a result, accepted poses are known.
        poses: By level, an ITK transform with its pose, for a single case.

    Raises:
        RadgsError: A file cannot be read, or files do not belong together.
    """
    if poses and len(paths) != 1:
        raise InputFileError(
            f"Poses were given for {len(paths)} cases, and levels are named alike in all.",
            "Give one case with --pose, or name each case's result.json instead of its case.json.",
        )
    cases = [_read(path) for path in paths]
    if not poses:
        return cases
    (only,) = cases
    known = {only.case.level(name).name: read_transform(path) for name, path in poses.items()}
    return [AdaptationCase(only.name, only.case, {**only.poses, **known}, only.told)]


def _read(path: Path) -> AdaptationCase:
    if path.name != "result.json" and not (path / "result.json").is_file():
        return AdaptationCase(
            path.stem if path.name != "case.json" else path.resolve().parent.name, RegistrationCase.load(path)
        )
    folder = path if path.is_dir() else path.parent
    result = RegistrationResult.load(path)
    named = case_of(result, folder, None)
    case = RegistrationCase.load(named)
    check_same_case(result, case, named)
    poses, told = {}, []
    for name, level in result.levels.items():
        if level.verdict == "accept" and level.ct_to_world is not None:
            poses[name] = level.ct_to_world
        else:
            told.append(f"{folder.name}: the pose of {name} is not learned from, its verdict is {level.verdict}.")
    return AdaptationCase(folder.resolve().name, case, poses, tuple(told))


def shown_vertebrae(
    cases: Sequence[AdaptationCase], base: Networks, told: list[str]
) -> list[tuple[Level, VertebraOnXRays]]:
    """The vertebrae that a base can learn from; why others cannot is added to ``told``."""
    shown = []
    for one in cases:
        told += one.told
        for level in one.case.levels:
            try:
                one.case.usable_level(level.name)
                base.check_fits(one.case.ct, level, body_centre(one.case.labels, level.label))
                shown.append((level, _shown(one, level)))
            except RadgsError as error:
                told.append(f"{one.name}: {level.name} is not learned from: {error.problem}")
    return shown


def _shown(one: AdaptationCase, level: Level) -> VertebraOnXRays:
    vertebra = TrainingVertebra.of(one.case.ct, one.case.labels, level)
    pose = one.poses.get(level.name)
    body = vertebra.frame_to_ct.translation
    marked = one.case.triangulated_centre(level.name)
    if marked is None:
        marked = (pose or one.case.start_pose(level.name, body)).apply(body)
    return VertebraOnXRays(f"{one.name} {level.name}", one.case.views, marked, vertebra, pose)
