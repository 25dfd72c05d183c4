"""A pose that is being moved, drawn by the engine as often as it can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radgs.errors import RadgsError
from radgs.geometry import RigidTransform
from RadGSRegLib.engine.newest_drawing import LevelDrawing
from RadGSRegLib.scene.case_inputs import CaseInputs


@dataclass(frozen=True, eq=False)
class LiveRequest:
    """What is to be drawn, and who is told.

    Attributes:
        inputs: The case.
        level: Which of its levels.
        around: The ``ct_to_world`` around which the pictures lie that this one is drawn into.
        pose: The ``ct_to_world`` to draw.
        done: Called with the folder of the live.json.
        failed: Called instead, with the reason.
    """

    inputs: CaseInputs
    level: str
    around: RigidTransform
    pose: RigidTransform
    done: Callable[[Path], None]
    failed: Callable[[RadgsError], None]

    def fields(self) -> dict[str, Any]:
        """What the engine is told of it."""
        return {"around": self.around.matrix.tolist(), "pose": self.pose.matrix.tolist()}


class LiveDrawing(LevelDrawing[LiveRequest]):
    """Draws the poses of a case that is written once, until they are dropped."""

    COMMAND, PATIENCE_MS, KEEPS_CASE = "live", 10, True

    def _drawn(self, request: LiveRequest, out: Path) -> None:
        """A picture is shown though a newer pose waits: while a hand moves, one always does."""
        request.done(out)

    def _out_of_use(self, out: Path) -> Path:
        return out  # it was read at once
