"""What files hold, by hash: the identity of what is read. A file that has not changed is not hashed again."""

from __future__ import annotations

import hashlib
import os
import re
import time
from pathlib import Path

from radgs.errors import InputFileError
from radgs.io.cache_folder import CacheFolder, no_cache

#: A change may leave a file's times as they were until the clock of the file system ticks on: two seconds on the
#: coarsest. What changed as shortly before it was looked at is hashed again next time.
TICK_NS = 2_000_000_000
#: Less is hashed faster than looked up, bytes.
WORTH_KEEPING_BYTES = 1_000_000
#: In the cache folder.
KIND = "hashes"
#: Headers that name the file of their voxels are short; bytes.
MAX_HEADER_BYTES = 100_000
#: The line that does so, in a MetaImage's header and in an NRRD's.
DATA_FILE = re.compile(rb"^(?:ElementDataFile\s*=|data ?file:)[ \t]*(\S[^\r\n]*?)\s*$", re.MULTILINE | re.IGNORECASE)
#: The names of a pair of header and voxels, Analyze or NIfTI.
PAIRED = re.compile(r"\.(hdr|img)(\.gz)?$", re.IGNORECASE)

#: Device, inode, size, and the times of the last change of the content and of anything.
Stamp = tuple[int, int, int, int, int]


class ContentHashes:
    """SHA-256 of files and folders.

    Args:
        cache: Remembers for other processes what unchanged files hash to.
    """

    def __init__(self, cache: CacheFolder | None = None) -> None:
        self._known: dict[tuple[Stamp, ...], str] = {}
        self._cache = cache or no_cache()

    def of(self, *named: Path) -> str:
        """SHA-256 over the hash of everything that is named, in its order.

        The hash of an image is that over the SHA-256 of its file and, where its header names another one for its
        voxels, of that; the hash of a folder is over those of its files in the order of their names.

        Raises:
            InputFileError: A file cannot be read, or changes while it is.
        """
        digest = hashlib.sha256()
        for path in named:
            try:
                digest.update(bytes.fromhex(self._of_one(path)))
            except OSError as problem:
                raise InputFileError(f"{path} cannot be read.", "Check the file.") from problem
        return digest.hexdigest()

    def _of_one(self, path: Path) -> str:
        files = files_of(path)
        stamps = tuple(stamp_of(file) for file in files)
        if stamps in self._known:
            return self._known[stamps]
        worth = sum(size for _, _, size, _, _ in stamps) >= WORTH_KEEPING_BYTES
        kept = self._cache.get(KIND, repr(stamps)) if worth else None
        if kept is not None and len(kept) == hashlib.sha256().digest_size:
            found = kept.hex()
        else:
            digest = hashlib.sha256()
            for file in files:
                digest.update(_sha256(file))
            found, now = digest.hexdigest(), time.time_ns()
            if tuple(stamp_of(file) for file in files) != stamps:
                raise InputFileError(f"{path} changes while it is read.", "Wait until it is written, then go on.")
            if any(now - _changed_ns(stamp) < TICK_NS for stamp in stamps):
                return found
            if worth:
                self._cache.put(KIND, repr(stamps), bytes.fromhex(found))
        self._known[stamps] = found
        return found


def stamp_of(path: Path) -> Stamp:
    """What changes when a file does.

    Raises:
        OSError: There is no such file.
    """
    state = path.stat()
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns


def files_of(path: Path) -> list[Path]:
    """The files that an image, or a folder of them, consists of; none where there is nothing."""
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    return [path, *_companions(path)] if path.is_file() else []


def _companions(path: Path) -> list[Path]:
    """The files beside an image's that belong to it: its voxels, or their header."""
    if PAIRED.search(path.name):
        stem = PAIRED.sub("", path.name)
        return sorted(
            other
            for other in path.parent.iterdir()
            if other != path and PAIRED.search(other.name) and PAIRED.sub("", other.name) == stem
        )
    with path.open("rb") as file:
        head = file.read(MAX_HEADER_BYTES)
    if not head.startswith(b"NRRD") and b"NDims" not in head[:2000]:
        return []
    named = DATA_FILE.search(head.partition(b"\n\n")[0])
    if named is None or named[1].upper() == b"LOCAL":
        return []
    voxels = path.parent / os.fsdecode(named[1])
    inside = voxels.resolve().is_relative_to(path.parent.resolve())  # what lies elsewhere is not read either
    return [voxels] if inside and voxels.is_file() else []


def _changed_ns(stamp: Stamp) -> int:
    """When a file last changed; Windows's ctime is that of its creation."""
    return stamp[3] if os.name == "nt" else stamp[4]


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
