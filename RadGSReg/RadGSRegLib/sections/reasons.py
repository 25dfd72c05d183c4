"""Show: from a reason of the verdict to the pictures, views or inputs where it can be seen."""

from __future__ import annotations

from typing import Any

from RadGSRegLib.review.where_to_look import WhereToLook, views_named, where_to_look
from RadGSRegLib.scene import xray_nodes
from RadGSRegLib.sections.in_3d import In3DSection
from RadGSRegLib.sections.section import Section
from RadGSRegLib.sections.visual_qa import VisualQaSection


class ReasonsSection(Section):
    """Has no widgets of its own: it opens other sections and points at theirs."""

    def show_reason(self, code: str, message: str) -> None:
        """Brings what a reason speaks of before the user's eyes.

        Args:
            code: The reason's code.
            message: Its message, which may name views.
        """
        where = where_to_look(code)
        if where is None:
            return
        names = [xray_nodes.view_name(xray) for xray in self.logic.inputs().xrays]
        views = views_named(message, names)
        if where.place == "pictures":
            self.ui.visualQaCollapsibleButton.collapsed = False
            self.panel.section(VisualQaSection).look(where, views)
            in_3d = self.panel.section(In3DSection)
            if where.reconstruction:
                in_3d.show_reconstruction(True)
            if where.uncertainty:
                in_3d.show_uncertainty(True)
        else:
            self._point_at(self._widget_of(where, code, [name in views for name in names]))
            self.panel.say(where.what)
        self.panel.refresh()

    def _widget_of(self, where: WhereToLook, code: str, named: list[bool]) -> Any:
        """What of the inputs a reason is about."""
        ui = self.ui
        if where.place == "clicks":
            return ui.showStartButton
        if code == "no_frame":
            return ui.segmentationSelector
        selectors = (ui.xray1Selector, ui.xray2Selector)
        buttons = (ui.editGeometry1Button, ui.editGeometry2Button)
        of_view = buttons if code == "header" else selectors
        return next((widget for widget, is_named in zip(of_view, named, strict=False) if is_named), ui.ctSelector)

    def _point_at(self, widget: Any) -> None:
        """Opens the section that a widget is in, and gives it the keyboard's focus, which shows where it is."""
        inside = self.ui.initializationCollapsibleButton
        button = inside if inside.isAncestorOf(widget) else self.ui.inputsCollapsibleButton
        button.collapsed = False
        widget.setFocus()
