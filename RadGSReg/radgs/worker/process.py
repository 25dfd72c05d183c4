"""The engine as a process of its own: one JSON request a line on stdin, one JSON message a line on stdout, UTF-8.

``ready`` comes first, then per request ``progress`` until one ``result`` or one ``error``; ``log`` at any time:

    {"type": "ready", "pid": 4711, "protocol": 1, "versions": {"radgs": "0.1.0", ...}}
    {"id": 1, "command": "register", "case": "session/case.json", "out": "session/result", "device": "auto"}
    {"type": "progress", "id": 1, "level": "L3", "stage": "refine", "fraction": 0.8, "message": "..."}
    {"type": "result", "id": 1, "folder": "session/result", "files": [...], "verdict": "accept", ...}
    {"command": "cancel"}
    {"type": "error", "id": 1, "kind": "Cancelled", "message": "...", "hint": "..."}

``cancel`` interrupts registrations and drawings at once; a preparation ends gently and answers with its ``result``:

    {"id": 3, "command": "prepare", "case": "session/anatomy.json", "level": "L3", "minutes": 20,
     "out": "models/L3.radgs.safetensors"}
    {"type": "progress", "id": 3, "level": "L3", "stage": "train", "fraction": 0.4, "message": "...",
     "seconds_left": 720.0, "accuracy": {"ssim_3d": 0.94, "kabsch_median_mm": 1.9, ...}}
    {"type": "result", "id": 3, "level": "L3", "model": "models/L3.radgs.safetensors", "finished": false, ...}

``overlay`` draws a level from its start, from the poses named, and what a run reconstructed, as
``radgs.overlay.pictures`` writes it:

    {"id": 2, "command": "overlay", "case": "session/case.json", "level": "L3", "out": "session/overlay",
     "poses": {"result": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]},
     "reconstruction": "session/L3_reconstruction.nrrd"}

``live`` draws a pose that a person is moving, at its quickest, as ``radgs.overlay.live`` writes it, into the pictures
that an overlay drew around another:

    {"id": 5, "command": "live", "case": "session/case.json", "level": "L3", "out": "session/live",
     "around": [[1, 0, 0, 0], ...], "pose": [[1, 0, 0, 0.5], ...]}

``exposures`` draws X-rays beside what they would show of a CT if sources and films stood so, as
``radgs.overlay.exposures`` writes it, a picture of one view or more for each geometry to be compared:

    {"id": 6, "command": "exposures", "ct": "session/ct_1.nrrd", "out": "session/exposures",
     "pictures": [{"views": [{"image": "session/exposure_1.npy", "pixel_type": "auto", "source_ras": [0, -700, 0],
                              "detector_to_ras": [[0.3, 0, 0, -150], ...], "ct_to_world": [[1, 0, 0, 0], ...]}]}]}

``register`` takes "starts", poses by level near the true ones, where a person has moved one there, and with
"self_calibrate": true solves for the second view's geometry too, as ``radgs.pipeline.self_calibration`` does.

With "print": {"json": false, "columns": 80, "colours": null, "note": "..."}, for a terminal elsewhere, its ``result``
has what to print there, and result.json names the case.

``report`` makes a page of a result and its case, as ``radgs.report`` writes it:

    {"id": 4, "command": "report", "case": "session/case.json", "result": "session/report", "out": "L3_report.html"}

The process stays warm: what was imported, read and prepared serves the next request. It ends when stdin ends.
``radgs.worker.warm_server`` speaks the same over a socket, with one caller after the other.
"""

from __future__ import annotations

import _thread
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, BinaryIO

from radgs.errors import RadgsError, UnwrittenResultError
from radgs.kernels.aside import begin_compiling_aside
from radgs.versions import versions
from radgs.worker.commands import NOUNS, Commands
from radgs.worker.requests import MAX_REQUEST_BYTES, BadRequestError, Message, fields, parsed

