"""The form's widgets bound to the parameters, and wholly let go of again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import vtk


class FormBinding:
    """Widgets that follow parameters and the other way round, until they are released.

    Slicer 5.10 itself leaves an observer on the node when widgets are let go of. That makes every later change slower;
    and once Python collects the cycle of node, observer and wrapper, the next change ends the application, because VTK
    still calls what has been collected. So the observers are remembered here as they are added.

    Args:
        parameters: A ``RadGSRegParameterNode``.
        ui: The form's widgets by name.
        changed: Called after every change of the parameters, when the widgets show it.

    Raises:
        Exception: A widget does not fit its parameter; nothing is bound then.
    """

    def __init__(self, parameters: Any, ui: Any, changed: Callable[[], None]) -> None:
        self.parameters = parameters
        self._tags: list[int] = []
        add = parameters.AddObserver

        def remember(event: Any, callback: Any, priority: float = 0.0) -> int:
            self._tags.append(add(event, callback, priority))
            return self._tags[-1]

        vars(parameters)["AddObserver"] = remember
        try:
            self._gui = parameters.connectGui(ui)
        finally:
            del vars(parameters)["AddObserver"]
        self._tags.append(add(vtk.vtkCommand.ModifiedEvent, lambda *_: changed()))

    def release(self) -> None:
        """Lets go of widgets and parameters."""
        self.parameters.disconnectGui(self._gui)
        for tag in self._tags:
            self.parameters.RemoveObserver(tag)
