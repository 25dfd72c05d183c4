"""The panel's life: it takes up the scene's parameters and lets go of them; its sections do the rest."""

from __future__ import annotations

from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from radgs.errors import RadgsError
from RadGSRegLib.engine.result_import import result_of
from RadGSRegLib.form_binding import FormBinding
from RadGSRegLib.review import acceptance, confirmation
from RadGSRegLib.review.readiness import can_click, inputs_to_do
from RadGSRegLib.scene.levels import level_transforms
from RadGSRegLib.scene.node_watch import NodeWatch, SceneWatch
from RadGSRegLib.sections.advanced import AdvancedSection
from RadGSRegLib.sections.apply import ApplySection
from RadGSRegLib.sections.dependencies import DependenciesSection
from RadGSRegLib.sections.export import ExportSection
from RadGSRegLib.sections.folding import Folding, Progress
from RadGSRegLib.sections.history import HistorySection
from RadGSRegLib.sections.in_3d import In3DSection
from RadGSRegLib.sections.initialization import InitializationSection
from RadGSRegLib.sections.inputs import InputsSection
from RadGSRegLib.sections.nudge import NudgeSection
from RadGSRegLib.sections.outputs import OutputsSection
from RadGSRegLib.sections.patient_model import PatientModelSection
from RadGSRegLib.sections.reasons import ReasonsSection
from RadGSRegLib.sections.report import ReportSection
from RadGSRegLib.sections.results import ResultsSection
from RadGSRegLib.sections.section import AnySection
from RadGSRegLib.sections.texts import error_text, without_long_words
from RadGSRegLib.sections.visual_qa import VisualQaSection
from RadGSRegLib.theme import in_colour

#: Top to bottom.
SECTIONS = (
    DependenciesSection,
    InputsSection,
    InitializationSection,
    PatientModelSection,
    OutputsSection,
    ApplySection,
    ResultsSection,
    HistorySection,
    NudgeSection,
    In3DSection,
    VisualQaSection,
    ReasonsSection,
    ReportSection,
    ExportSection,
    AdvancedSection,
)


#: How long the status bar shows the end of something.
ANNOUNCEMENT_MS = 10000


class Panel:
    """Owns the sections and tells them when to follow.

    Args:
        ui: The form's widgets by name.
        logic: A ``RadGSRegLogic``.
    """

    def __init__(self, ui: Any, logic: Any) -> None:
        self._ui, self._logic = ui, logic
        self.parameters: Any = None
        self._said = ""
        self._form: FormBinding | None = None
        self._soon = qt.QTimer()
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.connect("timeout()", self.refresh)
        self._watched, self._scene = NodeWatch(self._soon.start), SceneWatch(self._soon.start)
        self.sections = [make(ui, logic, self) for make in SECTIONS]
        self._folding = Folding(ui, self.refresh)

    def enter(self) -> None:
        """Takes up the scene's parameters, made where there are none."""
        if self.parameters is not None:
            return
        self._form = FormBinding(self._logic.getParameterNode(), self._ui, self.refresh)
        self.parameters = self._form.parameters
        self._scene.start(slicer.mrmlScene)
        for section in self.sections:
            section.take_up()
        self.refresh()

    def leave(self) -> None:
        """Lets go of the parameters, before the scene is closed or another module shown."""
        if self._form is None:
            return
        self._soon.stop()
        self._watched.watch([])
        self._scene.stop()
        for section in self.sections:
            section.let_go()
        self._form.release()
        self.parameters = self._form = None
        self.say("")

    def close_scene(self) -> None:
        """Lets go of everything before the scene is closed, open or not."""
        self.leave()
        for section in self.sections:
            section.forget_patient()
        self._folding.start_over()

    def refresh(self) -> None:
        """Has every section follow again; for what changes without the parameter node's knowing."""
        if self.parameters is None or slicer.mrmlScene.IsBatchProcessing():
            return  # half a scene would have sections let go of what is still to come
        self._watched.watch(self._logic.nodesToWatch())
        self._folding.follow(self._progress())  # first, because what opens shows more than it should
        for section in self.sections:
            section.follow(self.parameters)
        self._show_what_was_said()

    def _progress(self) -> Progress:
        parameters, inputs = self.parameters, self._logic.inputs()
        transforms = {} if parameters.ct is None else level_transforms(parameters.ct)
        return Progress(
            can_click=can_click(inputs),
            complete=confirmation.is_confirmed(parameters) and not inputs_to_do(inputs, parameters),
            looking=any(section.looking for section in self.sections),
            has_results=any(result_of(transform) is not None for transform in transforms.values()),
            accepted=any(acceptance.is_accepted(transform) for transform in transforms.values()),
        )

    def load_case(self, path: Any) -> None:
        """Makes a case.json, or the folder that holds one, the inputs; what is wrong with it is said."""
        self.section(InputsSection).load(path)

    def section(self, kind: type[AnySection]) -> AnySection:
        """The section of a kind."""
        return next(section for section in self.sections if isinstance(section, kind))

    def say(self, text: str) -> None:
        """Shows a line of rich text under the Apply button; an empty one takes it away."""
        self._said = text
        self._show_what_was_said()

    def _show_what_was_said(self) -> None:
        """In the colours of the theme, which the user may have changed since."""
        label, text = self._ui.messageLabel, in_colour(self._said, self._ui.applyButton)
        label.text, label.toolTip = without_long_words(text), text
        label.setVisible(bool(text))

    def say_error(self, error: RadgsError) -> None:
        """Shows what is wrong, and the way out."""
        self.say(error_text(error))

    def announce(self, text: str) -> None:
        """Says in the application's status bar that something has come to its end."""
        slicer.util.showStatusMessage(_("RadGS-Reg: {what}").format(what=text), ANNOUNCEMENT_MS)

    def confirm(self, question: str) -> bool:
        """Asks the user in a dialog; True for yes."""
        return bool(slicer.util.confirmYesNoDisplay(question, _("RadGS-Reg")))
