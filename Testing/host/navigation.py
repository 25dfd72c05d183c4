"""A navigation system at the other end of a socket: pyigtl's server on this machine, and what it receives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

HOST = "127.0.0.1"
#: How long something may take that has to happen; a busy machine needs some.
PATIENCE_S = 20.0


@pytest.fixture
def pyigtl() -> Any:
    """The library, where it is installed."""
    return pytest.importorskip("pyigtl", reason="pyigtl is not installed")


@pytest.fixture
def navigation(pyigtl: Any) -> Iterator[Any]:
    """A navigation system's server."""
    running = pyigtl.OpenIGTLinkServer(port=0, local_server=True)
    running.port = running.server_address[1]
    yield running
    running.stop()


def message_at(host: Any, receiver: Any, device: str, seconds: float = PATIENCE_S) -> Any:
    """Waits for a device's message while the application's event loop runs; None when none comes."""
    found: list[Any] = []

    def there() -> bool:
        message = receiver.wait_for_message(device, timeout=0)
        found.extend([] if message is None else [message])
        return bool(found)

    with suppress(TimeoutError):
        host.wait_until(there, seconds)
    return found[0] if found else None
