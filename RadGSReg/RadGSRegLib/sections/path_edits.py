"""ctkPathLineEdit used so that an empty line is noticed, and so that no path outlives the patient it was typed for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def on_change(edit: Any, changed: Callable[[], None]) -> None:
    """Calls back whenever a line may hold something else.

    Of an acceptable path the widget tells by ``currentPathChanged``; that the line is empty, or holds what its name
    filters do not accept, only by ``validInputChanged``.
    """
    edit.connect("currentPathChanged(QString)", lambda path: changed())
    edit.connect("validInputChanged(bool)", lambda valid: changed())


def typed_folder(edit: Any) -> Path | None:
    """The folder in a line; None where it is empty or relative, as nobody knows the application's working folder."""
    text = edit.currentPath.strip()
    return Path(text) if text and Path(text).is_absolute() else None


class PatientPaths:
    """Lines whose paths are those of one patient.

    Args:
        edits: The lines; they are emptied when the scene is closed and when another CT is chosen.
    """

    def __init__(self, edits: Sequence[Any]) -> None:
        self._edits = edits
        self._ct: str | None = None

    def follow(self, ct: Any) -> bool:
        """Empties the lines where the CT is not the one they were typed for, and says whether that was so."""
        identifier = None if ct is None else ct.GetID()
        is_other = self._ct not in (None, identifier)
        if is_other:
            self.forget()
        self._ct = identifier
        return is_other

    def forget(self) -> None:
        """Empties the lines, and tells nobody."""
        self._ct = None
        for edit in self._edits:
            show_path(edit, "")


def show_path(edit: Any, text: str) -> None:
    """Puts a path into a line, and tells nobody."""
    if edit.currentPath != text:
        blocked = edit.blockSignals(True)
        edit.currentPath = text
        edit.blockSignals(blocked)
