"""Initialization: a click on every vertebra in both X-rays."""

from __future__ import annotations

from functools import partial
from typing import Any

import qt
from slicer.i18n import tr as _

from radgs.case.checks.case import MAX_CLICK_GAP_MM
from radgs.errors import RadgsError
from RadGSRegLib.scene import xray_nodes
from RadGSRegLib.scene.click_placement import ClickPlacement
from RadGSRegLib.scene.placement import in_scene
from RadGSRegLib.scene.slice_views import show_xrays
from RadGSRegLib.sections.section import Section
from RadGSRegLib.theme import colour


class InitializationSection(Section):
    """A row per level, a button per X-ray that starts the placing of a click and says whether there is one."""

    def connect(self) -> None:
        """Prepares the table."""
        table = self.ui.clicksTable
        table.verticalHeader().setVisible(False)
        self.ui.showXraysButton.connect("clicked(bool)", self._show_xrays)
        self._placement = ClickPlacement(self.logic, self.panel.refresh, self.panel.say_error)
        self._made_for: tuple[Any, ...] = ()
        self._buttons: dict[tuple[str, str], Any] = {}

    def let_go(self) -> None:
        """Ends placing."""
        self._placement.stop()

    def follow(self, parameters: Any) -> None:
        """Shows a row per ticked level."""
        xrays = [xray for xray in (parameters.xray1, parameters.xray2) if in_scene(xray)]
        levels = list(parameters.segments)
        key = (tuple(levels), tuple(xray.GetID() for xray in xrays), tuple(map(xray_nodes.view_name, xrays)))
        if key != self._made_for:
            self._placement.stop()
            self._make_rows(levels, xrays)
            self._made_for = key
        for (level, _view), (button, xray) in self._buttons.items():
            self._show_state(button, level, xray)
        for row, level in enumerate(levels):
            self._show_gap(row, level, xrays)
        self.ui.showXraysButton.enabled = bool(xrays)

    def _make_rows(self, levels: list[str], xrays: list[Any]) -> None:
        table = self.ui.clicksTable
        table.setRowCount(0)
        table.setRowCount(len(levels))
        table.setColumnCount(2 + len(xrays))
        table.setHorizontalHeaderLabels([_("Level"), *map(xray_nodes.view_name, xrays), _("Gap")])
        self._buttons = {}
        for row, level in enumerate(levels):
            table.setItem(row, 0, qt.QTableWidgetItem(level))
            for column, xray in enumerate(xrays, 1):
                button = qt.QPushButton()
                button.setCheckable(True)
                button.connect("clicked(bool)", partial(self._place, level, xray))
                table.setCellWidget(row, column, button)
                self._buttons[level, xray.GetID()] = button, xray
        for column in range(len(xrays) + 2):
            mode = qt.QHeaderView.Stretch if 0 < column <= len(xrays) else qt.QHeaderView.ResizeToContents
            table.horizontalHeader().setSectionResizeMode(column, mode)
        height = table.horizontalHeader().height + sum(table.rowHeight(row) for row in range(len(levels))) + 4
        table.setFixedHeight(max(height, 50))
        table.setVisible(bool(levels and xrays))

    def _show_state(self, button: Any, level: str, xray: Any) -> None:
        placing = self._placement.is_placing(level, xray)
        button.checked = placing
        button.enabled = xray_nodes.has_source(xray) and not self.logic.running
        button.toolTip = _("Press, then click the middle of {level}'s body in {view}").format(
            level=level, view=xray_nodes.view_name(xray)
        )
        if not xray_nodes.has_source(xray):
            button.text, button.toolTip = _("no geometry"), _("Load the X-ray's geometry first")
        elif placing:
            button.text = _("Click in the X-ray...")
        else:
            clicked = self.logic.click(level, xray) is not None
            button.text = _("✓ Placed") if clicked else _("Place")

    def _show_gap(self, row: int, level: str, xrays: list[Any]) -> None:
        """How well the clicks agree: rays through the same point pass close to each other."""
        try:
            gap = self.logic.clickGap(level, xrays)
        except RadgsError:
            gap = None  # the geometry is to blame, and its own line says so
        item = qt.QTableWidgetItem("–" if gap is None else _("{gap:.1f} mm").format(gap=gap))
        item.setToolTip(_("How far the rays of the two clicks miss each other"))
        if gap is not None and gap > MAX_CLICK_GAP_MM:
            item.setForeground(qt.QBrush(qt.QColor(colour("bad", self.ui.clicksTable))))
            item.setToolTip(_("Too far: click the same vertebra's body in both X-rays, or check the geometry"))
        self.ui.clicksTable.setItem(row, 1 + len(xrays), item)

    def _show_xrays(self) -> None:
        inputs = self.logic.inputs()
        try:
            show_xrays(inputs.xrays, inputs.ct)
        except RadgsError as error:
            self.panel.say_error(error)

    def _place(self, level: str, xray: Any, checked: bool) -> None:
        try:
            if checked:
                self._placement.start(level, xray)
            else:
                self._placement.stop()
        except RadgsError as error:
            self.panel.say_error(error)
        self.panel.refresh()
