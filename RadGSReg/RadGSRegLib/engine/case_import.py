"""From a case.json to the scene: CT, segmentation, X-rays with their sources, clicks and starting poses as nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

from radgs.errors import CaseError
from radgs.geometry import ViewGeometry, Volume
from radgs.io.case_file import CaseFile, ViewEntry, read_case_file
from radgs.io.volumes import read_labels, read_volume
from radgs.io.xray_images import read_xray
from RadGSRegLib.scene.case_inputs import CaseInputs
from RadGSRegLib.scene.measured_field import set_field
from RadGSRegLib.scene.node_contract import start_role
from RadGSRegLib.scene.placement import add_transform, remove
from RadGSRegLib.scene.segments import LABEL_OF_LEVEL
from RadGSRegLib.scene.view_geometry import set_sigma
from RadGSRegLib.scene.xray_nodes import add_xray, set_click_pixel


def import_case(path: Path, parameter_node: Any) -> CaseInputs:
    """Adds a case's nodes to the scene.

    Args:
        path: A case.json, or the folder that holds one.
        parameter_node: The module's vtkMRMLScriptedModuleNode, which will refer to clicks and starting poses.

    Raises:
        RadgsError: A file cannot be used; the message says why and what to do.
    """
    file = read_case_file(path)
    # Everything is read before the first node is added, so that a bad file leaves the scene as it was.
    ct, labels = read_volume(file.ct), read_labels(file.labels)
    for level, label in file.levels:
        if not (labels.array == label).any():
            raise CaseError(f"Level {level} (label {label}) is not in the label map.", "Correct the case's levels.")
    images = [read_xray(view.image, view.pixel_type) for view in file.views]
    ct_node = _add_volume(ct, "CT")
    segmentation, segments = _add_segmentation(labels, file, ct_node)
    xrays = tuple(
        add_xray(
            view.name,
            image.image,
            _geometry(view, image.image),
            "attenuation",
            view.conversion or image.conversion,
            f"from {file.path.name}",
        )
        for view, image in zip(file.views, images, strict=True)
    )
    for view, xray in zip(file.views, xrays, strict=True):
        set_sigma(xray, view.geometry_sigma)
        set_field(xray, view.field)
    for level, clicks in file.clicks.items():
        for view, xray in zip(file.views, xrays, strict=True):
            if view.name in clicks:
                set_click_pixel(parameter_node, level, xray, clicks[view.name])
    for level, pose in file.initial_poses.items():
        parameter_node.SetNodeReferenceID(start_role(level), add_transform(f"{level} start", pose).GetID())
    return CaseInputs(ct_node, segmentation, segments, xrays)


def _geometry(view: ViewEntry, image: NDArray) -> ViewGeometry:
    rows, columns = image.shape
    return ViewGeometry(view.source_ras, view.detector_to_ras, (rows, columns))


def _add_volume(volume: Volume, name: str, node_class: str | None = None) -> Any:
    """Adds a volume; MRML knows no whole numbers of 64 bits, and a CT of whole HU takes half the memory as int16."""
    array = volume.array
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8:
        array = array.astype(np.int32)
    return slicer.util.addVolumeFromArray(array, ijkToRAS=volume.index_to_ras, name=name, nodeClassName=node_class)


def _add_segmentation(labels: Volume, file: CaseFile, ct: Any) -> tuple[Any, dict[str, str]]:
    """Adds the segmentation, a segment per label; returns it and the segment ID of every level of the case."""
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Vertebrae")
    segmentation.CreateDefaultDisplayNodes()
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(ct)
    label_node = _add_volume(labels, "labels", "vtkMRMLLabelMapVolumeNode")
    try:
        slicer.modules.segmentations.logic().ImportLabelmapToSegmentationNode(label_node, segmentation)
    finally:
        remove(label_node)
    names = _segment_names(file)
    held, by_label = segmentation.GetSegmentation(), {}
    for index in range(held.GetNumberOfSegments()):
        identifier = held.GetNthSegmentID(index)
        label = held.GetSegment(identifier).GetLabelValue()
        held.GetSegment(identifier).SetName(names.get(label, f"label {label}"))
        by_label[label] = identifier
    return segmentation, {level: by_label[label] for level, label in file.levels}


def _segment_names(file: CaseFile) -> dict[int, str]:
    """What to call each label: the case's own names, and the other vertebrae where its numbers are VerSe's."""
    own = {label: level for level, label in file.levels}
    verse = {label: level for level, label in LABEL_OF_LEVEL.items()}
    return {**verse, **own} if all(verse.get(label) == level for label, level in own.items()) else own
