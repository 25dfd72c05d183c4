"""The engine's process as the panel sees it: started when needed, asked one thing at a time, and never waited for."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import qt

from radgs.errors import RadgsError
from RadGSRegLib.engine.message_lines import MessageLines

MODULE_FOLDER = Path(__file__).resolve().parents[2]

#: A job that has not stopped by itself after this long is stopped by ending the process.
PATIENCE_MS = 1500

#: Lines of the worker's stderr kept for when it dies.
KEPT_LINES = 40

Message = dict[str, Any]


class WorkerError(RadgsError):
    """The worker failed, died, or was stopped.

    Attributes:
        kind: What the worker calls it, "WorkerDied", or "Cancelled".
    """

    def __init__(self, kind: str, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.kind = kind


@dataclass(frozen=True)
class Reply:
    """Who is told about one request.

    Attributes:
        progress: Called with every ``progress`` message.
        done: Called once, with the ``result`` message.
        failed: Called once instead of ``done``.
    """

    progress: Callable[[Message], None]
    done: Callable[[Message], None]
    failed: Callable[[WorkerError], None]


class WorkerClient:
    """Speaks to ``python -m radgs.worker`` over QProcess. Every call returns at once; replies come from the event loop.

    Example, in Slicer's Python console::

        client = WorkerClient()
        client.request("register", Reply(print, print, print), case="case.json", out="result")

    Args:
        python: The interpreter; PythonSlicer where none is named.
        log: Called with the worker's own words, line by line.
    """

    def __init__(self, python: str | None = None, log: Callable[[str], None] = lambda line: None) -> None:
        self._python = python
        self._log = log
        self._process: Any = None
        self._lines = MessageLines()
        self._stderr: deque[str] = deque(maxlen=KEPT_LINES)
        self._reply: Reply | None = None
        self._identifier = 0
        self._cancelling = False
        self._patience_ms = PATIENCE_MS
        self._patience = qt.QTimer()
        self._patience.setSingleShot(True)
        self._patience.timeout.connect(self._force)
        #: Process ID of the interpreter, which under a launcher is not that of the process started; None before ready.
        self.pid: int | None = None
        #: Versions of the engine and its libraries, as the worker named them.
        self.versions: dict[str, str] = {}

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self._process is not None

    @property
    def busy(self) -> bool:
        """Whether a request is being worked on."""
        return self._reply is not None

    def start(self) -> None:
        """Starts the process where there is none, so that it is warm when the first request comes.

        Raises:
            WorkerError: There is no interpreter to start.
        """
        if self._process is not None:
            return
        python = self._python or shutil.which("PythonSlicer")
        if python is None:
            raise WorkerError("NoInterpreter", "PythonSlicer is not on the PATH.", "Start from within 3D Slicer.")
        self._lines, self.pid = MessageLines(), None
        self._stderr.clear()
        environment = qt.QProcessEnvironment.systemEnvironment()
        former = os.environ.get("PYTHONPATH")
        environment.insert("PYTHONPATH", os.pathsep.join([str(MODULE_FOLDER), *([former] if former else [])]))
        environment.insert("PYTHONSAFEPATH", "1")  # no module is looked for in the folder that Slicer runs in
        process = self._process = qt.QProcess()
        process.setProcessEnvironment(environment)
        process.connect("readyReadStandardOutput()", lambda: self._read(process))
        process.connect("readyReadStandardError()", lambda: self._read_stderr(process))
        process.connect("finished(int,QProcess::ExitStatus)", lambda code, status: self._ended(process, code))
        process.connect("errorOccurred(QProcess::ProcessError)", lambda error: self._could_not_start(process, error))
        process.start(python, ["-u", "-m", "radgs.worker"])

    def request(self, command: str, reply: Reply, patience_ms: int = PATIENCE_MS, **fields: Any) -> None:
        """Asks for something; starts the process where there is none.

        Args:
            command: What to do, such as "register".
            reply: Who is told.
            patience_ms: How long a cancelled request may take to end by itself.
            fields: The rest of the request.

        Raises:
            WorkerError: Another request is being worked on, or there is no interpreter to start.
        """
        if self.busy:
            raise WorkerError("Busy", "The engine is at work.", "Wait until it has finished, or cancel.")
        self.start()
        self._identifier += 1
        self._reply, self._cancelling, self._patience_ms = reply, False, patience_ms
        self._send({"id": self._identifier, "command": command, **fields})

    def cancel(self) -> None:
        """Asks the worker to stop, and ends it when patience runs out.

        ``failed`` is told with the kind "Cancelled"; or ``done``, where the request ended gently with something kept.
        """
        if self.busy and not self._cancelling:
            self._cancelling = True
            self._send({"command": "cancel"})
            self._patience.start(self._patience_ms)

    def stop(self) -> None:
        """Ends the process at once; whoever waits for a reply is told."""
        process = self._process
        if process is not None:
            self._kill()
            process.waitForFinished(100)
            self._ended(process, 0)

    def _send(self, message: Message) -> None:
        self._process.write((json.dumps(message) + "\n").encode("ascii"))

    def _read(self, process: Any) -> None:
        if process is self._process:
            for message in self._lines.feed(bytes(process.readAllStandardOutput().data())):
                self._take(message)

    def _read_stderr(self, process: Any) -> None:
        text = bytes(process.readAllStandardError().data()).decode("utf-8", errors="replace")
        for line in text.splitlines():
            self._stderr.append(line)
            self._log(line)

    def _take(self, message: Message) -> None:
        kind = message["type"]
        if kind == "ready":
            self.pid, self.versions = message["pid"], message["versions"]
        elif kind == "log":
            self._log(str(message.get("message")))
        elif self._reply is not None and message.get("id") == self._identifier:
            if kind == "progress" and not self._cancelling:
                self._reply.progress(message)
            elif kind == "result":
                self._finish().done(message)
            elif kind == "error":
                self._finish().failed(WorkerError(message["kind"], message["message"], message["hint"]))

    def _finish(self) -> Reply:
        reply, self._reply = self._reply, None
        assert reply is not None
        self._patience.stop()
        return reply

    def _force(self) -> None:
        if self.busy:
            self._kill()

    def _kill(self) -> None:
        """Kills the interpreter that ``ready`` named, not only a launcher, which would leave it running."""
        self._process.closeWriteChannel()  # an interpreter that has not said ready ends when its stdin does
        if self.pid is not None:
            with suppress(OSError):  # it may have just ended by itself
                os.kill(self.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        self._process.kill()

    def _could_not_start(self, process: Any, error: Any) -> None:
        if process is self._process and error == qt.QProcess.FailedToStart:
            self._stderr.append("The interpreter could not be started.")
            self._ended(process, 1)

    def _ended(self, process: Any, code: int) -> None:
        if process is not self._process:
            return
        self._process, self.pid = None, None
        process.deleteLater()
        if not self.busy:
            return
        reply, cancelled = self._finish(), self._cancelling
        if cancelled:
            reply.failed(WorkerError("Cancelled", "The registration was cancelled.", "Nothing was changed."))
            return
        last = next((line for line in reversed(self._stderr) if line.strip()), "it said nothing")
        reply.failed(
            WorkerError(
                "WorkerDied",
                f"The engine's process ended in the middle of its work (exit code {code}: {last.strip()}).",
                "Register again to start a new one; if it keeps ending, see the log, and close other programs that "
                "take memory.",
            )
        )
