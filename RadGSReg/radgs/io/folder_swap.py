"""A folder that holds one run: written aside, and swapped in when it is whole.

Beside the folder lie, while a run writes to it, a lock and the folder to be; a run that was killed leaves the latter,
and the next one clears it away. A hidden list in the folder says which files the run wrote: nothing else is ever
deleted, and a folder that holds anything else is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from radgs.errors import OutputError
from radgs.io.atomic import UNFINISHED, cannot_write, sync, write_text
from radgs.io.exchange import exchange
from radgs.io.writers_lock import only_writer

#: Lists what a run wrote, by name with SHA-256; ``files`` is null while it is being written.
LIST_NAME, LIST_SCHEMA = ".radgs-files.json", "radgs.files/1"
#: Stands in the folder from the moment a run begins until its result is swapped in.
OUTDATED_NAME = "OUTDATED.txt"
#: What file managers leave in any folder.
DROPPINGS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", ".directory"})

ADVICE = "Name a folder of its own with --out."
MARK = (
    "A run into this folder began at {} and has not ended with a result: what lies here is of an earlier run.\n"
    "Run it again. To keep the earlier result in use, delete this file.\n"
)


class FolderToBe:
    """A run's folder while it is written.

    Attributes:
        aside: Where to write.
        named: Where it will be, as it was named.
        folder: The same, without links on the way; what stands there now is of an earlier run.
    """

    def __init__(self, named: Path, folder: Path, aside: Path) -> None:
        self.named, self.folder, self.aside = named, folder, aside

    def refuse_inputs(self, inputs: Iterable[Path]) -> None:
        """Refuses to take the place of what the run reads, or to stand within it.

        Raises:
            OutputError: An input lies in the folder, or the folder in an input.
        """
        for named in inputs:
            path = named.resolve()
            if path == self.folder or self.folder in path.parents:
                raise OutputError(f"{self.folder} holds an input, {named}.", ADVICE)
            if path in self.folder.parents:
                raise OutputError(f"{self.folder} lies within an input, {named}.", ADVICE)

    def swap_in(self) -> None:
        """Puts the folder in its place, whole and on the disk, and clears away what stood there.

        Raises:
            OutputError: It cannot be written, or somebody moved the folder.
        """
        try:
            files = [path for path in sorted(self.aside.iterdir()) if path.name != LIST_NAME]
            _write_list(self.aside, {path.name: _sha256(path) for path in files})
            sync(self.aside)
            earlier = self._swapped()
            sync(self.folder.parent)
        except OSError as problem:
            raise cannot_write(self.folder, problem) from problem
        if earlier is not None:
            _clear_away(earlier, self.folder)

    def _swapped(self) -> Path | None:
        """Where the earlier folder went."""
        if not self.folder.exists():
            self.aside.rename(self.folder)
            return None
        if exchange(self.aside, self.folder):
            return self.aside
        earlier = _earlier(self.folder)
        self.folder.rename(earlier)
        try:
            self.aside.rename(self.folder)
        except OSError:
            earlier.rename(self.folder)
            raise
        return earlier


@contextmanager
def folder_to_be(
    folder: Path, made_before: Callable[[Path], frozenset[str]] = lambda folder: frozenset()
) -> Iterator[FolderToBe]:
    """Begins a run's folder; within, nobody else writes to it, and what stands there is marked as of an earlier run.

    Without ``FolderToBe.swap_in``, what stands there stays, and so does the mark.

    Args:
        folder: Where the result goes; made where it is missing, with the folders above it.
        made_before: Names of an earlier run's files in a folder without a list.

    Raises:
        OutputError: The folder cannot be used, holds anything but an earlier run's files, or is being written to.
    """
    place = _usable(folder)
    aside = place.with_name(f".{place.name}{UNFINISHED}new")
    with only_writer(place):
        try:
            _recover(place, aside)
            listed = _listed_before(place, made_before)
        except OSError as problem:
            raise cannot_write(place, problem) from problem
        try:  # from the first file on: a signal may end the run at any line
            _begin(place, aside, listed)
            yield FolderToBe(folder, place, aside)
        finally:
            _clear_away(aside, place)


def add_to_run(folder: Path, path: Path) -> None:
    """Counts a file that was made of a run's files among them, so that the next run clears it away with the others.

    Nothing is done where the folder holds no run, or the file lies elsewhere.

    Raises:
        OutputError: The list cannot be written.
    """
    listed = listed_files(folder)
    if listed is None or path.resolve().parent != folder.resolve():
        return
    try:
        _write_list(folder, {**listed, path.name: _sha256(path)})
    except OSError as problem:
        raise cannot_write(folder, problem) from problem


def is_outdated(folder: Path) -> bool:
    """Whether a later run into this folder has begun and not ended with a result."""
    return (folder / OUTDATED_NAME).exists()


def listed_files(folder: Path) -> dict[str, str] | None:
    """Name and SHA-256 of every file that a run wrote; None where there is no list, or the folder is unfinished."""
    try:
        values = json.loads((folder / LIST_NAME).read_text(encoding="utf-8"))
        if values["schema"] != LIST_SCHEMA or values["files"] is None:
            return None
        return {str(name): str(digest) for name, digest in values["files"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _usable(folder: Path) -> Path:
    """The folder without links on its way, where a folder can stand."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file, not a folder.", "Name another folder with --out.")
    try:
        place = folder.resolve()
        if place in (Path.cwd(), *Path.cwd().parents) or os.path.ismount(place):
            raise OutputError(
                f"{folder} cannot be replaced as a whole, because work goes on in it.",
                "Name a folder of its own, such as --out result.",
            )
        place.parent.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError, ValueError) as problem:  # a ring of links; a zero byte in the name
        raise OutputError(
            f"The folder {folder} cannot be made.", "Name a folder that you may write to with --out."
        ) from problem
    return place


