"""The segmentation: levels by the names of segments, the label map written segment by segment, surfaces."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import vtk_to_numpy

from radgs.anatomy import LABEL_NUMBERINGS, LEVELS
from radgs.anatomy.levels import coarsened, doubts_about, missing_between, pieces_of
from radgs.errors import CaseError
from radgs.geometry import Volume

#: Numbers count vertebrae along the spine, so that the engine finds a level's neighbours.
LABEL_OF_LEVEL = LABEL_NUMBERINGS["VerSe"]

#: Other segments get every second number from here on: none is taken for a neighbour of another.
FIRST_OTHER_LABEL = 101

#: Voxels around the segments, so that none of them touches the label map's border.
MARGIN = 1

LEVEL_IN_NAME = re.compile(r"(?<![A-Za-z0-9])([TL]\d{1,2})(?![A-Za-z0-9])")


def level_in_name(name: str) -> str | None:
    """The level that a segment's name speaks of: "L3", "vertebrae_L3", "L3 vertebra"; None where there is none."""
    found = LEVEL_IN_NAME.search(name.replace("_", " "))
    return found[1] if found and found[1] in LEVELS else None


def levels_of(segmentation: Any) -> dict[str, str]:
    """Segment ID by level, from the head down, for the segments whose names speak of one."""
    segments = segmentation.GetSegmentation()
    identifiers = [segments.GetNthSegmentID(index) for index in range(segments.GetNumberOfSegments())]
    named = {level_in_name(segments.GetSegment(identifier).GetName()): identifier for identifier in identifiers}
    return {level: named[level] for level in LEVELS if level in named}


def level_choices(segmentation: Any, chosen: Mapping[str, str]) -> dict[str, str]:
    """Segment ID by level for everything that a user can choose: levels by the segments' names, and what was chosen.

    A choice that went by no name stays one while its segment is there and does not speak of another level.

    Args:
        segmentation: The segmentation node.
        chosen: Segment ID by level, as chosen so far.
    """
    choices = levels_of(segmentation)
    held = segmentation.GetSegmentation()
    for level, identifier in chosen.items():
        segment = held.GetSegment(identifier)
        if segment is not None and level_in_name(segment.GetName()) in (None, level):
            choices[level] = identifier
    return choices


def label_numbers(segmentation: Any, segments: Mapping[str, str]) -> dict[str, int]:
    """The label that each segment gets in the label map, by segment ID.

    Args:
        segmentation: The segmentation node.
        segments: Segment ID by level, as the user confirmed it; it overrules the segments' names.
    """
    chosen = set(segments.values())
    named = {level: identifier for level, identifier in levels_of(segmentation).items() if identifier not in chosen}
    levels = {**named, **segments}
    numbers = {identifier: LABEL_OF_LEVEL[level] for level, identifier in levels.items() if level in LABEL_OF_LEVEL}
    held = segmentation.GetSegmentation()
    others = [held.GetNthSegmentID(index) for index in range(held.GetNumberOfSegments())]
    free = iter(range(FIRST_OTHER_LABEL, FIRST_OTHER_LABEL + 2 * len(others) + 1, 2))
    for identifier in [*segments.values(), *others]:
        if identifier not in numbers:
            numbers[identifier] = next(free)
    return numbers


def label_map(segmentation: Any, segments: Mapping[str, str]) -> Iterator[Volume | None]:
    """Puts the segments into one label map, in the segmentation's own RAS; yields None per segment, then the map.

    Where segments overlap, the levels to be registered win.

    Args:
        segmentation: The segmentation node.
        segments: Segment ID by level.

    Raises:
        CaseError: A segment is missing or empty.
    """
    layers = {}
    for level, identifier in segments.items():
        layer = _layer(segmentation, identifier)
        if layer is None or not (layer[0] == layer[1]).any():
            raise CaseError(f"The segment for level {level} is missing or empty.", "Choose a segment with voxels.")
        layers[identifier] = layer
    numbers = label_numbers(segmentation, segments)
    for identifier in numbers:
        if identifier not in layers and (other := _layer(segmentation, identifier)) is not None:
            layers[identifier] = other
        yield None
    reference = layers[next(iter(segments.values()))][2]
    # A layer on another grid than the first level's is left out, unless it holds a level itself.
    layers = {
        identifier: layer
        for identifier, layer in layers.items()
        if _same_grid(layer[2], reference) or identifier in segments.values()
    }
    if not all(_same_grid(layer[2], reference) for layer in layers.values()):
        raise CaseError(
            "The segments of the levels lie on different voxel grids.",
            "Convert the segmentation to one geometry in the Segment Editor (Specify geometry).",
        )
    yield from _composed(layers, numbers, list(segments.values()), reference)


Layer = tuple[NDArray, int, NDArray, tuple[int, int, int]]


