"""One registration, from the scene to the scene, in steps short enough that the application goes on between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import qt

from radgs.case import RegistrationResult
from radgs.errors import RadgsError
from RadGSRegLib.engine.case_export import CaseExport
from RadGSRegLib.engine.result_import import import_steps
from RadGSRegLib.engine.stepwise import walk
from RadGSRegLib.engine.worker_client import Message, Reply, WorkerClient, WorkerError
from RadGSRegLib.scene.case_inputs import CaseInputs

#: How long to wait before asking an engine again that was busy, milliseconds.
BUSY_MS = 20

#: Share of the progress bar that writing the case takes.
EXPORT_SHARE = 0.05


@dataclass(frozen=True)
class RunListener:
    """Who is told about a registration.

    Attributes:
        progress: Called with the fraction done, 0 to 1, and a message.
        done: Called once, with the result, after it has come into the scene.
        failed: Called once instead of ``done``; also when it was cancelled.
    """

    progress: Callable[[float, str], None] = lambda fraction, message: None
    done: Callable[[RegistrationResult], None] = lambda result: None
    failed: Callable[[RadgsError], None] = lambda error: None


class RegistrationRun:
    """Writes the case, has the worker register it, and brings the result into the scene.

    Args:
        worker: The engine's process.
        export: Where cases are written.
        folder: Where the result goes.
        listener: Who is told.
    """

    def __init__(self, worker: WorkerClient, export: CaseExport, folder: Path, listener: RunListener) -> None:
        self._worker, self._export, self._folder = worker, export, folder
        self._listener = listener
        self._over = self._asked = False

    @property
    def over(self) -> bool:
        """Whether it has finished, in whichever way."""
        return self._over

    def start(self, inputs: CaseInputs, parameter_node: Any) -> None:
        """Begins; everything else happens from the event loop.

        Raises:
            RadgsError: The worker cannot be started.
        """
        self._worker.start()
        self._listener.progress(0.0, "writing the case")
        steps = self._export.steps(inputs, parameter_node)
        self._walk(steps, lambda path: self._ask(inputs, path))

    def cancel(self) -> None:
        """Stops it; the listener hears of it within two seconds."""
        if self._asked and self._worker.busy:
            self._worker.cancel()
        elif not self._over:
            self._fail(WorkerError("Cancelled", "The registration was cancelled.", "Nothing was changed."))

    def abandon(self, error: RadgsError) -> None:
        """Gives up for a reason of the caller's, who is told at once; what the worker still says is not heard."""
        if not self._over:
            if self._asked:
                self._worker.cancel()
            self._fail(error)

    def _walk(self, steps: Iterator[Any], then: Callable[[Any], None]) -> None:
        walk(steps, then, self._fail, lambda: not self._over)

    def _ask(self, inputs: CaseInputs, path: Path) -> None:
        if self._over:
            return
        if self._worker.busy:  # still with something less important that has been cancelled
            qt.QTimer.singleShot(BUSY_MS, lambda: self._ask(inputs, path))
            return
        self._asked = True
        reply = Reply(self._progress, lambda message: self._walk(self._results(inputs), self._finish), self._fail)
        self._worker.request(
            "register",
            reply,
            case=str(path),
            out=str(self._folder),
            device=inputs.device,
            models=[str(file) for file in inputs.model_files],
            self_calibrate=inputs.self_calibrate,
            starts={level: pose.matrix.tolist() for level, pose in inputs.starts.items()},
        )

    def _results(self, inputs: CaseInputs) -> Iterator[RegistrationResult | None]:
        self._listener.progress(1.0, "showing the result")
        yield None
        yield from import_steps(self._folder, inputs)

    def _progress(self, message: Message) -> None:
        if not self._over:
            fraction = EXPORT_SHARE + (1 - EXPORT_SHARE) * message["fraction"]
            text = message["message"]
            level = message["level"]
            self._listener.progress(fraction, f"{level}: {text}" if level and not text.startswith(level) else text)

    def _finish(self, result: RegistrationResult) -> None:
        self._over = True
        self._listener.done(result)

    def _fail(self, error: RadgsError) -> None:
        if not self._over:
            self._over = True
            self._listener.failed(error)
