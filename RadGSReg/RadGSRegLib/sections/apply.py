"""Apply: one button that says what is missing, starts, and stops; progress; and what came of it in a line."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from radgs.case import LevelResult, RegistrationResult
from radgs.errors import RadgsError
from RadGSRegLib.readiness import what_to_do
from RadGSRegLib.registration_run import RunListener
from RadGSRegLib.sections.section import Section
from RadGSRegLib.verdicts import VERDICT_COLOURS

#: Steps of the progress bar.
STEPS = 1000


class ApplySection(Section):
    """Apply -> Cancel -> Cancelling..., and the way back."""

    def connect(self) -> None:
        """Connects the button."""
        self._cancelling = False
        self.ui.progressBar.setRange(0, STEPS)
        self.ui.applyButton.connect("clicked(bool)", self._press)

    def follow(self, parameters: Any) -> None:
        """The button says what it does, or the next thing that is missing; its tooltip says the rest."""
        button = self.ui.applyButton
        self.ui.progressBar.setVisible(self.logic.running)
        if self.logic.running:
            button.text = _("Cancelling...") if self._cancelling else _("Cancel")
            button.enabled = not self._cancelling
            button.toolTip = _("Stop within two seconds; what is in the scene stays as it is")
            return
        if self.logic.preparing:
            button.enabled, button.text = False, _("Wait for the preparation")
            button.toolTip = _(
                "One engine does both: see Patient model, where it can be cancelled and keeps the best so far"
            )
            return
        todo = what_to_do(self.logic.inputs(), parameters)
        button.enabled = not todo
        button.text = todo[0] if todo else _("Apply")
        button.toolTip = (
            _("Still to do: {things}").format(things="; ".join(todo)) if todo else _("Register the confirmed levels")
        )

    def _press(self) -> None:
        if self.logic.running:
            self._cancelling = True
            self.panel.refresh()  # first, because the answer may come within the call
            self.logic.cancel()
            return
        self._cancelling = False
        self.panel.say("")
        self._show_progress(0.0, "")
        try:
            self.logic.start(
                self.logic.inputs(), RunListener(self._show_progress, self._show_result, self._show_failure)
            )
        except RadgsError as error:
            self.panel.say_error(error)
        self.panel.refresh()

    def _show_progress(self, fraction: float, message: str) -> None:
        if not self._cancelling:
            self.ui.progressBar.setValue(round(STEPS * fraction))
            self.ui.progressBar.setFormat(message)

    def _show_result(self, result: RegistrationResult) -> None:
        self._cancelling = False
        self.panel.say("<br>".join(_line(level, outcome) for level, outcome in result.levels.items()))
        self.panel.refresh()

    def _show_failure(self, error: RadgsError) -> None:
        self._cancelling = False
        self.panel.say_error(error)
        self.panel.refresh()


def _line(level: str, outcome: LevelResult) -> str:
    """A level's verdict; where there is no pose, which leaves no node in the scene, also why."""
    verdict = f'<b style="color: {VERDICT_COLOURS[outcome.verdict]}">{outcome.verdict}</b>'
    why = "" if outcome.ct_to_world is not None else " ".join(reason.message for reason in outcome.reasons)
    return f"{level}: {verdict}. {why}".strip()
