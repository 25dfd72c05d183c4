"""A cache on disk that spares the next process work: bounded in size, readable by its owner only, without names.

The folder is the system's usual one for caches. The environment variable RADGS_CACHE names another one, or says "off".
An entry is a file named by the hash of what it belongs to; whoever asks knows what that is, the folder does not.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from radgs.errors import OutputError
from radgs.io.atomic import write_bytes

#: Names another folder, or is "off".
VARIABLE = "RADGS_CACHE"
#: All entries together, at most.
MAX_BYTES = 2 * 2**30
PRIVATE_FOLDER_MODE = 0o700

_ENTRY = re.compile(r"[0-9a-f]{64}")
_DIGEST_BYTES = hashlib.sha256().digest_size
_logger = logging.getLogger("radgs.cache")


@dataclass(frozen=True)
class CacheUse:
    """What a cache holds: entries, and their size in bytes."""

    entries: int
    size: int


class CacheFolder:
    """Entries by kind and key. Whatever goes wrong, the work goes on without them: it is said once, in a line.

    Args:
        folder: Where; None to remember nothing.
        most_bytes: Of all entries together; those not used for the longest time make room.
    """

    def __init__(self, folder: Path | None, most_bytes: int = MAX_BYTES) -> None:
        self.folder, self._most_bytes = folder, most_bytes
        self._usable: bool | None = None if folder is not None else False

    def get(self, kind: str, key: str) -> bytes | None:
        """What was put there, unharmed; None where nothing is."""
        if not self._can_be_used():
            return None
        path = self._path(kind, key)
        try:
            stored = path.read_bytes()
            os.utime(path)  # used now
        except OSError:
            return None
        digest, content = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
        if hashlib.sha256(content).digest() != digest:
            with suppress(OSError):
                path.unlink()
            return None
        return content

    def put(self, kind: str, key: str, content: bytes) -> None:
        """Keeps something, unless it alone is larger than the cache may be."""
        if len(content) + _DIGEST_BYTES > self._most_bytes or not self._can_be_used():
            return
        path = self._path(kind, key)
        try:
            path.parent.mkdir(mode=PRIVATE_FOLDER_MODE, exist_ok=True)
            write_bytes(path, hashlib.sha256(content).digest() + content, durable=False)
            self._make_room()
        except (OSError, OutputError) as problem:
            self._give_up(str(problem))

    def private_folder(self, name: str) -> Path | None:
        """A folder of the cache's that is no kind of entries, for its owner alone; None where there is no cache."""
        if not self._can_be_used():
            return None
        assert self.folder is not None
        folder = self.folder / name
        try:
            folder.mkdir(mode=PRIVATE_FOLDER_MODE, exist_ok=True)
            if folder.is_symlink() or (sys.platform != "win32" and folder.stat().st_uid != os.getuid()):
                return None
            folder.chmod(PRIVATE_FOLDER_MODE)
        except OSError:
            return None
        return folder

    def use(self) -> CacheUse:
        """What is there now."""
        sizes = [size for _, size, _ in self._entries()]
        return CacheUse(len(sizes), sum(sizes))

    def clear(self) -> CacheUse:
        """Removes all entries, and nothing else; returns what they were.

        Raises:
            OutputError: An entry cannot be removed.
        """
        before = self.use()
        for path, _, _ in self._entries():
            try:
                path.unlink(missing_ok=True)
            except OSError as problem:
                raise OutputError(f"{path} cannot be removed: {problem.strerror}.", "Remove it by hand.") from problem
        return before

    def _path(self, kind: str, key: str) -> Path:
        assert self.folder is not None
        return self.folder / kind / hashlib.sha256(key.encode()).hexdigest()

    def _entries(self) -> Iterator[tuple[Path, int, int]]:
        """Path, size, and time of the last use in nanoseconds, of every entry."""
        if self.folder is None or not self.folder.is_dir():
            return
        for kind in sorted(self.folder.iterdir()):
            if kind.is_symlink() or not kind.is_dir():
                continue
            for path in kind.iterdir():
                with suppress(OSError):
                    if _ENTRY.fullmatch(path.name):
                        state = path.lstat()
                        yield path, state.st_size, state.st_mtime_ns

    def _make_room(self) -> None:
        entries = sorted(self._entries(), key=lambda entry: entry[2])
        excess = sum(size for _, size, _ in entries) - self._most_bytes
        for path, size, _ in entries:
            if excess <= 0:
                return
            path.unlink(missing_ok=True)
            excess -= size

    def _can_be_used(self) -> bool:
        if self._usable is None:
            self._usable = True
            try:
                self._take_possession()
            except OSError as problem:
                self._give_up(problem.strerror or str(problem))
        return self._usable

    def _take_possession(self) -> None:
        """Makes the folder, for its owner alone.

        Raises:
            OSError: It cannot be made, or is another user's.
        """
        assert self.folder is not None
        self.folder.mkdir(mode=PRIVATE_FOLDER_MODE, parents=True, exist_ok=True)
        state = self.folder.stat()
        if sys.platform != "win32":
            if state.st_uid != os.getuid():
                raise PermissionError(1, "it belongs to another user")
            if state.st_mode & 0o077:
                self.folder.chmod(PRIVATE_FOLDER_MODE)
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise PermissionError(13, os.strerror(13))

    def _give_up(self, why: str) -> None:
        self._usable = False
        _logger.warning("The cache %s cannot be used (%s); everything works without it.", self.folder, why)


def no_cache() -> CacheFolder:
    """A cache that remembers nothing."""
    return CacheFolder(None)


def user_cache() -> CacheFolder:
    """The user's cache, wherever the environment puts it, or one that remembers nothing when it is switched off."""
    named = os.environ.get(VARIABLE, "").strip()
    if named.lower() in ("off", "0", "no", "false"):
        return no_cache()
    return CacheFolder(Path(named) if named else _usual_folder())


def _usual_folder() -> Path | None:
    """Where the system keeps caches; None for a user without a home."""
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "radgs" / "cache"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "radgs"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "radgs"