PROTOCOL = 1

#: More requests than this never wait with an honest client.
MAX_WAITING = 100
#: From stdin's end until the process is gone, whatever it is at.
MAX_SECONDS_TO_END = 2.0
#: How a system asks a process to end; Windows knows one of them.
ENDING_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Cancelled(BaseException):
    """Raised within a job once its cancellation has been asked for; no handler of errors on its way may take it."""


class Ended(BaseException):
    """Raised in the main thread when the process is to end: what is half done is taken back on the way out.

    Attributes:
        status: The process's exit status.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Channel:
    """Where messages go: one line each, whole, from whichever thread."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    @classmethod
    def instead_of_stdout(cls) -> Channel:
        """Keeps file descriptor 1 for messages and points it at stderr: a library's print cannot corrupt them."""
        sys.stdout.flush()
        kept = os.dup(1)
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        return cls(os.fdopen(kept, "wb", buffering=0))

    def send(self, message_type: str, /, **fields: Any) -> None:
        """Sends a message; where nobody listens any more, the process ends."""
        try:
            with self._lock:
                self._stream.write(self.line(message_type, fields))
        except OSError:
            os._exit(1)

    @staticmethod
    def line(message_type: str, fields: Message) -> bytes:
        """A message as it is sent."""
        line = json.dumps({"type": message_type, **fields}, ensure_ascii=False, default=str) + "\n"
        return line.encode("utf-8", errors="backslashreplace")


