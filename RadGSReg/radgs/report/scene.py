"""What the report's 3D view shows: vertebrae at their poses, sources, films and beams, in world RAS mm."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radgs.geometry import FloatArray, XRayView
from radgs.overlay.arrays import display_window, windowed
from radgs.report.markup import image_address

#: Vertices nearer to each other than this are one in the 3D view, mm.
CELL_MM = 2.0
#: Coordinates are whole numbers of this, mm.
UNIT_MM = 0.1
#: Pixels along a film's longer side.
TEXTURE_PIXELS = 192


@dataclass(frozen=True, eq=False)
class ShownVertebra:
    """A vertebra's surface where it was found.

    Attributes:
        name: The level.
        vertices: (V, 3) world RAS mm.
        triangles: (T, 3) indices of vertices, counter-clockwise seen from outside.
    """

    name: str
    vertices: FloatArray
    triangles: NDArray[np.int64]


def scene_values(vertebrae: Sequence[ShownVertebra], views: Sequence[XRayView]) -> dict[str, Any]:
    """The scene as the page's script reads it."""
    return {
        "unit": UNIT_MM,
        "vertebrae": [_mesh_values(vertebra) for vertebra in vertebrae],
        "views": [_view_values(view) for view in views],
    }


def simplified(
    vertices: FloatArray, triangles: NDArray[np.int64], cell_mm: float = CELL_MM
) -> tuple[FloatArray, NDArray[np.int64]]:
    """A mesh with all vertices in a cubic cell taken together at their mean (Rossignac and Borrel, 1993).

    Args:
        vertices: (V, 3) mm.
        triangles: (T, 3) indices of vertices.
        cell_mm: Side of a cell.
    """
    cells = np.floor((vertices - vertices.min(axis=0)) / cell_mm).astype(np.int64)
    _, cell_of, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    cell_of = cell_of.reshape(-1)
    means = np.stack([np.bincount(cell_of, axis) for axis in vertices.T], axis=1) / counts[:, None]
    kept = cell_of[triangles]
    first, second, third = kept.T
    kept = kept[(first != second) & (second != third) & (third != first)]
    return means, np.unique(_turned_to_smallest(kept), axis=0)


def _turned_to_smallest(triangles: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same triangles, each beginning with its smallest index: equal ones then look equal."""
    first = triangles.argmin(axis=1)
    return np.take_along_axis(triangles, (first[:, None] + np.arange(3)) % 3, axis=1)


def _mesh_values(vertebra: ShownVertebra) -> dict[str, Any]:
    vertices, triangles = simplified(vertebra.vertices, vertebra.triangles)
    origin = vertices.mean(axis=0)
    return {
        "name": vertebra.name,
        "origin": origin.round(2).tolist(),
        "vertices": _packed((vertices - origin) / UNIT_MM, "<i2"),
        "triangles": _packed(triangles, "<u2" if len(vertices) < 2**16 else "<u4"),
        "wide": len(vertices) >= 2**16,
    }


def _packed(values: NDArray[Any], kind: str) -> str:
    return base64.b64encode(np.rint(values).astype(kind).tobytes()).decode("ascii")


def _view_values(view: XRayView) -> dict[str, Any]:
    factor = max(1, -(-max(view.geometry.shape) // TEXTURE_PIXELS))
    rows, columns = (size // factor for size in view.geometry.shape)
    image, measured = (
        array[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor).mean(axis=(1, 3))
        for array in (np.where(view.measured, view.image, 0.0), view.measured)
    )
    shown = windowed(image, display_window(image, measured > 0.99)) * measured
    # A picture's corner lies half a pixel outside the centre of its first pixel.
    far = np.array([columns, rows]) * factor - 0.5
    corners = view.geometry.pixel_to_ras([[-0.5, -0.5], [far[0], -0.5], [-0.5, far[1]]])
    return {
        "name": view.name,
        "source": view.geometry.source_ras.round(2).tolist(),
        "corners": corners.round(2).tolist(),
        "image": image_address(shown.astype(np.float32)),
    }
