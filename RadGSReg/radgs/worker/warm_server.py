"""The worker as a process of the user's own, which callers meet at a socket, one after the other.

It speaks as ``radgs.worker.process`` does; a caller that comes while another is served is told ``busy``. When a caller
leaves, what it asked for is cancelled. The process ends when nobody has asked for some time.
"""

from __future__ import annotations

import _thread
import fcntl
import os
import queue
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from radgs.worker.process import Channel, Ended, Worker
from radgs.worker.requests import Message
from radgs.worker.warm_place import WarmPlace

#: Waiting in line to be told that the worker is busy.
BACKLOG = 16
#: Takes the place of a request when a caller has left.
LEFT: tuple[int, Message] = (0, {})


class Caller(Channel):
    """Where a caller's messages go; once it has left, nowhere."""

    def __init__(self, connection: socket.socket | None) -> None:
        super().__init__(sys.stderr.buffer)
        self._connection = connection

    def send(self, message_type: str, /, **fields: Any) -> None:
        """Sends a message; where nobody listens any more, it is lost."""
        if self._connection is None:
            return
        try:
            with self._lock:
                self._connection.sendall(self.line(message_type, fields))
        except OSError:
            self._connection = None


class WarmWorker(Worker):
    """Serves callers, one after the other, with what it has kept from those before."""

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(Caller(None))
        self._listener = listener
        self._callers: queue.Queue[socket.socket] = queue.Queue(1)
        self._busy = threading.Lock()

    def serve(self, idle_seconds: float) -> None:
        """Serves callers until none has come for so long.

        Raises:
            Ended: The system asks the process to end.
        """
        self._hear_signals()
        threading.Thread(target=self._answer, daemon=True).start()
        self._prepare()
        while True:
            try:
                connection = self._callers.get(timeout=idle_seconds)
            except queue.Empty:
                return
            with connection:
                self._serve_caller(connection)
            self._busy.release()

    def _answer(self) -> None:
        """Lets one caller in at a time; the others learn at once that they need not wait."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self._busy.acquire(blocking=False):
                self._callers.put(connection)
            else:
                Caller(connection).send("busy", pid=os.getpid())
                connection.close()

    def _serve_caller(self, connection: socket.socket) -> None:
        self._channel = Caller(connection)
        self._greet()
        with connection.makefile("rb") as stream:
            listening = threading.Thread(target=self._listen, args=(stream,), daemon=True)
            listening.start()
            while (request := self._requests.get()) is not LEFT:
                self._serving = request[0]
                self._serve_in_its_folder(request[1])
            listening.join()
        self._channel = Caller(None)

    def _serve_in_its_folder(self, request: Message) -> None:
        """Relative paths are the caller's; afterwards no folder of its own is held."""
        home = Path.cwd()
        try:
            folder = request.pop("cwd", None)
            if isinstance(folder, str):
                with suppress(OSError, ValueError):  # where it is gone, paths say so themselves
                    os.chdir(folder)
            self._serve(request)
        finally:
            os.chdir(home)

    def _listen(self, stream: BinaryIO) -> None:
        """Hears a caller until it leaves; what it asked for is cancelled then."""
        with suppress(OSError):
            self._hear(stream)
        self._cancelled = self._received
        _thread.interrupt_main()
        self._requests.put(LEFT)


def main(path: str, idle_seconds: float) -> None:
    """Listens at a socket unless another process does already; ends when nobody has asked for some time.

    Args:
        path: The socket.
        idle_seconds: For how long nobody asks.
    """
    place = WarmPlace.named(Path(path))
    lock = os.open(place.lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return
    listener = _listener(place)
    try:
        WarmWorker(listener).serve(idle_seconds)
        status = 0
    except Ended as end:
        status = end.status
    finally:
        with suppress(OSError):
            place.socket.unlink()
    os._exit(status)  # threads that listen are not waited for


def _listener(place: WarmPlace) -> socket.socket:
    """A socket for the user alone, in the place of one whose process is gone."""
    with suppress(FileNotFoundError):
        place.socket.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listener.bind(str(place.socket))
    finally:
        os.umask(mask)
    listener.listen(BACKLOG)
    return listener
