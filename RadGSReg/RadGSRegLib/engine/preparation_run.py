"""One preparation: CT and labels out of the scene, the engine trains, the model's file is what comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import qt

from radgs.errors import CaseError, RadgsError
from RadGSRegLib.engine.case_export import CaseExport
from RadGSRegLib.engine.stepwise import walk
from RadGSRegLib.engine.worker_client import Message, Reply, WorkerClient, WorkerError
from RadGSRegLib.scene.case_inputs import CaseInputs

#: A cancelled preparation finishes its step, looks at held-out pairs and saves; longer than this it is not waited for.
GENTLE_PATIENCE_MS = 120_000

#: How long to wait before asking an engine again that was busy, milliseconds.
BUSY_MS = 50

GO_ON = "Prepare again with the same file to go on where it stopped."


@dataclass(frozen=True)
class PreparationRequest:
    """What to prepare.

    Attributes:
        level: The vertebra's name.
        model: The file to write.
        minutes: Time budget.
    """

    level: str
    model: Path
    minutes: float


@dataclass(frozen=True)
class PreparationState:
    """Where a preparation stands.

    Attributes:
        fraction: Of the budget, 0 to 1.
        seconds_left: Until it is spent.
        message: For people.
        accuracy: On held-out simulated pairs, the fields of ``radgs.networks.Accuracy``; empty before the first look.
    """

    fraction: float
    seconds_left: float
    message: str
    accuracy: Mapping[str, Any]


@dataclass(frozen=True)
class PreparedModel:
    """What a preparation left.

    Attributes:
        level: The vertebra's name.
        path: The model file.
        finished: Whether the budget was spent; otherwise it was cancelled, and can be taken up again.
        accuracy: As in ``PreparationState``.
    """

    level: str
    path: Path
    finished: bool
    accuracy: Mapping[str, Any]


@dataclass(frozen=True)
class PreparationListener:
    """Who is told about a preparation.

    Attributes:
        progress: Called with the state, again and again.
        done: Called once, with the model; also after a cancellation that had something to keep.
        failed: Called once instead of ``done``.
    """

    progress: Callable[[PreparationState], None] = lambda state: None
    done: Callable[[PreparedModel], None] = lambda model: None
    failed: Callable[[RadgsError], None] = lambda error: None


class PreparationRun:
    """Writes CT and labels, and has the worker prepare a model.

    Args:
        worker: The engine's process.
        export: Where cases are written.
        listener: Who is told.
    """

    def __init__(self, worker: WorkerClient, export: CaseExport, listener: PreparationListener) -> None:
        self._worker, self._export, self._listener = worker, export, listener
        self.over = self._asked = False

    def start(self, inputs: CaseInputs, request: PreparationRequest) -> None:
        """Begins; everything else happens from the event loop.

        Raises:
            CaseError: The level is not among those of the inputs.
            RadgsError: The worker cannot be started.
        """
        if request.level not in inputs.segments:
            raise CaseError(f"{request.level} is not among the levels to be registered.", "Tick it under Inputs first.")
        self._worker.start()
        self._listener.progress(PreparationState(0.0, 60.0 * request.minutes, "writing the CT", {}))
        steps = self._export.anatomy_steps(inputs)
        walk(steps, lambda case: self._ask(inputs, request, case), self._fail, lambda: not self.over)

    def cancel(self) -> None:
        """Ends it gently: the best so far is kept, which takes the engine some seconds."""
        if self._asked:
            self._worker.cancel()
        else:
            self._fail(WorkerError("Cancelled", "The preparation was cancelled before it began.", GO_ON))

    def abandon(self, error: RadgsError) -> None:
        """Gives up for a reason of the caller's, who is told at once; the engine still keeps the best so far."""
        if self._asked and not self.over:
            self._worker.cancel()
        self._fail(error)

    def _ask(self, inputs: CaseInputs, request: PreparationRequest, case: Path) -> None:
        if self.over:
            return
        if self._worker.busy:  # still with something less important that has been cancelled
            qt.QTimer.singleShot(BUSY_MS, lambda: self._ask(inputs, request, case))
            return
        self._asked = True
        self._worker.request(
            "prepare",
            Reply(self._progress, self._done, self._failed),
            GENTLE_PATIENCE_MS,
            case=str(case),
            level=request.level,
            out=str(request.model),
            minutes=request.minutes,
            device=inputs.device,
        )

    def _progress(self, message: Message) -> None:
        if not self.over:
            accuracy = message["accuracy"] or {}
            state = PreparationState(message["fraction"], message["seconds_left"], message["message"], accuracy)
            self._listener.progress(state)

    def _done(self, message: Message) -> None:
        if not self.over:
            self.over = True
            path, accuracy = Path(message["model"]), message["accuracy"] or {}
            self._listener.done(PreparedModel(message["level"], path, message["finished"], accuracy))

    def _failed(self, error: WorkerError) -> None:
        """What was looked at last is on disk, whatever became of the process."""
        if error.kind == "Cancelled":
            error = WorkerError(error.kind, "The preparation was stopped at once.", GO_ON)
        elif error.kind == "WorkerDied":
            error = WorkerError(error.kind, error.problem, GO_ON)
        self._fail(error)

    def _fail(self, error: RadgsError) -> None:
        if not self.over:
            self.over = True
            self._listener.failed(error)
