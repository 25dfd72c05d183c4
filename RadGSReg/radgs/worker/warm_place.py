"""Where the user's warm worker is met: a socket in the user's cache, named for the engine that would answer there.

Another version of the engine, other libraries, another Python or other settings have another name: what is not the same
is never spoken to.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from radgs.io.cache_folder import user_cache
from radgs.versions import versions

#: In the cache folder; its entries are no entries of the cache.
FOLDER = "worker"
#: Systems know no longer path of a socket (104 bytes on macOS, 108 on Linux, a zero at the end).
MAX_PATH_BYTES = 103
#: What of the environment a worker is started with decides what it computes, and where it looks.
SETTINGS = ("RADGS_", "OMP_", "MKL_", "NUMBA_", "CUDA_", "PYTORCH_", "PYTHONPATH", "HOME", "XDG_CACHE_HOME")


class NoWorkerError(Exception):
    """There is no warm worker to be had; the message says why, without a capital letter or a full stop."""


@dataclass(frozen=True)
class WarmPlace:
    """Files of one worker.

    Attributes:
        socket: Where it listens.
        lock: Held by the one process that listens there.
        log: What it printed.
    """

    socket: Path
    lock: Path
    log: Path

    @classmethod
    def of_this_engine(cls) -> WarmPlace:
        """The place of the engine that asks, in a folder that nobody else can enter.

        Raises:
            NoWorkerError: There can be none here.
        """
        if sys.platform == "win32":
            raise NoWorkerError("Windows has no sockets for it")
        folder = user_cache().private_folder(FOLDER)
        if folder is None:
            raise NoWorkerError("there is no cache folder for its socket")
        place = cls.named(folder / f"{engine_key()[:16]}.socket")
        if len(os.fsencode(place.socket)) > MAX_PATH_BYTES:
            raise NoWorkerError("the path of the cache folder is too long for its socket")
        return place

    @classmethod
    def named(cls, socket: Path) -> WarmPlace:
        """The place of a socket."""
        return cls(socket, socket.with_suffix(".lock"), socket.with_suffix(".log"))

    def is_mine(self) -> bool:
        """Whether a socket stands there that this user made and nobody else can open."""
        try:
            state = self.socket.lstat()
        except OSError:
            return False
        mine = sys.platform != "win32" and state.st_uid == os.getuid()
        return mine and stat.S_ISSOCK(state.st_mode) and not state.st_mode & 0o077


def engine_key() -> str:
    """A hash of what decides a result: the engine's code, its libraries, Python, and the settings."""
    digest = hashlib.sha256(repr((sys.executable, sys.version, sorted(versions().items()), _umask())).encode())
    settings = sorted((name, value) for name, value in os.environ.items() if name.startswith(SETTINGS))
    digest.update(repr(settings).encode(errors="backslashreplace"))
    engine = Path(__file__).resolve().parents[1]
    for file in sorted(engine.rglob("*.py")):
        digest.update(file.relative_to(engine).as_posix().encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _umask() -> int:
    """Files that a worker writes get the rights that the caller's would."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
