"""Apply: one button that starts and stops; a line that says what is missing; progress; and what came of it."""

from __future__ import annotations

import html
from typing import Any

from slicer.i18n import tr as _

from radgs.case import LevelResult, RegistrationResult
from radgs.colours import VERDICT_WORDS
from radgs.errors import RadgsError
from RadGSRegLib.engine.registration_run import RunListener
from RadGSRegLib.review.readiness import what_to_do
from RadGSRegLib.review.verdicts import verdict_word
from RadGSRegLib.scene.case_inputs import CaseInputs
from RadGSRegLib.sections.section import Section
from RadGSRegLib.theme import style

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
        """The button says what it does, the line below it the next thing that is missing, and its tooltip the rest."""
        button = self.ui.applyButton
        self.ui.progressBar.setVisible(self.logic.running)
        if self.logic.running:
            self._hint([])
            button.text = _("Cancelling...") if self._cancelling else _("Cancel")
            button.enabled = not self._cancelling
            button.toolTip = _("Stop within two seconds; what is in the scene stays as it is")
            return
        button.text = _("Apply")
        if self.logic.preparing:
            button.enabled = False
            button.toolTip = _(
                "One engine does both: see Patient model, where it can be cancelled and keeps the best so far"
            )
            self._hint([_("Wait for the preparation")])
            return
        todo = what_to_do(self.logic.inputs(), parameters)
        button.enabled = not todo
        button.toolTip = (
            _("Still to do: {things}").format(things="; ".join(todo)) if todo else _("Register the confirmed levels")
        )
        self._hint(todo)

    def _hint(self, todo: list[str]) -> None:
        label = self.ui.applyHintLabel
        label.setVisible(bool(todo))
        label.styleSheet = style("doubt", self.ui.applyButton)
        if todo:
            more = _("{first} ({count} more to do)").format(first=todo[0], count=len(todo) - 1)
            label.text = more if len(todo) > 1 else todo[0]
            label.toolTip = "\n".join(todo)

    def _press(self) -> None:
        if self.logic.running:
            self._cancelling = True
            self.panel.refresh()  # first, because the answer may come within the call
            self.logic.cancel()
            return
        self.register(self.logic.inputs())

    def register(self, inputs: CaseInputs) -> None:
        """Begins a registration, and shows here what becomes of it."""
        self._cancelling = False
        self.panel.say("")
        self._show_progress(0.0, "")
        try:
            self.logic.start(inputs, RunListener(self._show_progress, self._show_result, self._show_failure))
        except RadgsError as error:
            self.panel.say_error(error)
        self.panel.refresh()

    def _show_progress(self, fraction: float, message: str) -> None:
        if not self._cancelling:
            self.ui.progressBar.setValue(round(STEPS * fraction))
            self.ui.progressBar.setFormat(message)

    def _show_result(self, result: RegistrationResult) -> None:
        self._cancelling = False
        calibrated = result.self_calibration
        told = [html.escape(sentence) for sentence in calibrated.sentences] if calibrated is not None else []
        self.panel.say("<br>".join([*(_line(level, outcome) for level, outcome in result.levels.items()), *told]))
        verdicts = ", ".join(f"{level} {verdict_word(outcome.verdict)}" for level, outcome in result.levels.items())
        self.panel.announce(_("registered: {verdicts}").format(verdicts=verdicts))
        self.panel.refresh()

    def _show_failure(self, error: RadgsError) -> None:
        self._cancelling = False
        self.panel.say_error(error)
        self.panel.announce(error.problem)
        self.panel.refresh()


def _line(level: str, outcome: LevelResult) -> str:
    """A level's verdict; where there is no pose, which leaves no node in the scene, also why."""
    why = "" if outcome.ct_to_world is not None else " ".join(reason.message for reason in outcome.reasons)
    word, colour = verdict_word(outcome.verdict), VERDICT_WORDS[outcome.verdict]
    return f'{level}: <b style="color: @{colour}">{word}</b>. {why}'.strip()
