"""Gaussians as a surface: an ellipsoid of one standard deviation for each, coloured by its density."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import vtk
from scipy.spatial.transform import Rotation
from vtk.util.numpy_support import numpy_to_vtk

from radgs.io.gaussian_table import read_gaussian_table

#: Corners of an ellipsoid around its axis, and along it.
AROUND, ALONG = 8, 6

#: Fainter Gaussians than this share of the densest are left out, and so are those that attenuate less than around them.
FAINTEST = 0.05

DENSITY = "density"


def ellipsoids(path: Path) -> Any:
    """Reads a .ply file of Gaussians and returns vtkPolyData, in the file's frame, with the point data ``density``.

    Raises:
        InputFileError: The file is missing, or does not hold Gaussians.
    """
    table = read_gaussian_table(path)
    table = table[table["opacity"] > FAINTEST * table["opacity"].max(initial=0.0)]
    surface = surface_of_ellipsoids(_columns(table, "x", "y", "z"), _axes(table), table["opacity"])
    if surface.GetPointData().GetScalars() is not None:
        surface.GetPointData().GetScalars().SetName(DENSITY)
    return surface


def surface_of_ellipsoids(centres: np.ndarray, axes: np.ndarray, values: np.ndarray, finer: int = 1) -> Any:
    """Ellipsoids as vtkPolyData.

    Args:
        centres: (N, 3) their centres.
        axes: (N, 3, 3) their half axes, one a row.
        values: (N,) what colours them.
        finer: How many times as many corners as a cloud of them has.
    """
    points, cloud = vtk.vtkPoints(), vtk.vtkPolyData()
    points.SetData(numpy_to_vtk(np.ascontiguousarray(centres, dtype=np.float64), deep=True))
    cloud.SetPoints(points)
    cloud.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(values), deep=True))
    cloud.GetPointData().SetTensors(numpy_to_vtk(np.ascontiguousarray(axes).reshape(-1, 9), deep=True))
    sphere = vtk.vtkSphereSource()
    sphere.SetRadius(1.0)
    sphere.SetThetaResolution(AROUND * finer)
    sphere.SetPhiResolution(ALONG * finer)
    glyphs = vtk.vtkTensorGlyph()
    glyphs.SetInputData(cloud)
    glyphs.SetSourceConnection(sphere.GetOutputPort())
    glyphs.ExtractEigenvaluesOff()
    glyphs.SetColorModeToScalars()
    glyphs.Update()
    return glyphs.GetOutput()


def _columns(table: np.ndarray, *names: str) -> np.ndarray:
    return np.stack([table[name] for name in names], axis=1).astype(np.float64)


def _axes(table: np.ndarray) -> np.ndarray:
    """(N, 3, 3) each Gaussian's axes, one a row, as long as its standard deviations."""
    if len(table) == 0:
        return np.empty((0, 3, 3))
    rotations = Rotation.from_quat(_columns(table, "rot_1", "rot_2", "rot_3", "rot_0")).as_matrix()
    scales = np.exp(_columns(table, "scale_0", "scale_1", "scale_2"))
    return np.ascontiguousarray((rotations * scales[:, None, :]).transpose(0, 2, 1))
