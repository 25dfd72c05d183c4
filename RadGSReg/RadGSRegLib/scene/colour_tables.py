"""Colour tables of the module's own, each made once in a scene and not saved with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import slicer

from radgs.colours import rgb

#: Colours of a table that goes from one to another.
STEPS = 256


def colours_between(name: str, first: str, last: str) -> Any:
    """The table that goes evenly from one colour, "#rrggbb", to another."""
    share = np.linspace(0.0, 1.0, STEPS)[:, None]
    mixed = (1 - share) * np.array(rgb(first)) + share * np.array(rgb(last))
    return _table(name, [(*colour, 1.0) for colour in mixed])


def one_label(name: str, colour: str) -> Any:
    """The table of a label map with one label, "#rrggbb"; 0 is clear."""
    return _table(name, [(0.0, 0.0, 0.0, 0.0), (*rgb(colour), 1.0)])


def _table(name: str, colours: Sequence[tuple[float, ...]]) -> Any:
    full = f"RadGSReg {name}"
    table = slicer.mrmlScene.GetSingletonNode(full, "vtkMRMLColorTableNode")
    if table is None:
        table = slicer.vtkMRMLColorTableNode()
        table.SetSingletonTag(full)
        table.SetName(full)
        table.SetSaveWithScene(False)
        table.SetHideFromEditors(True)
        table.SetTypeToUser()
        table.SetNumberOfColors(len(colours))
        for number, colour in enumerate(colours):
            table.SetColor(number, *(float(part) for part in colour))
        table = slicer.mrmlScene.AddNode(table)
    return table
