"""The engine as a process of its own: one JSON request a line on stdin, one JSON message a line on stdout, UTF-8.

``ready`` comes first, then per request ``progress`` until one ``result`` or one ``error``; ``log`` at any time:

    {"type": "ready", "pid": 4711, "protocol": 1, "versions": {"radgs": "0.1.0", ...}}
    {"id": 1, "command": "register", "case": "session/case.json", "out": "session/result", "device": "auto"}
    {"type": "progress", "id": 1, "level": "L3", "stage": "refine", "fraction": 0.8, "message": "..."}
    {"type": "result", "id": 1, "folder": "session/result", "files": [...], "verdict": "accept", ...}
    {"command": "cancel"}
    {"type": "error", "id": 1, "kind": "Cancelled", "message": "...", "hint": "..."}

``overlay`` draws a level from its start, and from the poses named, as ``radgs.overlay.pictures`` writes it:

    {"id": 2, "command": "overlay", "case": "session/case.json", "level": "L3", "out": "session/overlay",
     "poses": {"result": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]}}

The process stays warm: what was imported, read and prepared serves the next request. It ends when stdin ends.
"""

from __future__ import annotations

import _thread
import json
import os
import queue
import re
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, BinaryIO

from radgs.errors import RadgsError
from radgs.versions import versions

if TYPE_CHECKING:
    from radgs.case_cache import CaseCache
    from radgs.geometry import RigidTransform

PROTOCOL = 1

Message = dict[str, Any]


class BadRequestError(RadgsError):
    """A request that the protocol does not know."""


class Cancelled(BaseException):
    """Raised within a job once its cancellation has been asked for; no handler of errors on its way may take it."""


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
        line = json.dumps({"type": message_type, **fields}, ensure_ascii=False, default=str) + "\n"
        try:
            with self._lock:
                self._stream.write(line.encode("utf-8", errors="backslashreplace"))
        except OSError:
            os._exit(1)