def _composed(layers: dict[str, Layer], numbers: dict[str, int], chosen: list[str], grid: NDArray) -> Iterator[Any]:
    low = np.min([offset for *_, offset in layers.values()], axis=0) - MARGIN
    high = np.max([np.array(offset) + array.shape[::-1] for array, _, _, offset in layers.values()], axis=0) + MARGIN
    width, height, depth = high - low
    labels = np.zeros((depth, height, width), dtype=np.uint16)
    for identifier in [*(other for other in layers if other not in chosen), *chosen]:
        array, value, _, offset = layers[identifier]
        i, j, k = np.array(offset) - low
        part = labels[k : k + array.shape[0], j : j + array.shape[1], i : i + array.shape[2]]
        part[array == value] = numbers[identifier]
        yield None
    yield Volume(labels, _shifted(grid, tuple(low)))


def _layer(segmentation: Any, identifier: str) -> Layer | None:
    """A segment's voxels: (array, the segment's value in it, index_to_ras of extent 0, extent's offset i j k)."""
    segment = segmentation.GetSegmentation().GetSegment(identifier)
    if segment is None:
        return None
    if not segmentation.GetSegmentation().ContainsRepresentation("Binary labelmap"):
        segmentation.CreateBinaryLabelmapRepresentation()
    image = segmentation.GetBinaryLabelmapInternalRepresentation(identifier)
    if image is None or image.GetNumberOfPoints() == 0:
        return None
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    array = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(tuple(reversed(image.GetDimensions())))
    i, _, j, _, k, _ = image.GetExtent()
    return array, segment.GetLabelValue(), slicer.util.arrayFromVTKMatrix(matrix), (i, j, k)


def _same_grid(first: NDArray, second: NDArray) -> bool:
    """Whether two grids have the same voxels; extents may differ."""
    return bool(np.allclose(first, second, atol=1e-4))


def surface(segmentation: Any, identifier: str) -> Any:
    """A segment's closed surface as vtkPolyData, in the segmentation's own RAS; other segments are left alone."""
    polydata = vtk.vtkPolyData()
    held = segmentation.GetSegmentation()
    if held.ContainsRepresentation("Closed surface"):
        segmentation.GetClosedSurfaceRepresentation(identifier, polydata)
        return polydata
    alone = slicer.vtkSegmentation()
    alone.SetSourceRepresentationName(held.GetSourceRepresentationName())
    alone.CopySegmentFromSegmentation(held, identifier)
    alone.CreateRepresentation("Closed surface")
    polydata.DeepCopy(alone.GetSegment(identifier).GetRepresentation("Closed surface"))
    return polydata


def alone(segmentation: Any, identifier: str) -> Volume | None:
    """A segment's voxels, 1 within it, cut out with a margin, in the segmentation's own RAS; None where it has none."""
    layer = _layer(segmentation, identifier)
    if layer is None:
        return None
    array, value, index_to_ras, offset = layer
    inside = array == value
    if not inside.any():
        return None
    low, high = _bounds(inside)
    return Volume(inside.astype(np.uint8), _shifted(index_to_ras, offset)).box(low - MARGIN, high + MARGIN + 1)


def _shifted(index_to_ras: NDArray, offset: tuple[int, int, int]) -> NDArray:
    """(4, 4) the same grid, its indices counted from an offset (i, j, k)."""
    shifted = index_to_ras.copy()
    shifted[:3, 3] += index_to_ras[:3, :3] @ np.array(offset)
    return shifted


def doubts_about_levels(segmentation: Any) -> list[str]:
    """What looks wrong with the segments that are named like levels, a sentence each, as ``radgs import`` tells it."""
    held = segmentation.GetSegmentation()
    named: dict[str, list[str]] = {}
    for number in range(held.GetNumberOfSegments()):
        identifier = held.GetNthSegmentID(number)
        level = level_in_name(held.GetSegment(identifier).GetName())
        if level is not None:
            named.setdefault(level, []).append(identifier)
    doubts = [
        f"{len(named[level])} segments are named {level}; the last of them is taken: rename the others."
        for level in LEVELS
        if len(named.get(level, [])) > 1
    ]
    missing = missing_between(named)
    if missing:
        doubts.append(f"Between the others {', '.join(missing)} is missing.")
    if not held.ContainsRepresentation("Binary labelmap"):
        return doubts  # surfaces are not turned into voxels for this
    pieces = {}
    for level, identifiers in named.items():
        layer = _layer(segmentation, identifiers[-1])
        if layer is not None:
            array, value, index_to_ras, offset = layer
            coarse = coarsened(Volume(array, _shifted(index_to_ras, offset)))
            pieces[level] = pieces_of(Volume(coarse.array == value, coarse.index_to_ras))
    return doubts + doubts_about(pieces)


def _bounds(inside: NDArray) -> tuple[NDArray, NDArray]:
    """The first and the last index (i, j, k) along every axis at which there is anything."""
    found = [np.flatnonzero(inside.any(axis=axes)) for axes in ((0, 1), (0, 2), (1, 2))]
    return np.array([each[0] for each in found]), np.array([each[-1] for each in found])
