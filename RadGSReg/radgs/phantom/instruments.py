"""Pedicle screws: metal rods through both pedicles of a level, with heads, and a rod between the heads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from radgs.geometry import FloatArray
from radgs.phantom.bone import Hounsfield, coverage
from radgs.phantom.curve import SpineCurve
from radgs.phantom.morphometry import VertebraShape
from radgs.phantom.shapes import Grid, Solid, SphereMesh, chain

#: Titanium, beyond what a 12-bit scanner can show; the image is clipped afterwards.
METAL_HU = 6000.0
#: A screw's radius; in a slim pedicle half of its width.
SCREW_RADIUS_MM = 2.9


def draw_screws(
    image: Hounsfield,
    grid: Grid,
    shapes: dict[str, VertebraShape],
    curve: SpineCurve,
    levels: Sequence[str],
    rng: np.random.Generator,
) -> None:
    """Draws pedicle screws at the given levels into the image in place, neighbours joined by rods.

    Args:
        image: (D, H, W) HU.
        grid: Its grid.
        shapes: Level -> measures.
        curve: Where the vertebrae stand.
        levels: Levels with a pair of screws.
        rng: Source of the small misplacements of real screws.
    """
    pieces: list[SphereMesh] = []
    heads: dict[int, list[FloatArray]] = {-1: [], 1: []}
    for level in (name for name in shapes if name in levels):
        for side in (-1, 1):
            tip, head = (curve.frames[level].apply(p) for p in screw_axis(shapes[level], side, rng))
            thick = min(SCREW_RADIUS_MM, shapes[level].pedicle_width / 2)
            pieces += chain([tip, tip + 0.12 * (head - tip), head], [1.2, thick, thick])
            pieces += chain([head, head + 0.16 * (head - tip)], [5.5, 5.5])
            heads[side].append(head + 0.14 * (head - tip))
    for row in heads.values():
        pieces += chain(row, 2.75) if len(row) > 1 else []
    for piece in pieces:
        window = grid.window(*piece.bounds(2.0))
        if window is not None:
            solid = Solid(window)
            solid.add([piece], blend_mm=0.0)
            part = image[grid.slices_of(window)]
            part += coverage(solid.distance, float(grid.spacing.mean())) * (METAL_HU - part)


def screw_axis(shape: VertebraShape, side: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Tip and head of a screw in the vertebra's frame, mm: through the pedicle, converging by 8 to 25 degrees."""
    pedicle_x = (shape.canal_width + shape.pedicle_width) / 2
    pedicle = np.array([side * pedicle_x, shape.back_wall - 3, shape.height / 2 - shape.pedicle_height / 2 - 0.6])
    converge = np.radians({"L1": 10, "L2": 11, "L3": 13, "L4": 17, "L5": 23}.get(shape.name, 10) + rng.normal(0, 2))
    sagittal = np.radians(rng.normal(0, 3))
    forward = np.array([-side * np.sin(converge), np.cos(converge), np.sin(sagittal)])
    forward /= np.linalg.norm(forward)
    return pedicle + 0.72 * shape.depth * forward, pedicle - 21.0 * forward
