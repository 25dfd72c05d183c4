"""Pictures of a level's poses with all that there is to compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radgs.errors import RadgsError
from radgs.geometry import RigidTransform
from RadGSRegLib.engine.newest_drawing import LevelDrawing
from RadGSRegLib.scene.case_inputs import CaseInputs


@dataclass(frozen=True, eq=False)
class OverlayRequest:
    """What is to be drawn, and who is told.

    Attributes:
        inputs: The case.
        level: Which of its levels.
        poses: ``ct_to_world`` by name; the start is drawn in any case.
        reconstruction: The file of what the run reconstructed; None where there is none.
        done: Called with the folder of the overlay.json.
        failed: Called instead, with the reason.
    """

    inputs: CaseInputs
    level: str
    poses: Mapping[str, RigidTransform]
    reconstruction: Path | None
    done: Callable[[Path], None]
    failed: Callable[[RadgsError], None]

    def fields(self) -> dict[str, Any]:
        """What the engine is told of it."""
        fields: dict[str, Any] = {"poses": {name: pose.matrix.tolist() for name, pose in self.poses.items()}}
        return fields if self.reconstruction is None else {**fields, "reconstruction": str(self.reconstruction)}


class OverlayDrawing(LevelDrawing[OverlayRequest]):
    """Draws each request of a case as it stands when it is asked for."""

    COMMAND, PATIENCE_MS, KEEPS_CASE = "overlay", 100, False

    def _drawn(self, request: OverlayRequest, out: Path) -> None:
        if self.is_newest:
            request.done(out)

    def _out_of_use(self, out: Path) -> Path:
        return out.with_name(str(int(out.name) - 1))  # the newest is read as it is looked at
