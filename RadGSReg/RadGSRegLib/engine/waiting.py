"""Waiting in a script while the application goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import slicer

#: Long enough to leave the processor to others, short enough that nobody sees it.
PAUSE_SECONDS = 0.01


def process_events_until(condition: Callable[[], Any]) -> None:
    """Lets the application handle its events until a condition holds."""
    while not condition():
        slicer.app.processEvents()
        time.sleep(PAUSE_SECONDS)
