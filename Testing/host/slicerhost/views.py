"""Slice views and a 3D view drawn off screen by MRML's own displayable managers, and a mouse in them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import vtk_to_numpy

SLICE_MANAGERS = (
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLMarkupsDisplayableManager",
    "vtkMRMLLinearTransformsDisplayableManager",
)
THREE_D_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLVolumeRenderingDisplayableManager",
    "vtkMRMLMarkupsDisplayableManager",
    "vtkMRMLLinearTransformsDisplayableManager",
)


class OffscreenView:
    """A render window nobody sees, with the displayable managers of a view.

    Args:
        size: Width and height, pixels.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.renderer, self._window = vtk.vtkRenderer(), vtk.vtkRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.SetMultiSamples(0)
        self._window.SetSize(*size)
        self._window.AddRenderer(self.renderer)
        self._interactor = vtk.vtkRenderWindowInteractor()
        self._interactor.SetRenderWindow(self._window)
        self._interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())
        self._group: Any = None
        self._style: Any = None

    def _show(self, factory: Any, managers: tuple[str, ...], node: Any, style: Any) -> None:
        factory.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        for manager in managers:
            if not factory.IsDisplayableManagerRegistered(manager):
                factory.RegisterDisplayableManager(manager)
        self._group = slicer.vtkMRMLDisplayableManagerGroup()
        self._group.SetRenderer(self.renderer)
        self._group.Initialize(factory, self.renderer)
        self._group.SetMRMLDisplayableNode(node)
        self._style = style
        style.SetDisplayableManagers(self._group)
        style.SetInteractor(self._interactor)
        self._interactor.Initialize()

    def render(self) -> None:
        """Draws the view anew."""
        self._window.Render()

    def save(self, path: Path) -> None:
        """Draws the view into a PNG."""
        grabber = self._grabber()
        writer = vtk.vtkPNGWriter()
        writer.SetFileName(str(path))
        writer.SetInputConnection(grabber.GetOutputPort())
        writer.Write()

    def picture(self) -> NDArray[np.uint8]:
        """(H, W, 3) what is seen, the lowest row first, as views count."""
        grabber = self._grabber()
        grabber.Update()
        image = grabber.GetOutput()
        width, height, _depth = image.GetDimensions()
        return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)[..., :3].copy()

    def drag(self, places: Iterable[tuple[float, float]]) -> None:
        """Presses the left button of the mouse at the first of some places, moves it over the others, and lets it go.

        Args:
            places: Columns, and rows from below.
        """
        moves = [(round(column), round(row)) for column, row in places]
        self._point(moves[0], "MouseMoveEvent")
        self._point(moves[0], "LeftButtonPressEvent")
        for place in moves[1:]:
            self._point(place, "MouseMoveEvent")
        self._point(moves[-1], "LeftButtonReleaseEvent")

    def _point(self, place: tuple[int, int], event: str) -> None:
        self._interactor.SetEventInformation(*place, 0, 0, chr(0), 0, None)
        self._interactor.InvokeEvent(event)

    def _grabber(self) -> Any:
        self.render()
        grabber = vtk.vtkWindowToImageFilter()
        grabber.SetInput(self._window)
        grabber.ReadFrontBufferOff()
        return grabber


class OffscreenSliceView(OffscreenView):
    """One of the scene's slice views.

    Args:
        tag: "Red", "Green" or "Yellow".
        size: Width and height, pixels.
    """

    def __init__(self, tag: str, size: tuple[int, int]) -> None:
        super().__init__(size)
        node = slicer.mrmlScene.GetSingletonNode(tag, "vtkMRMLSliceNode")
        #: The vtkMRMLSliceNode.
        self.node = node
        self._logic = slicer.app.applicationLogic().GetSliceLogic(node)
        self._logic.ResizeSliceNode(*size)
        self._logic.FitSliceToBackground()
        self.renderer.GetActiveCamera().ParallelProjectionOn()
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        actor = vtk.vtkActor2D()
        actor.SetMapper(self._mapper)
        actor.GetProperty().SetDisplayLocationToBackground()
        self.renderer.AddViewProp(actor)
        style = slicer.vtkMRMLSliceViewInteractorStyle()
        style.SetSliceLogic(self._logic)
        self._show(slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance(), SLICE_MANAGERS, node, style)

    def render(self) -> None:
        """Draws the view anew."""
        self._mapper.SetInputConnection(self._logic.GetImageDataConnection())
        super().render()

    def look_at(self, middle: NDArray, width_mm: float) -> None:
        """Moves and zooms within the view's plane.

        Args:
            middle: (3,) world point that comes into the middle, mm.
            width_mm: How much is seen across the view.
        """
        columns, rows, _slices = self.node.GetDimensions()
        self.node.SetFieldOfView(width_mm, width_mm * rows / columns, self.node.GetFieldOfView()[2])
        to_ras = self.node.GetSliceToRAS()
        for axis in range(3):
            to_ras.SetElement(axis, 3, float(middle[axis]))
        self.node.UpdateMatrices()

    def to_view(self, points: NDArray) -> NDArray:
        """(N, 2) where world points (N, 3) lie in the view: column, and row from below, the middle of a pixel whole."""
        to_ras = slicer.util.arrayFromVTKMatrix(self.node.GetXYToRAS())
        return (np.column_stack([points, np.ones(len(points))]) @ np.linalg.inv(to_ras).T)[:, :2]

    def to_world(self, places: NDArray) -> NDArray:
        """(N, 3) world points of places (N, 2) in the view, on its plane."""
        to_ras = slicer.util.arrayFromVTKMatrix(self.node.GetXYToRAS())
        return (np.column_stack([places, np.zeros(len(places)), np.ones(len(places))]) @ to_ras.T)[:, :3]


class Offscreen3DView(OffscreenView):
    """A 3D view of the scene.

    Args:
        size: Width and height, pixels.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__(size)
        application = slicer.app.applicationLogic()
        logic = slicer.vtkMRMLViewLogic()
        logic.SetMRMLApplicationLogic(application)
        application.GetViewLogics().AddItem(logic)
        logic.SetMRMLScene(slicer.mrmlScene)
        self._logic, node = logic, logic.AddViewNode("1")
        node.SetBoxVisible(False)
        node.SetAxisLabelsVisible(False)
        style = slicer.vtkMRMLThreeDViewInteractorStyle()
        self._show(slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance(), THREE_D_MANAGERS, node, style)

    def look(self, direction: tuple[float, float, float], zoom: float = 1.0) -> None:
        """Looks at everything there is, along a world direction, head up."""
        camera = self.renderer.GetActiveCamera()
        camera.SetFocalPoint(0.0, 0.0, 0.0)
        camera.SetPosition(*(-1000.0 * axis for axis in direction))
        camera.SetViewUp(0.0, 0.0, 1.0)
        self.renderer.ResetCamera()
        camera.Zoom(zoom)
        self.renderer.ResetCameraClippingRange()
