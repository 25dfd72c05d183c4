"""Asking the user's warm worker, which is started where there is none. Loads neither torch nor numpy."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from radgs.child_processes import child_environment
from radgs.worker.warm_place import NoWorkerError, WarmPlace

Message = dict[str, Any]

#: A worker nobody asks for so long ends, s; this variable names another number.
IDLE_SECONDS, IDLE_VARIABLE = 900.0, "RADGS_WORKER_IDLE"
#: From its start until it listens, and until it says that it is ready, s.
MAX_SECONDS_TO_START, MAX_SECONDS_TO_GREET = 60.0, 60.0
#: Between two looks whether it listens, s.
PAUSE = 0.05
#: What a cancelled registration takes to take back what is half done, s.
MAX_SECONDS_TO_CANCEL = 10.0
#: A worker that ends just as it is met is replaced, so many times.
TRIES = 3


def ask(request: Message, told: Callable[[Message], None]) -> Message:
    """Has a request served by the warm worker.

    Args:
        request: As ``radgs.worker.process`` describes them; relative paths are taken from the current folder.
        told: Given every message of progress.

    Returns:
        The ``result`` or ``error``.

    Raises:
        NoWorkerError: There is none, it serves somebody else, or it ended before it answered.
    """
    with _greeted(WarmPlace.of_this_engine()) as (connection, lines):
        connection.settimeout(None)
        try:
            _send(connection, {"id": 1, "cwd": str(Path.cwd()), **request})
            for message in lines:
                if message["type"] in ("result", "error"):
                    return message
                if message["type"] == "progress":
                    told(message)
        except OSError:
            pass  # it ended: said below
        except BaseException:  # whatever ends the caller ends what it asked for
            _cancel(connection, lines)
            raise
    raise NoWorkerError("it ended before it answered")


@contextmanager
def _greeted(place: WarmPlace) -> Iterator[tuple[socket.socket, Iterator[Message]]]:
    """A connection on which a worker has said that it is ready."""
    for _ in range(TRIES):
        with _connected(place) as connection:
            connection.settimeout(MAX_SECONDS_TO_GREET)
            lines = _Messages(connection)
            try:
                greeting = next(lines, None)
            except TimeoutError:
                raise NoWorkerError("it does not answer") from None
            except OSError:
                greeting = None
            if greeting is not None and greeting["type"] == "busy":
                raise NoWorkerError("it serves another call")
            if greeting is not None:
                yield connection, lines
                return
    raise NoWorkerError("it ends as soon as it is asked")


def _connected(place: WarmPlace) -> socket.socket:
    """A connection to the worker of a place, started where none listens."""
    connection = _listening(place)
    if connection is not None:
        return connection
    started = _start(place)
    until = time.monotonic() + MAX_SECONDS_TO_START
    while time.monotonic() < until:
        connection = _listening(place)
        if connection is not None:
            return connection
        if started.poll() not in (None, 0):  # 0: another caller's was quicker
            raise NoWorkerError(f"it cannot be started, see {place.log}")
        time.sleep(PAUSE)
    raise NoWorkerError("it does not start")


def _listening(place: WarmPlace) -> socket.socket | None:
    if not place.is_mine():
        return None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(place.socket))
    except OSError:
        connection.close()
        return None
    return connection


def _start(place: WarmPlace) -> subprocess.Popen[bytes]:
    """Starts a worker that outlives its caller and hears no key that is pressed in its terminal."""
    idle = os.environ.get(IDLE_VARIABLE, "")
    seconds = float(idle) if idle.replace(".", "", 1).isdigit() else IDLE_SECONDS
    try:
        with os.fdopen(os.open(place.log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "radgs.worker", "--serve", str(place.socket), str(seconds)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=place.socket.parent,
                env=child_environment(),
                start_new_session=True,
            )
    except OSError as problem:
        raise NoWorkerError(f"it cannot be started: {problem.strerror}") from problem


def _send(connection: socket.socket, message: Message) -> None:
    connection.sendall((json.dumps(message) + "\n").encode())


class _Messages:
    """What a worker sends, message by message; an interruption between two of them loses none."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._rest = b""

    def __iter__(self) -> _Messages:
        return self

    def __next__(self) -> Message:
        while b"\n" not in self._rest:
            received = self._connection.recv(1 << 16)
            if not received:
                raise StopIteration
            self._rest += received
        line, _, self._rest = self._rest.partition(b"\n")
        message: Message = json.loads(line)
        return message


def _cancel(connection: socket.socket, lines: Iterator[Message]) -> None:
    """Ends what is being served, and waits until nothing of it is left."""
    with suppress(OSError, ValueError):
        connection.settimeout(MAX_SECONDS_TO_CANCEL)
        _send(connection, {"command": "cancel"})
        for message in lines:
            if message["type"] in ("result", "error"):
                return
