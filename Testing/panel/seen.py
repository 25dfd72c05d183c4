"""What is seen in a slice view that lies in a film, in the film's own pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer

from radgs.colours import rgb
from radgs.geometry import FloatArray, ViewGeometry


def marked(view: Any, film: ViewGeometry, colour: str, tolerance: float = 40.0) -> FloatArray:
    """(N, 2) pixels of a film at which its view shows a colour, "#rrggbb"."""
    away = np.abs(view.picture() - np.array(rgb(colour)) * 255).max(axis=-1)
    return _in_film(view, film, away < tolerance)


def ends_of_line(view: Any, film: ViewGeometry, expected: FloatArray) -> FloatArray:
    """(2, 2) pixels of a film at which its view shows the discs at the ends of the only markups line on it.

    Args:
        view: The slice view.
        film: The film.
        expected: (2, 2) about where they are, in their order.
    """
    drawn = view.picture().astype(int)
    lines = slicer.util.getNodesByClass("vtkMRMLMarkupsLineNode")
    shown = [line.GetDisplayNode() for line in lines if line.GetDisplayNode() is not None]
    for display in shown:
        display.SetVisibility(False)
    seen = _in_film(view, film, np.abs(drawn - view.picture()).max(axis=-1) > 60)
    for display in shown:
        display.SetVisibility(True)
    along = (expected[1] - expected[0]) / np.linalg.norm(expected[1] - expected[0])
    discs = seen[np.abs((seen - expected[0]) @ [-along[1], along[0]]) > 0.8]  # wider than the line
    first = np.linalg.norm(discs - expected[0], axis=1) < np.linalg.norm(discs - expected[1], axis=1)
    return np.stack([discs[first].mean(axis=0), discs[~first].mean(axis=0)])


def _in_film(view: Any, film: ViewGeometry, where: np.ndarray) -> FloatArray:
    rows, columns = np.nonzero(where)
    return film.project(view.to_world(np.column_stack([columns, rows])))
