"""X-rays as volumes that stand where the detector stood, their sources, and clicks on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

from radgs.errors import GeometryError, InputFileError
from radgs.geometry import FloatArray, ViewGeometry, triangulate
from RadGSRegLib.scene.node_contract import (
    ASSUMED_ATTRIBUTE,
    CONVERSION_ATTRIBUTE,
    FORMER_GEOMETRY_ATTRIBUTE,
    GEOMETRY_ATTRIBUTE,
    MISSING_ATTRIBUTE,
    PIXEL_TYPE_ATTRIBUTE,
    SIGMA_ATTRIBUTE,
    SOURCE_ROLE,
    VIEW_ATTRIBUTE,
    click_role,
)
from RadGSRegLib.scene.placement import add_point, ijk_to_own_ras, in_scene, parent_to_world, remove, world_point


def add_xray(
    name: str,
    pixels: NDArray,
    geometry: ViewGeometry,
    pixel_type: str = "auto",
    conversion: str | None = None,
    origin: str | None = None,
) -> Any:
    """Adds an X-ray volume with its source.

    Args:
        name: What the view is called.
        pixels: (H, W) values, [row, column].
        geometry: Where source and detector stand, RAS mm.
        pixel_type: What the values are: "intensity", "attenuation", "display" or "auto".
        conversion: How line integrals came about, where the values are such.
        origin: Where the geometry comes from, in a few words.
    """
    volume = slicer.util.addVolumeFromArray(pixels[None], ijkToRAS=geometry.detector_to_ras, name=name)
    describe(volume, name, pixel_type, conversion)
    set_source(volume, geometry.source_ras)
    if origin is not None:
        volume.SetAttribute(GEOMETRY_ATTRIBUTE, origin)
    show_the_middle(volume, pixels)
    return volume


def describe(volume: Any, name: str, pixel_type: str, conversion: str | None) -> None:
    """Says what an X-ray is called, what its pixel values are, and how line integrals came about."""
    volume.SetAttribute(VIEW_ATTRIBUTE, name)
    volume.SetAttribute(PIXEL_TYPE_ATTRIBUTE, pixel_type)
    if conversion is not None:
        volume.SetAttribute(CONVERSION_ATTRIBUTE, conversion)


def show_the_middle(volume: Any, pixels: NDArray) -> None:
    """Chooses the window for what the film shows in its middle: air at its edges would wash the bone out."""
    rows, columns = (slice(size // 4, size - size // 4) for size in pixels.shape)
    low, high = np.nanpercentile(pixels[rows, columns].astype(float), (1.0, 99.0))
    if low < high:
        display = volume.GetDisplayNode()
        display.AutoWindowLevelOff()
        display.SetWindowLevelMinMax(low, high)


#: What no longer holds once an X-ray's source stands elsewhere.
SAID_OF_A_GEOMETRY = (
    *(GEOMETRY_ATTRIBUTE, SIGMA_ATTRIBUTE, MISSING_ATTRIBUTE, ASSUMED_ATTRIBUTE),
    FORMER_GEOMETRY_ATTRIBUTE,
)


def set_source(volume: Any, position: FloatArray) -> Any:
    """Puts an X-ray's source at a world position (3,), mm, and returns its fiducial."""
    remove(volume.GetNodeReference(SOURCE_ROLE))
    fiducial = add_point(f"{view_name(volume)} source", position)
    volume.SetNodeReferenceID(SOURCE_ROLE, fiducial.GetID())
    for said_of_the_former in SAID_OF_A_GEOMETRY:
        volume.RemoveAttribute(said_of_the_former)  # whoever knows better says so afterwards
    return fiducial


def has_source(volume: Any) -> bool:
    """Whether it is known where an X-ray's source stands, rightly or wrongly."""
    return in_scene(volume.GetNodeReference(SOURCE_ROLE))


def view_name(volume: Any) -> str:
    """What an X-ray is called in the case."""
    return volume.GetAttribute(VIEW_ATTRIBUTE) or volume.GetName()


def geometry_origin(volume: Any) -> str | None:
    """Where an X-ray's geometry comes from, in a few words; None where nobody said."""
    return volume.GetAttribute(GEOMETRY_ATTRIBUTE)


def pixel_type(volume: Any) -> str:
    """What an X-ray's pixel values are."""
    return volume.GetAttribute(PIXEL_TYPE_ATTRIBUTE) or "auto"


def conversion(volume: Any) -> str | None:
    """How an X-ray's line integrals came about, where that is known."""
    return volume.GetAttribute(CONVERSION_ATTRIBUTE)


