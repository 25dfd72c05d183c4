"""Pictures asked of the engine when it has nothing better to do; of several requests the newest wins."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import qt

from radgs.errors import RadgsError
from RadGSRegLib.engine.case_export import CaseExport
from RadGSRegLib.engine.stepwise import walk
from RadGSRegLib.engine.worker_client import Reply, WorkerClient
from RadGSRegLib.scene.case_inputs import CaseInputs


class DrawingRequest(Protocol):
    """What is to be drawn of a case, and who is told."""

    @property
    def inputs(self) -> CaseInputs:
        """The case."""

    @property
    def level(self) -> str:
        """Which of its levels."""

    @property
    def done(self) -> Callable[[Path], None]:
        """Called with the folder of what was drawn."""

    @property
    def failed(self) -> Callable[[RadgsError], None]:
        """Called instead, with the reason."""

    def fields(self) -> dict[str, Any]:
        """What the engine is told beside case, level and folder."""


Request = TypeVar("Request", bound=DrawingRequest)


class NewestDrawing(ABC, Generic[Request]):
    """Draws one request at a time; one that still waits when another comes is forgotten without a word.

    Args:
        worker: The engine's process.
        export: Where cases are written.
        folder: Where the pictures go, a folder for each request in it.
    """

    #: What the engine is asked for.
    COMMAND: str
    #: While the engine is at other work, it is asked again after this long.
    PATIENCE_MS: int
    #: Whether the case is written once for all that follow.
    KEEPS_CASE: bool

    def __init__(self, worker: WorkerClient, export: CaseExport, folder: Path) -> None:
        self._worker, self._export, self._folder = worker, export, folder
        self._newest: Request | None = None
        self._drawing: Request | None = None
        self._asked = False
        self._case: Path | None = None
        self._parameter_node: Any = None
        self._count = 0
        self._again = qt.QTimer()
        self._again.setSingleShot(True)
        self._again.setInterval(self.PATIENCE_MS)
        self._again.connect("timeout()", self._draw)

    @abstractmethod
    def _drawn(self, request: Request, out: Path) -> None:
        """A request that nobody has given up was drawn."""

    @abstractmethod
    def _out_of_use(self, out: Path) -> Path:
        """Which folder is not looked at any more once another was drawn, or the same one."""

    def request(self, request: Request, parameter_node: Any) -> None:
        """Asks for pictures."""
        self._newest, self._parameter_node = request, parameter_node
        self._draw()

    @property
    def at_work(self) -> bool:
        """Whether something is being drawn, or waits to be: who asked for it before is told of its end only then."""
        return self._newest is not None or self._drawing is not None

    @property
    def is_newest(self) -> bool:
        """Whether nothing waits behind what is being drawn."""
        return self._newest is None

    def drop(self) -> None:
        """Forgets all requests, the one being drawn included, and the case; nobody is told."""
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
        walk(steps, lambda case: self._ask(request, case), self._fail, lambda: self._drawing is request)

    def _ask(self, request: Request, case: Path) -> None:
        self._case = case if self.KEEPS_CASE else None
        if self._worker.busy:  # somebody was quicker
            self._newest, self._drawing = self._newest or request, None
            self._again.start()
            return
        self._count += 1
        out = self._folder / str(self._count)
        reply = Reply(lambda message: None, lambda message: self._take(request, out), self._fail)
        self._asked = True
        try:
            self._worker.request(
                self.COMMAND, reply, case=str(case), out=str(out), level=request.level, **request.fields()
            )
        except RadgsError as error:
            self._fail(error)

    def _take(self, request: Request, out: Path) -> None:
        mine = self._drawing is request
        self._drawing, self._asked = None, False
        if mine:
            self._drawn(request, out)
        shutil.rmtree(self._out_of_use(out), ignore_errors=True)
        self._draw()

    def _fail(self, error: RadgsError) -> None:
        request = self._drawing
        self._drawing, self._asked = None, False
        if request is not None and self._newest is None:
            request.failed(error)
        self._draw()
