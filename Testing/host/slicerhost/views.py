"""Slice views and a 3D view drawn off screen by MRML's own displayable managers, for pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
import vtk

SLICE_MANAGERS = (
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLMarkupsDisplayableManager",
)
THREE_D_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLVolumeRenderingDisplayableManager",
    "vtkMRMLMarkupsDisplayableManager",
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
        self._group: Any = None

    def _show(self, factory: Any, managers: tuple[str, ...], node: Any) -> None:
        factory.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        for manager in managers:
            if not factory.IsDisplayableManagerRegistered(manager):
                factory.RegisterDisplayableManager(manager)
        self._group = slicer.vtkMRMLDisplayableManagerGroup()
        self._group.SetRenderer(self.renderer)
        self._group.Initialize(factory, self.renderer)
        self._group.SetMRMLDisplayableNode(node)

    def save(self, path: Path) -> None:
        """Draws the view into a PNG."""
        self._window.Render()
        grabber = vtk.vtkWindowToImageFilter()
        grabber.SetInput(self._window)
        grabber.ReadFrontBufferOff()
        writer = vtk.vtkPNGWriter()
        writer.SetFileName(str(path))
        writer.SetInputConnection(grabber.GetOutputPort())
        writer.Write()


class OffscreenSliceView(OffscreenView):
    """One of the scene's slice views.

    Args:
        tag: "Red", "Green" or "Yellow".
        size: Width and height, pixels.
    """

    def __init__(self, tag: str, size: tuple[int, int]) -> None:
        super().__init__(size)
        node = slicer.mrmlScene.GetSingletonNode(tag, "vtkMRMLSliceNode")
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
        self._show(slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance(), SLICE_MANAGERS, node)

    def save(self, path: Path) -> None:
        """Draws the view into a PNG."""
        self._mapper.SetInputConnection(self._logic.GetImageDataConnection())
        super().save(path)


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
        self._show(slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance(), THREE_D_MANAGERS, node)

    def look(self, direction: tuple[float, float, float], zoom: float = 1.0) -> None:
        """Looks at everything there is, along a world direction, head up."""
        camera = self.renderer.GetActiveCamera()
        camera.SetFocalPoint(0.0, 0.0, 0.0)
        camera.SetPosition(*(-1000.0 * axis for axis in direction))
        camera.SetViewUp(0.0, 0.0, 1.0)
        self.renderer.ResetCamera()
        camera.Zoom(zoom)
        self.renderer.ResetCameraClippingRange()
