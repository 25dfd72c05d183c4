"""An X-ray's geometry as a whole: put where a file or a user has it, with where it came from and how sure it is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import slicer

from radgs.errors import GeometryError
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry
from radgs.geometry.sigma import GeometrySigma
from RadGSRegLib.scene import xray_nodes
from RadGSRegLib.scene.node_contract import ASSUMED_ATTRIBUTE, GEOMETRY_ATTRIBUTE, SIGMA_ATTRIBUTE, is_click_in
from RadGSRegLib.scene.placement import in_scene, parent_to_world, world_point


def put_geometry(
    volume: Any,
    geometry: ViewGeometry,
    origin: str,
    assumed: Sequence[str] = (),
    sigma: GeometrySigma | None = None,
) -> None:
    """Puts an X-ray's film and source into the world; it leaves the transform that it stood under, clicks stay on it.

    Args:
        volume: The X-ray.
        geometry: Source and detector, RAS mm, of an image of the X-ray's size.
        origin: Where the geometry comes from, in a few words.
        assumed: What was taken to be so, a sentence each.
        sigma: How uncertain it is, where that is known.

    Raises:
        GeometryError: It belongs to an image of another size.
        InputFileError: The volume holds no image, or more than one.
    """
    check_size(volume, geometry.shape)
    clicks = [(fiducial, marked_pixel(volume, fiducial)) for fiducial in _clicks_in(volume)]
    volume.SetAndObserveTransformNodeID(None)
    volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(geometry.detector_to_ras))
    xray_nodes.set_source(volume, geometry.source_ras)
    for fiducial, pixel in clicks:  # they mark pixels, wherever the film stands
        fiducial.SetNthControlPointPositionWorld(0, *geometry.pixel_to_ras(pixel))
    volume.SetAttribute(GEOMETRY_ATTRIBUTE, origin)
    if assumed:
        volume.SetAttribute(ASSUMED_ATTRIBUTE, " ".join(assumed))
    set_sigma(volume, sigma)


def _clicks_in(volume: Any) -> list[Any]:
    """The clicks of all levels in an X-ray."""
    node = slicer.mrmlScene.GetSingletonNode("RadGSReg", "vtkMRMLScriptedModuleNode")
    if node is None:
        return []
    roles = [node.GetNthNodeReferenceRole(number) for number in range(node.GetNumberOfNodeReferenceRoles())]
    clicks = [node.GetNodeReference(role) for role in roles if is_click_in(role, xray_nodes.view_name(volume))]
    return [click for click in clicks if in_scene(click) and click.GetNumberOfDefinedControlPoints() == 1]


def marked_pixel(volume: Any, fiducial: Any) -> FloatArray:
    """(2,) the pixel (column, row) that a click marks: by its ray, or where there is no source, by its place.

    Raises:
        GeometryError: The X-ray stands under a transform that is not linear.
        InputFileError: The volume holds no image, or more than one.
    """
    if xray_nodes.has_source(volume):
        return xray_nodes.geometry_of(volume).project(world_point(fiducial))
    return pixel_on_film(volume, fiducial)


def pixel_on_film(volume: Any, fiducial: Any) -> FloatArray:
    """(2,) the pixel (column, row) of an X-ray's film nearest to a fiducial's only point."""
    film = xray_nodes.detector_to_world(volume)
    offset = world_point(fiducial) - film[:3, 3]
    pixel: FloatArray = np.linalg.lstsq(film[:3, :2], offset, rcond=None)[0].astype(np.float64)
    return pixel


def check_size(volume: Any, shape: tuple[int, int]) -> None:
    """A geometry counts pixels, so it belongs to images of one size.

    Args:
        volume: The X-ray.
        shape: Rows and columns of the image that a geometry is of.

    Raises:
        GeometryError: The X-ray has another size.
        InputFileError: The volume holds no image, or more than one.
    """
    mine = xray_nodes.pixels_of(volume).shape[:2]
    if tuple(shape) != mine:
        raise GeometryError(
            f"The geometry is that of an image of {shape[1]} x {shape[0]} pixels, but {volume.GetName()} has "
            f"{mine[1]} x {mine[0]}.",
            "Choose the file that belongs to this X-ray.",
        )


def set_sigma(volume: Any, sigma: GeometrySigma | None) -> None:
    """Keeps how uncertain an X-ray's geometry is, along and about the axes of its own space; None where unknown."""
    if sigma is None:
        volume.RemoveAttribute(SIGMA_ATTRIBUTE)
    else:
        volume.SetAttribute(SIGMA_ATTRIBUTE, json.dumps(sigma.to_json_dict()))


def sigma_of(volume: Any) -> GeometrySigma | None:
    """How uncertain an X-ray's geometry is, along and about the world's axes; None where nobody said."""
    kept = sigma_of_text(volume.GetAttribute(SIGMA_ATTRIBUTE))
    if kept is None:
        return None
    try:
        return kept.turned(RigidTransform.from_matrix(parent_to_world(volume)).rotation)
    except GeometryError:
        return None  # a parent that is no turn: nothing is known any more


def sigma_of_text(text: str | None) -> GeometrySigma | None:
    """What ``set_sigma`` wrote; None where it is somebody else's text, or none."""
    try:
        kept = json.loads(text or "")
        values = [np.array(kept[name], dtype=np.float64) for name in ("source_mm", "detector_mm", "detector_deg")]
        together = np.array(kept["covariance"], dtype=np.float64) if "covariance" in kept else None
    except (ValueError, KeyError, TypeError):
        return None
    if any(value.shape != (3,) for value in values) or (together is not None and together.shape != (9, 9)):
        return None
    source, detector, turn = values
    return GeometrySigma(source, detector, turn, together)
