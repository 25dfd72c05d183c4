"""One connection that never blocks; of each device only the newest message is sent."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

#: Small on purpose: what waits in the kernel is older than what waits here.
SEND_BUFFER_BYTES = 4096

#: First question after so many idle seconds, then every so many, and how many may go unanswered.
KEEP_ALIVE = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3}


class PeerLostError(Exception):
    """The connection has ended; the text says how, as a phrase."""


class Peer:
    """The other end of a connection that is open or opening.

    Args:
        connection: A socket, connected or in the course of it; made non-blocking here, closed by ``close``.
        name: ``host:port``, for people.
        patience_s: How long the peer may take nothing while something waits for it.
        connected: Whether the connection is open already.
    """

    def __init__(self, connection: socket.socket, name: str, patience_s: float, connected: bool) -> None:
        self.socket, self.name, self.connected = connection, name, connected
        self._patience_s = patience_s
        self._begun = b""
        self._waiting: dict[str, bytes] = {}
        self._last_progress = time.monotonic()
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        _keep_alive(connection)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def busy(self) -> bool:
        """Whether anything is still to go out, or the connection still opening."""
        return not self.connected or bool(self._begun or self._waiting)

    @property
    def stalled_s(self) -> float:
        """For how long the peer has taken nothing although something waits for it, seconds."""
        return time.monotonic() - self._last_progress if self.busy else 0.0

    def offer(self, messages: Mapping[str, bytes]) -> None:
        """Puts one message per device in line; of a device that has one waiting already, the newer one stays."""
        if not self.busy:
            self._last_progress = time.monotonic()
        for device, message in messages.items():
            self._waiting.pop(device, None)  # to the end of the line, so that a verdict stays before its pose
            self._waiting[device] = message

    def withdraw(self, device: str) -> None:
        """Takes a message out of the line, unless a part of it is out already."""
        self._waiting.pop(device, None)

    def write(self) -> bool:
        """Sends what the connection takes now.

        Returns:
            Whether the connection has opened by this.

        Raises:
            PeerLostError: It has ended, or could not be opened.
        """
        opened = False
        try:
            if not self.connected:
                problem = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if problem:
                    raise OSError(problem, os.strerror(problem))
                self.connected = opened = True
                self._last_progress = time.monotonic()
            while self._begun or self._waiting:
                if self._begun:
                    self._begun = self._begun[self.socket.send(self._begun) :]
                else:  # a message counts as begun only once a part of it is out
                    device, message = next(iter(self._waiting.items()))
                    sent = self.socket.send(message)
                    del self._waiting[device]
                    self._begun = message[sent:]
                self._last_progress = time.monotonic()
        except BlockingIOError:
            pass
        except OSError as problem:
            raise PeerLostError(how_it_failed(problem)) from problem
        return opened

    def read(self) -> None:
        """Takes in and forgets what the peer sends; nothing it says changes a pose.

        Raises:
            PeerLostError: The peer has closed the connection.
        """
        try:
            if not self.socket.recv(65536):
                raise PeerLostError("closed by the peer")
        except BlockingIOError:
            pass
        except OSError as problem:
            raise PeerLostError(how_it_failed(problem)) from problem

    def check_patience(self) -> None:
        """Gives up a peer that has taken nothing for too long.

        Raises:
            PeerLostError: It has.
        """
        waited = self.stalled_s
        if waited > self._patience_s:
            raise PeerLostError(f"nothing taken for {waited:.1f} s" if self.connected else "no answer")

    def finish(self) -> None:
        """Tells the peer that nothing more will come."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def close(self, until: float = 0.0) -> None:
        """Ends the connection.

        Args:
            until: Up to when (``time.monotonic``) to wait for the peer to end it first: a connection closed over unread
                bytes of the peer's is reset, and the peer may lose what was sent last.
        """
        with suppress(OSError):
            while self.connected and (left := until - time.monotonic()) > 0:
                self.socket.settimeout(left)
                if not self.socket.recv(65536):
                    break
        self.socket.close()


def _keep_alive(connection: socket.socket) -> None:
    """Has the system ask an idle peer for a sign of life, so that one whose cable was pulled is noticed in seconds."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEP_ALIVE.items():
        if hasattr(socket, name):  # not every system has each of them
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def how_it_failed(problem: OSError | UnicodeError) -> str:
    """The system's reason as a phrase."""
    return str(getattr(problem, "strerror", None) or problem).lower()
