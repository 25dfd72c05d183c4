"""Inputs: CT, segmentation, the levels and the user's word for them, and two X-rays with their geometry."""

from __future__ import annotations

from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from radgs.errors import InputFileError, RadgsError
from RadGSRegLib import confirmation
from RadGSRegLib.path_edits import show_path
from RadGSRegLib.sections.geometry_line import GeometryLine
from RadGSRegLib.sections.section import Section
from RadGSRegLib.segments import level_choices


class InputsSection(Section):
    """What is registered. Nothing is ticked for the user, and no level is taken without their word."""

    def connect(self) -> None:
        """Connects the widgets that the form does not bind to a parameter itself."""
        ui = self.ui
        ui.demoButton.connect("clicked(bool)", lambda: self._load(self.logic.demoCase()))
        ui.loadButton.connect("clicked(bool)", self._load_file)
        ui.levelsList.connect("itemChanged(QListWidgetItem*)", self._tick)
        ui.confirmLevelsCheckBox.connect("clicked(bool)", self._confirm)
        self._lines = [
            GeometryLine(ui.geometry1Label, ui.loadGeometry1Button, ui.editGeometry1Button, self.logic, self.panel),
            GeometryLine(ui.geometry2Label, ui.loadGeometry2Button, ui.editGeometry2Button, self.logic, self.panel),
        ]
        self._shown: dict[str, str] = {}

    def follow(self, parameters: Any) -> None:
        """Shows levels, confirmation and geometry; lets go of ticks whose segment has gone or changed its level."""
        choices = {} if parameters.segmentation is None else level_choices(parameters.segmentation, parameters.segments)
        ticked = {level: segment for level, segment in parameters.segments.items() if choices.get(level) == segment}
        if ticked != dict(parameters.segments):
            parameters.segments = ticked  # which has every section follow again
            return
        if parameters.confirmedLevels and not confirmation.is_confirmed(parameters):
            confirmation.withdraw(parameters)
            return
        self._show_levels(parameters, choices)
        self._show_confirmation(parameters)
        for line, xray in zip(self._lines, (parameters.xray1, parameters.xray2), strict=True):
            line.show(xray)
        for widget in self._inputs():
            widget.enabled = not self.logic.running

    def forget_patient(self) -> None:
        """The case's file is that of the patient."""
        show_path(self.ui.caseFileEdit, "")

    def _inputs(self) -> list[Any]:
        ui = self.ui
        selectors = [ui.ctSelector, ui.segmentationSelector, ui.xray1Selector, ui.xray2Selector]
        return [*selectors, ui.levelsList, ui.caseFileEdit, ui.loadButton, ui.demoButton]

    def _show_levels(self, parameters: Any, choices: dict[str, str]) -> None:
        levels = self.ui.levelsList
        blocked = levels.blockSignals(True)
        if choices != self._shown or levels.count != len(choices):
            levels.clear()
            for level in choices:
                item = qt.QListWidgetItem(level)
                item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable | qt.Qt.ItemIsUserCheckable)
                levels.addItem(item)
            self._shown = dict(choices)
        for row, level in enumerate(choices):
            levels.item(row).setCheckState(qt.Qt.Checked if level in parameters.segments else qt.Qt.Unchecked)
        levels.blockSignals(blocked)

    def _tick(self, item: Any) -> None:
        parameters = self.panel.parameters
        if parameters is None or parameters.segmentation is None:
            return
        items = [self.ui.levelsList.item(row) for row in range(self.ui.levelsList.count)]
        ticked = [item.text() for item in items if item.checkState() == qt.Qt.Checked]
        parameters.segments = {level: self._shown[level] for level in ticked}

    def _show_confirmation(self, parameters: Any) -> None:
        """The user's word names what it is given for."""
        box, levels = self.ui.confirmLevelsCheckBox, list(parameters.segments)
        confirmed = confirmation.is_confirmed(parameters)
        box.enabled = bool(levels) and parameters.ct is not None and not self.logic.running
        box.checked = confirmed
        box.styleSheet = "" if confirmed or not box.enabled else "font-weight: bold; color: #b35806"
        if parameters.segmentation is None:
            box.text = _("Choose a segmentation first")
        elif not levels:
            box.text = _("Tick a level above") if self._shown else _("No segment is named like a vertebra (L3)")
        elif parameters.ct is None:
            box.text = _("Choose the CT first")
        else:
            text = _("I confirm: {levels} is meant") if len(levels) == 1 else _("I confirm: {levels} are meant")
            box.text = text.format(levels=", ".join(levels))

    def _confirm(self, checked: bool) -> None:
        parameters = self.panel.parameters
        if parameters is None:
            return
        if checked:
            confirmation.confirm(parameters)
        else:
            confirmation.withdraw(parameters)

    def _load_file(self) -> None:
        path = self.ui.caseFileEdit.currentPath.strip()
        if path:
            self._load(path)
        else:
            self.panel.say_error(InputFileError("No case is chosen.", "Choose its case.json, then load it."))

    def _load(self, path: Any) -> None:
        try:
            inputs = self.logic.loadCase(path)
        except RadgsError as error:
            self.panel.say_error(error)
            return
        slicer.util.setSliceViewerLayers(background=inputs.ct, fit=True)
        self.panel.say("")
