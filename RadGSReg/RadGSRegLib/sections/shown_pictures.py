"""The two pictures in the panel, and the same poses in the slice views: which is looked at, and how it is compared."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import qt
from slicer.i18n import tr as _

from radgs.geometry import RigidTransform
from RadGSRegLib.engine.overlay_pictures import OverlayPictures
from RadGSRegLib.scene import xray_nodes
from RadGSRegLib.scene.plan_lines import ends_in_ct, planned_lines
from RadGSRegLib.sections.comparison_controls import ComparisonControls
from RadGSRegLib.sections.dragging import Dragging
from RadGSRegLib.sections.film_views import FilmViews
from RadGSRegLib.sections.section import PanelServices
from RadGSRegLib.sections.shortcuts import BEFORE_AFTER, MORE_DRR, MORE_XRAY, Shortcuts

#: Side of a picture, pixels: two fit into Slicer's panel.
PICTURE_SIZE = 208

#: How far a key moves the slider between X-ray and DRR, a share of its way.
SLIDER_STEP = 0.1


@dataclass(frozen=True)
class Sent:
    """What a user was sent to look at.

    Attributes:
        mode: The way to compare in which it can be seen.
        what: What it is, a sentence.
        views: The views to which the eye shall go.
    """

    mode: str
    what: str
    views: Collection[str]


class ShownPictures:
    """What hangs in the panel's two frames, and the controls under them.

    Args:
        ui: The form's widgets by name.
        logic: A ``RadGSRegLogic``.
        panel: What the panel does for its sections.
    """

    def __init__(self, ui: Any, logic: Any, panel: PanelServices) -> None:
        self._ui, self._logic, self._panel = ui, logic, panel
        #: The engine's pictures; None where there are none.
        self.pictures: OverlayPictures | None = None
        #: What the user was sent to look at; None once they look on by themselves.
        self.sent: Sent | None = None
        for label in (ui.pictureLabel1, ui.pictureLabel2):
            label.setFixedSize(PICTURE_SIZE, PICTURE_SIZE)
        self._films = FilmViews(logic)
        self.controls = ComparisonControls(ui, self._follow_comparison)
        self._drags = [Dragging(label, self.controls.drag_to) for label in (ui.pictureLabel1, ui.pictureLabel2)]
        for button in self._buttons().values():
            button.connect("toggled(bool)", self._choose)
        ui.contourCheckBox.connect("toggled(bool)", self.paint_all)
        self.shortcuts = Shortcuts(
            {
                BEFORE_AFTER: self._swap,
                MORE_XRAY: lambda: self.controls.step(-SLIDER_STEP),
                MORE_DRR: lambda: self.controls.step(SLIDER_STEP),
            }
        )
        for button in (ui.startRadioButton, ui.resultRadioButton):
            button.toolTip = f"{button.toolTip} ({BEFORE_AFTER})"
        ui.blendSlider.toolTip = f"{ui.blendSlider.toolTip} ({MORE_XRAY}, {MORE_DRR})"

    def _buttons(self) -> dict[str, Any]:
        """The button of every pose that can be looked at, by the pose's name."""
        ui = self._ui
        return {"start": ui.startRadioButton, "result": ui.resultRadioButton, "nudged": ui.nudgedRadioButton}

    @property
    def pose(self) -> str:
        """Which of the poses drawn is looked at; until a nudged one has been drawn, the result that it came from."""
        chosen = next((name for name, button in self._buttons().items() if button.checked), "start")
        drawn = (name for name in (chosen, "result") if self.pictures is not None and self.pictures.has(name))
        return next(drawn, "start")

    @property
    def _beside(self) -> str | None:
        """Whose contour is drawn too: while a vertebra is nudged, where it came from; else that of another run."""
        if self.pose == "nudged":
            return "result"
        return "compared" if self.pictures is not None and self.pictures.has("compared") else None

    @property
    def result_pose(self) -> RigidTransform | None:
        """The pose of the result that is drawn; None where none is."""
        return self.pictures.pose("result") if self.pictures is not None and self.pictures.has("result") else None

    def look_at(self, pose: str) -> None:
        """Shows a pose, where it has been drawn."""
        if self.pictures is not None and self.pictures.has(pose):
            self._buttons()[pose].checked = True

    def show(self) -> None:
        """Shows the pose that is looked at in the pictures and in the slice views."""
        if self.pictures is not None and self._panel.parameters is not None:
            self._films.show(self.pictures, self.pose, self.controls.comparison)
        self.paint_all()

    def paint_all(self) -> None:
        """Paints the pictures anew, and draws the lines on the films."""
        if self.pictures is None:
            self._films.clear()
        elif self._panel.parameters is not None:
            self._films.draw_lines(self.pictures, self.pose, self._beside, self._ui.contourCheckBox.checked)
        self.paint()

    def clear(self) -> None:
        """Nothing of the pictures stays on the films but the DRR."""
        self._films.clear()

    def enable(self) -> None:
        """The controls are there while there is something to see."""
        ui, pictures = self._ui, self.pictures
        self.controls.show(pictures is not None)
        for widget in (ui.startRadioButton, ui.contourCheckBox, ui.pictureLabel1, ui.pictureLabel2):
            widget.enabled = pictures is not None
        ui.resultRadioButton.enabled = pictures is not None and pictures.has("result")

    def paint(self) -> None:
        """Paints both pictures; where there are none, their frames go."""
        ui, pictures = self._ui, self.pictures
        labels = (ui.pictureLabel1, ui.pictureLabel2)
        for label in labels:
            label.setVisible(pictures is not None)
        if pictures is None or self._panel.parameters is None:
            return
        contour = ui.contourCheckBox.checked
        lines = planned_lines(self._panel.parameters.ct) if contour else []
        plans = [ends_in_ct(line) for line in lines]
        pose, beside, comparison = self.pose, self._beside, self.controls.comparison
        shape = qt.Qt.SplitHCursor if comparison.mode == "split" else qt.Qt.ArrowCursor
        for label, xray in zip(labels, self._logic.inputs().xrays, strict=False):
            view = xray_nodes.view_name(xray)
            if view in pictures.views:
                label.setCursor(qt.QCursor(shape))
                marked = self.sent is not None and view in self.sent.views
                label.setPixmap(pictures.compared(view, pose, comparison, contour, PICTURE_SIZE, plans, beside, marked))
                agree = pictures.edges_agree(view, pose)
                said = _("{view}: edges agree {agree:.2f}, of 1")
                label.toolTip = view if agree is None else said.format(view=view, agree=agree)

    def _choose(self, checked: bool) -> None:
        if checked:
            self.show()

    def _swap(self) -> None:
        """What the key does: nothing where there is only the start."""
        ui = self._ui
        before, after = ui.startRadioButton, ui.resultRadioButton
        if self.pictures is not None and self.pictures.has("nudged"):
            before, after = after, ui.nudgedRadioButton
        other = before if after.checked else after
        if self.pictures is not None and other.enabled:
            other.checked = True

    def _follow_comparison(self) -> None:
        """The slice views are moved along."""
        if self._panel.parameters is not None:
            self._films.compare(self.controls.comparison)
        if self.sent is not None and self.sent.mode != self.controls.comparison.mode:
            self.sent = None
            self._panel.refresh()
        self.paint()
