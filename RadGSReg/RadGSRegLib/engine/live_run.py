"""A pose that is being moved, drawn by the engine as often as it can; of several poses the newest is drawn."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import qt

from radgs.errors import RadgsError
from radgs.geometry import RigidTransform
from RadGSRegLib.engine.case_export import CaseExport
from RadGSRegLib.engine.stepwise import walk
from RadGSRegLib.engine.worker_client import Reply, WorkerClient
from RadGSRegLib.scene.case_inputs import CaseInputs

#: While the engine is at other work, it is asked again after this long.
PATIENCE_MS = 10


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


class LivePoses:
    """Draws one pose at a time, of a case that is written once and for all that follow.

    Args:
        worker: The engine's process.
        export: Where cases are written.
        folder: Where the pictures go, a folder for each pose in it.
    """

    def __init__(self, worker: WorkerClient, export: CaseExport, folder: Path) -> None:
        self._worker, self._export, self._folder = worker, export, folder
        self._newest: LiveRequest | None = None
        self._drawing: LiveRequest | None = None
        self._asked = False
        self._case: Path | None = None
        self._parameter_node: Any = None
        self._count = 0
        self._again = qt.QTimer()
        self._again.setSingleShot(True)
        self._again.setInterval(PATIENCE_MS)
        self._again.connect("timeout()", self._draw)

    def request(self, request: LiveRequest, parameter_node: Any) -> None:
        """Asks for a picture; a pose that still waits is forgotten without a word."""
        self._newest, self._parameter_node = request, parameter_node
        self._draw()

    @property
    def at_work(self) -> bool:
        """Whether something is being drawn, or waits to be: who asked for it before is told of its end only then."""
        return self._newest is not None or self._drawing is not None

    def drop(self) -> None:
        """Forgets all poses, the one being drawn included, and the case; nobody is told."""
        self._again.stop()
        self._newest = self._drawing = self._case = None
        if self._asked:  # otherwise the engine may be at somebody else's work
            self._asked = False
            self._worker.cancel()

    def _draw(self) -> None:
        request = self._newest
        if request is None:
            return
        if self._drawing is not None or self._worker.busy:
            self._again.start()
            return
        self._newest, self._drawing = None, request
        if self._case is not None:
            self._ask(request, self._case)
            return
        steps = self._export.steps(request.inputs, self._parameter_node)
        walk(steps, lambda case: self._ask(request, case), self._failed, lambda: self._drawing is request)

    def _ask(self, request: LiveRequest, case: Path) -> None:
        self._case = case
        if self._worker.busy:  # somebody was quicker
            self._newest, self._drawing = self._newest or request, None
            self._again.start()
            return
        self._count += 1
        out = self._folder / str(self._count)
        reply = Reply(lambda message: None, lambda message: self._drawn(request, out), self._failed)
        around, pose = request.around.matrix.tolist(), request.pose.matrix.tolist()
        self._asked = True
        try:
            self._worker.request(
                "live", reply, case=str(case), out=str(out), level=request.level, around=around, pose=pose
            )
        except RadgsError as error:
            self._failed(error)

    def _drawn(self, request: LiveRequest, folder: Path) -> None:
        """A picture is shown though a newer pose waits: while a hand moves, one always does."""
        mine = self._drawing is request
        self._drawing, self._asked = None, False
        if mine:
            request.done(folder)
        shutil.rmtree(folder, ignore_errors=True)
        self._draw()

    def _failed(self, error: RadgsError) -> None:
        request = self._drawing
        self._drawing, self._asked = None, False
        if request is not None and self._newest is None:
            request.failed(error)
        self._draw()
