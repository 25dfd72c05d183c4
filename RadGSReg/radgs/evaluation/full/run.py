"""Runs what is due of a full benchmark, one trial after the other, each written to the log as it ends."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from radgs.anatomy import surface_points
from radgs.case import RegistrationCase
from radgs.evaluation.full.conditions import planned_case, thick_slices
from radgs.evaluation.full.plan import FullPlan, PlannedTrial
from radgs.evaluation.full.records import FullTrial
from radgs.evaluation.full.subjects import is_there, subject_of
from radgs.evaluation.trials import BenchmarkSubject, TimedAnatomy, run_trial
from radgs.geometry import FloatArray, Volume
from radgs.simulation import ArticulatedAnatomy
from radgs.simulation.worlds import world_named

#: Prepared vertebrae that are remembered; each takes up to hundreds of megabytes.
VERTEBRAE_KEPT = 12
ANATOMIES_KEPT = 4
#: Points of a surface that errors are measured on.
SURFACE_POINTS = 2000

Key = TypeVar("Key")
Value = TypeVar("Value")


class Bench:
    """Subjects, anatomies and prepared vertebrae of a plan, made when they are first needed.

    Args:
        plan: The benchmark.
        real_ct: Folder of the real CT's files.
    """

    def __init__(self, plan: FullPlan, real_ct: Path | None) -> None:
        self.plan = plan
        self.subjects = {name: subject_of(one, real_ct) for name, one in plan.subjects.items()}
        self._anatomies: OrderedDict[str, ArticulatedAnatomy] = OrderedDict()
        self._vertebrae: OrderedDict[tuple[object, ...], TimedAnatomy] = OrderedDict()
        self._surfaces: dict[tuple[str, str], FloatArray] = {}
        self._thick: dict[tuple[str, float], tuple[Volume, Volume]] = {}

    def subject(self, planned: PlannedTrial) -> BenchmarkSubject:
        """Whose trial it is."""
        return self.subjects[planned.subject]

    def anatomy(self, planned: PlannedTrial) -> ArticulatedAnatomy:
        """The anatomy of a trial's subject."""
        return _kept(self._anatomies, planned.subject, ANATOMIES_KEPT, lambda: self.subjects[planned.subject].load())

    def case(self, planned: PlannedTrial) -> RegistrationCase:
        """A trial's case."""
        anatomy = self.anatomy(planned)
        case = planned_case(self.plan, planned, self.subject(planned), anatomy, self.surface(planned))
        if self.plan.cohorts[planned.cohort].kind != "slice thickness" or planned.value is None:
            return case
        key = planned.subject, planned.value
        if key not in self._thick:
            self._thick[key] = thick_slices(anatomy.ct, anatomy.labels, planned.value)
        ct, labels = self._thick[key]
        return replace(case, ct=ct, labels=labels)

    def surface(self, planned: PlannedTrial) -> FloatArray:
        """(N, 3) surface of a trial's vertebra in the whole CT, mm."""
        key = planned.subject, planned.level
        if key not in self._surfaces:
            anatomy = self.anatomy(planned)
            self._surfaces[key] = surface_points(anatomy.labels, anatomy.levels[planned.level], SURFACE_POINTS)
        return self._surfaces[key]

    def vertebra(self, planned: PlannedTrial, case: RegistrationCase) -> TimedAnatomy:
        """A trial's vertebra as its CT shows it, prepared."""
        world = world_named(planned.world)
        thick = self.plan.cohorts[planned.cohort].kind == "slice thickness"
        shown = world.extent_mm if world.extent in ("square", "circle") else None
        key = planned.subject, planned.level, world.extent, shown, planned.value if thick else None
        return _kept(self._vertebrae, key, VERTEBRAE_KEPT, lambda: TimedAnatomy.of(case, planned.level))


def due_trials(
    plan: FullPlan,
    real_ct: Path | None,
    finished: Sequence[FullTrial],
    *,
    only: Sequence[str] = (),
    most: int | None = None,
    share: tuple[int, int] = (1, 1),
) -> tuple[list[PlannedTrial], list[PlannedTrial]]:
    """What is to be run, and what cannot be because its CT is not here.

    Args:
        plan: The benchmark.
        real_ct: Folder of the real CT's files.
        finished: Trials that are there.
        only: Names of cohorts, as in ``FullPlan.trials``.
        most: Largest number of trials, as there.
        share: Which share of how many.
    """
    known = {one.key for one in finished}
    planned = [one for one in plan.trials(only, most, share) if (one, plan.seed) not in known]
    here = {name for name, one in plan.subjects.items() if is_there(one, real_ct)}
    return [one for one in planned if one.subject in here], [one for one in planned if one.subject not in here]


def run_due(
    bench: Bench,
    due: Sequence[PlannedTrial],
    on_trial: Callable[[FullTrial], None],
    *,
    minutes: float | None = None,
    device: str = "auto",
    progress: Callable[[float, str], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Simulates, registers, scores and hands over each trial.

    Args:
        bench: The plan's subjects.
        due: What to run, in this order.
        on_trial: Called with every trial as it ends.
        minutes: No trial begins after so many; None: all are run.
        device: Where to register.
        progress: Called with the fraction done and what is being done, with the time left.
        clock: Seconds from some moment on.

    Returns:
        How many trials were run.
    """
    began = clock()
    for done, planned in enumerate(due):
        if minutes is not None and clock() - began > 60.0 * minutes:
            return done
        if progress is not None:
            progress(
                done / len(due),
                f"{planned.cohort}, {planned.subject} {planned.level}: {done} of {len(due)}"
                f" trials{time_left(clock() - began, done, len(due))}",
            )
        on_trial(run_planned(bench, planned, device))
    return len(due)


def run_planned(bench: Bench, planned: PlannedTrial, device: str = "auto") -> FullTrial:
    """One trial."""
    began = time.process_time()
    case = bench.case(planned)
    vertebra = bench.vertebra(planned, case)
    subject, anatomy = bench.subject(planned), bench.anatomy(planned)
    trial = run_trial(subject, anatomy, case, vertebra, planned.index, bench.plan.seed, device, planned.world)
    return FullTrial(planned, trial, time.process_time() - began)


def time_left(seconds: float, done: int, count: int) -> str:
    """How long the rest takes at the pace so far, for people; nothing before the first trial has ended."""
    if not done:
        return ""
    minutes = round(seconds / done * (count - done) / 60.0)
    return f", about {minutes // 60} h {minutes % 60:02} min left" if minutes >= 60 else f", about {minutes} min left"


def _kept(kept: OrderedDict[Key, Value], key: Key, most: int, make: Callable[[], Value]) -> Value:
    """What is remembered under a key, or made; what was used longest ago is forgotten."""
    if key not in kept:
        while len(kept) >= most:
            kept.popitem(last=False)
        kept[key] = make()
    kept.move_to_end(key)
    return kept[key]
