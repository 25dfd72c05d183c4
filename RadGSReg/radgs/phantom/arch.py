"""The arch of a vertebra: pedicles, pars, laminae, transverse and spinous processes, as sphere meshes in its frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radgs.geometry import FloatArray
from radgs.phantom.morphometry import VertebraShape
from radgs.phantom.shapes import SphereMesh, chain, quad, triangle


@dataclass(frozen=True)
class Landmarks:
    """Points of one side of the arch in the vertebra's frame, each (3,) in mm.

    Attributes:
        pedicle: Middle of the pedicle where it leaves the body.
        pillar: Where pedicle, pars, transverse and superior articular process meet.
        pars: The isthmus between the articular processes.
        lamina_top, lamina_bottom: Outer corners of the lamina.
        transverse_root, transverse_tip: Ends of the transverse process.
    """

    pedicle: FloatArray
    pillar: FloatArray
    pars: FloatArray
    lamina_top: FloatArray
    lamina_bottom: FloatArray
    transverse_root: FloatArray
    transverse_tip: FloatArray


#: Sweep of the transverse processes: tip behind the body's back wall, and above the pedicle's middle, mm.
_TRANSVERSE_SWEEP = {
    "T3": (22.0, 3.0),
    "T4": (23.0, 3.0),
    "T5": (24.0, 3.0),
    "T6": (25.0, 3.0),
    "T7": (25.5, 2.5),
    "T8": (25.5, 2.5),
    "T9": (25.0, 2.0),
    "T10": (24.5, 1.5),
    "T11": (24.0, 1.0),
    "T12": (22.0, 0.0),
    "L1": (19.0, -2.0),
    "L2": (18.0, -1.0),
    "L3": (17.0, -0.5),
    "L4": (17.5, 0.5),
    "L5": (16.0, -3.0),
    "L6": (16.0, -3.0),
}


def landmarks(shape: VertebraShape, side: int, rng: np.random.Generator) -> Landmarks:
    """Where the parts of the arch stand on one side (-1 left, +1 right), with the small asymmetry of real vertebrae."""

    def point(x: float, y: float, z: float, spread: float = 0.45) -> FloatArray:
        return np.array([side * x, y, z]) + rng.normal(0, spread, 3)

    back, half = shape.back_wall, shape.height / 2
    pedicle_x = (shape.canal_width + shape.pedicle_width) / 2
    pedicle_z = half - shape.pedicle_height / 2 - 0.6
    behind, rise = _TRANSVERSE_SWEEP[shape.name]
    return Landmarks(
        pedicle=point(pedicle_x, back, pedicle_z, 0.3),
        pillar=point(pedicle_x + 0.8, back - 11.5, pedicle_z - 2.0),
        pars=point(pedicle_x - 2.0, back - 14.5, -3.5),
        lamina_top=point(pedicle_x - 3.5, back - 13.0, 0.5),
        lamina_bottom=point(pedicle_x - 4.5, back - shape.canal_depth - 0.5, -half - 1.5),
        transverse_root=point(pedicle_x + 3.0, back - (6.0 if shape.lumbosacral else 9.5), pedicle_z - 2.0),
        transverse_tip=point(shape.transverse_span / 2 - 3.0, back - behind, pedicle_z + rise, 1.4),
    )


def arch_pieces(shape: VertebraShape, sides: dict[int, Landmarks], rng: np.random.Generator) -> list[SphereMesh]:
    """The arch without its articular processes, in the vertebra's frame."""
    half = shape.height / 2
    inner = shape.back_wall - shape.canal_depth
    ridge_top = np.array([0.0, inner - 2.8, -0.5])
    ridge_bottom = np.array([0.0, inner - 5.6, -half - 2.0])
    pieces: list[SphereMesh] = []
    for side, mark in sides.items():
        pieces += _pedicle(shape, mark)
        pieces += chain([mark.pillar, mark.pars, mark.lamina_bottom], [5.8, 4.6, 3.4])
        pieces += quad([ridge_top, mark.lamina_top, mark.lamina_bottom, ridge_bottom], [3.2, 3.4, 3.1, 3.0])
        pieces += _transverse(shape, mark, side)
    pieces += _spinous(shape, ridge_top, ridge_bottom, rng)
    return [SphereMesh(piece.corners, shape.stoutness * piece.radii) for piece in pieces]


