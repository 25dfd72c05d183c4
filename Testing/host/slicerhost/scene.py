"""A MRML scene with the application and module logics that slicer-core brings, and no Qt."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import slicer
import vtk

#: Module logics by the name of their module.
MODULE_LOGICS = {
    "Colors": "vtkMRMLColorLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "VolumeRendering": "vtkSlicerVolumeRenderingLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Models": "vtkSlicerModelsLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Terminologies": "vtkSlicerTerminologiesModuleLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Texts": "vtkSlicerTextsLogic",
}

#: Singleton tags, and pixels.
SLICE_VIEWS = ("Red", "Green", "Yellow")
SLICE_VIEW_SIZE = (400, 400)


@dataclass
class SceneParts:
    """The scene and what has to live as long as it."""

    scene: Any
    application_logic: Any
    module_logics: dict[str, Any]
    kept: list[Any] = field(default_factory=list)


def make_scene(cache: Path) -> SceneParts:
    """Makes the scene; files fetched from within it go to ``cache``."""
    scene = slicer.vtkMRMLScene()
    crosshair = slicer.vtkMRMLCrosshairNode()
    crosshair.SetCrosshairName("default")
    scene.AddNode(crosshair)
    application = slicer.vtkSlicerApplicationLogic()
    application.SetMRMLScene(scene)
    application.GetColorLogic().SetMRMLScene(scene)
    application.GetColorLogic().AddDefaultColorNodes()
    application.SetSliceLogics(vtk.vtkCollection())
    application.SetViewLogics(vtk.vtkCollection())
    vtk.vtkObject.GlobalWarningDisplayOff()  # terminologies and presets lie in Slicer's share folder, not in the wheel
    logics = {name: _module_logic(name, cls, scene, application) for name, cls in MODULE_LOGICS.items()}
    _add_preset(logics["VolumeRendering"])
    vtk.vtkObject.GlobalWarningDisplayOn()
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    parts = SceneParts(scene, application, logics)
    parts.kept = [*_remote_io(scene, application, cache), *_slice_logics(scene, application)]
    _keep_subject_hierarchy(scene)
    return parts


def _slice_logics(scene: Any, application: Any) -> list[Any]:
    """The three slice views that every layout of Slicer's has, without anything to draw on."""
    logics = []
    for tag in SLICE_VIEWS:
        logic = slicer.vtkMRMLSliceLogic()
        logic.SetMRMLApplicationLogic(application)
        application.GetSliceLogics().AddItem(logic)
        logic.SetMRMLScene(scene)
        logic.AddSliceNode(tag)
        logic.ResizeSliceNode(*SLICE_VIEW_SIZE)
        logics.append(logic)
    return logics


def _module_logic(name: str, cls: str, scene: Any, application: Any) -> Any:
    logic = getattr(slicer, cls)()
    logic.SetMRMLScene(scene)
    logic.SetMRMLApplicationLogic(application)
    application.SetModuleLogic(name, logic)
    return logic


def _add_preset(volume_rendering: Any) -> None:
    """A preset by the name of one of Slicer's, whose own file the wheel does not hold."""
    opacity, colours = vtk.vtkPiecewiseFunction(), vtk.vtkColorTransferFunction()
    for hu, alpha in ((-3000, 0.0), (140, 0.0), (1500, 0.7)):
        opacity.AddPoint(hu, alpha)
        colours.AddRGBPoint(hu, 0.9, 0.85, 0.7)
    preset = slicer.vtkMRMLVolumePropertyNode()
    preset.SetName("CT-AAA")
    preset.GetVolumeProperty().SetScalarOpacity(opacity)
    preset.GetVolumeProperty().SetColor(colours)
    volume_rendering.GetPresetsScene().AddNode(preset)


def _remote_io(scene: Any, application: Any, cache: Path) -> list[Any]:
    """Without these, a scene bundle (.mrb) does not load."""
    remote = slicer.vtkMRMLRemoteIOLogic()
    remote.SetMRMLScene(scene)
    remote.SetMRMLApplicationLogic(application)
    remote.GetCacheManager().SetRemoteCacheDirectory(str(cache))
    manager = slicer.vtkDataIOManagerLogic()
    manager.SetMRMLScene(scene)
    manager.SetMRMLApplicationLogic(application)
    manager.SetAndObserveDataIOManager(remote.GetDataIOManager())
    remote.AddDataIOToScene()
    return [remote, manager]


def _keep_subject_hierarchy(scene: Any) -> None:
    """Every node that can be shown gets its item, and takes it along when it goes, as in the application."""

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def added(caller: Any, event: str, node: Any) -> None:
        if node.IsA("vtkMRMLDisplayableNode") and not node.GetHideFromEditors() and not scene.IsImporting():
            hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
            hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def about_to_be_removed(caller: Any, event: str, node: Any) -> None:
        if node.IsA("vtkMRMLDisplayableNode") and not scene.IsClosing():
            hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
            if item := hierarchy.GetItemByDataNode(node):
                hierarchy.RemoveItem(item, False, False)

    scene.AddObserver(scene.NodeAddedEvent, added)
    scene.AddObserver(scene.NodeAboutToBeRemovedEvent, about_to_be_removed)
