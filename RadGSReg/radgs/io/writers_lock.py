"""One writer at a time: a lock on what is being written, which dies with the process that holds it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from radgs.errors import OutputError
from radgs.io.atomic import PRIVATE_MODE, cannot_write

if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def only_writer(target: Path) -> Iterator[None]:
    """Within it, no other process writes to ``target``; the lock is a file beside it, gone at the end.

    Args:
        target: The file or folder to be written; its folder exists.

    Raises:
        OutputError: Another process is writing to it, or its folder cannot be written to.
    """
    lock = target.with_name(f".{target.name}.radgs-lock")
    descriptor = _locked(target, lock)
    try:
        yield
    finally:
        if sys.platform == "win32":  # what is open cannot be removed
            os.close(descriptor)
            with suppress(OSError):
                lock.unlink()
        else:  # removed while it is held: who has opened it meanwhile sees that it is no longer there
            with suppress(OSError):
                lock.unlink()
            os.close(descriptor)


def _locked(target: Path, lock: Path) -> int:
    while True:
        try:
            descriptor = os.open(lock, os.O_CREAT | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0), PRIVATE_MODE)
        except OSError as problem:
            raise cannot_write(target, problem) from problem
        try:
            _take(descriptor)
        except OSError as problem:
            os.close(descriptor)
            raise OutputError(
                f"Another run is writing to {target}.", "Wait until it has ended, or name another place with --out."
            ) from problem
        with suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), lock.stat()):
                return descriptor
        os.close(descriptor)
