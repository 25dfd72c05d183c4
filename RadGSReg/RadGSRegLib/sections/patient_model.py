"""Patient model: none, a file, or one prepared here, level by level; a preparation's progress and its end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ctk
from slicer.i18n import tr as _

from radgs.errors import RadgsError
from radgs.io.model_header import SUFFIX, there_is, work_folder
from RadGSRegLib.engine.patient_models import checked_model, model_name, model_path, proposed_folder, set_model
from RadGSRegLib.engine.preparation_run import PreparationListener, PreparationState, PreparedModel
from RadGSRegLib.review import confirmation
from RadGSRegLib.sections.path_edits import PatientPaths, on_change, show_path, typed_folder
from RadGSRegLib.sections.section import Section
from RadGSRegLib.sections.texts import put_text
from RadGSRegLib.theme import style

#: Steps of the progress bar.
STEPS = 1000


class PatientModelSection(Section):
    """The model of one level at a time; which files serve is saved with the scene."""

    def connect(self) -> None:
        """Connects the widgets."""
        ui = self.ui
        self._cancelling = False
        self._proposed = ""
        #: Level and path that the model's line was last given, or gave; what is being typed there is left alone.
        self._shown = ("", "")
        self._paths = PatientPaths([ui.preparationFolderEdit])
        ui.preparationProgressBar.setRange(0, STEPS)
        ui.preparationFolderEdit.filters = ctk.ctkPathLineEdit.Dirs
        # A collapsible button shows all its children when it opens, those too that were hidden while it was closed.
        ui.patientModelCollapsibleButton.connect("contentsCollapsed(bool)", lambda: self.panel.refresh())
        ui.modelLevelComboBox.connect("currentIndexChanged(int)", lambda: self.panel.refresh())
        ui.modelFileEdit.connect("currentPathChanged(QString)", self._choose)
        ui.modelFileEdit.connect("validInputChanged(bool)", self._choose_none_unless)
        ui.noModelButton.connect("clicked(bool)", self._clear)
        on_change(ui.preparationFolderEdit, self.panel.refresh)
        ui.prepareButton.connect("clicked(bool)", self._press)

    def follow(self, parameters: Any) -> None:
        """Shows the chosen level's model, and what can be done."""
        self._show_levels(list(parameters.segments))
        level, preparing = self._level, self.logic.preparing
        path = model_path(parameters, level)
        shown = (level, "" if path is None else str(path))
        if shown != self._shown:
            self._shown = shown
            show_path(self.ui.modelFileEdit, shown[1])
        if self._paths.follow(parameters.ct):
            self._proposed = ""
        self._show_folder()
        self._show_model(path, level)
        free = bool(level) and not preparing and not self.logic.running
        for widget in (self.ui.modelFileEdit, self.ui.preparationFolderEdit, self.ui.minutesSpinBox):
            widget.enabled = free
        self.ui.modelLevelComboBox.enabled = not preparing
        self.ui.noModelButton.enabled = free and path is not None
        self.ui.preparationProgressBar.setVisible(preparing)
        self._show_button(parameters, level)

    def forget_patient(self) -> None:
        """The folder is that of the patient."""
        self._paths.forget()
        self._proposed = ""

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

    def _show_folder(self) -> None:
        """A proposal makes way for the next one, as when the scene is saved elsewhere; what the user chose stays."""
        if self.ui.preparationFolderEdit.currentPath == self._proposed:
            self._proposed = str(proposed_folder())
            show_path(self.ui.preparationFolderEdit, self._proposed)

    def _target(self, parameters: Any) -> Path | None:
        """The file that a preparation writes; None while its folder is not known."""
        folder = typed_folder(self.ui.preparationFolderEdit)
        return None if folder is None else folder / model_name(parameters.ct, self._level)

    def _show_model(self, path: Path | None, level: str) -> None:
        label = self.ui.modelLabel
        label.styleSheet = ""
        if not level:
            label.text = _("Tick a level under Inputs")
        elif path is None and self.ui.modelFileEdit.currentPath.strip():
            label.styleSheet = style("bad", self.ui.patientModelCollapsibleButton)
            label.text = _("No model's file: its name ends in {ending}").format(ending=SUFFIX)
        elif path is None:
            label.text = _("No model: generic networks propose a start, the X-rays decide")
        else:
            try:
                summary = checked_model(path, level)
            except RadgsError as error:
                label.styleSheet = style("bad", self.ui.patientModelCollapsibleButton)
                put_text(label, f"{error.problem} {error.remedy}")
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
        target = self._target(parameters)
        unfinished = bool(level) and target is not None and there_is(work_folder(target))
        text = _("Resume {level}") if unfinished else _("Prepare {level}")
        button.text = text.format(level=level).strip()
        button.enabled = not reason
        into = _("Train the networks on this CT's vertebra, and write {file}")
        button.toolTip = reason or into.format(file=target)

    def _why_not(self, parameters: Any, level: str) -> str:
        """What keeps a preparation from starting; it needs no X-rays."""
        if parameters.ct is None or parameters.segmentation is None or not level:
            return str(_("Choose CT, segmentation and level under Inputs first"))
        if not confirmation.is_confirmed(parameters):
            return str(_("Confirm the level under Inputs first"))
        if self._target(parameters) is None:
            return str(_("Choose the folder that the model goes into, by its full path"))
        if self.logic.running:
            return str(_("Wait until the registration has finished, or cancel it"))
        return ""

    def _choose_none_unless(self, valid: bool) -> None:
        """An emptied line, or one that holds no model's name, is no model; of any other the widget tells by itself."""
        if not valid:
            self._choose("")

    def _clear(self) -> None:
        show_path(self.ui.modelFileEdit, "")
        self._choose("")

    def _choose(self, path: str) -> None:
        parameters = self.panel.parameters
        if parameters is not None and self._level:
            self._shown = (self._level, path)
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
        put_text(self.ui.preparationLabel, f"{end}: {model.path}")
        self.panel.announce(f"{model.level}: {end}")
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