def pixels_of(volume: Any) -> NDArray:
    """(H, W) pixel values, or (H, W, C) for a colour image, [row, column]; a view into the node's own memory.

    Raises:
        InputFileError: The volume holds no image, or more than one.
    """
    if volume.GetImageData() is None:
        raise InputFileError(f"{volume.GetName()} holds no image.", "Load the X-ray again.")
    array = slicer.util.arrayFromVolume(volume)
    if array.shape[0] != 1:
        raise InputFileError(
            f"{volume.GetName()} holds {array.shape[0]} images, not a single X-ray.", "Choose a volume of one image."
        )
    return array[0]


def geometry_of(volume: Any) -> ViewGeometry:
    """Where an X-ray's source and detector stand in the world, its linear parents included.

    Raises:
        GeometryError: The X-ray has no source, or stands under a transform that is not linear.
        InputFileError: The volume holds no image, or more than one.
    """
    rows, columns = pixels_of(volume).shape[:2]
    source = volume.GetNodeReference(SOURCE_ROLE)
    if source is None:
        raise GeometryError(
            f"The X-ray {volume.GetName()} has no source.", "Load its geometry, or place its focal spot."
        )
    return ViewGeometry(world_point(source), detector_to_world(volume), (rows, columns))


def detector_to_world(volume: Any) -> FloatArray:
    """(4, 4) map from an X-ray's (column, row, 0, 1) to the world, its linear parents included.

    Raises:
        GeometryError: It stands under a transform that is not linear.
    """
    return parent_to_world(volume) @ ijk_to_own_ras(volume)


def set_click(parameter_node: Any, level: str, volume: Any, position: FloatArray) -> Any:
    """Marks a level's vertebral body in an X-ray, and returns the fiducial.

    Args:
        parameter_node: The module's vtkMRMLScriptedModuleNode, which refers to the click.
        level: The level's name.
        volume: The X-ray.
        position: (3,) any world point on the ray; the click stands where that ray meets the detector.
    """
    geometry = geometry_of(volume)
    return _set_click(parameter_node, level, volume, geometry, geometry.project(position))


def set_click_pixel(parameter_node: Any, level: str, volume: Any, pixel: tuple[float, float]) -> Any:
    """Marks a level's vertebral body at a pixel (column, row) of an X-ray, and returns the fiducial."""
    return _set_click(parameter_node, level, volume, geometry_of(volume), np.asarray(pixel, dtype=float))


def _set_click(parameter_node: Any, level: str, volume: Any, geometry: ViewGeometry, pixel: FloatArray) -> Any:
    if not np.isfinite(pixel).all():
        raise GeometryError(
            f"A point behind the source of {view_name(volume)} cannot be seen in it.", "Click on the X-ray itself."
        )
    volume.SetAttribute(VIEW_ATTRIBUTE, view_name(volume))  # the click goes by it, whatever the volume is called later
    role = click_role(level, view_name(volume))
    remove(parameter_node.GetNodeReference(role))
    fiducial = add_point(f"{level} in {view_name(volume)}", geometry.pixel_to_ras(pixel))
    fiducial.GetDisplayNode().SetVisibility3D(False)  # there the clicks of neighbouring levels lie on each other
    parameter_node.SetNodeReferenceID(role, fiducial.GetID())
    return fiducial


def click_of(parameter_node: Any, level: str, volume: Any) -> Any:
    """The fiducial that marks a level in an X-ray; None where there is no click."""
    fiducial = parameter_node.GetNodeReference(click_role(level, view_name(volume)))
    return fiducial if in_scene(fiducial) and fiducial.GetNumberOfDefinedControlPoints() else None


def click_pixel(parameter_node: Any, level: str, volume: Any) -> tuple[float, float] | None:
    """The pixel (column, row) that a level's click marks in an X-ray; None where there is no click.

    A click that was dragged off the detector counts where its ray meets it.
    """
    fiducial = click_of(parameter_node, level, volume)
    if fiducial is None:
        return None
    column, row = geometry_of(volume).project(world_point(fiducial))
    return float(column), float(row)


def click_gap_mm(parameter_node: Any, level: str, volumes: Sequence[Any]) -> float | None:
    """How far apart, at the most, the rays of a level's clicks pass the point that they mark, mm; None before then."""
    marked = [click_pixel(parameter_node, level, volume) for volume in volumes]
    pixels = [pixel for pixel in marked if pixel is not None]
    if len(pixels) < 2 or len(pixels) < len(marked):
        return None
    return triangulate([geometry_of(volume) for volume in volumes], pixels).gap_mm
