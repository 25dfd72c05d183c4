"""Looking up a host's addresses in the background: a name server may take seconds to answer."""

from __future__ import annotations

import ipaddress
import socket
import threading
from typing import Any

#: Family, type, protocol and address of a way to reach a host.
Way = tuple[socket.AddressFamily, socket.SocketKind, int, Any]


def is_address(host: str) -> bool:
    """Whether a host is given as numbers, which no name server has to be asked about."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class Lookup:
    """One question for the ways to a host and port; numbers are answered at once, a name by a thread of its own."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._answer: list[Way] | OSError | UnicodeError | None = None
        if is_address(host):
            self._ask()
        else:
            threading.Thread(target=self._ask, name=f"lookup of {host}", daemon=True).start()

    def answer(self) -> list[Way] | None:
        """The ways to the host; None as long as they are not known.

        Raises:
            OSError: There is no such host.
            UnicodeError: No host can be called that.
        """
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    def _ask(self) -> None:
        try:
            known = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            self._answer = [(family, kind, protocol, address) for family, kind, protocol, _, address in known]
        except (OSError, UnicodeError) as problem:
            self._answer = problem
