"""From the scene to a case.json: CT, label map and X-rays as files, geometry and clicks as numbers.

The work is cut into steps, so that whoever calls can let the application draw in between. CT and label map are written
once and again only after they changed.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from radgs.errors import CaseError, InputFileError
from radgs.geometry import RigidTransform, Volume
from radgs.io.case_file import CaseFile, ViewEntry, write_case_file
from radgs.io.nrrd_pieces import write_in_pieces
from RadGSRegLib.scene import xray_nodes
from RadGSRegLib.scene.case_inputs import CaseInputs
from RadGSRegLib.scene.dicom_sources import check_one_patient
from RadGSRegLib.scene.levels import unmoved_parent
from RadGSRegLib.scene.measured_field import field_of
from RadGSRegLib.scene.node_contract import start_role
from RadGSRegLib.scene.placement import ijk_to_own_ras, pose_of, rigid_parent_to_world
from RadGSRegLib.scene.segments import label_map, label_numbers
from RadGSRegLib.scene.view_geometry import sigma_of


@dataclass(frozen=True)
class WrittenExposures:
    """The files that exposures are drawn of.

    Attributes:
        ct: The CT's.
        images: The X-rays', by their node's ID.
    """

    ct: Path
    images: Mapping[str, Path]


class CaseExport:
    """Writes cases into one folder, which it keeps between registrations.

    Args:
        folder: Where the files go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: dict[str, tuple[Any, Path]] = {}
        self._count = 0

    def steps(self, inputs: CaseInputs, parameter_node: Any) -> Iterator[Path | None]:
        """Writes a case step by step; yields None after each, and the path of the case.json at the end.

        Args:
            inputs: What to register.
            parameter_node: The module's vtkMRMLScriptedModuleNode, which refers to clicks and starting poses.

        Raises:
            CaseError: Something is missing, CT and X-rays are of different patients, or the segmentation does not stand
                where the CT stands.
            GeometryError: A node stands under a transform that cannot be used, or an X-ray has no source.
            InputFileError: A volume is not what it should be.
        """
        inputs.check()
        check_one_patient(inputs.ct, inputs.xrays)
        start = common_parent_pose(inputs)
        views = [view_entry(xray, self._folder / f"xray_{n}.npy") for n, xray in enumerate(inputs.xrays, 1)]
        yield None
        ct = yield from self._ct(inputs)
        labels = yield from self._labels(inputs)
        for view, xray in zip(views, inputs.xrays, strict=True):
            np.save(view.image, xray_nodes.pixels_of(xray))
            yield None
        file = CaseFile(
            path=self._folder / "case.json",
            ct=ct,
            labels=labels,
            levels=_levels(inputs),
            views=tuple(views),
            clicks={level: clicks for level in inputs.segments if (clicks := _clicks(inputs, parameter_node, level))},
            initial_poses=_starts(inputs, parameter_node, start),
        )
        write_case_file(file)
        yield file.path

    def anatomy_steps(self, inputs: CaseInputs) -> Iterator[Path | None]:
        """Writes CT, label map and levels alone, step by step as ``steps`` does: all that a preparation needs.

        Raises:
            CaseError: Something is missing, or the segmentation does not stand where the CT stands.
            GeometryError: CT and segmentation stand under a transform that cannot be used.
            InputFileError: The CT is not what it should be.
        """
        if missing := inputs.missing_anatomy():
            raise CaseError(f"Still missing: {', '.join(missing)}.", "Choose it, then prepare.")
        common_parent_pose(inputs)
        ct = yield from self._ct(inputs)
        labels = yield from self._labels(inputs)
        file = CaseFile(self._folder / "anatomy.json", ct, labels, _levels(inputs), views=())
        write_case_file(file)
        yield file.path

    def exposure_steps(self, inputs: CaseInputs, xrays: Sequence[Any]) -> Iterator[WrittenExposures | None]:
        """Writes the CT and X-rays alone, step by step as ``steps`` does, whatever their geometry is.

        Args:
            inputs: The inputs; only the CT is needed.
            xrays: The X-rays.

        Raises:
            InputFileError: A volume is not what it should be.
        """
        ct = yield from self._ct(inputs)
        images = {}
        for xray in xrays:
            what, state = f"exposure {xray.GetID()}", (xray.GetID(), xray.GetImageData().GetMTime())
            if not self._is_written(what, state):
                path = self._new_file("exposure", ".npy", instead_of=what)
                np.save(path, xray_nodes.pixels_of(xray))
                self._written[what] = state, path
            images[xray.GetID()] = self._written[what][1]
            yield None
        yield WrittenExposures(ct, images)

    def _ct(self, inputs: CaseInputs) -> Generator[None, None, Path]:
        image = inputs.ct.GetImageData()
        if image is None or inputs.ct.GetClassName() != "vtkMRMLScalarVolumeNode":
            raise InputFileError(f"{inputs.ct.GetName()} is not a CT volume.", "Choose the CT, in Hounsfield units.")
        state = (inputs.ct.GetID(), image.GetMTime(), ijk_to_own_ras(inputs.ct).tobytes())
        if not self._is_written("ct", state):
            path = self._new_file("ct")
            volume = Volume(slicer.util.arrayFromVolume(inputs.ct), ijk_to_own_ras(inputs.ct))
            for _ in write_in_pieces(path, volume):
                yield None
            self._written["ct"] = state, path
        return self._written["ct"][1]

    def _labels(self, inputs: CaseInputs) -> Generator[None, None, Path]:
        segmentation = inputs.segmentation.GetSegmentation()
        state = (inputs.segmentation.GetID(), segmentation.GetMTime(), tuple(inputs.segments.items()))
        if not self._is_written("labels", state):
            path = self._new_file("labels")
            composing = label_map(inputs.segmentation, inputs.segments)
            while (labels := next(composing)) is None:
                yield None
            for _ in write_in_pieces(path, labels):
                yield None
            self._written["labels"] = state, path
        return self._written["labels"][1]

    def reconstruction(self, volume: Any) -> Path:
        """Writes what a run reconstructed, unless it is written already, and returns its file."""
        state = (volume.GetID(), volume.GetImageData().GetMTime(), ijk_to_own_ras(volume).tobytes())
        if not self._is_written("reconstruction", state):
            path = self._new_file("reconstruction")
            for _piece in write_in_pieces(path, Volume(slicer.util.arrayFromVolume(volume), ijk_to_own_ras(volume))):
                pass  # it is small
            self._written["reconstruction"] = state, path
        return self._written["reconstruction"][1]

    def _is_written(self, what: str, state: Any) -> bool:
        return what in self._written and self._written[what][0] == state

    def _new_file(self, name: str, suffix: str = ".nrrd", instead_of: str | None = None) -> Path:
        """A name of its own for every version, so that nobody takes the new one for the old; the old file goes."""
        what = instead_of or name
        if what in self._written:
            self._written.pop(what)[1].unlink(missing_ok=True)
        self._count += 1
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / f"{name}_{self._count}{suffix}"


