"""Poses drawn into the pictures that hang already: one that a person moves, or that of another run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import qt

from radgs.errors import RadgsError
from radgs.geometry import RigidTransform
from RadGSRegLib.engine.live_run import LiveRequest
from RadGSRegLib.engine.overlay_pictures import OverlayPictures
from RadGSRegLib.sections.shown_pictures import ShownPictures

#: A nudged vertebra that has rested so long is drawn with all that there is to compare, milliseconds.
REST_MS = 1000

PoseName = Literal["nudged", "compared"]


class AddedPoses:
    """Asks the engine for the quickest picture of a pose; of several poses of a name the newest is shown.

    Args:
        logic: A ``RadGSRegLogic``.
        shown: The pictures.
        give_up: Called before a pose is asked for: whatever else is being drawn is not waited for.
        draw_all: Draws everything that there is to compare.
        failed: Told why a pose could not be drawn.
    """

    def __init__(
        self,
        logic: Any,
        shown: ShownPictures,
        give_up: Callable[[], None],
        draw_all: Callable[[], None],
        failed: Callable[[RadgsError], None],
    ) -> None:
        self._logic, self._shown = logic, shown
        self._give_up, self._draw_all, self._failed = give_up, draw_all, failed
        self._wanted: dict[PoseName, RigidTransform] = {}
        self._asked: tuple[OverlayPictures, PoseName, bytes] | None = None
        self._failed_at: tuple[OverlayPictures, PoseName, bytes] | None = None
        self._rest = qt.QTimer()
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.connect("timeout()", self._draw_at_rest)

    def wanted(self, name: PoseName) -> RigidTransform | None:
        """The pose of that name that is to be seen; None where none is."""
        return self._wanted.get(name)

    def let_go(self) -> None:
        """Forgets all poses."""
        for name in list(self._wanted):
            self.leave(name)

    def leave(self, name: PoseName) -> None:
        """A pose is not to be seen any more."""
        if self._wanted.pop(name, None) is None:
            return
        self._rest.stop()
        self._asked = None
        self._logic.stopDrawingMoved()
        if self._shown.pictures is not None:
            self._shown.pictures.forget(name)

    def show(self, name: PoseName, pose: RigidTransform) -> None:
        """A pose is to be seen, from now on until it is left; asked for at once where there are pictures to be in."""
        self._wanted[name] = pose
        self.draw_what_is_missing()
        if name == "nudged":
            self._rest.start()

    def draw_what_is_missing(self) -> None:
        """Asks for a pose that is to be seen and does not hang where it should; a moved one comes first."""
        pictures, around = self._shown.pictures, self._shown.result_pose
        names: tuple[PoseName, ...] = ("nudged", "compared")
        name = next((name for name in names if self._is_behind(name)), None)
        if name is None or pictures is None or around is None or self._logic.running or self._logic.preparing:
            return
        pose = self._wanted[name]
        asked = pictures, name, pose.matrix.tobytes()
        if asked == self._asked and (self._logic.drawingMoved or asked == self._failed_at):
            return  # it is on its way, or cannot be drawn; otherwise it was given up for other work
        self._give_up()
        self._asked, named = asked, name

        def take(folder: Path) -> None:
            self._take(named, pictures, folder)

        self._logic.drawMoved(LiveRequest(self._logic.inputs(), pictures.level, around, pose, take, self._fail))

    def _take(self, name: PoseName, pictures: OverlayPictures, folder: Path) -> None:
        if pictures is self._shown.pictures and name in self._wanted:
            pictures.put_live(name, folder)
            self.draw_what_is_missing()  # first: the engine draws the next while this one is painted
            self._shown.paint_all()

    def _fail(self, error: RadgsError) -> None:
        self._failed_at = self._asked
        if self._wanted:
            self._failed(error)

    def _is_behind(self, name: PoseName) -> bool:
        """Whether a pose is to be seen, and is not drawn where it is."""
        pose, pictures = self._wanted.get(name), self._shown.pictures
        if pose is None or pictures is None or not pictures.has(name):
            return pose is not None
        return not np.allclose(pictures.pose(name).matrix, pose.matrix)

    def _draw_at_rest(self) -> None:
        """What takes longer than a moving hand waits, where the way to compare asks for it."""
        pictures = self._shown.pictures
        if "nudged" in self._wanted and pictures is not None and self._shown.controls.comparison.kind != "drr":
            if self._is_behind("nudged"):
                self._rest.start()
            elif not pictures.is_complete("nudged"):
                self._draw_all()