class Worker:
    """Takes requests one after the other; a thread of its own reads them, so that ``cancel`` is heard during one."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._requests: queue.Queue[tuple[int, Message]] = queue.Queue(MAX_WAITING)
        # Requests count from 1; a cancellation is of all that came before it, served or still waiting.
        self._received = self._serving = self._cancelled = 0
        self._may_be_interrupted = self._stdin_ended = False
        self._identifier: Any = None
        self._commands = Commands()

    def run(self, stdin: BinaryIO) -> None:
        """Serves requests until stdin ends; never returns.

        Raises:
            Ended: Stdin has ended, or the system asks the process to end.
        """
        self._greet()
        self._hear_signals()
        threading.Thread(target=self._read, args=(stdin,), daemon=True).start()
        self._prepare()
        while True:
            self._serving, request = self._requests.get()
            self._serve(request)

    def _greet(self) -> None:
        self._channel.send("ready", pid=os.getpid(), protocol=PROTOCOL, versions=versions())

    def _hear_signals(self) -> None:
        signal.signal(signal.SIGINT, self._interrupted)
        for asked in ENDING_SIGNALS:
            if signal.getsignal(asked) != signal.SIG_IGN:
                signal.signal(asked, self._asked_to_end)

    def _read(self, stdin: BinaryIO) -> None:
        """Hears requests until stdin ends, and the process with it."""
        self._hear(stdin)
        self._stdin_ended = True
        _thread.interrupt_main(signal.SIGTERM)  # what is half done is taken back
        time.sleep(MAX_SECONDS_TO_END)
        os._exit(0)  # whatever the other thread is at, nobody waits for it

    def _hear(self, stream: BinaryIO) -> None:
        """Takes requests until the stream ends; whatever a line is, the next one is heard."""
        while line := stream.readline(MAX_REQUEST_BYTES + 1):
            rest = line
            while len(rest) > MAX_REQUEST_BYTES and not rest.endswith(b"\n"):
                rest = stream.readline(MAX_REQUEST_BYTES + 1)
            if line.strip():
                try:
                    self._take(line)
                except Exception as problem:
                    self._fail(None, problem)

    def _take(self, line: bytes) -> None:
        request = parsed(line)
        if request.get("command") == "cancel":
            self._cancelled = self._received
            _thread.interrupt_main()  # the main thread need not wait for its next progress report
            return
        try:
            self._requests.put_nowait((self._received + 1, request))
        except queue.Full:
            raise BadRequestError(f"{MAX_WAITING} requests wait already.", "Send fewer, or cancel them.") from None
        self._received += 1

    def _prepare(self) -> None:
        """Imports what the first request will need; a failure is told by that request."""
        began = time.perf_counter()
        begin_compiling_aside()
        try:
            import radgs.pipeline.case_cache
            import radgs.pipeline.result_folder  # noqa: F401
        except Exception as problem:
            self._channel.send("log", level="error", message=f"The engine cannot be loaded: {problem}")
        else:
            seconds = time.perf_counter() - began
            self._channel.send("log", level="info", message=f"engine loaded in {seconds:.1f} s")

    def _serve(self, request: Message) -> None:
        self._identifier = request.get("id")
        try:
            asked = fields(request)
            command = self._commands.by_name.get(asked.text("command"))
            if command is None:
                known = ", ".join(sorted([*self._commands.by_name, "cancel"]))
                raise asked.fail("command", f"one of {known}")
            self._channel.send("result", id=self._identifier, **command(asked, self))
        except (Exception, Cancelled) as problem:
            self._fail(self._identifier, problem, NOUNS.get(str(request.get("command")), "request"))

    def report(self, level: str, stage: str, fraction: float, message: str, **more: Any) -> None:
        """Sends where the request being served stands; within ``interruptible``, ends what has been cancelled."""
        if self._may_be_interrupted and self.cancelled():
            raise Cancelled
        place = {"level": level, "stage": stage, "fraction": round(fraction, 4), "message": message}
        self._channel.send("progress", id=self._identifier, **place, **more)

    def cancelled(self) -> bool:
        """Whether the request being served has been cancelled."""
        return self._serving <= self._cancelled

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Within it, a cancellation raises ``Cancelled``."""
        if self.cancelled():
            raise Cancelled
        self._may_be_interrupted = True
        try:
            yield
        finally:
            self._may_be_interrupted = False

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        """Runs in the main thread, between two of its instructions, after ``cancel`` or Control-C."""
        if not self.cancelled():
            raise KeyboardInterrupt
        if self._may_be_interrupted:
            raise Cancelled

    def _asked_to_end(self, number: int, frame: FrameType | None) -> None:
        """Runs in the main thread, between two of its instructions; asked again, nothing more is taken back."""
        for asked in ENDING_SIGNALS:
            signal.signal(asked, signal.SIG_DFL)
        raise Ended(0 if self._stdin_ended else 128 + number)

    def _fail(self, identifier: Any, problem: BaseException, noun: str = "request") -> None:
        """Tells what went wrong; only what nobody foresaw comes with a traceback, in the log."""
        if isinstance(problem, RadgsError):
            kind, message, hint = type(problem).__name__, problem.problem, problem.remedy
        elif isinstance(problem, Cancelled):
            kind, message, hint = "Cancelled", f"The {noun} was cancelled.", "Nothing was changed."
        elif isinstance(problem, ImportError):
            kind, message = "EngineUnavailable", f"The engine's libraries are not all installed: {problem}."
            hint = "Install them: in 3D Slicer with Install in the module's panel, elsewhere with pip install radgs."
        else:
            self._channel.send("log", level="error", message=traceback.format_exc())
            kind, message = "InternalError", f"radgs failed unexpectedly: {type(problem).__name__}: {problem}"
            hint = "Please report it, with the log."
        unwritten = {"result": problem.result} if isinstance(problem, UnwrittenResultError) else {}
        self._channel.send("error", id=identifier, kind=kind, message=message, hint=hint, **unwritten)


def main() -> None:
    """Serves requests from stdin until it ends."""
    try:
        Worker(Channel.instead_of_stdout()).run(sys.stdin.buffer)
    except Ended as end:
        os._exit(end.status)  # an ordinary end would wait for the thread that reads stdin
    except BaseException:
        traceback.print_exc()
        os._exit(1)
