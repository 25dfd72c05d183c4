"""Writing files whole or not at all: under a temporary name, synced, then renamed. The engine writes files only here.

What stood under the name stays as it was until the new file is complete; a link there is replaced, not followed.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from radgs.errors import OutputError

#: Begins the name of everything that is not finished yet.
UNFINISHED = ".radgs-"
#: What holds something of a patient is for its owner's eyes; other files follow the user's umask.
PRIVATE_MODE, SHARED_MODE = 0o600, 0o666
#: A disk, a quota or a limit is full.
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def write_atomically(path: Path, *, private: bool = True, durable: bool = True) -> Iterator[Path]:
    """A path in the same folder to write to; at the end, what stands there takes the place of ``path``.

    The file aside exists already, empty, and ends like ``path``, for writers that choose a format by the suffix. When
    the writing fails or is interrupted, it is gone again.

    Args:
        path: The file to be.
        private: Whether only its owner may read it; otherwise the umask decides.
        durable: Whether to wait until it is on the disk; False for pictures that are looked at once.

    Raises:
        OutputError: The file cannot be written.
    """
    aside = path.with_name(f"{UNFINISHED}{secrets.token_hex(4)}-{path.name}")
    try:
        os.close(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE_MODE if private else SHARED_MODE))
        yield aside
        if durable:
            sync(aside)
        aside.replace(path)
        if durable:
            sync(path.parent)
    except OSError as problem:
        raise cannot_write(path, problem) from problem
    finally:
        with suppress(OSError):
            aside.unlink()


def write_bytes(path: Path, content: bytes, *, private: bool = True, durable: bool = True) -> None:
    """Writes bytes, see ``write_atomically``.

    Raises:
        OutputError: The file cannot be written.
    """
    with write_atomically(path, private=private, durable=durable) as aside:
        aside.write_bytes(content)


def write_text(path: Path, text: str, *, private: bool = True, durable: bool = True) -> None:
    """Writes UTF-8 text, see ``write_atomically``.

    Raises:
        OutputError: The file cannot be written.
    """
    write_bytes(path, text.encode("utf-8"), private=private, durable=durable)


def sync(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk; where a folder cannot be asked, nothing is done.

    Raises:
        OSError: The disk could not take a file.
    """
    folder = path.is_dir()
    if folder and os.name == "nt":
        return
    # Windows syncs only what was opened for writing.
    descriptor = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
    try:
        os.fsync(descriptor)
    except OSError as problem:
        if not folder or problem.errno in FULL:  # some network file systems sync no folders
            raise
    finally:
        os.close(descriptor)


def not_as_written(path: Path) -> OutputError:
    """The error for a file that does not read back as what was to be in it."""
    return OutputError(
        f"{path} cannot be written: it does not read back as it should.",
        "Check the space on the disk and the suffix, then run it again.",
    )


def cannot_write(path: Path, problem: OSError) -> OutputError:
    """The error for a file or folder that the system did not let us write."""
    if problem.errno in FULL:
        return OutputError(
            f"{path} cannot be written: {os.strerror(problem.errno or 0)}.", "Free some space, then run it again."
        )
    reason = problem.strerror or "not all of it could be written"  # as numpy says it
    return OutputError(f"{path} cannot be written: {reason}.", "Name a place that you may write to.")
