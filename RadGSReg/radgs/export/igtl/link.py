"""Keeping receivers supplied: a connection to a server, opened again whenever it ends, or a server for many clients."""

from __future__ import annotations

import errno
import os
import selectors
import socket
import time
from collections.abc import Callable, Mapping

from radgs.errors import ExportError
from radgs.export.igtl.lookup import Lookup
from radgs.export.igtl.peer import Peer, PeerLostError, how_it_failed

#: OpenIGTLink's registered port.
DEFAULT_PORT = 18944

#: How long a peer may take nothing before it is given up.
PATIENCE_S = 5.0

#: From when on a peer counts as slow.
SLOW_S = 1.0

#: How long at a time to wait for a host's name to be looked up.
LOOKUP_PAUSE_S = 0.01

#: The first and the longest pause before a connection is tried again.
RETRY_S = (0.2, 3.0)

#: Clients served at once.
MAX_CLIENTS = 16


class Link:
    """One end of OpenIGTLink that holds the newest message of every device and brings it to every peer.

    Single-threaded: call ``tick`` in a loop, or from a timer with a timeout of 0. A peer that (re)connects gets every
    device's newest message at once; a slow one skips what is outdated and holds up nobody.

        with Link("127.0.0.1", 18944) as link:
            link.publish({"L3CTToWorld": pack_pose("L3", ct_to_world, time.time())})
            while not link.delivered:
                link.tick(0.1)

    Args:
        host: Of the server to connect to; with ``listen``, the own address to listen at.
        port: Of the same; with ``listen``, 0 takes a free one.
        listen: Be the server.
        patience_s: How long a peer may take nothing before it is given up.
        report: Told in a sentence whenever a connection opens, ends, or cannot be had.

    Raises:
        ExportError: ``listen``, and the address cannot be listened at.
    """

    def __init__(
        self,
        host: str,
        port: int = DEFAULT_PORT,
        *,
        listen: bool = False,
        patience_s: float = PATIENCE_S,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.host, self.port = host, port
        self._patience_s, self._report = patience_s, report
        self._messages: dict[str, bytes] = {}
        self._peers: list[Peer] = []
        self._tries, self._next_try, self._told = 0, 0.0, ""
        self._opened_at = 0.0
        self._lookup: Lookup | None = None
        self._door = self._open_door() if listen else None

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *_: object) -> None:
        self.close(linger_s=0.5)

    @property
    def peers(self) -> list[str]:
        """The peers whose connection is open, as ``host:port``."""
        return [peer.name for peer in self._peers if peer.connected]

    @property
    def slow_peers(self) -> list[str]:
        """Those of the peers that something has been waiting for longer than ``SLOW_S``, as ``host:port``."""
        return [peer.name for peer in self._peers if peer.connected and peer.stalled_s > SLOW_S]

    @property
    def trouble(self) -> str:
        """Why a connection ended or could not be had, in a sentence; empty from when one opens."""
        return self._told

    @property
    def delivered(self) -> bool:
        """Whether a peer is there and every peer has been sent everything that was published."""
        return bool(self._peers) and not any(peer.busy for peer in self._peers)

    def publish(self, messages: Mapping[str, bytes]) -> None:
        """Takes in the newest message of some devices and offers it to every peer.

        Args:
            messages: Per device, the packed message.
        """
        self._messages.update(messages)
        for peer in self._peers:
            peer.offer(messages)

    def withdraw(self, device: str) -> None:
        """Forgets a device's message: peers that have not got it will not get it."""
        self._messages.pop(device, None)
        for peer in self._peers:
            peer.withdraw(device)

    def tick(self, timeout_s: float) -> None:
        """Does what there is to do, for up to ``timeout_s``."""
        if self._door is None and not self._peers:
            self._connect()
        with selectors.DefaultSelector() as selector:
            if self._door is not None:
                selector.register(self._door, selectors.EVENT_READ, None)
            for peer in self._peers:
                wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if peer.busy else 0)
                selector.register(peer.socket, wanted, peer)
            if not selector.get_map():
                pause = LOOKUP_PAUSE_S if self._lookup is not None else self._next_try - time.monotonic()
                time.sleep(max(0.0, min(timeout_s, pause)))
                return
            for key, ready in selector.select(timeout_s):
                if key.data is None:
                    self._accept()
                else:
                    self._attend(key.data, ready)
        for peer in list(self._peers):
            self._guard(peer, peer.check_patience)

    def close(self, linger_s: float = 0.0) -> None:
        """Ends every connection, waiting up to ``linger_s`` for the peers to take in what they were sent."""
        until = time.monotonic() + linger_s
        for peer in self._peers:
            peer.finish()
        for peer in self._peers:
            peer.close(until)
        self._peers = []
        if self._door is not None:
            self._door.close()

    def _open_door(self) -> socket.socket:
        try:
            door = socket.create_server((self.host, self.port), backlog=MAX_CLIENTS)
        except (OSError, UnicodeError) as problem:
            raise ExportError(
                f"{self.host}:{self.port} cannot be listened at: {how_it_failed(problem)}.",
                "Choose another --port, or an address of this machine with --host.",
            ) from problem
        door.setblocking(False)
        self.port = door.getsockname()[1]
        return door

    def _accept(self) -> None:
        if self._door is None:
            return
        try:
            connection, address = self._door.accept()
        except OSError:  # gone again before it was let in
            return
        if len(self._peers) >= MAX_CLIENTS:
            connection.close()
            self._report(f"{address[0]} is turned away: {MAX_CLIENTS} clients are served already.")
            return
        peer = Peer(connection, f"{address[0]}:{address[1]}", self._patience_s, connected=True)
        self._take_in(peer)
        self._opened(peer)

    def _connect(self) -> None:
        if time.monotonic() < self._next_try:
            return
        if self._lookup is None:
            self._lookup = Lookup(self.host, self.port)
        try:
            ways = self._lookup.answer()
        except (OSError, UnicodeError) as problem:
            self._lookup = None
            self._lost(None, how_it_failed(problem))
            return
        if ways is None:
            return
        self._lookup = None
        family, kind, protocol, address = ways[self._tries % len(ways)]
        peer = Peer(
            socket.socket(family, kind, protocol), f"{self.host}:{self.port}", self._patience_s, connected=False
        )
        self._take_in(peer)
        result = peer.socket.connect_ex(address)
        if result not in (0, errno.EINPROGRESS, errno.EWOULDBLOCK):
            self._lost(peer, os.strerror(result).lower())

    def _take_in(self, peer: Peer) -> None:
        peer.offer(self._messages)
        self._peers.append(peer)

    def _opened(self, peer: Peer) -> None:
        self._opened_at, self._told = time.monotonic(), ""
        self._report(f"Connected with {peer.name}.")

    def _attend(self, peer: Peer, ready: int) -> None:
        def attend() -> None:
            if ready & selectors.EVENT_WRITE and peer.write():
                self._opened(peer)
            if ready & selectors.EVENT_READ and peer.connected:
                peer.read()

        self._guard(peer, attend)

    def _guard(self, peer: Peer, action: Callable[[], None]) -> None:
        """Lets a peer go whose connection ends over an action."""
        try:
            action()
        except PeerLostError as lost:
            self._lost(peer, str(lost))

    def _lost(self, peer: Peer | None, how: str) -> None:
        was_open = peer is not None and peer.connected
        name = f"{self.host}:{self.port}" if peer is None else peer.name
        if peer is not None:
            peer.close()
            self._peers.remove(peer)
        if was_open and time.monotonic() - self._opened_at > RETRY_S[1]:
            self._tries = 0  # but a server that lets nobody stay is not asked ever faster
        self._next_try = time.monotonic() + min(RETRY_S[0] * 2.0**self._tries, RETRY_S[1])
        self._tries += 1
        told = f"The connection with {name} has ended: {how}." if was_open else f"{name} cannot be reached: {how}."
        if told != self._told:  # not at every new try
            self._told = told
            self._report(told)
