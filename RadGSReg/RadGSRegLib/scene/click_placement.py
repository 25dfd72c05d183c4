"""Placing a click: the application's place mode for one point on an X-ray."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
from slicer.util import VTKObservationMixin

from radgs.errors import GeometryError, RadgsError
from RadGSRegLib.scene.placement import in_scene, remove
from RadGSRegLib.scene.slice_views import show_xrays


class ClickPlacement(VTKObservationMixin):
    """One click at a time: from the button's press until the point is there, or the user gives up.

    The point is placed as a fiducial of its own; only when it is there does it take the place of an earlier click.

    Args:
        logic: A ``RadGSRegLogic``.
        ended: Called when placing has ended.
        failed: Called with the error when a point cannot be taken.
    """

    def __init__(self, logic: Any, ended: Callable[[], None], failed: Callable[[RadgsError], None]) -> None:
        super().__init__()
        self._logic, self._ended, self._failed = logic, ended, failed
        self._pending: Any = None
        self._place: tuple[str, Any] | None = None

    def is_placing(self, level: str, xray: Any) -> bool:
        """Whether the next click is this one."""
        return self._place is not None and self._place[0] == level and self._place[1] is xray

    def start(self, level: str, xray: Any) -> None:
        """Enters place mode, with the X-rays in the slice views.

        Raises:
            GeometryError: The application cannot go into place mode.
        """
        self.stop()
        show_xrays([each for each in self._logic.inputs().xrays if in_scene(each)])
        markups = slicer.modules.markups.logic()
        self._pending = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", f"{level} click")
        self._pending.CreateDefaultDisplayNodes()
        markups.SetActiveList(self._pending)
        if not markups.StartPlaceMode(False):
            self.stop()
            raise GeometryError("Points cannot be placed now.", "Restart the application, then place the click.")
        self._place = level, xray
        self.addObserver(self._pending, slicer.vtkMRMLMarkupsNode.PointPositionDefinedEvent, self._placed)
        interaction = _interaction_node()
        self.addObserver(interaction, interaction.InteractionModeChangedEvent, self._mode_changed)

    def stop(self) -> None:
        """Leaves place mode; a click that was there before stays."""
        self.removeObservers()
        pending, self._pending, self._place = self._pending, None, None
        if pending is not None:
            remove(pending)
            interaction = _interaction_node()
            if interaction.GetCurrentInteractionMode() == interaction.Place:
                interaction.SwitchToViewTransformMode()

    def _placed(self, caller: Any = None, event: Any = None) -> None:
        if self._place is None:
            return
        level, xray = self._place
        position = [0.0, 0.0, 0.0]
        self._pending.GetNthControlPointPositionWorld(0, position)
        try:
            if in_scene(xray):
                self._logic.setClick(level, xray, position)
        except RadgsError as error:
            self._failed(error)
        # Not now: the view that placed the point is still in the middle of telling about it.
        self._later(self._end)

    def _mode_changed(self, caller: Any = None, event: Any = None) -> None:
        if caller.GetCurrentInteractionMode() != caller.Place:
            self._later(self._end)

    def _end(self) -> None:
        self.stop()
        self._ended()

    @staticmethod
    def _later(call: Callable[[], None]) -> None:
        import qt

        qt.QTimer.singleShot(0, call)


def _interaction_node() -> Any:
    return slicer.app.applicationLogic().GetInteractionNode()
