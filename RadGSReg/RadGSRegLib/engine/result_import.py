"""From a result's folder to the scene: poses, verdicts, vertebrae, reconstruction and Gaussians as nodes."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from radgs.case import LevelResult, RegistrationResult, SelfCalibratedView
from radgs.errors import CaseError
from radgs.export.released_poses import Provenance
from radgs.export.verified_write import sha256_of
from radgs.geometry import ViewGeometry
from radgs.io.volumes import read_volume
from RadGSRegLib.export.references import refer_as_registration
from RadGSRegLib.review.history import keep_run
from RadGSRegLib.review.never_found import forget_never_found, keep_never_found
from RadGSRegLib.scene.case_inputs import CaseInputs
from RadGSRegLib.scene.folder import show_in_folder
from RadGSRegLib.scene.former_geometry import change_geometry
from RadGSRegLib.scene.gaussian_glyphs import DENSITY, ellipsoids
from RadGSRegLib.scene.levels import activate, active_level, level_transforms, put_level, put_vertebra, revert
from RadGSRegLib.scene.node_contract import (
    ACCEPTED_ATTRIBUTE,
    GAUSSIANS_ROLE,
    LEVEL_ATTRIBUTE,
    RECONSTRUCTED_GAUSSIANS_ROLE,
    RECONSTRUCTION_ROLE,
    RESULT_ATTRIBUTE,
    RUN_ATTRIBUTE,
    SOURCE_ROLE,
    VERTEBRA_ROLE,
)
from RadGSRegLib.scene.placement import in_scene, remove
from RadGSRegLib.scene.provenance import keep_provenance, provenance_of
from RadGSRegLib.scene.uncertainty import hide_uncertainty
from RadGSRegLib.scene.xray_nodes import pixels_of, view_name

#: What counts as bone in a reconstruction, HU.
BONE_HU = (120.0, 3000.0)

#: The first that Slicer has; all show bone and hide soft tissue.
RENDERING_PRESETS = ("CT-AAA", "CT-Bone", "CT-Bones")


def import_steps(folder: Path, inputs: CaseInputs) -> Iterator[RegistrationResult | None]:
    """Brings a result into the scene step by step; yields None after each, and the result at the end.

    CT and segmentation follow the first level with a pose; the parents they had before are remembered.

    Args:
        folder: Where the engine wrote the result.
        inputs: What was registered.

    Raises:
        CaseError: The CT or the segmentation has left the scene meanwhile.
        InputFileError: A file cannot be read.
    """
    for node, what in ((inputs.ct, "CT"), (inputs.segmentation, "segmentation")):
        if not in_scene(node):
            raise CaseError(f"The {what} was deleted while it was being registered.", "Load it again, then register.")
    result = RegistrationResult.load(folder)
    provenance = Provenance(sha256_of(folder / "result.json"), result.case_sha256, result.versions)
    yield None
    if result.self_calibration is not None:
        put_calibrated(result.self_calibration, inputs.xrays)
        yield None
    transforms = []
    for level, outcome in result.levels.items():
        if outcome.ct_to_world is None:
            _forget_former_pose(inputs, level, outcome)
            continue
        forget_never_found(inputs.ct, level)
        transform = put_level(
            inputs.ct,
            level,
            outcome.ct_to_world,
            name_of(inputs.transform_name, level),
            inputs.output_transform if in_scene(inputs.output_transform) else None,
        )
        _put_result(transform, outcome)
        keep_provenance(transform, provenance, inputs.ct, inputs.xrays)
        keep_run(transform, str(result.models.get(level, "")))
        refer_as_registration(transform, inputs.ct, inputs.xrays)
        transforms.append(transform)
        yield None
        vertebra = put_vertebra(transform, inputs.segmentation, inputs.segments[level])
        yield None
        shown = [transform, vertebra]
        for node in show_files_of_a_level(folder, inputs, level, transform):
            shown.append(node)
            yield None
        gaussians = transform.GetNodeReference(GAUSSIANS_ROLE)
        if gaussians is not None:
            gaussians.SetAndObserveTransformNodeID(transform.GetID())
        show_in_folder(f"RadGS-Reg: {inputs.ct.GetName()}", shown)
    if transforms:
        activate(transforms[0], inputs.ct, inputs.segmentation)
    xrays = [xray for xray in inputs.xrays if in_scene(xray)]
    sources = [source for xray in xrays if (source := xray.GetNodeReference(SOURCE_ROLE)) is not None]
    show_in_folder(f"RadGS-Reg: {inputs.ct.GetName()}", [*xrays, *sources])
    yield result


def put_calibrated(found: SelfCalibratedView, xrays: Sequence[Any]) -> None:
    """An X-ray takes the geometry that was solved for, as poses and pictures have it, and keeps the one it had."""
    for xray in xrays:
        if in_scene(xray) and view_name(xray) == found.view:
            geometry = ViewGeometry(found.source_ras, found.detector_to_ras, pixels_of(xray).shape[:2])
            change_geometry(xray, geometry, "self-calibrated from the patient", found.sigma)


def show_files_of_a_level(
    folder: Path, inputs: CaseInputs, level: str, transform: Any, roles: Collection[str] | None = None
) -> Iterator[Any]:
    """Shows the files of a level that there are, in place of what an earlier registration left; yields each node.

    Args:
        folder: Where the files are.
        inputs: Says what nodes are called.
        level: The level's name.
        transform: Its transform, with the provenance of the run that wrote the files.
        roles: Which of them; all by default.
    """
    for role, suffix, show in FILES_OF_A_LEVEL:
        if roles is not None and role not in roles:
            continue
        path, former = folder / f"{level}{suffix}", transform.GetNodeReference(role)
        into = inputs.output_volume if role == RECONSTRUCTION_ROLE and in_scene(inputs.output_volume) else None
        if former is not into or not path.is_file():
            remove(former)
        if not path.is_file():
            continue
        if role == RECONSTRUCTION_ROLE:
            node = show_reconstruction(path, name_of(inputs.reconstruction_name, level), into)
        else:
            node = show(path, level)
        node.SetAttribute(LEVEL_ATTRIBUTE, level)
        node.SetAttribute(RUN_ATTRIBUTE, provenance_of(transform).result_sha256)
        transform.SetNodeReferenceID(role, node.GetID())
        yield node


def name_of(pattern: str, level: str) -> str:
    """A node's name from its pattern, in which "{level}" stands for the level's name."""
    return pattern.replace("{level}", level)


def _put_result(transform: Any, outcome: LevelResult) -> None:
    """Keeps a level's result with its transform; that the user accepted an earlier one counts no longer."""
    transform.SetAttribute(RESULT_ATTRIBUTE, json.dumps(outcome.to_json_dict(), ensure_ascii=False))
    transform.RemoveAttribute(ACCEPTED_ATTRIBUTE)


