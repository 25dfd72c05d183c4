"""Long work in the window's thread, cut into steps between which the application has its turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import qt

from radgs.errors import RadgsError

#: Small steps are taken together up to this long; then the application has its turn.
STEP_SECONDS = 0.02


def walk(
    steps: Iterator[Any],
    then: Callable[[Any], None],
    failed: Callable[[RadgsError], None],
    going_on: Callable[[], bool],
) -> None:
    """Takes steps from the event loop until one yields something, and goes on with that.

    Args:
        steps: Yields None after each step, and what it was for at the end.
        then: Called with that.
        failed: Called instead with the error that a step raised.
        going_on: Asked now and then; once it says no, nothing more happens.
    """
    if not going_on():
        return
    end = time.perf_counter() + STEP_SECONDS
    try:
        while time.perf_counter() < end:
            found = next(steps)
            if found is not None:
                then(found)
                return
    except RadgsError as error:
        failed(error)
        return
    except Exception as error:
        failed(RadgsError(f"RadGS-Reg failed unexpectedly: {error!r}.", "Please report it, with the log."))
        raise
    qt.QTimer.singleShot(0, lambda: walk(steps, then, failed, going_on))
