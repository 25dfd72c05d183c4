"""Placing clicks as a user does: the table's buttons, and a click in a slice view."""

from __future__ import annotations

from typing import Any

import slicer


def place_button(panel: Any, row: int, column: int) -> Any:
    return panel.ui.clicksTable.cellWidget(row, column)


def to_do(panel: Any) -> str:
    """The next thing that is missing, as the line below Apply says it; empty where nothing is."""
    label = panel.ui.applyHintLabel
    return label.text.split(" (")[0] if label.isVisible() else ""


def interaction() -> Any:
    return slicer.app.applicationLogic().GetInteractionNode()


def click_in_the_view(position: Any) -> None:
    """What a slice view does with a click in place mode."""
    import vtk

    selection = slicer.app.applicationLogic().GetSelectionNode()
    slicer.mrmlScene.GetNodeByID(selection.GetActivePlaceNodeID()).AddControlPointWorld(vtk.vtkVector3d(*position))
    interaction().SwitchToViewTransformMode()
    slicer.app.processEvents()
