"""Export: the registered levels with their verdicts, as files or live; what may not leave stays, and it is said why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ctk
import qt
import slicer
from slicer.i18n import tr as _

from radgs.errors import RadgsError
from radgs.export import ReleasePolicy
from RadGSRegLib.export.files import FileExport, export_levels
from RadGSRegLib.export.registered_levels import KeptLevel, of_other_xrays
from RadGSRegLib.review.verdicts import verdict_colour
from RadGSRegLib.scene.dicom_sources import dicom_files
from RadGSRegLib.sections.export_gate import ExportGate
from RadGSRegLib.sections.export_live import LiveRows
from RadGSRegLib.sections.export_texts import exported_text, format_titles, level_line, obstacle_lines
from RadGSRegLib.sections.path_edits import PatientPaths, on_change, typed_folder
from RadGSRegLib.sections.section import Section
from RadGSRegLib.sections.texts import error_text, without_long_words
from RadGSRegLib.theme import colour


class ExportSection(Section):
    """Reads the levels' transforms, so that a saved scene exports the same. No level is ticked for the user."""

    def connect(self) -> None:
        """Fills in the formats, and connects the widgets."""
        ui = self.ui
        self._levels: dict[str, KeptLevel] = {}
        for name, title in format_titles().items():
            ui.exportFormatComboBox.addItem(title, name)
        folders = (ui.exportFolderEdit, ui.ctDicomEdit, ui.xrayDicomEdit)
        for folder in folders:
            folder.filters = ctk.ctkPathLineEdit.Dirs
        self._paths = PatientPaths(folders)
        self._gate = ExportGate(ui, self._chosen_now, self.panel.refresh)
        self._live = LiveRows(ui, self.logic, self._gate, self._say_error, self.panel.refresh)
        ui.exportLevelsList.connect("itemChanged(QListWidgetItem*)", lambda item: self._tick())
        ui.exportFormatComboBox.connect("currentIndexChanged(int)", lambda index: self._choose_format())
        on_change(ui.exportFolderEdit, self.panel.refresh)
        ui.ctDicomCheckBox.connect("toggled(bool)", lambda checked: self.panel.refresh())
        ui.restoreLevelsButton.connect("clicked(bool)", self._restore)
        ui.exportButton.connect("clicked(bool)", self._press)

    def follow(self, parameters: Any) -> None:
        """Shows the CT's levels as they are now, and what the buttons do with the ticked ones."""
        self._paths.follow(parameters.ct)
        self._levels = self.logic.registeredLevels(parameters.ct)
        chosen = self._chosen()
        self._show_levels(chosen)
        self._show_obstacles()
        self._show_format(parameters)
        self._gate.follow(chosen)
        why_not = self._why_not(chosen)
        self._show_button(chosen, why_not)
        self._live.follow(parameters.ct, chosen, why_not)

    def forget_patient(self) -> None:
        """The folders are those of the patient."""
        self._paths.forget()

    def let_go(self) -> None:
        """Forgets the levels, a question about them, and what was said."""
        self._levels = {}
        self._gate.follow([])
        self._say("")

    def _chosen(self) -> list[KeptLevel]:
        """The ticked levels that there are."""
        ticked = json.loads(self.panel.parameters.exportLevels)
        return [kept for level, kept in self._levels.items() if level in ticked]

    def _chosen_now(self) -> list[KeptLevel]:
        """The ticked levels as they are in the scene, which may be later than they were shown."""
        self._levels = self.logic.registeredLevels(self.panel.parameters.ct)
        return self._chosen()

    def _show_levels(self, chosen: list[KeptLevel]) -> None:
        levels, ticked = self.ui.exportLevelsList, {kept.level for kept in chosen}
        blocked = levels.blockSignals(True)
        if levels.count != len(self._levels):
            levels.clear()
            for _level in self._levels:
                item = qt.QListWidgetItem()
                item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsUserCheckable)
                levels.addItem(item)
        for row, (level, kept) in enumerate(self._levels.items()):
            item = levels.item(row)
            shown = colour("bad", levels) if kept.obstacle else verdict_colour(kept.result.verdict, levels)
            item.setText(level_line(kept))
            item.setForeground(qt.QBrush(qt.QColor(shown)))
            item.setCheckState(qt.Qt.Checked if level in ticked else qt.Qt.Unchecked)
        levels.setFixedHeight(max(len(self._levels), 1) * max(levels.sizeHintForRow(0), 20) + 6)
        levels.blockSignals(blocked)

    def _show_obstacles(self) -> None:
        text = obstacle_lines(list(self._levels.values()))
        self.ui.exportObstacleLabel.text = text
        self.ui.exportObstacleLabel.setVisible(bool(text))
        restorable = self._restorable()
        button = self.ui.restoreLevelsButton
        button.setVisible(bool(restorable))
        button.text = _("Restore {levels}").format(levels=", ".join(restorable))
        button.toolTip = _("Put the transforms back to the poses that were registered; what was edited is lost")

    def _restorable(self) -> list[str]:
        return [level for level, kept in self._levels.items() if kept.obstacle is not None and kept.obstacle.restorable]

    def _show_format(self, parameters: Any) -> None:
        box = self.ui.exportFormatComboBox
        blocked = box.blockSignals(True)
        box.setCurrentIndex(max(box.findData(parameters.exportFormat), 0))
        box.blockSignals(blocked)
        is_dicom = box.currentData == "dicom"
        known = dicom_files(parameters.ct) if is_dicom and parameters.ct is not None else ()
        check_box = self.ui.ctDicomCheckBox
        check_box.text = _("in the frame of reference of its {count} DICOM files").format(count=len(known))
        check_box.setVisible(bool(known))
        self.ui.ctDicomEdit.setVisible(is_dicom and not known)
        for widget in (self.ui.ctDicomCaption, self.ui.xrayDicomCaption, self.ui.xrayDicomEdit):
            widget.setVisible(is_dicom)

    def _why_not(self, chosen: list[KeptLevel]) -> str | None:
        """Why the ticked levels cannot leave now, as the next thing to do; None where they can."""
        blocked = [kept.level for kept in chosen if kept.obstacle is not None]
        unforced = self._gate.unforced(chosen)
        reasons = (
            (self.logic.running, _("A registration is under way")),
            (not self._levels, _("Nothing has been registered yet")),
            (not chosen, _("Tick a level")),
            (bool(blocked), _("{levels}: not as registered").format(levels=", ".join(blocked))),
            (bool(of_other_xrays(chosen)), _("Levels of different X-rays: tick those of one")),
            (bool(unforced), _("Rejected: {levels}").format(levels=", ".join(unforced))),
            (self._gate.open_question, _("Answer the question")),
        )
        return next((reason for holds, reason in reasons if holds), None)

    def _show_button(self, chosen: list[KeptLevel], why_not: str | None) -> None:
        if why_not is None and typed_folder(self.ui.exportFolderEdit) is None:
            typed = bool(self.ui.exportFolderEdit.currentPath.strip())
            why_not = _("Give the folder's full path") if typed else _("Choose a folder")
        button = self.ui.exportButton
        button.enabled = why_not is None
        button.text = why_not or _("Export {levels}").format(levels=", ".join(kept.level for kept in chosen))
        button.toolTip = why_not or _("Write the files, read them back, and compare")

    def _tick(self) -> None:
        if self.panel.parameters is None:
            return
        rows = enumerate(self._levels)
        ticked = [level for row, level in rows if self.ui.exportLevelsList.item(row).checkState() == qt.Qt.Checked]
        self.panel.parameters.exportLevels = json.dumps(ticked)

    def _choose_format(self) -> None:
        if self.panel.parameters is not None:
            self.panel.parameters.exportFormat = self.ui.exportFormatComboBox.currentData

    def _restore(self) -> None:
        for level in self._restorable():
            self.logic.restoreLevel(self.panel.parameters.ct, level)
        self.panel.refresh()

    def _press(self) -> None:
        self._say("")
        chosen = self._chosen_now()
        names = ", ".join(kept.level for kept in chosen)
        self._gate.ask(chosen, _("export {levels}").format(levels=names), self._export)

    def _export(self, policy: ReleasePolicy) -> None:
        parameters, folder = self.panel.parameters, typed_folder(self.ui.exportFolderEdit)
        if folder is None:  # it was emptied while the question was open
            self.panel.refresh()
            return
        try:
            with slicer.util.WaitCursor():
                exported = export_levels(parameters.ct, self._chosen_now(), self._how(parameters, policy, folder))
        except RadgsError as error:
            self._say_error(error)
            return
        self._say(exported_text(exported))
        self.panel.announce(
            _("{levels} exported").format(levels=", ".join(pose.level for pose in exported.released.poses))
        )

    def _how(self, parameters: Any, policy: ReleasePolicy, folder: Path) -> FileExport:
        ui = self.ui
        known = dicom_files(parameters.ct)
        typed = (Path(ui.ctDicomEdit.currentPath),) if ui.ctDicomEdit.currentPath and not known else ()
        return FileExport(
            folder=folder,
            formats=(ui.exportFormatComboBox.currentData,),
            policy=policy,
            ct_dicom=known if known and ui.ctDicomCheckBox.checked else typed,
            xray_dicom=(Path(ui.xrayDicomEdit.currentPath),) if ui.xrayDicomEdit.currentPath else (),
        )

    def _say_error(self, error: RadgsError) -> None:
        self._say(error_text(error))

    def _say(self, text: str) -> None:
        self.ui.exportedLabel.text = without_long_words(text)
        self.ui.exportedLabel.toolTip = text
        self.ui.exportedLabel.setVisible(bool(text))
