"""The panel's life: it takes up the scene's parameters and lets go of them; its sections do the rest."""

from __future__ import annotations

from typing import Any

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from radgs.errors import RadgsError
from RadGSRegLib.node_watch import NodeWatch
from RadGSRegLib.sections.advanced import AdvancedSection
from RadGSRegLib.sections.apply import ApplySection
from RadGSRegLib.sections.dependencies import DependenciesSection
from RadGSRegLib.sections.export import ExportSection
from RadGSRegLib.sections.initialization import InitializationSection
from RadGSRegLib.sections.inputs import InputsSection
from RadGSRegLib.sections.outputs import OutputsSection
from RadGSRegLib.sections.patient_model import PatientModelSection
from RadGSRegLib.sections.results import ResultsSection
from RadGSRegLib.sections.visual_qa import VisualQaSection

#: Top to bottom.
SECTIONS = (
    DependenciesSection,
    InputsSection,
    InitializationSection,
    PatientModelSection,
    OutputsSection,
    ApplySection,
    ResultsSection,
    VisualQaSection,
    ExportSection,
    AdvancedSection,
)


class Panel:
    """Owns the sections and tells them when to follow.

    Args:
        ui: The form's widgets by name.
        logic: A ``RadGSRegLogic``.
    """

    def __init__(self, ui: Any, logic: Any) -> None:
        self._ui, self._logic = ui, logic
        self.parameters: Any = None
        self._tags: tuple[int, int] | None = None
        self._soon = qt.QTimer()
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.connect("timeout()", self.refresh)
        self._watched = NodeWatch(self._soon.start)
        self.sections = [make(ui, logic, self) for make in SECTIONS]

    def enter(self) -> None:
        """Takes up the scene's parameters, made where there are none."""
        if self.parameters is not None:
            return
        self.parameters = self._logic.getParameterNode()
        gui = self.parameters.connectGui(self._ui)
        self._tags = gui, self.parameters.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self.refresh())
        self.refresh()

    def leave(self) -> None:
        """Lets go of the parameters, before the scene is closed or another module shown."""
        if self.parameters is None or self._tags is None:
            return
        self._soon.stop()
        self._watched.watch([])
        for section in self.sections:
            section.let_go()
        gui, observer = self._tags
        self.parameters.disconnectGui(gui)
        self.parameters.RemoveObserver(observer)
        self.parameters = self._tags = None
        self.say("")

    def close_scene(self) -> None:
        """Lets go of everything before the scene is closed, open or not."""
        self.leave()
        for section in self.sections:
            section.forget_patient()

    def refresh(self) -> None:
        """Has every section follow again; for what changes without the parameter node's knowing."""
        if self.parameters is None or slicer.mrmlScene.IsBatchProcessing():
            return  # half a scene would have sections let go of what is still to come
        self._watched.watch(self._logic.nodesToWatch())
        for section in self.sections:
            section.follow(self.parameters)

    def say(self, text: str) -> None:
        """Shows a line of rich text under the Apply button; an empty one takes it away."""
        self._ui.messageLabel.text = text
        self._ui.messageLabel.setVisible(bool(text))

    def say_error(self, error: RadgsError) -> None:
        """Shows what is wrong, and the way out."""
        self.say(f"<b>{error.problem}</b><br>{error.remedy}")

    def confirm(self, question: str) -> bool:
        """Asks the user in a dialog; True for yes."""
        return bool(slicer.util.confirmYesNoDisplay(question, _("RadGS-Reg")))
