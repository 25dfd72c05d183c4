"""The folder of an unfinished training: its owner, its lock, and what may be deleted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from radgs.errors import OutputError
from radgs.io.atomic import cannot_write, write_text
from radgs.io.model_header import work_folder
from radgs.io.writers_lock import only_writer

#: The file that makes a folder ours, to take up and to delete.
MARKER, WORK_SCHEMA = "radgs-work.json", "radgs.work/1"


@contextmanager
def unfinished_work(out: Path, subject: str, seed: int) -> Iterator[Path]:
    """The work folder of a model file and a seed; within, no other process trains that model.

    What is there of the same subject is taken up. What another subject left is of no use and is deleted; another seed's
    work lies in a folder of its own.

    Args:
        out: The model file; its folder exists.
        subject: What is trained on, in a line.
        seed: Of the training.

    Raises:
        OutputError: Another process trains that model, the folder cannot be written to, or something else bears its
            name.
    """
    work = work_folder(out, seed)
    with only_writer(out):
        try:
            _make_ours(work, subject)
        except OSError as problem:
            raise cannot_write(work, problem) from problem
        yield work


def remove_work(work: Path) -> None:
    """Deletes a work folder, if it is one.

    Raises:
        OutputError: It cannot be deleted.
    """
    if _subject_of(work) is None:
        return
    try:
        shutil.rmtree(work)
    except OSError as problem:
        raise OutputError(f"{work} cannot be deleted: {problem.strerror}.", "Delete it by hand.") from problem


def _make_ours(work: Path, subject: str) -> None:
    there = _subject_of(work)
    if there is not None and there != subject:
        remove_work(work)
    if work.is_symlink() or (work.exists() and not work.is_dir()):
        raise OutputError(f"{work} is in the way.", "Move it away, or name another model file.")
    if there is None and work.is_dir() and any(path.name != MARKER for path in work.iterdir()):
        raise OutputError(
            f"{work} is no unfinished work of RadGSReg; nothing there was touched.",
            "Move it away, or name another model file.",
        )
    work.mkdir(mode=0o700, exist_ok=True)
    write_text(work / MARKER, json.dumps({"schema": WORK_SCHEMA, "subject": subject}) + "\n")


def _subject_of(work: Path) -> str | None:
    """What a work folder is about; None where it is none."""
    if work.is_symlink():
        return None
    try:
        values = json.loads((work / MARKER).read_text(encoding="utf-8"))
        return str(values["subject"]) if values["schema"] == WORK_SCHEMA else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
