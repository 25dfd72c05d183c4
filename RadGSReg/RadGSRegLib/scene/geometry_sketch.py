"""A sketch of the exposures in the 3D view: sources, films, beams, and the patient in whose axes they stand.

Its models are there only while somebody edits a geometry; no saved scene holds them, and no selector offers them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk

from radgs.geometry import FloatArray, ViewGeometry
from RadGSRegLib.scene.placement import in_scene, remove

#: Of one view after the other, RGB; told apart with every kind of colour vision.
COLOURS = ((0.90, 0.60, 0.0), (0.34, 0.71, 0.91))
PATIENT_COLOUR = (0.75, 0.75, 0.75)

#: Radius of the ball that marks a source, mm.
SOURCE_MM = 12.0

#: Half axes of the patient's trunk and head, and where the head and the nose are, RAS mm from the isocentre.
TRUNK, HEAD = (160.0, 90.0, 280.0), (70.0, 90.0, 110.0)
HEAD_CENTRE, NOSE_CENTRE = (0.0, 0.0, 390.0), (0.0, 90.0, 380.0)


class GeometrySketch:
    """The models; ``remove`` takes them out of the scene."""

    def __init__(self) -> None:
        self._views: dict[int, Any] = {}
        self._patient: Any = None

    def show(self, number: int, geometry: ViewGeometry, name: str) -> None:
        """Draws an exposure, in place of the one that was there.

        Args:
            number: Which X-ray, from 0.
            geometry: Its source and film.
            name: What it is called.
        """
        if not in_scene(self._views.get(number)):
            self._views[number] = _add_model(COLOURS[number % len(COLOURS)], 0.6)
        model = self._views[number]
        model.SetName(f"{name} exposure")
        model.SetAndObservePolyData(_exposure(geometry))

    def show_patient(self, isocentre: FloatArray) -> None:
        """Draws the patient about a point (3,), RAS mm: head up along S, nose along A."""
        if not in_scene(self._patient):
            self._patient = _add_model(PATIENT_COLOUR, 0.35)
            self._patient.SetName("Patient")
        self._patient.SetAndObservePolyData(_patient(isocentre))

    def hide(self, number: int) -> None:
        """Takes an exposure away, of which nothing can be drawn."""
        remove(self._views.pop(number, None))

    def remove(self) -> None:
        """Takes everything away."""
        for model in (*self._views.values(), self._patient):
            remove(model)
        self._views, self._patient = {}, None


def _add_model(colour: tuple[float, float, float], opacity: float) -> Any:
    model = slicer.vtkMRMLModelNode()
    model.SetHideFromEditors(True)
    model.SetSaveWithScene(False)
    model.SetSelectable(False)
    slicer.mrmlScene.AddNode(model)
    model.CreateDefaultDisplayNodes()
    display = model.GetDisplayNode()
    display.SetSaveWithScene(False)
    display.SetColor(*colour)
    display.SetOpacity(opacity)
    display.SetBackfaceCulling(False)
    display.SetLineWidth(2)
    display.SetVisibility2D(False)
    return model


def _exposure(geometry: ViewGeometry) -> Any:
    """Film, source, and the beam's edges and central ray."""
    rows, columns = geometry.shape
    corners = geometry.pixel_to_ras(
        [[-0.5, -0.5], [columns - 0.5, -0.5], [columns - 0.5, rows - 0.5], [-0.5, rows - 0.5]]
    )
    points = vtk.vtkPoints()
    for point in (*corners, geometry.source_ras, geometry.centre_ras):
        points.InsertNextPoint(*point)
    film, rays = vtk.vtkCellArray(), vtk.vtkCellArray()
    film.InsertNextCell(4)
    for corner in range(4):
        film.InsertCellPoint(corner)
    for end in (0, 1, 2, 3, 5):
        rays.InsertNextCell(2)
        rays.InsertCellPoint(4)
        rays.InsertCellPoint(end)
    frame = vtk.vtkPolyData()
    frame.SetPoints(points)
    frame.SetPolys(film)
    frame.SetLines(rays)
    return _together(frame, _ball(geometry.source_ras, (SOURCE_MM, SOURCE_MM, SOURCE_MM)))


def _patient(isocentre: FloatArray) -> Any:
    parts = (((0.0, 0.0, 0.0), TRUNK), (HEAD_CENTRE, HEAD), (NOSE_CENTRE, (12.0, 24.0, 18.0)))
    return _together(*(_ball(np.asarray(isocentre) + np.array(centre), half_axes) for centre, half_axes in parts))


def _ball(centre: FloatArray, half_axes: tuple[float, float, float]) -> Any:
    sphere, transform, moved = vtk.vtkSphereSource(), vtk.vtkTransform(), vtk.vtkTransformPolyDataFilter()
    sphere.SetRadius(1.0)
    sphere.SetThetaResolution(24)
    sphere.SetPhiResolution(24)
    transform.Translate(*centre)
    transform.Scale(*half_axes)
    moved.SetTransform(transform)
    moved.SetInputConnection(sphere.GetOutputPort())
    moved.Update()
    return moved.GetOutput()


def _together(*parts: Any) -> Any:
    append = vtk.vtkAppendPolyData()
    for part in parts:
        append.AddInputData(part)
    append.Update()
    return append.GetOutput()
