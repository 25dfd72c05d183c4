"""Patient model: none, a file, or one prepared here, level by level; a preparation's progress and its end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ctk
from slicer.i18n import tr as _

from radgs.errors import RadgsError
from radgs.io.model_header import work_folder
from RadGSRegLib import confirmation
from RadGSRegLib.patient_models import checked_model, model_name, model_path, proposed_folder, set_model
from RadGSRegLib.preparation_run import PreparationListener, PreparationState, PreparedModel
from RadGSRegLib.sections.section import Section

#: Steps of the progress bar.
STEPS = 1000

RED = "color: #b2182b"


class PatientModelSection(Section):
    """The model of one level at a time; which files serve is saved with the scene."""

    def connect(self) -> None:
        """Connects the widgets."""
        ui = self.ui
        self._cancelling = False
        self._proposed = ""
        ui.preparationProgressBar.setRange(0, STEPS)
        ui.preparationFolderEdit.filters = ctk.ctkPathLineEdit.Dirs
        # A collapsible button shows all its children when it opens, those too that were hidden while it was closed.
        ui.patientModelCollapsibleButton.connect("contentsCollapsed(bool)", lambda: self.panel.refresh())
        ui.modelLevelComboBox.connect("currentIndexChanged(int)", lambda: self.panel.refresh())
        ui.modelFileEdit.connect("currentPathChanged(QString)", self._choose)
        ui.noModelButton.connect("clicked(bool)", lambda: self._choose(""))
        ui.preparationFolderEdit.connect("currentPathChanged(QString)", lambda: self.panel.refresh())
        ui.prepareButton.connect("clicked(bool)", self._press)

    def follow(self, parameters: Any) -> None:
        """Shows the chosen level's model, and what can be done."""
        self._show_levels(list(parameters.segments))
        level, preparing = self._level, self.logic.preparing
        path = model_path(parameters, level)
        self._show_path(self.ui.modelFileEdit, "" if path is None else str(path))
        self._show_folder()
        self._show_model(path, level)
        free = bool(level) and not preparing and not self.logic.running
        for widget in (self.ui.modelFileEdit, self.ui.preparationFolderEdit, self.ui.minutesSpinBox):
            widget.enabled = free
        self.ui.modelLevelComboBox.enabled = not preparing
        self.ui.noModelButton.enabled = free and path is not None
        self.ui.preparationProgressBar.setVisible(preparing)
        self._show_button(parameters, level)

    @property
    def _level(self) -> str:
        return str(self.ui.modelLevelComboBox.currentText)

    def _show_levels(self, levels: list[str]) -> None:
        box = self.ui.modelLevelComboBox
        if [box.itemText(row) for row in range(box.count)] == levels:
            return
        blocked = box.blockSignals(True)
        former = box.currentText
        box.clear()
        box.addItems(levels)
        box.setCurrentIndex(levels.index(former) if former in levels else min(0, len(levels) - 1))
        box.blockSignals(blocked)

    def _show_path(self, edit: Any, text: str) -> None:
        if edit.currentPath != text:
            blocked = edit.blockSignals(True)
            edit.currentPath = text
            edit.blockSignals(blocked)

    def _show_folder(self) -> None:
        """A proposal makes way for the next one, as when the scene is saved elsewhere; what the user chose stays."""
        if self.ui.preparationFolderEdit.currentPath == self._proposed:
            self._proposed = str(proposed_folder())
            self._show_path(self.ui.preparationFolderEdit, self._proposed)

    def _target(self, parameters: Any) -> Path:
        return Path(self.ui.preparationFolderEdit.currentPath) / model_name(parameters.ct, self._level)

    def _show_model(self, path: Path | None, level: str) -> None:
        label = self.ui.modelLabel
        label.styleSheet = ""
        if not level:
            label.text = _("Tick a level under Inputs")
        elif path is None:
            label.text = _("No model: generic networks propose a start, the X-rays decide")
        else:
            try:
                summary = checked_model(path, level)
            except RadgsError as error:
                label.styleSheet = RED
                label.text = f"{error.problem} {error.remedy}"
            else:
                label.text = _("Prepared for {level}. {quality}").format(
                    level=level, quality=quality_text(summary.accuracy)
                )

    def _show_button(self, parameters: Any, level: str) -> None:
        button = self.ui.prepareButton
        if self.logic.preparing:
            button.text = _("Finishing...") if self._cancelling else _("Cancel, keep the best so far")
            button.enabled = not self._cancelling
            button.toolTip = _("The model so far is saved; the preparation can be resumed")
            return
        reason = self._why_not(parameters, level)
        unfinished = bool(level) and work_folder(self._target(parameters)).is_dir()
        text = _("Resume {level}") if unfinished else _("Prepare {level}")
        button.text = text.format(level=level).strip()
        button.enabled = not reason
        into = _("Train the networks on this CT's vertebra, and write {file}")
        button.toolTip = reason or into.format(file=self._target(parameters))

    def _why_not(self, parameters: Any, level: str) -> str:
        """What keeps a preparation from starting; it needs no X-rays."""
        if parameters.ct is None or parameters.segmentation is None or not level:
            return str(_("Choose CT, segmentation and level under Inputs first"))
        if not confirmation.is_confirmed(parameters):
            return str(_("Confirm the level under Inputs first"))
        if self.logic.running:
            return str(_("Wait until the registration has finished, or cancel it"))
        return ""

    def _choose(self, path: str) -> None:
        parameters = self.panel.parameters
        if parameters is not None and self._level:
            set_model(parameters, self._level, Path(path) if path else None)
            self.panel.refresh()

    def _press(self) -> None:
        if self.logic.preparing:
            self._cancelling = True
            self.panel.refresh()
            self.logic.cancelPreparation()
            return
        self._cancelling = False
        self.panel.say("")
        target, minutes = self._target(self.panel.parameters), self.ui.minutesSpinBox.value
        listener = PreparationListener(self._show_progress, self._show_done, self._show_failed)
        try:
            self.logic.prepare(self.logic.inputs(), self._level, target, minutes, listener)
        except RadgsError as error:
            self.panel.say_error(error)
        self.panel.refresh()

    def _show_progress(self, state: PreparationState) -> None:
        self.ui.preparationProgressBar.setValue(round(STEPS * state.fraction))
        left = round(state.seconds_left)
        self.ui.preparationProgressBar.setFormat(
            _("{minutes}:{seconds:02d} left").format(minutes=left // 60, seconds=left % 60)
        )
        self.ui.preparationLabel.text = quality_text(state.accuracy) if state.accuracy else state.message

    def _show_done(self, model: PreparedModel) -> None:
        self._cancelling = False
        end = _("Prepared") if model.finished else _("Stopped early, the best so far is kept")
        self.ui.preparationLabel.text = f"{end}: {model.path}"
        self.panel.refresh()

    def _show_failed(self, error: RadgsError) -> None:
        self._cancelling = False
        self.ui.preparationLabel.text = ""
        self.panel.say_error(error)
        self.panel.refresh()


def quality_text(accuracy: Mapping[str, Any]) -> str:
    """How good a model is on held-out simulated X-rays, in a line."""
    if not accuracy:
        return str(_("Its accuracy was not measured."))
    text = _("On held-out simulated X-rays: SSIM {ssim:.3f} (inside {inside:.3f}), mTRE {mtre:.1f} mm")
    mtre = min(accuracy["kabsch_median_mm"], accuracy["regm_median_mm"])
    return str(text.format(ssim=accuracy["ssim_3d"], inside=accuracy["ssim_inside"], mtre=mtre))
