"""Lines of a full benchmark's logs: a trial of ours, or of a peer on the same case."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from radgs.evaluation.full.plan import PlannedTrial
from radgs.evaluation.trials import Trial, append_line
from radgs.io.json_fields import nan_for_null, null_for_nan

Record = TypeVar("Record")
TrialKey = tuple[PlannedTrial, int]


@dataclass(frozen=True)
class FullTrial:
    """One registration of ours.

    Attributes:
        planned: Which trial of the plan.
        trial: Its score.
        cpu_seconds: Of this process: simulation, preparation where it was due, and registration.
    """

    planned: PlannedTrial
    trial: Trial
    cpu_seconds: float

    @property
    def key(self) -> TrialKey:
        """Which trial of which seed."""
        return self.planned, self.trial.seed

    def to_json_dict(self) -> dict[str, Any]:
        """As a line of the log holds it."""
        return {**asdict(self.planned), "cpu_seconds": self.cpu_seconds, "trial": self.trial.to_json_dict()}

    @classmethod
    def from_json_dict(cls, values: dict[str, Any]) -> FullTrial:
        """Reads what ``to_json_dict`` wrote."""
        return cls(_planned(values), Trial.from_json_dict(values["trial"]), values["cpu_seconds"])


@dataclass(frozen=True)
class PeerTrial:
    """One registration by somebody else's way.

    Attributes:
        planned: Which trial of the plan: the same images and the same clicks as ours.
        seed: The benchmark's.
        peer: Name of the way, with what it started from.
        mtre_mm: Of its result; NaN without one.
        start_mm: Of its start.
        cpu_seconds: Of the process.
    """

    planned: PlannedTrial
    seed: int
    peer: str
    mtre_mm: float
    start_mm: float
    cpu_seconds: float

    @property
    def key(self) -> tuple[PlannedTrial, int, str]:
        """Which trial of which seed by whom."""
        return self.planned, self.seed, self.peer

    def to_json_dict(self) -> dict[str, Any]:
        """As a line of the log holds it."""
        own = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "planned"}
        return {**asdict(self.planned), **own, "mtre_mm": null_for_nan(self.mtre_mm)}

    @classmethod
    def from_json_dict(cls, values: dict[str, Any]) -> PeerTrial:
        """Reads what ``to_json_dict`` wrote."""
        own = {one.name: values[one.name] for one in fields(cls) if one.name != "planned"}
        return cls(_planned(values), **{**own, "mtre_mm": nan_for_null(own["mtre_mm"])})

    @property
    def found(self) -> bool:
        """Whether it has a result."""
        return math.isfinite(self.mtre_mm)


def append_record(path: Path, record: FullTrial | PeerTrial) -> None:
    """Adds a line to a log."""
    append_line(path, json.dumps(record.to_json_dict(), allow_nan=False))


def read_trials(folder: Path) -> list[FullTrial]:
    """The trials of all of a folder's logs (``trials*.jsonl``), each once; lines that were cut off are left out."""
    return _read(sorted(folder.glob("trials*.jsonl")), FullTrial.from_json_dict)


def read_peers(folder: Path) -> list[PeerTrial]:
    """The same of a folder's ``peers*.jsonl``."""
    return _read(sorted(folder.glob("peers*.jsonl")), PeerTrial.from_json_dict)


def _read(paths: Iterable[Path], parse: Callable[[dict[str, Any]], Record]) -> list[Record]:
    found: dict[Any, Record] = {}
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                record: Any = parse(json.loads(line))
            except json.JSONDecodeError:
                continue
            found.setdefault(record.key, record)
    return list(found.values())


def _planned(values: dict[str, Any]) -> PlannedTrial:
    return PlannedTrial(**{one.name: values[one.name] for one in fields(PlannedTrial)})