def _recover(place: Path, aside: Path) -> None:
    """Clears up after a run that was killed."""
    earlier = _earlier(place)
    if earlier.is_dir() and not place.exists():
        earlier.rename(place)
    for leftover in (earlier, aside):
        _clear_away(leftover, place)
        if leftover.exists() or leftover.is_symlink():
            raise OutputError(f"{leftover} is in the way.", "Move it away, or name another folder with --out.")


def _listed_before(place: Path, made_before: Callable[[Path], frozenset[str]]) -> dict[str, str] | None:
    """What an earlier run wrote; None where none did. A folder that holds anything else is refused."""
    if not place.is_dir():
        return None
    names = [entry.name for entry in place.iterdir()]
    listed = listed_files(place)
    if listed is None and names:
        listed = dict.fromkeys(made_before(place), "")
    others = sorted(name for name in names if not (name in (listed or {}) or _is_nobodys(name)))
    if others:
        raise OutputError(
            f"{place} holds what no run wrote, such as {others[0]}; nothing there was touched.",
            "Name another folder with --out, or move it away.",
        )
    return listed


def _begin(place: Path, aside: Path, listed: dict[str, str] | None) -> None:
    """Makes the folder to be, and marks what an earlier run wrote."""
    try:
        aside.mkdir(mode=place.stat().st_mode & 0o777 if place.is_dir() else 0o777)
        _write_list(aside, None)
        if listed is not None:
            _mark(place, aside, listed)
    except OSError as problem:
        raise cannot_write(place, problem) from problem


def _mark(place: Path, aside: Path, listed: dict[str, str]) -> None:
    """Says in a folder that it is of an earlier run. Written aside: even killed now, nothing else is in the folder."""
    if listed_files(place) is None:  # what takes the folder's place clears it away by its list
        _write_list(aside, listed)
        (aside / LIST_NAME).replace(place / LIST_NAME)
        _write_list(aside, None)
    write_text(aside / OUTDATED_NAME, MARK.format(datetime.now().astimezone().isoformat(" ", "seconds")))
    (aside / OUTDATED_NAME).replace(place / OUTDATED_NAME)
    sync(place)


def _clear_away(leftover: Path, folder: Path) -> None:
    """Deletes a folder that is no longer needed; what somebody put into it meanwhile moves on to ``folder``.

    Only a run's own folder is touched: one with a list, or killed before it had any. The list goes last: killed on the
    way, the next run still knows whose the folder is.
    """
    if leftover.is_symlink() or not leftover.is_dir():
        return
    entries = sorted(leftover.iterdir(), key=lambda entry: entry.name == LIST_NAME)
    listed = listed_files(leftover)
    if listed is None and (_is_unfinished(leftover) or all(_is_nobodys(entry.name) for entry in entries)):
        for entry in entries:
            _delete(entry)
        shutil.rmtree(leftover, ignore_errors=True)
        return
    if listed is None:
        return
    with suppress(OSError):
        for entry in entries:
            if (entry.name in listed or _is_nobodys(entry.name)) and (entry.is_symlink() or not entry.is_dir()):
                entry.unlink()
            elif not (folder / entry.name).exists():
                entry.rename(folder / entry.name)
        leftover.rmdir()


def _delete(entry: Path) -> None:
    """A file, a link or a folder; what cannot be deleted stays."""
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
        return
    with suppress(OSError):
        entry.unlink()


def _is_nobodys(name: str) -> bool:
    """Whether a file is neither a run's result nor anybody's work."""
    return name == OUTDATED_NAME or name in DROPPINGS or name.startswith(UNFINISHED)


def _is_unfinished(folder: Path) -> bool:
    try:
        values = json.loads((folder / LIST_NAME).read_text(encoding="utf-8"))
        return bool(values["schema"] == LIST_SCHEMA and values["files"] is None)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return False


def _write_list(folder: Path, files: dict[str, str] | None) -> None:
    write_text(folder / LIST_NAME, json.dumps({"schema": LIST_SCHEMA, "files": files}, indent=1) + "\n")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _earlier(folder: Path) -> Path:
    """Where a folder waits on systems that cannot exchange two."""
    return folder.with_name(f".{folder.name}{UNFINISHED}earlier")
