"""The runs of a level, kept with its transform: a new registration takes the place of the pose, and of nothing else."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import slicer

from radgs.geometry import FloatArray, RigidTransform
from RadGSRegLib.scene.node_contract import (
    ACCEPTED_ATTRIBUTE,
    HISTORY_ATTRIBUTE,
    PROVENANCE_ATTRIBUTE,
    RESULT_ATTRIBUTE,
    VERTEBRA_ROLE,
)
from RadGSRegLib.scene.placement import set_pose

#: Of a level; the oldest make room. A run takes about 2 kB of the scene's file.
MAX_RUNS = 20


@dataclass(frozen=True)
class Run:
    """One registration of a level that found a pose.

    Attributes:
        time: When it ended, ISO 8601, local time.
        model: What its networks were.
        result: The level's part of result.json, as the transform keeps it.
        provenance: Which registration it was, likewise.
    """

    time: str
    model: str
    result: str
    provenance: str

    @property
    def pose(self) -> RigidTransform:
        """The pose found, ``ct_to_world``."""
        return RigidTransform.from_matrix(self.values["ct_to_world"])

    @property
    def values(self) -> dict[str, Any]:
        """The level's part of result.json."""
        found: dict[str, Any] = json.loads(self.result)
        return found

    def moved_mm(self, point: FloatArray) -> float | None:
        """How far the run brought a point (3,), the CT's own RAS, from its start; None where that is not known."""
        start, pose = self.values["stages"]["start"], self.values["ct_to_world"]
        if start is None or pose is None:
            return None
        there, here = (RigidTransform.from_matrix(matrix).apply(point) for matrix in (pose, start))
        return float(np.linalg.norm(there - here))


def runs_of(transform: Any) -> list[Run]:
    """The runs that a level's transform keeps, the oldest first; what somebody else wrote there is none."""
    try:
        return [Run(**values) for values in json.loads(transform.GetAttribute(HISTORY_ATTRIBUTE) or "[]")]
    except (ValueError, TypeError):
        return []


def keep_run(transform: Any, model: str) -> None:
    """Adds what a level's transform holds now to its runs.

    Args:
        transform: The level's, with result and provenance of a registration that found a pose.
        model: What its networks were.
    """
    time = datetime.now().isoformat(" ", "seconds")
    result, provenance = (transform.GetAttribute(name) or "{}" for name in (RESULT_ATTRIBUTE, PROVENANCE_ATTRIBUTE))
    runs = [*runs_of(transform), Run(time, model, result, provenance)][-MAX_RUNS:]
    transform.SetAttribute(HISTORY_ATTRIBUTE, json.dumps([asdict(run) for run in runs], ensure_ascii=False))


def current_run(transform: Any) -> int | None:
    """The number of the run whose result a level's transform holds, the newest such; None where it holds another's."""
    runs, result = runs_of(transform), transform.GetAttribute(RESULT_ATTRIBUTE)
    return next((number for number in reversed(range(len(runs))) if runs[number].result == result), None)


@dataclass(frozen=True)
class Difference:
    """How far two poses of a vertebra are apart.

    Attributes:
        mean_mm, largest_mm: Over the vertebra's surface.
        degrees: The angle that turns one into the other.
    """

    mean_mm: float
    largest_mm: float
    degrees: float


def difference(transform: Any, first: RigidTransform, second: RigidTransform) -> Difference | None:
    """How far apart two poses put a level's vertebra; None where the scene does not show it."""
    vertebra = transform.GetNodeReference(VERTEBRA_ROLE)
    if vertebra is None or vertebra.GetPolyData() is None or vertebra.GetPolyData().GetNumberOfPoints() == 0:
        return None
    surface = slicer.util.arrayFromModelPoints(vertebra)
    apart = np.linalg.norm(first.apply(surface) - second.apply(surface), axis=1)
    return Difference(float(apart.mean()), float(apart.max()), float(np.degrees(first.geodesic_angle_to(second))))


def middle_of(transform: Any) -> FloatArray | None:
    """(3,) middle of the level's vertebra in the CT's own RAS; None where the scene does not show it."""
    vertebra = transform.GetNodeReference(VERTEBRA_ROLE)
    if vertebra is None or vertebra.GetPolyData() is None:
        return None
    return np.array(vertebra.GetPolyData().GetCenter())


def restore_run(transform: Any, run: Run) -> None:
    """Gives a level's transform the pose and the result of one of its runs; that another was accepted counts no longer.

    The runs stay as they are.
    """
    transform.SetAttribute(RESULT_ATTRIBUTE, run.result)
    transform.SetAttribute(PROVENANCE_ATTRIBUTE, run.provenance)
    transform.RemoveAttribute(ACCEPTED_ATTRIBUTE)
    set_pose(transform, run.pose)