def common_parent_pose(inputs: CaseInputs) -> RigidTransform | None:
    """Where the user's own transform puts CT and segmentation; None where they stand under none.

    A level's transform that an earlier registration put them under does not count.

    Raises:
        CaseError: The segmentation stands under another parent than the CT.
        GeometryError: The parent is not linear, or it scales, shears or mirrors.
    """
    ct_parent, segmentation_parent = inputs.ct.GetParentTransformNode(), inputs.segmentation.GetParentTransformNode()
    if ct_parent is not segmentation_parent:
        names = [parent.GetName() if parent else "no transform" for parent in (ct_parent, segmentation_parent)]
        raise CaseError(
            f"The CT stands under {names[0]}, but the segmentation under {names[1]}.",
            "Put both under the same transform, as they were when the segmentation was drawn.",
        )
    parent = unmoved_parent(inputs.ct)
    if parent is None:
        return None
    if parent is ct_parent:
        return rigid_parent_to_world(inputs.ct)
    return pose_of(parent)


def view_entry(xray: Any, image: Path) -> ViewEntry:
    """A view as case.json holds it.

    Raises:
        GeometryError: The X-ray has no source, or stands under a transform that is not linear.
        InputFileError: The volume holds no image, or more than one.
    """
    geometry = xray_nodes.geometry_of(xray)
    return ViewEntry(
        name=xray_nodes.view_name(xray),
        image=image,
        pixel_type=xray_nodes.pixel_type(xray),
        source_ras=geometry.source_ras,
        detector_to_ras=geometry.detector_to_ras,
        conversion=xray_nodes.conversion(xray),
        geometry_sigma=sigma_of(xray),
        field=field_of(xray),
        geometry_from=xray_nodes.geometry_origin(xray),
    )


def _levels(inputs: CaseInputs) -> tuple[tuple[str, int], ...]:
    numbers = label_numbers(inputs.segmentation, inputs.segments)
    return tuple((level, numbers[identifier]) for level, identifier in inputs.segments.items())


def _clicks(inputs: CaseInputs, parameter_node: Any, level: str) -> dict[str, tuple[float, float]]:
    pixels = {xray_nodes.view_name(xray): xray_nodes.click_pixel(parameter_node, level, xray) for xray in inputs.xrays}
    return {view: pixel for view, pixel in pixels.items() if pixel is not None}


def _starts(inputs: CaseInputs, parameter_node: Any, common: RigidTransform | None) -> dict[str, RigidTransform]:
    """A level's own starting transform, or else where the user's transform puts the CT."""
    starts = {}
    for level in inputs.segments:
        node = parameter_node.GetNodeReference(start_role(level))
        start = pose_of(node) if node is not None else common
        if start is not None:
            starts[level] = start
    return starts
