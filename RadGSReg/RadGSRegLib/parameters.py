"""The module's parameters: what the user chose, saved with the scene.

Slicer reads this file each time it starts: it imports no numerical library.
"""

from collections.abc import Callable
from typing import Annotated, Any

import vtk
from slicer import vtkMRMLLinearTransformNode, vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper

from radgs.ports import OPENIGTLINK_PORT

#: Where the engine may compute, as its own ``device`` has it.
DEVICES = ("auto", "cpu", "cuda")
#: Least and most.
MINUTES = (1, 600)
PORTS = (1, 65535)


@parameterNodeWrapper
class RadGSRegParameterNode:
    """The user's choices, saved with the scene; its node also refers to clicks and starting poses.

    A combo box of the form offers what its parameter's ``Choice`` says, and a spin box has its ``WithinRange``; Slicer
    writes over what the form itself says of items and ranges.

    Attributes:
        ct: The CT, HU.
        segmentation: The vertebrae, drawn on that CT.
        segments: Segment ID by level, for the levels to be registered.
        confirmedLevels: What the user's word was given for, see ``RadGSRegLib.review.confirmation``.
        xray1: An X-ray, with its source.
        xray2: Another, from another direction.
        outputTransform: Takes the pose of a single level; None: the level's own, made where there is none.
        outputVolume: Takes its reconstruction; None: a new one.
        transformName: What a level's transform is called when it is made; "{level}" stands for its name.
        reconstructionName: What a level's reconstructed volume is called when it is made.
        models: File of the model prepared for this patient, by level, where one is to serve.
        preparationMinutes: Time budget of a preparation.
        device: Where the engine computes; "auto" takes a GPU where there is one.
        selfCalibrate: Solve for the second X-ray's geometry as well.
        exportFormat: Name of one of ``radgs.export.FILE_FORMATS``.
        exportLevels: The levels ticked for export, a JSON list of names.
        streamHost: Where poses are sent live, or the own address to listen at.
        streamPort: Of the same.
        streamListen: Be the server.
    """

    ct: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode
    segments: dict[str, str]
    confirmedLevels: str
    xray1: vtkMRMLScalarVolumeNode
    xray2: vtkMRMLScalarVolumeNode
    outputTransform: vtkMRMLLinearTransformNode
    outputVolume: vtkMRMLScalarVolumeNode
    transformName: str = "{level}CTToWorld"
    reconstructionName: str = "{level} reconstruction"
    models: dict[str, str]
    preparationMinutes: Annotated[int, WithinRange(*MINUTES)] = 20
    device: Annotated[str, Choice(DEVICES)] = "auto"
    selfCalibrate: bool = False
    exportFormat: str = "tfm"
    exportLevels: str = "[]"
    streamHost: str = "127.0.0.1"
    streamPort: Annotated[int, WithinRange(*PORTS)] = OPENIGTLINK_PORT
    streamListen: bool = False


def _whole_number_within(least: int, most: int) -> Callable[[str], bool]:
    return lambda text: text.isascii() and text.isdigit() and least <= int(text) <= most


#: What a scene's text has to be for a widget to show it.
USABLE: dict[str, Callable[[str], bool]] = {
    "preparationMinutes": _whole_number_within(*MINUTES),
    "device": DEVICES.__contains__,
    "streamPort": _whole_number_within(*PORTS),
}


def parameters_of(node: Any) -> RadGSRegParameterNode:
    """A parameter node, typed.

    Scenes are written by other versions and by other programs. Slicer reads a value without asking whether it is valid,
    and then cannot bind its widget, which would leave the whole panel dead: such a value gives way to the default.

    Args:
        node: A vtkMRMLScriptedModuleNode.
    """
    for name, is_usable in USABLE.items():
        if node.HasParameter(name) and not is_usable(node.GetParameter(name)):
            node.UnsetParameter(name)
    # VTK calls the observer that came first last, and the wrapper's own observers take note of what others have
    # written: they must not be it, or whoever listens to the node would find old values.
    if not node.HasObserver(vtk.vtkCommand.ModifiedEvent):
        node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: None)
    return RadGSRegParameterNode(node)  # type: ignore[call-arg]  # the wrapper gives it a constructor
