"""Pictures of a pose, asked of the engine when it has nothing better to do; of several requests the newest wins."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
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
PATIENCE_MS = 100


@dataclass(frozen=True, eq=False)
class OverlayRequest:
    """What is to be drawn, and who is told.

    Attributes:
        inputs: The case.
        level: Which of its levels.
        poses: ``ct_to_world`` by name; the start is drawn in any case.
        done: Called with the folder of the overlay.json.
        failed: Called instead, with the reason.
    """

    inputs: CaseInputs
    level: str
    poses: Mapping[str, RigidTransform]
    done: Callable[[Path], None]
    failed: Callable[[RadgsError], None]


class Overlays:
    """Draws one request at a time.

    Args:
        worker: The engine's process.
        export: Where cases are written.
        folder: Where the pictures go, a folder for each request in it.
    """

    def __init__(self, worker: WorkerClient, export: CaseExport, folder: Path) -> None:
        self._worker, self._export, self._folder = worker, export, folder
        self._newest: OverlayRequest | None = None
        self._drawing: OverlayRequest | None = None
        self._asked = False
        self._parameter_node: Any = None
        self._count = 0
        self._again = qt.QTimer()
        self._again.setSingleShot(True)
        self._again.setInterval(PATIENCE_MS)
        self._again.connect("timeout()", self._draw)

    def request(self, request: OverlayRequest, parameter_node: Any) -> None:
        """Asks for pictures; an older request that is still waiting is forgotten without a word."""
        self._newest, self._parameter_node = request, parameter_node
        self._draw()

    @property
    def at_work(self) -> bool:
        """Whether something is being drawn, or waits to be: who asked for it before is told of its end only then."""
        return self._newest is not None or self._drawing is not None

    def drop(self) -> None:
        """Forgets all requests, the one being drawn included; nobody is told."""
        self._again.stop()
        self._newest = None
        self._drawing = None
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
        steps = self._export.steps(request.inputs, self._parameter_node)
        walk(steps, lambda case: self._ask(request, case), self._failed, lambda: self._drawing is request)

    def _ask(self, request: OverlayRequest, case: Path) -> None:
        if self._worker.busy:  # somebody was quicker
            self._newest, self._drawing = self._newest or request, None
            self._again.start()
            return
        self._count += 1
        out = self._folder / str(self._count)
        reply = Reply(lambda message: None, lambda message: self._drawn(request, out), self._failed)
        poses = {name: pose.matrix.tolist() for name, pose in request.poses.items()}
        self._asked = True
        try:
            self._worker.request("overlay", reply, case=str(case), out=str(out), level=request.level, poses=poses)
        except RadgsError as error:
            self._failed(error)

    def _drawn(self, request: OverlayRequest, folder: Path) -> None:
        mine = self._drawing is request
        self._drawing, self._asked = None, False
        if mine and self._newest is None:
            request.done(folder)
        shutil.rmtree(self._folder / str(self._count - 1), ignore_errors=True)
        self._draw()

    def _failed(self, error: RadgsError) -> None:
        request = self._drawing
        self._drawing, self._asked = None, False
        if request is not None and self._newest is None:
            request.failed(error)
        self._draw()
