"""Poses as Autoscoper tracks them (.tra): a file that a case was imported with, its frame's row replaced by the result.

The case's world is the calibration's, turned so that the bone lay in it as in its CT at the pose imported (see
``radgs.case.importing.bone_case``). That pose stands in the file, so that the turn can be undone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from radgs.errors import ExportError
from radgs.export.formats import WrittenFile
from radgs.export.released_poses import ReleasedPoses
from radgs.geometry import RigidTransform
from radgs.io.atomic import write_text
from radgs.io.calibrations.autoscoper_tracking import MATRIX, MODEL_TO_RAS, bone_to_world, read_tracking, upright

HOLDS = (
    "A row per frame, in it a 4x4 matrix, row by row: the model's frame to the world of the cameras, mm. Row {row} "
    "(counted from 0) is the result's, the others are those of {name}."
)


@dataclass(frozen=True)
class AutoscoperFormat:
    """One file, of one bone.

    Attributes:
        tracking: The .tra that the case was imported with (``--poses``).
        row: The row of the frame that was registered, from 0.
    """

    tracking: Path
    row: int
    name: str = "tra"
    title: str = "Autoscoper poses (.tra)"

    @cached_property
    def _poses(self) -> dict[int, RigidTransform]:
        """The tracked poses by row, model to the cameras' world.

        Raises:
            InputFileError: The tracking cannot be read.
            ExportError: It is of several bones, or its row was not tracked.
        """
        volumes = read_tracking(self.tracking, volumes=None)
        if len(volumes) > 1:
            raise ExportError(
                f"{self.tracking} holds poses of {len(volumes)} bones.",
                "Give that of the registered one.",
            )
        if self.row not in volumes[0]:
            known = ", ".join(str(row) for row in volumes[0]) or "none"
            raise ExportError(
                f"{self.tracking} has no pose in row {self.row} (counted from 0); its tracked rows are {known}.",
                "Give the row that the case was imported with.",
            )
        return volumes[0]

    @property
    def _turn(self) -> RigidTransform:
        """The cameras' world to the case's."""
        return upright(self._poses[self.row])

    def write(self, released: ReleasedPoses, folder: Path) -> list[WrittenFile]:
        """See ``ExportFormat``."""
        if len(released.poses) != 1:
            raise ExportError(
                f"A .tra is of one bone, and {len(released.poses)} poses were asked for.", "Choose one with --level."
            )
        (pose,) = released.poses
        model_to_world = self._turn.inverse() @ pose.ct_to_world @ MODEL_TO_RAS
        rows = {**self._poses, self.row: model_to_world}
        lost = np.full(MATRIX, np.nan)
        lines = [rows[row].matrix.ravel() if row in rows else lost for row in range(max(rows) + 1)]
        path = folder / f"{pose.level}.tra"
        write_text(path, "".join(",".join(repr(float(number)) for number in line) + "\n" for line in lines))
        return [WrittenFile(path, (pose,))]

    def read(self, path: Path) -> list[RigidTransform]:
        """See ``ExportFormat``."""
        return [self._turn @ bone_to_world(read_tracking(path)[0][self.row])]

    def explain(self, written: WrittenFile) -> str:
        """See ``ExportFormat``."""
        return HOLDS.format(row=self.row, name=self.tracking.name)