class Worker:
    """Takes requests one after the other; a thread of its own reads them, so that ``cancel`` is heard during one."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._requests: queue.Queue[tuple[int, Message]] = queue.Queue()
        # Requests count from 1; a cancellation is of all that came before it, served or still waiting.
        self._received = self._serving = self._cancelled = 0
        self._may_be_interrupted = False
        self._commands: dict[str, Callable[[Message], Message]] = {
            "register": self._register,
            "overlay": self._overlay,
        }

    def run(self, stdin: BinaryIO) -> None:
        """Serves requests until stdin ends; never returns."""
        self._channel.send("ready", pid=os.getpid(), protocol=PROTOCOL, versions=versions())
        signal.signal(signal.SIGINT, self._interrupted)
        threading.Thread(target=self._read, args=(stdin,), daemon=True).start()
        self._prepare()
        while True:
            self._serving, request = self._requests.get()
            self._serve(request)

    def _read(self, stdin: BinaryIO) -> None:
        for line in stdin:
            if line.strip():
                self._take(line)
        os._exit(0)  # whatever the other thread is at, nobody waits for it

    def _take(self, line: bytes) -> None:
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise ValueError("not an object")
        except ValueError as problem:
            self._fail(None, BadRequestError(f"A request is not a JSON object: {problem}.", "Send one object a line."))
            return
        if request.get("command") == "cancel":
            self._cancelled = self._received
            _thread.interrupt_main()  # the main thread need not wait for its next progress report
        else:
            self._received += 1
            self._requests.put((self._received, request))

    def _prepare(self) -> None:
        """Imports what the first request will need; a failure is told by that request."""
        began = time.perf_counter()
        try:
            import radgs.case_cache
            import radgs.result_folder  # noqa: F401
        except Exception as problem:
            self._channel.send("log", level="error", message=f"The engine cannot be loaded: {problem}")
        else:
            seconds = time.perf_counter() - began
            self._channel.send("log", level="info", message=f"engine loaded in {seconds:.1f} s")

    def _serve(self, request: Message) -> None:
        identifier = request.get("id")
        try:
            command = self._commands.get(_text(request, "command"))
            if command is None:
                known = ", ".join(sorted([*self._commands, "cancel"]))
                raise BadRequestError(f"There is no command {request['command']!r}.", f"The commands are {known}.")
            self._channel.send("result", id=identifier, **command(request))
        except (Exception, Cancelled) as problem:
            self._fail(identifier, problem)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        """Runs in the main thread, between two of its instructions, after ``cancel`` or Control-C."""
        if self._serving > self._cancelled:
            raise KeyboardInterrupt
        if self._may_be_interrupted:
            raise Cancelled

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        self._may_be_interrupted = True
        try:
            yield
        finally:
            self._may_be_interrupted = False

    def _fail(self, identifier: Any, problem: BaseException) -> None:
        """Tells what went wrong; only what nobody foresaw comes with a traceback, in the log."""
        if isinstance(problem, RadgsError):
            kind, message, hint = type(problem).__name__, problem.problem, problem.remedy
        elif isinstance(problem, Cancelled):
            kind, message, hint = "Cancelled", "The registration was cancelled.", "Nothing was changed."
        elif isinstance(problem, ImportError):
            kind, message = "EngineUnavailable", f"The engine's libraries are not all installed: {problem}."
            hint = "Install PyTorch with the PyTorch extension, and the rest of Resources/requirements.txt with pip."
        else:
            self._channel.send("log", level="error", message=traceback.format_exc())
            kind, message = "InternalError", f"radgs failed unexpectedly: {type(problem).__name__}: {problem}"
            hint = "Please report it, with the log."
        self._channel.send("error", id=identifier, kind=kind, message=message, hint=hint)

    @cached_property
    def _cache(self) -> CaseCache:
        from radgs.case_cache import CaseCache

        return CaseCache()

    def _register(self, request: Message) -> Message:
        from radgs.pipeline import Progress, register
        from radgs.result_folder import prepare_folder, write_result_folder

        case_path, out = Path(_text(request, "case")), Path(_text(request, "out"))
        device, options = _text(request, "device", "auto"), _network_options(request)
        overlays = _flag(request, "overlays", False)

        def tell(progress: Progress) -> None:
            self._report(request, progress.level, progress.stage, progress.fraction, progress.message)

        moments = [time.perf_counter()]
        with self._interruptible():
            self._report(request, "", "read", 0.0, "reading the case")
            case = self._cache.load(case_path)
            moments.append(time.perf_counter())
            known = self._cache.models(case)
            registration = register(case, device=device, models=known, keep=self._cache.keep, progress=tell, **options)
        moments.append(time.perf_counter())
        files = write_result_folder(prepare_folder(out), case, registration, overlays=overlays)
        moments.append(time.perf_counter())
        seconds = [after - before for before, after in pairwise(moments)]
        return {
            "folder": str(out),
            "files": [str(file) for file in files],
            "verdict": registration.result.worst_verdict,
            "models_reused": sorted(known),
            "seconds": dict(zip(("read", "register", "write"), seconds, strict=True)),
        }

    def _overlay(self, request: Message) -> Message:
        from radgs.overlay.pictures import save_pictures

        case_path, out = Path(_text(request, "case")), Path(_text(request, "out"))
        name, poses = _text(request, "level"), _poses(request)
        with self._interruptible():
            self._report(request, name, "read", 0.0, "reading the case")
            case = self._cache.load(case_path)
            level = case.level(name)
            self._report(request, name, "draw", 0.2, "drawing the CT as X-rays")
            anatomy, centre = self._cache.anatomy(case, level)
            start = poses.pop("start", None) or case.start_pose(name, centre)
            files = save_pictures(out, name, anatomy, case.views, {"start": start, **poses})
        return {"folder": str(out), "files": [str(file) for file in files]}

    def _report(self, request: Message, level: str, stage: str, fraction: float, message: str) -> None:
        if self._serving <= self._cancelled:
            raise Cancelled
        place = {"level": level, "stage": stage, "fraction": round(fraction, 4), "message": message}
        self._channel.send("progress", id=request.get("id"), **place)


def _text(request: Message, key: str, default: str | None = None) -> str:
    value = request.get(key, default)
    if not isinstance(value, str) or not value:
        raise BadRequestError(f"A request's '{key}' should be a text but is {value!r}.", "See radgs/worker.py.")
    return value


def _flag(request: Message, key: str, default: bool) -> bool:
    value = request.get(key, default)
    if not isinstance(value, bool):
        raise BadRequestError(f"A request's '{key}' should be true or false but is {value!r}.", "See radgs/worker.py.")
    return value


def _poses(request: Message) -> dict[str, RigidTransform]:
    """The poses of an overlay, by name."""
    from radgs.geometry import RigidTransform

    poses = request.get("poses", {})
    if not isinstance(poses, dict) or not all(re.fullmatch("[a-z]+", name) for name in poses):
        problem = f"A request's 'poses' should name 4 x 4 matrices but is {poses!r}."
        raise BadRequestError(problem, "See radgs/worker.py.")
    return {name: RigidTransform.from_matrix(matrix) for name, matrix in poses.items()}


def _network_options(request: Message) -> dict[str, Any]:
    """What ``register`` is told of the model files a request names."""
    files = request.get("models", [])
    if not isinstance(files, list) or not all(isinstance(file, str) for file in files):
        raise BadRequestError(f"A request's 'models' should be a list of paths but is {files!r}.", "Name model files.")
    if not files:
        return {}
    from radgs.networks import load_prepared

    return {"networks": load_prepared([Path(file) for file in files])}


def main() -> None:
    """Serves requests from stdin until it ends."""
    try:
        Worker(Channel.instead_of_stdout()).run(sys.stdin.buffer)
    except BaseException:
        traceback.print_exc()
        os._exit(1)  # an ordinary end would wait for the thread that reads stdin


if __name__ == "__main__":
    main()