def _pedicle(shape: VertebraShape, mark: Landmarks) -> list[SphereMesh]:
    """An upright (at L5 lying) oval bar from the body to the pillar."""
    radius = min(shape.pedicle_width, shape.pedicle_height) / 2
    up = np.array([0, 0, max(shape.pedicle_height / 2 - radius, 0.0)])
    out = np.array([np.sign(mark.pedicle[0]) * max(shape.pedicle_width / 2 - radius, 0.0), 0, 0])
    half = up if up[2] >= abs(out[0]) else out
    front = mark.pedicle + [0, 7.0, 0]
    back = mark.pillar * [1, 1, 0] + [0, 2.0, mark.pedicle[2] - 0.5]
    corners = [front + half, front - half, back - 0.85 * half, back + 0.85 * half]
    own = radius / shape.stoutness  # its width is a measure of its own
    return quad(corners, [own, own, 0.92 * own, 0.92 * own])


def _transverse(shape: VertebraShape, mark: Landmarks, side: int) -> list[SphereMesh]:
    """A flat bar, broad at its root; a short knob in the thorax; a pyramid from body and pedicle at the lowest."""
    root, tip = mark.transverse_root, mark.transverse_tip
    if shape.lumbosacral:
        foot = np.array([side * (shape.width / 2 - 5), shape.back_wall + 6, root[2]])
        knee = root + 0.55 * (tip - root) + [0, 0.5, 1.5]
        return [
            triangle(root + [0, 0, 4], foot, knee, [4.8, 4.8, 4.8]),
            triangle(root - [0, 0, 4.5], foot - [0, 0, 2.0], knee - [0, 0, 2.5], [4.6, 4.4, 4.4]),
            *quad([knee + [0, 0, 2.5], tip + [0, 0, 2.0], tip - [0, 0, 2.0], knee - [0, 0, 3.5]], [4.2, 3.4, 3.4, 4.2]),
        ]
    if shape.name.startswith("T"):
        stout = np.sqrt(shape.stoutness) / shape.stoutness  # they stay stouter than the rest of a thoracic arch
        return chain([root, tip], [5.2 * stout, 4.6 * stout])
    knee = root + 0.5 * (tip - root) + [0, 0.8, -0.4]
    rise = np.array([0.0, 0.0, 3.0])
    return [
        *quad([root + 1.1 * rise, knee + 0.8 * rise, knee - 0.9 * rise, root - 1.3 * rise], [3.0, 2.4, 2.4, 3.0]),
        *quad([knee + 0.8 * rise, tip + 0.45 * rise, tip - 0.5 * rise, knee - 0.9 * rise], [2.4, 2.1, 2.1, 2.4]),
    ]


def _spinous(
    shape: VertebraShape, ridge_top: FloatArray, ridge_bottom: FloatArray, rng: np.random.Generator
) -> list[SphereMesh]:
    """A hatchet: a thin blade that falls towards a thick, rounded back edge, its tip a little off the midline."""
    tip_y = shape.back_wall - shape.spinous_length + 3.2
    off = float(rng.normal(0, 1.1))
    middle, reach = -shape.spinous_drop, shape.spinous_height / 2
    top = np.array([0.7 * off, tip_y + 5.5, middle + 0.95 * reach - 3.0])
    back = np.array([off, tip_y, middle - 0.15 * reach])
    bottom = np.array([off, tip_y + 6.0, middle - reach + 3.5])
    heel = np.array([0.3 * off, 0.5 * (ridge_bottom[1] + bottom[1]), 0.35 * ridge_bottom[2] + 0.65 * bottom[2]])
    return [
        *quad([ridge_top, top, bottom, heel], [3.3, 2.8, 3.2, 2.9]),
        triangle(ridge_top, heel, ridge_bottom, [3.3, 2.9, 3.3]),
        triangle(top, back, bottom, [2.9, 3.8, 4.0]),
        *chain([heel, bottom], [2.8, 4.2]),
    ]
