"""Runs of many trials: which are due, in what order, and the vertebrae that they share."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Literal

from radgs.case import InitialPose, RegistrationCase
from radgs.evaluation.trials import BenchmarkSubject, TimedAnatomy, Trial, TrialKey, run_trial, trial_case
from radgs.simulation import ArticulatedAnatomy, SimulationSettings
from radgs.simulation.worlds import CLEAN_NAME, World, world_named

#: One vertebra after the other, or all in turn: then every world has about as many trials whenever a run is stopped.
Order = Literal["by vertebra", "in turn"]
Start = Literal["clicks", "truth"]


class PreparedVertebrae:
    """The vertebrae prepared last: a vertebra is the same in all worlds whose CT shows as much of it.

    Args:
        most: How many are kept; each takes up to hundreds of megabytes.
    """

    def __init__(self, most: int = 1) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[object, ...], TimedAnatomy] = OrderedDict()

    def of(self, case: RegistrationCase, patient: str, level: str, world: World) -> TimedAnatomy:
        """A case's vertebra, as its world's CT shows it."""
        key = (patient, level, world.extent, world.extent_mm if world.extent in ("square", "circle") else None)
        if key not in self._kept:
            while len(self._kept) >= self._most:
                self._kept.popitem(last=False)
            self._kept[key] = TimedAnatomy.of(case, level)
        self._kept.move_to_end(key)
        return self._kept[key]


def run_trials(
    subjects: Sequence[BenchmarkSubject],
    trials_per_vertebra: int,
    seed: int,
    settings: SimulationSettings,
    progress: Callable[[float, str], None] | None = None,
    *,
    worlds: Sequence[str] = (CLEAN_NAME,),
    order: Order = "by vertebra",
    vertebrae_kept: int = 1,
    start: Start = "clicks",
    device: str = "auto",
    finished: Sequence[Trial] = (),
    on_trial: Callable[[Trial], None] | None = None,
) -> list[Trial]:
    """Simulates, registers and scores.

    Every trial draws from a generator of its own, seeded by the seed, the vertebra and the trial's number: trials are
    the same in whatever order, number or company they run, and of the same poses and views in every world.

    Args:
        subjects: Whom to register.
        trials_per_vertebra: Trials on each level of each subject, in each world.
        seed: Chooses poses, views, clicks and noise.
        settings: What varies; the worlds replace its world.
        progress: Called with the fraction done and what is being done.
        worlds: Names of the worlds that images come from.
        order: One vertebra after the other needs least memory.
        vertebrae_kept: As many prepared vertebrae are remembered.
        start: What registration begins with: clicks with error, or the true pose, which it must not lose.
        device: Where to register.
        finished: Trials of an earlier run; those due again are taken over instead of run.
        on_trial: Called with every new trial as it ends.

    Raises:
        InputFileError: There is no world of a name.
    """
    named = {name: world_named(name) for name in worlds}
    known = {trial.key: trial for trial in finished}
    due = list(_in_order(subjects, trials_per_vertebra, tuple(named), order))
    prepared = PreparedVertebrae(vertebrae_kept)
    anatomies: dict[str, ArticulatedAnatomy] = {}
    trials: list[Trial] = []
    for subject, level, index, name in due:
        key: TrialKey = (subject.cohort, subject.name, level, index, seed, name)
        if key in known:
            trials.append(known[key])
            continue
        if progress is not None:
            progress(len(trials) / len(due), f"{subject.name} {level}, {name}: {len(trials)} of {len(due)} trials")
        if subject.name not in anatomies:
            if order == "by vertebra":
                anatomies.clear()
            anatomies[subject.name] = subject.load()
        anatomy = anatomies[subject.name]
        case = trial_case(subject, anatomy, level, index, seed, replace(settings, world=named[name]))
        if start == "truth":
            case = replace(case, initial={level: InitialPose({}, case.truth[level])})
        vertebra = prepared.of(case, subject.name, level, named[name])
        trials.append(run_trial(subject, anatomy, case, vertebra, index, seed, device, name))
        if on_trial is not None:
            on_trial(trials[-1])
    return trials


def _in_order(
    subjects: Sequence[BenchmarkSubject], count: int, worlds: Sequence[str], order: Order
) -> Iterator[tuple[BenchmarkSubject, str, int, str]]:
    """Subject, level, number and world of every trial; worlds innermost, or about CTs that show as much, together."""
    vertebrae = [(subject, level) for subject in subjects for level in subject.levels]
    if order == "in turn":
        turns: Iterable[tuple[int, tuple[BenchmarkSubject, str], str]] = product(range(count), vertebrae, worlds)
        yield from ((subject, level, index, world) for index, (subject, level), world in turns)
        return
    alike = sorted(worlds, key=lambda world: repr((world_named(world).extent, world_named(world).extent_mm)))
    for (subject, level), world, index in product(vertebrae, alike, range(count)):
        yield subject, level, index, world
