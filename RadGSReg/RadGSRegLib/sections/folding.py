"""Which sections are open: each opens when its time comes and folds when it is done, unless the user says otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any


@dataclass(frozen=True)
class Progress:
    """How far the user has come.

    Attributes:
        can_click: There are levels to click, and X-rays to click them in.
        complete: The inputs are chosen and the levels confirmed.
        looking: There were pictures to look at, or they are being drawn.
        has_results: A level of this CT has been registered.
        accepted: The user has accepted a level.
    """

    can_click: bool
    complete: bool
    looking: bool
    has_results: bool
    accepted: bool


def sections_due(now: Progress) -> dict[str, bool]:
    """Whether a section's time has come, by the name of its collapsible button; others are the user's alone."""
    return {
        "inputsCollapsibleButton": not (now.complete and (now.looking or now.has_results)),
        "initializationCollapsibleButton": now.can_click and not now.has_results,
        "outputsCollapsibleButton": now.complete and not now.has_results and not now.looking,
        "resultsCollapsibleButton": now.has_results,
        "visualQaCollapsibleButton": now.looking or now.has_results,
        "exportCollapsibleButton": now.accepted,
    }


class Folding:
    """Opens and folds the sections.

    A section is moved only when its time comes or goes: what a script opens in between stays open. One that the user
    opened or folded by hand stays as the user put it.

    Args:
        ui: The form's widgets by name.
        unfolded: Called when a section was opened or folded by somebody else.
    """

    def __init__(self, ui: Any, unfolded: Callable[[], None]) -> None:
        self._ui, self._unfolded = ui, unfolded
        self._due: dict[str, bool] = {}
        self._by_hand: set[str] = set()
        self._moving = False
        for name in sections_due(Progress(False, False, False, False, False)):
            button = getattr(ui, name)
            button.connect("clicked(bool)", partial(self._keep, name))  # of the user's own pressing only
            button.connect("contentsCollapsed(bool)", self._tell)

    def follow(self, now: Progress) -> None:
        """Moves the sections whose time has come or gone."""
        self._moving = True
        try:
            for name, due in sections_due(now).items():
                if due != self._due.get(name) and name not in self._by_hand:
                    getattr(self._ui, name).collapsed = not due
                self._due[name] = due
        finally:
            self._moving = False

    def start_over(self) -> None:
        """Forgets what the user put where, for another patient."""
        self._due, self._by_hand = {}, set()

    def _keep(self, name: str, checked: bool) -> None:
        self._by_hand.add(name)

    def _tell(self) -> None:
        """A collapsible button shows all its children when it opens, those too that were hidden while it was closed."""
        if not self._moving:
            self._unfolded()
