"""The gate: a question in the panel before a pose in doubt leaves; a rejected one needs its name typed as well.

The question is no dialog, because whoever answers it has to be able to look at the X-rays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from slicer.i18n import tr as _

from radgs.export import ReleasePolicy
from RadGSRegLib.export.registered_levels import KeptLevel
from RadGSRegLib.sections.export_texts import force_text, question_text


class ExportGate:
    """Asks for the consent that levels need, and hands it on.

    Args:
        ui: The form's widgets by name.
        chosen: Returns the chosen levels as they are in the scene at that moment.
        changed: Called when a question was asked, answered or withdrawn, or a name was typed.
    """

    def __init__(self, ui: Any, chosen: Callable[[], Sequence[KeptLevel]], changed: Callable[[], None]) -> None:
        self._ui, self._chosen, self._changed = ui, chosen, changed
        self._asked: tuple[Any, ...] | None = None
        self._then: Callable[[ReleasePolicy], None] = lambda policy: None
        self._policy = ReleasePolicy()
        ui.exportYesButton.connect("clicked(bool)", self._yes)
        ui.exportNoButton.connect("clicked(bool)", self.withdraw)
        ui.forceLineEdit.connect("textChanged(QString)", lambda text: changed())

    @property
    def open_question(self) -> bool:
        """Whether a question waits for its answer."""
        return self._asked is not None

    def follow(self, chosen: Sequence[KeptLevel]) -> None:
        """Shows what it takes to force the rejected among the levels; withdraws a question that was about others."""
        rejected = _with_verdict(chosen, "reject")
        self._ui.forceLabel.text = force_text(rejected) if rejected else ""
        for widget in (self._ui.forceLabel, self._ui.forceCaption, self._ui.forceLineEdit):
            widget.setVisible(bool(rejected))
        if not rejected and self._ui.forceLineEdit.text:
            self._ui.forceLineEdit.text = ""
        if self._asked is not None and self._asked != _identities(chosen):
            self._close()
        self._ui.exportQuestionFrame.setVisible(self.open_question)

    def unforced(self, chosen: Sequence[KeptLevel]) -> list[str]:
        """The rejected among the levels whose names have not been typed."""
        typed = self._ui.forceLineEdit.text
        names = {typed.strip(), *re.split(r"[\s,]+", typed)}
        return [kept.level for kept in _with_verdict(chosen, "reject") if kept.level not in names]

    def ask(self, chosen: Sequence[KeptLevel], deed: str, then: Callable[[ReleasePolicy], None]) -> None:
        """Asks where there is something to ask.

        Args:
            chosen: The levels that are to leave; the rejected among them have been typed.
            deed: What the answer does, for the button ("Export L4").
            then: Called with the policy: at once where none is needed, else when the user says yes.
        """
        doubtful, rejected = _with_verdict(chosen, "check"), _with_verdict(chosen, "reject")
        if not doubtful and not rejected:
            then(ReleasePolicy())
            return
        self._asked, self._then = _identities(chosen), then
        self._policy = ReleasePolicy(check=True, reject=bool(rejected))
        self._ui.exportQuestionLabel.text = question_text(doubtful, rejected)
        self._ui.exportYesButton.text = _("Yes: {deed}").format(deed=deed)
        self._changed()

    def withdraw(self) -> None:
        """Takes back a question; nothing leaves."""
        self._close()
        self._changed()

    def _yes(self) -> None:
        then, policy = self._then, self._policy
        still_the_same = self._asked == _identities(self._chosen())
        self._close()
        self._ui.forceLineEdit.text = ""  # forced once, not from now on
        if still_the_same:
            then(policy)
        self._changed()

    def _close(self) -> None:
        self._asked, self._then = None, lambda policy: None


def _with_verdict(levels: Sequence[KeptLevel], verdict: str) -> list[KeptLevel]:
    return [kept for kept in levels if kept.obstacle is None and kept.result.verdict == verdict]


def _identities(levels: Sequence[KeptLevel]) -> tuple[Any, ...]:
    return tuple((kept.identity, kept.obstacle) for kept in levels)
