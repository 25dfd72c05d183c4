"""A session's files between panel and engine: a folder for the user's eyes alone, that does not outlive its process.

They are the patient's images. A process that ends in order removes its folder; what one that crashed has left is
removed by the next. Whether a folder's process still lives is told by a lock that the system lets go of with it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

PREFIX = "RadGSReg-session-"
LOCK = "in-use.lock"

#: A folder without its lock is being made, unless it is older than this, seconds.
MAKING = 600.0


class SessionFolder:
    """A new folder for this process; those of processes that are gone are removed.

    Args:
        place: Where such folders are made, Slicer's folder for temporary files.

    Attributes:
        path: The folder, which nobody else can read (mode 0700; on Windows, as ``place`` is).
    """

    def __init__(self, place: Path) -> None:
        remove_abandoned(place)
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
        self._lock = (self.path / LOCK).open("a+b")
        _acquire(self._lock)

    def remove(self) -> None:
        """Removes the folder with all that is in it."""
        self._lock.close()  # before, because Windows removes no open file
        shutil.rmtree(self.path, ignore_errors=True)


def remove_abandoned(place: Path) -> None:
    """Removes this user's session folders whose processes are gone."""
    for folder in place.glob(f"{PREFIX}*"):
        with suppress(OSError):  # another user's, or one that another process removes at this moment
            if not folder.is_symlink() and _is_ours(folder) and _is_abandoned(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()


def _is_abandoned(folder: Path) -> bool:
    try:
        lock = (folder / LOCK).open("r+b")
    except FileNotFoundError:
        return time.time() - folder.stat().st_mtime > MAKING
    with lock:
        try:
            _acquire(lock)
        except OSError:
            return False
    return True


if os.name == "nt":
    import msvcrt

    def _acquire(lock: IO[bytes]) -> None:
        lock.seek(0)
        msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _acquire(lock: IO[bytes]) -> None:
        """Takes the lock until the file is closed; raises OSError where a process has it."""
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
