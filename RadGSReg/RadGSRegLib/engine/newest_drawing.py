"""Pictures asked of the engine when it has nothing better to do; of several requests the newest wins."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import qt

from radgs.errors import RadgsError
from RadGSRegLib.engine.case_export import CaseExport
from RadGSRegLib.engine.stepwise import walk
from RadGSRegLib.engine.worker_client import Reply, WorkerClient
from RadGSRegLib.scene.case_inputs import CaseInputs


class DrawingRequest(Protocol):
    """What is to be drawn, and who is told."""

    @property
    def inputs(self) -> CaseInputs:
        """What it is drawn of."""

    @property
    def done(self) -> Callable[[Path], None]:
        """Called with the folder of what was drawn."""

    @property
    def failed(self) -> Callable[[RadgsError], None]:
        """Called instead, with the reason."""


class LevelRequest(DrawingRequest, Protocol):
    """What is to be drawn of a level of a case."""

    @property
    def level(self) -> str:
        """Which of its levels."""

    def fields(self) -> dict[str, Any]:
        """What the engine is told beside case, level and folder."""


Request = TypeVar("Request", bound=DrawingRequest)
OfLevel = TypeVar("OfLevel", bound=LevelRequest)
Written = TypeVar("Written")


class NewestDrawing(ABC, Generic[Request, Written]):
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
    #: Whether what is drawn of is written once for all that follow.
    KEEPS_CASE: bool

    def __init__(self, worker: WorkerClient, export: CaseExport, folder: Path) -> None:
        self._worker, self._export, self._folder = worker, export, folder
        self._newest: Request | None = None
        self._drawing: Request | None = None
        self._asked = False
        self._kept: Written | None = None
        self._parameter_node: Any = None
        self._count = 0
        self._again = qt.QTimer()
        self._again.setSingleShot(True)
        self._again.setInterval(self.PATIENCE_MS)
        self._again.connect("timeout()", self._draw)

    @abstractmethod
    def _written(self, request: Request) -> Iterator[Written | None]:
        """Writes what a request is drawn of, in steps; yields None after each, and what was written at the end."""

    @abstractmethod
    def _named(self, request: Request, written: Written) -> dict[str, Any]:
        """What the engine is told beside the folder."""

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
        """Forgets all requests, the one being drawn included, and what was written; nobody is told."""
        self._again.stop()
        self._newest = self._drawing = self._kept = None
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
        if self._kept is not None:
            self._ask(request, self._kept)
            return
        steps = self._written(request)
        walk(steps, lambda written: self._ask(request, written), self._fail, lambda: self._drawing is request)

    def _ask(self, request: Request, written: Written) -> None:
        self._kept = written if self.KEEPS_CASE else None
        if self._worker.busy:  # somebody was quicker
            self._newest, self._drawing = self._newest or request, None
            self._again.start()
            return
        self._count += 1
        out = self._folder / str(self._count)
        reply = Reply(lambda message: None, lambda message: self._take(request, out), self._fail)
        self._asked = True
        try:
            self._worker.request(self.COMMAND, reply, out=str(out), **self._named(request, written))
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


class LevelDrawing(NewestDrawing[OfLevel, Path]):
    """Draws a level of a case."""

    def _written(self, request: OfLevel) -> Iterator[Path | None]:
        return self._export.steps(request.inputs, self._parameter_node)

    def _named(self, request: OfLevel, written: Path) -> dict[str, Any]:
        return {"case": str(written), "level": request.level, **request.fields()}
