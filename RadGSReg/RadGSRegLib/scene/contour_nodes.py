"""The vertebra's contour on the films: lines that the slice views cut out of narrow ribbons which stand on them.

A model's own lines would lie in the slice view's plane, where nothing is cut; shown as projections instead, they would
appear in every slice view there is. A ribbon is cut by the views that lie in its film, and by no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray

from radgs.colours import rgb
from radgs.geometry import FloatArray, ViewGeometry
from RadGSRegLib.scene import xray_nodes
from RadGSRegLib.scene.film_nodes import lay_on_film, on_film
from RadGSRegLib.scene.node_contract import CONTOUR_ROLE

#: How far a ribbon stands out of its film on either side, mm; where the view has left the film, the contour is gone.
HALF_WIDTH_MM = 0.5
LINE_PIXELS = 2
COLOURS = "colour"


def put_contour(xray: Any, level: str, lines: Sequence[tuple[FloatArray, str]]) -> Any:
    """Lays lines on an X-ray's film, in place of those that were there, and returns their model.

    Args:
        xray: The X-ray volume, with its source.
        level: Whose contour it is.
        lines: World points (K, 3), mm, of each line, and its colour, "#rrggbb"; they are cast onto the film.
    """
    geometry = xray_nodes.geometry_of(xray)
    model = on_film(xray, CONTOUR_ROLE)
    if model is None:
        model = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "contour")
        model.SetHideFromEditors(True)
        model.CreateDefaultDisplayNodes()
        _show(model.GetDisplayNode())
        lay_on_film(xray, CONTOUR_ROLE, model)
    model.SetName(f"{level} contour on {xray_nodes.view_name(xray)}")
    model.SetAndObservePolyData(_ribbons(geometry, lines))
    model.GetDisplayNode().SetScalarRange(0.0, 255.0)  # not used, but an empty one, which it has now, is complained of
    return model


def _show(display: Any) -> None:
    display.SetVisibility2D(True)
    display.SetSliceIntersectionThickness(LINE_PIXELS)
    display.SetLighting(False)
    display.SetBackfaceCulling(False)
    display.SetActiveScalarName(COLOURS)
    display.SetScalarVisibility(True)
    display.SetScalarRangeFlag(slicer.vtkMRMLDisplayNode.UseDirectMapping)


def _ribbons(geometry: ViewGeometry, lines: Sequence[tuple[FloatArray, str]]) -> Any:
    """A vtkPolyData of a strip of rectangles for every line, with its colour at every point."""
    corners, colours, rectangles, first = [], [], [], 0
    out, told = HALF_WIDTH_MM * geometry.normal, np.concatenate([np.zeros((0, 3)), *(points for points, _ in lines)])
    pixels = geometry.project(told)  # all at once: a pose that is moved waits for this
    cast = np.split(geometry.pixel_to_ras(pixels), np.cumsum([len(points) for points, _ in lines])[:-1])
    for line, (_points, colour) in zip(cast, lines, strict=False):
        count = len(line)
        if count < 2 or not np.isfinite(line).all():
            continue
        corners += [line - out, line + out]
        colours.append(np.tile(np.rint(255.0 * np.array(rgb(colour))), (2 * count, 1)))
        near = first + np.arange(count - 1)
        rectangles.append(np.stack([near, near + 1, near + 1 + count, near + count], axis=1))
        first += 2 * count
    data, points = vtk.vtkPolyData(), vtk.vtkPoints()
    if not corners:
        return data
    points.SetData(numpy_to_vtk(np.concatenate(corners), deep=True))
    data.SetPoints(points)
    quads = np.concatenate(rectangles)
    cells = vtk.vtkCellArray()
    cells.SetData(4, numpy_to_vtkIdTypeArray(quads.astype(np.int64).ravel(), deep=True))
    data.SetPolys(cells)
    scalars = numpy_to_vtk(np.concatenate(colours).astype(np.uint8), deep=True)
    scalars.SetName(COLOURS)
    data.GetPointData().SetScalars(scalars)
    return data
