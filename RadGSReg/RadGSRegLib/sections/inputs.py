"""Inputs: CT, segmentation, the levels and the user's word for them, and two X-rays with their geometry."""

from __future__ import annotations

from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from radgs.errors import RadgsError
from RadGSRegLib.review import confirmation
from RadGSRegLib.scene.fitting import fits_as_ct, fits_as_xray, offer, offer_all
from RadGSRegLib.scene.segments import doubts_about_levels, level_choices
from RadGSRegLib.sections.geometry_line import GeometryLine
from RadGSRegLib.sections.section import Section
from RadGSRegLib.theme import style

#: Modules that make a segmentation of the vertebrae, the best first: name among ``slicer.modules``, and title.
SEGMENTERS = {"totalsegmentator": "TotalSegmentator", "segmenteditor": "Segment Editor"}

#: Least width of the line under the segmentation, pixels: alone, and with a button beside it.
WIDE_HINT, NARROW_HINT = 240, 160


class InputsSection(Section):
    """What is registered. Nothing is ticked for the user, and no level is taken without their word."""

    def connect(self) -> None:
        """Connects the widgets that the form does not bind to a parameter itself."""
        ui = self.ui
        ui.demoButton.connect("clicked(bool)", lambda: self.load(self.logic.demoCase()))
        ui.loadCaseButton.connect("clicked(bool)", self._choose_case)
        ui.segmentButton.connect("clicked(bool)", self._open_segmenter)
        ui.levelsList.connect("itemChanged(QListWidgetItem*)", self._tick)
        ui.confirmLevelsCheckBox.connect("clicked(bool)", self._confirm)
        self._lines = [self._line(number) for number in (0, 1)]
        self._shown: dict[str, str] = {}
        #: What looks wrong with a segmentation, and in which state of it.
        self._doubts: tuple[Any, list[str]] | None = None

    def _line(self, number: int) -> GeometryLine:
        names = ("geometry{}Label", "loadGeometry{}Button", "editGeometry{}Button", "undoGeometry{}Button")
        label, load, edit, undo = (getattr(self.ui, name.format(number + 1)) for name in names)
        return GeometryLine(number, label, load, edit, undo, self.logic, self.panel)

    def let_go(self) -> None:
        """Offers every node again, and closes what is open."""
        for line in self._lines:
            line.close()
        for selector in (self.ui.ctSelector, self.ui.xray1Selector, self.ui.xray2Selector):
            offer_all(selector)

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
        offer(self.ui.ctSelector, parameters.ct, fits_as_ct)
        offer(self.ui.xray1Selector, parameters.xray1, fits_as_xray)
        offer(self.ui.xray2Selector, parameters.xray2, fits_as_xray)
        self._show_segmentation_hint(parameters)
        self._show_levels(parameters, choices)
        self._show_confirmation(parameters)
        first, second = self._lines
        first.show(parameters.xray1, parameters.xray2)
        second.show(parameters.xray2, parameters.xray1)
        for widget in self._inputs():
            widget.enabled = not self.logic.running

    def _inputs(self) -> list[Any]:
        ui = self.ui
        selectors = [ui.ctSelector, ui.segmentationSelector, ui.xray1Selector, ui.xray2Selector]
        return [*selectors, ui.levelsList, ui.loadCaseButton, ui.demoButton, ui.segmentButton]

    def _show_segmentation_hint(self, parameters: Any) -> None:
        """What is needed where there is no segmentation, and a way to the module that makes one; or what is doubted."""
        needed = parameters.ct is not None and parameters.segmentation is None
        doubts = [] if parameters.segmentation is None else self._doubts_about(parameters.segmentation)
        segmenter = next((title for name, title in SEGMENTERS.items() if hasattr(slicer.modules, name)), None)
        self.ui.segmentationHintRow.setVisible(needed or bool(doubts))
        self.ui.segmentationHintLabel.setVisible(needed or bool(doubts))
        self.ui.segmentButton.setVisible(needed and segmenter is not None)
        self.ui.segmentationHintLabel.styleSheet = style("doubt", self.ui.levelsList) if doubts else ""
        self.ui.segmentationHintLabel.minimumWidth = WIDE_HINT if doubts else NARROW_HINT
        if doubts:
            self.ui.segmentationHintLabel.text = _("Look at the segmentation: {doubts}").format(doubts=" ".join(doubts))
            self.ui.segmentationHintLabel.toolTip = "\n".join(doubts)
            return
        self.ui.segmentationHintLabel.text = _("Needed: the vertebrae, a segment each, named like L3 or vertebrae_L3")
        self.ui.segmentationHintLabel.toolTip = _("Drawn on this CT; vertebrae that touch the level belong in it too")
        if segmenter is not None:
            self.ui.segmentButton.text = _("{module}...").format(module=segmenter)

    def _doubts_about(self, segmentation: Any) -> list[str]:
        """What looks wrong with its levels, looked at again after the segmentation changed."""
        held = segmentation.GetSegmentation()
        names = [held.GetNthSegment(number).GetName() for number in range(held.GetNumberOfSegments())]
        state = (segmentation.GetID(), held.GetMTime(), names)
        if self._doubts is None or self._doubts[0] != state:
            self._doubts = state, doubts_about_levels(segmentation)
        return self._doubts[1]

    def _open_segmenter(self) -> None:
        name = next((name for name in SEGMENTERS if hasattr(slicer.modules, name)), None)
        if name is not None:
            slicer.util.selectModule(getattr(slicer.modules, name).name)

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
        urgent = "font-weight: bold; " + style("doubt", self.ui.levelsList)
        box.styleSheet = "" if confirmed or not box.enabled else urgent
        if parameters.segmentation is None:
            box.text = _("Choose a segmentation first")
        elif not levels:
            box.text = _("Tick a level above") if self._shown else _("No segment is named like a vertebra (L3)")
        elif parameters.ct is None:
            box.text = _("Choose the CT first")
        else:
            text = _("I confirm: {levels} is meant") if len(levels) == 1 else _("I confirm: {levels} are meant")
            box.text = text.format(levels=", ".join(levels))
        withdrawn = _("Only you can know which vertebra is meant. Another CT, segmentation or level withdraws it.")
        box.toolTip = f"{box.text}.\n{withdrawn}"

    def _confirm(self, checked: bool) -> None:
        parameters = self.panel.parameters
        if parameters is None:
            return
        if checked:
            confirmation.confirm(parameters)
        else:
            confirmation.withdraw(parameters)

    def _choose_case(self) -> None:
        path = qt.QFileDialog.getOpenFileName(self.ui.loadCaseButton, _("Load a case"), "", _("Cases (*.json)"))
        if path:
            self.load(path)

    def load(self, path: Any) -> None:
        """Brings a case.json, or the folder that holds one, into the scene, and makes it the inputs."""
        try:
            inputs = self.logic.loadCase(path)
        except RadgsError as error:
            self.panel.say_error(error)
            return
        slicer.util.setSliceViewerLayers(background=inputs.ct, fit=True)
        self.panel.say("")
