"""The full benchmark's config, and the trials that it means."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args

from radgs.errors import InputFileError
from radgs.simulation.worlds import CLEAN_NAME, world_named

SCHEMA = "radgs.benchmark/1"
Kind = Literal["clicks", "pose", "click offset", "along the spine", "view angle", "dose", "slice thickness"]
#: Cohorts that are no curve: one setting, in one world or several.
WITHOUT_VALUES = ("clicks", "pose")
Section = TypeVar("Section")


@dataclass(frozen=True)
class SubjectPlan:
    """Whom to register: a phantom, one with a patient's vertebrae, or a CT and labels in the real CT's folder.

    Attributes:
        name: What the config calls them.
        levels: Vertebrae to register.
        phantom: Seed of a synthetic patient; None for a real one.
        whole: Highest and lowest whole level of the phantom.
        voxel_mm, osteoporosis: Of the phantom.
        shapes: The environment variable that names the label map (VerSe's numbers) of the phantom's vertebrae; none
            where they are drawn.
        ct, labels: Names of the real CT's files.
        moving: Every vertebra of the real CT that moves on its own, from the head down, with its label.
    """

    name: str
    levels: tuple[str, ...]
    phantom: int | None = None
    whole: tuple[str, str] = ("L1", "L5")
    voxel_mm: float = 1.2
    osteoporosis: float = 0.0
    shapes: str = ""
    ct: str = ""
    labels: str = ""
    moving: Mapping[str, int] = field(default_factory=dict)

    @property
    def real(self) -> bool:
        """Whether the CT is real."""
        return self.phantom is None


@dataclass(frozen=True)
class StartPlan:
    """How far off poses to start from may be, and how they are counted.

    Attributes:
        shift_mm, rotation_deg: Shift of the body's centre and rotation about it, at most.
        sigma_mm: What registration is told of it, one standard deviation.
        bin_mm, bin_deg: Width of the bins by mTRE and by rotation of the start.
    """

    shift_mm: float = 60.0
    rotation_deg: float = 45.0
    sigma_mm: float = 40.0
    bin_mm: float = 5.0
    bin_deg: float = 5.0

    @property
    def bins(self) -> int:
        """Bins from 0 to the largest shift."""
        return round(self.shift_mm / self.bin_mm)


@dataclass(frozen=True)
class CohortPlan:
    """Trials that are reported together.

    Attributes:
        name: What the config calls them.
        kind: What differs from clicks with error on AP and lateral views, and so what ``values`` are.
        subjects: Names of subjects.
        trials: For each vertebra, in each world, at each value.
        worlds: Where the images come from.
        values: Points of a curve; none for one setting.
        start: Poses to start from, where ``kind`` is "pose".
    """

    name: str
    subjects: tuple[str, ...]
    trials: int
    kind: Kind = "clicks"
    worlds: tuple[str, ...] = (CLEAN_NAME,)
    values: tuple[float, ...] = ()
    start: StartPlan = StartPlan()


@dataclass(frozen=True)
class VoxelGridPlan:
    """Grids that one vertebra's Gaussians are voxelized on; ``kept`` are shares of the Gaussians, 0 to 1."""

    voxels: tuple[int, ...]
    kept: tuple[float, ...]
    subject: str
    level: str


@dataclass(frozen=True)
class PlannedTrial:
    """One trial that is to be run; ``value`` is the curve's, None where there is none."""

    cohort: str
    subject: str
    level: str
    index: int
    world: str
    value: float | None

    @property
    def key(self) -> tuple[str, str, str, int, str, float | None]:
        """Which it is."""
        return self.cohort, self.subject, self.level, self.index, self.world, self.value


@dataclass(frozen=True)
class FullPlan:
    """A whole benchmark.

    Attributes:
        seed: Chooses poses, views, clicks, noise and starts.
        detector_pixels: Side of the X-rays.
        subjects, cohorts: By name, in the config's order.
        voxel_grid: None where the config has none.
    """

    seed: int
    detector_pixels: int
    subjects: dict[str, SubjectPlan]
    cohorts: dict[str, CohortPlan]
    voxel_grid: VoxelGridPlan | None = None

    def trials(
        self, only: Sequence[str] = (), most: int | None = None, share: tuple[int, int] = (1, 1)
    ) -> list[PlannedTrial]:
        """The trials in the order in which they run: a cohort's vertebrae, worlds and values in turn.

        Args:
            only: Names of cohorts; all, where none is named.
            most: Largest number of trials of a vertebra, in each world, at each value.
            share: Which share of how many, from 1; the shares of a whole have no trial in common.

        Raises:
            InputFileError: There is no such cohort.
        """
        for name in only:
            if name not in self.cohorts:
                raise InputFileError(f'There is no cohort "{name}".', f"Choose among {', '.join(self.cohorts)}.")
        number, of = share
        planned = [
            one for name, cohort in self.cohorts.items() if not only or name in only for one in self._of(cohort, most)
        ]
        return planned[number - 1 :: of]

    def _of(self, cohort: CohortPlan, most: int | None) -> Iterator[PlannedTrial]:
        count = cohort.trials if most is None else min(most, cohort.trials)
        vertebrae = [(name, level) for name in cohort.subjects for level in self.subjects[name].levels]
        values: tuple[float | None, ...] = cohort.values or (None,)
        for index in range(count):
            for subject, level in vertebrae:
                for world in cohort.worlds:
                    for value in values:
                        yield PlannedTrial(cohort.name, subject, level, index, world, value)


def default_plan_path() -> Path:
    """The config that comes with the engine."""
    return Path(str(files("radgs").joinpath("data", "benchmark", "full.toml")))


def read_plan(path: Path | None = None) -> FullPlan:
    """Reads a config; the one that comes with the engine, where none is given.

    Raises:
        InputFileError: The file is missing or does not say what a config says.
    """
    path = path or default_plan_path()
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        return _plan(values)
    except FileNotFoundError as error:
        raise InputFileError(f"There is no config {path}.", "Give the path of a TOML file.") from error
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise InputFileError(
            f"{path} is no config of a benchmark: {error}", "Compare it with radgs/data/benchmark/full.toml."
        ) from error


def _plan(values: dict[str, Any]) -> FullPlan:
    if values["schema"] != SCHEMA:
        raise ValueError(f"schema is not {SCHEMA}")
    subjects = {name: _made(SubjectPlan, {"name": name, **given}) for name, given in values["subjects"].items()}
    cohorts = {}
    for given in values["cohorts"]:
        cohort = _made(CohortPlan, {**given, "start": _made(StartPlan, given.get("start", {}))})
        _check_cohort(cohort, subjects)
        if cohort.name in cohorts:
            raise ValueError(f"two cohorts are called {cohort.name}")
        cohorts[cohort.name] = cohort
    grid = values.get("voxel_grid")
    return FullPlan(
        values["seed"],
        values["detector_pixels"],
        subjects,
        cohorts,
        None if grid is None else _made(VoxelGridPlan, grid),
    )


def _check_cohort(cohort: CohortPlan, subjects: Mapping[str, SubjectPlan]) -> None:
    if cohort.kind not in get_args(Kind):
        raise ValueError(f"{cohort.name} is of an unknown kind, {cohort.kind}")
    if missing := [name for name in cohort.subjects if name not in subjects]:
        raise ValueError(f"{cohort.name} names subjects that are not described: {', '.join(missing)}")
    if bool(cohort.values) == (cohort.kind in WITHOUT_VALUES):
        raise ValueError(
            f"{cohort.name} is of the kind {cohort.kind}: values {'say nothing' if cohort.values else 'are missing'}"
        )
    for world in cohort.worlds:
        world_named(world)


def _made(kind: type[Section], given: Mapping[str, Any]) -> Section:
    """The section; lists become tuples, and what it does not know is an error."""
    known = {one.name for one in fields(cast("Any", kind))}
    if unknown := sorted(set(given) - known):
        raise ValueError(f"nothing is called {', '.join(unknown)}")
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})
