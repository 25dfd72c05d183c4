"""Registrations of cases with something wrong in them, and what the verdict made of it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from radgs.case import LevelResult, RegistrationCase, Verdict
from radgs.case.checks.views import check_size, doubtful_size
from radgs.errors import RadgsError
from radgs.evaluation.metrics import mtre
from radgs.evaluation.trials import BenchmarkSubject, append_line
from radgs.io.json_fields import nan_for_null, null_for_nan
from radgs.pipeline import register
from radgs.pipeline.orientation import MIN_POWER
from radgs.simulation import ArticulatedAnatomy, SimulationSettings
from radgs.simulation.faults import FaultyCase, fault_named, simulate_faulty_case
from radgs.simulation.revealable import revealable
from radgs.simulation.worlds import world_named
from radgs.vertebra import VertebraAnatomy, build_vertebra_anatomy

#: Accepted further off than this is a silent failure, and further off than the second must be rejected, mm.
HARMFUL_MM, GROSS_MM = 2.0, 5.0
#: A pose within this is right, mm.
GOOD_MM = 1.0
#: Points of the vertebra's surface in arithmetic.
SURFACE_STEP = 40


@dataclass(frozen=True)
class PlannedTrial:
    """A case before it is registered.

    Attributes:
        patient, level, fault, world, index, seed: Which; the same six always mean the same images.
        revealable: Whether the inputs can reveal the fault, by arithmetic alone; a mirror always, until the power of
            its trial is known.
    """

    patient: str
    level: str
    fault: str
    world: str
    index: int
    seed: int
    revealable: bool


@dataclass(frozen=True)
class FaultTrial:
    """One registration of a case with something wrong.

    Attributes:
        planned: What it was.
        verdict: The registration's; "reject" where the case was refused at the door.
        refused: The sentence it was refused with; empty where it was registered.
        reasons: Codes of its grounds.
        mtre_mm: Of the result; infinite where no pose of the CT given is right, NaN without a pose.
        predicted_p95_mm: What the registration said of its error.
        grounds: What the verdict rests on, see ``Evidence.grounds``; empty where the case was refused.
    """

    planned: PlannedTrial
    verdict: Verdict
    refused: str
    reasons: tuple[str, ...]
    mtre_mm: float
    predicted_p95_mm: float
    grounds: dict[str, float] = field(default_factory=dict)

    @property
    def revealable(self) -> bool:
        """Whether the inputs can reveal the fault; a mirror they cannot where its trial has no power: that is asked."""
        fault = fault_named(self.planned.fault)
        if self.refused or not (fault.mirrored_view or fault.mirrored_ct):
            return self.planned.revealable
        return self.planned.revealable and self.grounds["flip_power"] >= MIN_POWER

    @property
    def silent_failure(self) -> bool:
        """Accepted, and more than 2 mm off or of another bone."""
        return self.verdict == "accept" and self.mtre_mm > HARMFUL_MM

    @property
    def gross_and_not_rejected(self) -> bool:
        """More than 5 mm off, and better than rejected."""
        return self.verdict != "reject" and self.mtre_mm > GROSS_MM

    def to_json_dict(self) -> dict[str, Any]:
        """The trial's fields; numbers that do not exist become null."""
        numbers = {name: null_for_nan(getattr(self, name)) for name in ("mtre_mm", "predicted_p95_mm")}
        grounds = {name: null_for_nan(value) for name, value in self.grounds.items()}
        return {**asdict(self), **numbers, "grounds": grounds, "no_right_pose": math.isinf(self.mtre_mm)}

    @classmethod
    def from_json_dict(cls, values: dict[str, Any]) -> FaultTrial:
        """Reads what ``to_json_dict`` wrote."""
        given = dict(values)
        mtre_mm = math.inf if given.pop("no_right_pose") else nan_for_null(given["mtre_mm"])
        return cls(
            planned=PlannedTrial(**given["planned"]),
            verdict=given["verdict"],
            refused=given["refused"],
            reasons=tuple(given["reasons"]),
            mtre_mm=mtre_mm,
            predicted_p95_mm=nan_for_null(given["predicted_p95_mm"]),
            grounds={name: nan_for_null(value) for name, value in given["grounds"].items()},
        )


def read_fault_trials(path: Path) -> list[FaultTrial]:
    """The trials in a file of JSON lines, none without the file; a last line cut off by an interruption is left out."""
    trials = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            trials.append(FaultTrial.from_json_dict(json.loads(line)))
        except json.JSONDecodeError:
            continue
    return trials


def append_fault_trial(path: Path, trial: FaultTrial) -> None:
    """Adds a trial to a file of JSON lines."""
    append_line(path, json.dumps(trial.to_json_dict(), allow_nan=False))


