"""What leaves: poses, each with its verdict, and where they came from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from radgs.case import Reason, Verdict
from radgs.case.checks.case import FORBIDDEN_IN_NAMES
from radgs.errors import ExportError
from radgs.geometry import FloatArray, RigidTransform

#: A point of the CT, RAS mm, by which a receiver tries a transform: every export says where it has to arrive.
TRIAL_POINT = (10.0, 20.0, 30.0)


@dataclass(frozen=True)
class Provenance:
    """Which registration a pose comes from.

    Attributes:
        result_sha256: Of the result.json it was read from, where it was.
        case_sha256: Of the case's files, as the result states it.
        versions: Versions of the engine and its libraries that made the result.
    """

    result_sha256: str | None = None
    case_sha256: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ReleasedPose:
    """One vertebra's pose on its way out.

    Attributes:
        level: Its name, fit for a file name.
        ct_to_world: RAS mm; ``x_world = ct_to_world @ x_ct``.
        verdict: The program's opinion of the pose.
        release: Why it was let out, as a phrase (``ReleasePolicy.release_of``).
        predicted_error_mm: Predicted errors by name; NaN where one could not be computed.
        reasons: Grounds for the verdict.
        provenance: Which registration it comes from.

    Raises:
        ExportError: The level's name cannot stand in a file name.
    """

    level: str
    ct_to_world: RigidTransform
    verdict: Verdict
    release: str
    predicted_error_mm: Mapping[str, float] = field(default_factory=dict)
    reasons: tuple[Reason, ...] = ()
    provenance: Provenance = field(default_factory=Provenance)

    def __post_init__(self) -> None:
        if FORBIDDEN_IN_NAMES.search(self.level):
            raise ExportError(
                f'The level name "{self.level}" cannot stand in a file name.',
                "Rename it in result.json, with letters, digits, and signs such as - _ .",
            )

    @property
    def expectation(self) -> str:
        """The predicted error as a phrase."""
        return expectation(self.predicted_error_mm)

    @property
    def trial_point_in_world(self) -> FloatArray:
        """(3,) where ``TRIAL_POINT`` arrives, RAS mm."""
        return self.ct_to_world.apply(TRIAL_POINT)


@dataclass(frozen=True, eq=False)
class ReleasedPoses:
    """Poses that were let out together.

    Attributes:
        poses: One per level; they may come from several registrations.
    """

    poses: tuple[ReleasedPose, ...]

    @property
    def common_provenance(self) -> Provenance | None:
        """Which registration all the poses come from; None where they come from several."""
        provenances = [pose.provenance for pose in self.poses]
        return provenances[0] if all(provenance == provenances[0] for provenance in provenances) else None


def expectation(predicted_error_mm: Mapping[str, float]) -> str:
    """A predicted error (errors by name, mm) as a phrase."""
    error = predicted_error_mm.get("surface_p95", math.nan)
    if not math.isfinite(error):
        return "no predicted error"
    return f"predicted error {error:.1f} mm (95 % of the surface)"


def point_text(point: ArrayLike) -> str:
    """A point (3,) for people, to a micrometre."""
    return "(" + ", ".join(f"{round(float(number), 3) + 0.0:.10g}" for number in np.asarray(point)) + ")"
