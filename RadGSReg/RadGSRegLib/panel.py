"""The panel's life: inputs into the parameter node, a registration started and stopped, its outcome shown."""

from __future__ import annotations

import math
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from radgs.errors import RadgsError
from radgs.result import LevelResult, RegistrationResult
from RadGSRegLib.registration_run import RunListener

#: Steps of the progress bar.
STEPS = 1000

VERDICT_COLOURS = {"accept": "#1b7837", "check": "#b35806", "reject": "#b2182b"}


class Panel:
    """Connects the form's widgets with the logic.

    Args:
        ui: The form's widgets by name.
        logic: A ``RadGSRegLogic``.
    """

    def __init__(self, ui: Any, logic: Any) -> None:
        self.ui, self._logic = ui, logic
        self._parameters: Any = None
        self._tags: tuple[int, int] | None = None
        ui.engineLabel.text = _("radgs {version}").format(version=logic.engineVersion())
        ui.progressBar.setRange(0, STEPS)
        ui.progressBar.setVisible(False)
        ui.demoButton.connect("clicked(bool)", lambda: self._load(logic.demoCase()))
        ui.loadButton.connect("clicked(bool)", lambda: self._load(ui.caseFileEdit.currentPath))
        ui.levelComboBox.connect("currentIndexChanged(int)", self._choose_level)
        ui.applyButton.connect("clicked(bool)", self._apply)
        ui.revertButton.connect("clicked(bool)", self._revert)

    def enter(self) -> None:
        """Takes up the scene's parameters, made where there are none."""
        if self._parameters is not None:
            return
        self._parameters = self._logic.getParameterNode()
        gui = self._parameters.connectGui(self.ui)
        self._tags = gui, self._parameters.AddObserver(vtk.vtkCommand.ModifiedEvent, self._follow)
        self._follow()

    def leave(self) -> None:
        """Lets go of the parameters, before the scene is closed or another module shown."""
        if self._parameters is not None and self._tags is not None:
            gui, observer = self._tags
            self._parameters.disconnectGui(gui)
            self._parameters.RemoveObserver(observer)
        self._parameters = None

    def _follow(self, caller: Any = None, event: Any = None) -> None:
        """Shows what the parameters say."""
        if self._parameters is None:
            return
        self._show_levels()
        self._show_apply()

    def _show_levels(self) -> None:
        box, segmentation = self.ui.levelComboBox, self._parameters.segmentation
        segments = {} if segmentation is None else self._logic.levels(segmentation)
        chosen = next(iter(self._parameters.segments), None)
        blocked = box.blockSignals(True)
        box.clear()
        box.addItem(_("Choose the vertebra"))
        for level in segments:
            box.addItem(level)
        if chosen in segments:
            box.setCurrentIndex(1 + list(segments).index(chosen))
        box.blockSignals(blocked)

    def _choose_level(self, index: int) -> None:
        if self._parameters is None or self._parameters.segmentation is None:
            return
        segments = self._logic.levels(self._parameters.segmentation)
        level = self.ui.levelComboBox.currentText
        self._parameters.segments = {level: segments[level]} if index > 0 else {}

    def _show_apply(self) -> None:
        """The button says what it does, or what is missing."""
        button = self.ui.applyButton
        if self._logic.running:
            button.text, button.enabled = _("Cancel"), True
            return
        missing = self._logic.inputs().missing()
        button.enabled = not missing
        button.text = _("Missing: {things}").format(things=", ".join(missing)) if missing else _("Register")

    def _load(self, path: Any) -> None:
        try:
            self._logic.loadCase(path)
        except RadgsError as error:
            self._show_error(error)
            return
        slicer.util.setSliceViewerLayers(background=self._parameters.ct, fit=True)
        self._show_text("")

    def _apply(self) -> None:
        if self._logic.running:
            self._logic.cancel()
            self.ui.applyButton.text, self.ui.applyButton.enabled = _("Cancelling..."), False
            return
        listener = RunListener(self._show_progress, self._show_result, self._show_error)
        self._show_text("")
        try:
            self._logic.start(self._logic.inputs(), listener)
        except RadgsError as error:
            self._show_error(error)
            return
        self.ui.progressBar.setVisible(self._logic.running)
        self._show_apply()

    def _revert(self) -> None:
        inputs = self._logic.inputs()
        if inputs.ct is not None and inputs.segmentation is not None:
            self._logic.revert(inputs)

    def _show_progress(self, fraction: float, message: str) -> None:
        self.ui.progressBar.setValue(round(STEPS * fraction))
        self.ui.progressBar.setFormat(message)

    def _show_result(self, result: RegistrationResult) -> None:
        lines = [_level_line(level, outcome) for level, outcome in result.levels.items()]
        lines += [reason.message for outcome in result.levels.values() for reason in outcome.reasons]
        self._show_end("<br>".join(lines))

    def _show_error(self, error: RadgsError) -> None:
        self._show_end(f"<b>{error.problem}</b><br>{error.remedy}")

    def _show_end(self, text: str) -> None:
        self.ui.progressBar.setVisible(False)
        self._show_text(text)
        if self._parameters is not None:
            self._show_apply()

    def _show_text(self, text: str) -> None:
        self.ui.resultLabel.text = text


def _level_line(level: str, outcome: LevelResult) -> str:
    colour = VERDICT_COLOURS[outcome.verdict]
    error = outcome.predicted_error_mm.get("surface_p95", math.nan)
    predicted = _("no pose")
    if outcome.ct_to_world is not None:
        known = math.isfinite(error)
        predicted = _("predicted error {error:.1f} mm (95 %)").format(error=error) if known else _("error unknown")
    return f'<b>{level}: <span style="color:{colour}">{outcome.verdict}</span></b>, {predicted}'
