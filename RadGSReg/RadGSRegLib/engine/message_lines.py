"""Bytes as they arrive from the worker, turned into messages, whole lines at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any


class MessageLines:
    """Keeps what has arrived of a line until the rest comes; a line, not a read, is the unit of UTF-8."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Takes what one read gave, and yields the messages that it completes.

        A line that is no message, such as a launcher's own words, becomes a ``log`` message.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.strip():
                yield _message(line)


def _message(line: bytes) -> dict[str, Any]:
    text = line.decode("utf-8", errors="replace").strip()
    try:
        message = json.loads(text)
    except ValueError:
        message = None
    if isinstance(message, dict) and isinstance(message.get("type"), str):
        return message
    return {"type": "log", "level": "info", "message": text}