def _forget_former_pose(inputs: CaseInputs, level: str, outcome: LevelResult) -> None:
    """A level that was found before and is not found now must not look as if it still stood there."""
    transform = level_transforms(inputs.ct).get(level)
    if transform is None:
        keep_never_found(inputs.ct, level, outcome)
        return
    _put_result(transform, outcome)
    if active_level(inputs.ct) == level:
        revert(inputs.ct, inputs.segmentation)
    hide_uncertainty(transform)
    for role in (VERTEBRA_ROLE, *(role for role, _suffix, _show in FILES_OF_A_LEVEL)):
        remove(transform.GetNodeReference(role))


def result_of(transform: Any) -> dict[str, Any] | None:
    """A level's part of result.json, as its transform remembers it; None where it holds no result."""
    text = transform.GetAttribute(RESULT_ATTRIBUTE)
    return None if text is None else json.loads(text)


def show_reconstruction(path: Path, name: str, into: Any = None) -> Any:
    """Shows a reconstruction, world RAS and HU-like, as a volume rendered by one of Slicer's CT presets.

    Args:
        path: The file.
        name: What the volume is called when it is made.
        into: The volume that takes it, image, place and all; a new one where it is None.
    """
    volume = read_volume(path)
    array = volume.array.astype(np.float32)
    if into is None:
        node = slicer.util.addVolumeFromArray(array, ijkToRAS=volume.index_to_ras, name=name)
    else:
        node = into
        slicer.util.updateVolumeFromArray(node, array)
        node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(volume.index_to_ras))
        node.SetAndObserveTransformNodeID(None)  # it stands in the world
        node.CreateDefaultDisplayNodes()
    _show_bone_alone(node.GetDisplayNode())
    rendering = slicer.modules.volumerendering.logic()
    display = rendering.GetFirstVolumeRenderingDisplayNode(node) or rendering.CreateDefaultVolumeRenderingNodes(node)
    presets = (rendering.GetPresetByName(name) for name in RENDERING_PRESETS)
    preset = next((preset for preset in presets if preset is not None), None)
    if preset is not None:
        display.GetVolumePropertyNode().Copy(preset)
    display.SetVisibility(True)
    return node


def _show_bone_alone(display: Any) -> None:
    """In slices, where it lies over the CT, a reconstruction shows no more than its bone, and in another colour."""
    display.SetAutoThreshold(False)
    display.SetThreshold(*BONE_HU)
    display.SetApplyThreshold(True)
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeYellow")


def show_gaussians(path: Path, name: str) -> Any:
    """Shows Gaussians, in the frame of their file, as a model of ellipsoids."""
    model = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", name)
    model.SetAndObservePolyData(ellipsoids(path))
    model.CreateDefaultDisplayNodes()
    display = model.GetDisplayNode()
    display.SetActiveScalarName(DENSITY)
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeFileViridis.txt")
    display.SetScalarVisibility(True)
    display.SetOpacity(0.5)
    return model


def _show_vertebra_gaussians(path: Path, level: str) -> Any:
    """The CT's Gaussians, in its own RAS: hidden at first, because the vertebra's surface shows the same place."""
    model = show_gaussians(path, f"{level} Gaussians")
    model.GetDisplayNode().SetVisibility(False)
    return model


def _show_reconstructed_gaussians(path: Path, level: str) -> Any:
    return show_gaussians(path, f"{level} reconstructed Gaussians")


FILES_OF_A_LEVEL: tuple[tuple[str, str, Callable[[Path, str], Any]], ...] = (
    (GAUSSIANS_ROLE, "_gaussians.ply", _show_vertebra_gaussians),
    (RECONSTRUCTION_ROLE, "_reconstruction.nrrd", show_reconstruction),
    (RECONSTRUCTED_GAUSSIANS_ROLE, "_reconstruction.ply", _show_reconstructed_gaussians),
)
