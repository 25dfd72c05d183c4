"""The data of a case, before it is checked."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from radgs.case.result import Reason
from radgs.errors import CaseError
from radgs.geometry import FloatArray, RigidTransform, Triangulation, Volume, XRayView, triangulate


@dataclass(frozen=True)
class Level:
    """A vertebra to be registered: what the user calls it, and its value in the label map."""

    name: str
    label: int


def level_named(levels: tuple[Level, ...], name: str) -> Level:
    """The level of that name.

    Raises:
        CaseError: There is none.
    """
    for level in levels:
        if level.name == name:
            return level
    known = ", ".join(level.name for level in levels)
    raise CaseError(f"The case has no level {name}.", f"Choose one of {known}.")


@dataclass(frozen=True, eq=False)
class InitialPose:
    """Where a level's registration starts.

    Attributes:
        clicks: Per view, the vertebral body's centre as (column, row).
        ct_to_world: A pose to start from; clicks, where there are any, replace its translation.
        sigma_mm: How far off the start may be, one standard deviation; None: as far as clicks are.
    """

    clicks: dict[str, tuple[float, float]] = field(default_factory=dict)
    ct_to_world: RigidTransform | None = None
    sigma_mm: float | None = None


@dataclass(frozen=True, eq=False)
class WorldOrientation:
    """The patient's directions in the world, as the user named them.

    Attributes:
        superior: (3,) direction towards the head.
        anterior: (3,) direction towards the front.
    """

    superior: FloatArray
    anterior: FloatArray


@dataclass(frozen=True, eq=False)
class CaseContent:
    """The parts of a registration case.

    Attributes:
        ct: Hounsfield units, int16 or float32.
        labels: Label map, whole numbers, possibly on another grid than the CT.
        levels: The vertebrae to be registered.
        views: Two X-rays or more.
        initial: Per level, where to start.
        truth: Per level, the true ``ct_to_world``; only ever used for scoring.
        sha256: Of the case.json and the files it names; None for a case that was not read from files.
        world_orientation: The patient's directions in the world, where stated; otherwise the world's axes are RAS.
        cautions: What the inputs contradict each other in; each keeps a pose from being accepted.
    """

    ct: Volume
    labels: Volume
    levels: tuple[Level, ...]
    views: tuple[XRayView, ...]
    initial: dict[str, InitialPose] = field(default_factory=dict)
    truth: dict[str, RigidTransform] = field(default_factory=dict)
    sha256: str | None = None
    world_orientation: WorldOrientation | None = None
    cautions: tuple[Reason, ...] = ()

    def level(self, name: str) -> Level:
        """The level of that name.

        Raises:
            CaseError: There is none.
        """
        return level_named(self.levels, name)

    def triangulation(self, level_name: str) -> Triangulation | None:
        """Where the rays through a level's clicks meet; None without clicks.

        Raises:
            CaseError: A click names a view that the case does not have.
            GeometryError: The rays are nearly parallel.
        """
        initial = self.initial.get(level_name)
        if initial is None or not initial.clicks:
            return None
        geometries = {view.name: view.geometry for view in self.views}
        for view in initial.clicks:
            if view not in geometries:
                known = ", ".join(geometries)
                raise CaseError(
                    f"Level {level_name} has a click in a view {view} that the case does not have.",
                    f"Its views are {known}.",
                )
        return triangulate([geometries[view] for view in initial.clicks], list(initial.clicks.values()))

    def triangulated_centre(self, level_name: str) -> FloatArray | None:
        """(3,) point in the world, mm, that a level's clicks mark; None without clicks.

        Raises:
            CaseError: A click names a view that the case does not have.
            GeometryError: The rays are nearly parallel.
        """
        triangulation = self.triangulation(level_name)
        return None if triangulation is None else triangulation.point

    def start_pose(self, level_name: str, body_centre: ArrayLike) -> RigidTransform:
        """The ``ct_to_world`` from which a level starts.

        The rotation is the given pose's, or the identity; the clicks, where there are any, place the body's centre.

        Args:
            level_name: Which level.
            body_centre: (3,) centre of its vertebral body in the CT, RAS mm.

        Raises:
            CaseError: The level has neither clicks nor a pose.
        """
        initial = self.initial.get(level_name, InitialPose())
        centre = self.triangulated_centre(level_name)
        if centre is None:
            if initial.ct_to_world is None:
                raise CaseError(
                    f"Level {level_name} has no place to start from.",
                    "Click on its body in every view, or give a pose.",
                )
            return initial.ct_to_world
        rotation = np.eye(3) if initial.ct_to_world is None else initial.ct_to_world.rotation
        return RigidTransform(rotation, centre - rotation @ np.asarray(body_centre, dtype=np.float64))
