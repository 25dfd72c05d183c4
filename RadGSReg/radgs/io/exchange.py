"""Two folders that change places in one step, where the system can do that."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from pathlib import Path

#: From Linux's fcntl.h and fs.h, and macOS's stdio.h: paths count from here; the two names change places.
AT_FDCWD, RENAME_EXCHANGE, RENAME_SWAP = -100, 2, 2

#: By platform, what the C library calls it.
CALLS: dict[str, Callable[[ctypes.CDLL, bytes, bytes], int]] = {
    "linux": lambda library, first, second: library.renameat2(AT_FDCWD, first, AT_FDCWD, second, RENAME_EXCHANGE),
    "darwin": lambda library, first, second: library.renamex_np(first, second, RENAME_SWAP),
}


def exchange(first: Path, second: Path) -> bool:
    """Lets two names change places at once, so that at no moment either is missing.

    Returns:
        False where the system or the file system has no such call; then nothing has changed.
    """
    call = CALLS.get(sys.platform)
    try:
        return call is not None and call(ctypes.CDLL(None), os.fsencode(first), os.fsencode(second)) == 0
    except (AttributeError, OSError):
        return False
