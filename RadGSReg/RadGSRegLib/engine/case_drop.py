"""What is dropped onto the application's window: the case among it, if there is one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

#: What a case's file is called.
CASE_FILE = "case.json"


def dropped_paths(mime_data: Any) -> list[Path]:
    """The local files and folders among dropped data, a QMimeData."""
    urls = mime_data.urls() if mime_data.hasFormat("text/uri-list") else []
    return [Path(path) for url in urls if (path := url.toLocalFile())]


def case_among(paths: Iterable[Path]) -> Path | None:
    """The first case.json, or folder that holds one; None where there is none.

    A JSON file of another name is somebody else's, or a case only because the user says so: *Load case...* takes it.
    """
    return next((path for path in map(_case_at, paths) if path is not None), None)


def _case_at(path: Path) -> Path | None:
    candidate = path / CASE_FILE if path.is_dir() else path
    return candidate if candidate.name == CASE_FILE and candidate.is_file() else None