def run_fault_trials(
    patients: Sequence[BenchmarkSubject],
    faults: Sequence[str],
    worlds: Sequence[str],
    trials_per_fault: int,
    seed: int,
    *,
    detector_pixels: int = 384,
    device: str = "auto",
    finished: Sequence[FaultTrial] = (),
    plan: Path | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> Iterator[FaultTrial]:
    """Simulates and registers; what can be revealed is decided, and written down, before each registration.

    All faults on all vertebrae once, then all again: a run that is stopped has about as many of each.

    Args:
        patients: Whom to register; the next one is the stranger of each.
        faults: Names of faults; "none" is a case with nothing wrong.
        worlds: Names of worlds, taken in turn.
        trials_per_fault: On each level of each patient.
        seed: Chooses poses, views, clicks, noise and faults.
        detector_pixels: Along a side of the X-rays.
        device: Where to register.
        finished: Trials of an earlier run; those due again are taken over instead of run.
        plan: A file that what was planned is added to, as JSON lines.
        progress: Called with the fraction done and what is being done.
    """
    known = {_key(trial.planned): trial for trial in finished}
    vertebrae = [(number, level) for number, patient in enumerate(patients) for level in patient.levels]
    turns = [(index, *vertebra) for index in range(trials_per_fault) for vertebra in vertebrae]
    anatomies: dict[str, ArticulatedAnatomy] = {}

    def anatomy_of(patient: BenchmarkSubject) -> ArticulatedAnatomy:
        if patient.name not in anatomies:
            anatomies[patient.name] = patient.load()
        return anatomies[patient.name]

    for turn, (index, number, level) in enumerate(turns):
        patient = patients[number]
        stranger = patients[(number + 1) % len(patients)] if len(patients) > 1 else None
        prepared: dict[tuple[bool, bool, str], VertebraAnatomy] = {}
        for order, fault in enumerate(faults):
            world = worlds[(order + index) % len(worlds)]
            key = (patient.name, level, fault, world, index, seed)
            if key in known:
                yield known[key]
                continue
            settings = SimulationSettings(world=world_named(world), detector_pixels=detector_pixels)
            rng = np.random.default_rng([seed, index, *f"{patient.name} {level} {world} {fault}".encode()])
            anatomy, other = anatomy_of(patient), None if stranger is None else anatomy_of(stranger)
            faulty = simulate_faulty_case(anatomy, level, fault_named(fault), rng, settings, other)
            planned = _planned(*key, faulty, anatomy)
            if plan is not None:
                append_line(plan, json.dumps(asdict(planned)))
            yield _registered(planned, faulty, prepared, device)
            if progress is not None:
                done = turn * len(faults) + order + 1
                progress(
                    done / (len(turns) * len(faults)),
                    f"{patient.name} {level}, {fault}: {done} of {len(turns) * len(faults)}",
                )


def _key(planned: PlannedTrial) -> tuple[str, str, str, str, int, int]:
    return planned.patient, planned.level, planned.fault, planned.world, planned.index, planned.seed


def _planned(
    patient: str,
    level: str,
    fault: str,
    world: str,
    index: int,
    seed: int,
    faulty: FaultyCase,
    anatomy: ArticulatedAnatomy,
) -> PlannedTrial:
    points = anatomy.labels.to_ras(np.argwhere(anatomy.labels.array == anatomy.levels[level])[:, ::-1])
    some = points[:: max(1, len(points) // SURFACE_STEP)]
    return PlannedTrial(patient, level, fault, world, index, seed, revealable(fault_named(fault), faulty, some))


def _registered(
    planned: PlannedTrial, faulty: FaultyCase, vertebrae: dict[tuple[bool, bool, str], VertebraAnatomy], device: str
) -> FaultTrial:
    fault = fault_named(planned.fault)
    key = (fault.mirrored_ct, fault.foreign_ct, str(world_named(planned.world).extent))
    try:
        case = faulty.case
        for view, size in zip(case.views, faulty.sizes, strict=True):
            check_size(view.name, view.geometry.shape, size)
            case = replace(case, cautions=(*case.cautions, *doubtful_size(view.name, view.geometry, size)))
        case.validate()
        vertebra = None if fault.labels_mm else vertebrae.get(key)
        if vertebra is None:
            vertebra = build_vertebra_anatomy(case.ct, case.labels, case.level(planned.level))
        if not fault.labels_mm:
            vertebrae[key] = vertebra
        registration = register(case, device=device, vertebrae={planned.level: vertebra})
    except RadgsError as refusal:
        return FaultTrial(planned, "reject", str(refusal), ("refused",), math.nan, math.nan)
    result = registration.result.levels[planned.level]
    error = _error(result, case, vertebra, planned.level) if fault.has_right_pose else math.inf
    return FaultTrial(
        planned,
        result.verdict,
        "",
        tuple(reason.code for reason in result.reasons),
        error,
        result.predicted_error_mm.get("surface_p95", math.nan),
        registration.evidence[planned.level].grounds,
    )


def _error(result: LevelResult, case: RegistrationCase, vertebra: VertebraAnatomy, level: str) -> float:
    return math.nan if result.ct_to_world is None else mtre(vertebra.surface, case.truth[level], result.ct_to_world)
