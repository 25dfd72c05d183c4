"""The chest around the thoracic spine: ribs, shoulder blades, breastbone, lungs, heart, and the diaphragm's domes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from radgs.geometry import FloatArray
from radgs.phantom.bone import Hounsfield, patches
from radgs.phantom.curve import SpineCurve
from radgs.phantom.morphometry import VertebraShape
from radgs.phantom.shapes import Grid, SphereMesh, quad, triangle
from radgs.phantom.slice_painter import SlicePainter
from radgs.phantom.torso import MUSCLE_HU, Torso

LUNG_HU, LIVER_HU, STOMACH_HU, HEART_HU = -830.0, 58.0, 15.0, 42.0
#: Where a pair of ribs ends: its angle round the trunk from the spine, degrees, and how far it falls until there, mm.
_RIB_COURSE = {
    "T3": (150.0, 60.0),
    "T4": (150.0, 70.0),
    "T5": (150.0, 78.0),
    "T6": (148.0, 86.0),
    "T7": (145.0, 92.0),
    "T8": (138.0, 95.0),
    "T9": (130.0, 95.0),
    "T10": (122.0, 92.0),
    "T11": (108.0, 75.0),
    "T12": (72.0, 48.0),
}
#: How far above its middle position a breath leaves the diaphragm, mm: from full inspiration, as most CTs of the chest
#: are taken, to expiration; and the share by which the lowest lung goes with it.
_BREATH_MM, _RECESS_FOLLOWS = (-45.0, 20.0), 0.45
#: The cavity's outline is a superellipse of this power; at T3 it is narrower than at T9 by this share.
_POWER, _NARROWER = 2.25, 0.28
#: Liver and stomach reach so far below the lowest lung, mm.
_ORGANS_BELOW_MM = 70.0


@dataclass(frozen=True)
class Thorax:
    """The cavity of the chest, in RAS, mm.

    Attributes:
        torso: The trunk around it.
        domes: Heights of the diaphragm's tops, left and right.
        recess: Height of the lowest lung, behind.
        levels: Heights of T3, T6 and T9.
        heart: (3,) the heart's middle.
    """

    torso: Torso
    domes: tuple[float, float]
    recess: float
    levels: tuple[float, float, float]
    heart: FloatArray

    @classmethod
    def around(cls, torso: Torso, curve: SpineCurve, rng: np.random.Generator) -> Thorax:
        """The chest of a patient, breathing as they please."""

        def height(level: str) -> float:
            return float(curve.frames[level].translation[2])

        breath = float(rng.uniform(*_BREATH_MM))
        right = height("T9") - 4.0 + breath
        left = right - float(rng.uniform(5.0, 18.0))
        side = -0.14 * torso.half_width + float(rng.normal(0, 4.0))
        heart = np.array([torso.centre[0] + side, torso.centre[1] + 0.22 * torso.half_depth, right + 34.0])
        recess = height("T12") + _RECESS_FOLLOWS * breath + float(rng.uniform(-12.0, 12.0))
        return cls(torso, (left, right), recess, (height("T3"), height("T6"), height("T9")), heart)

    def half_axes(self, height: float) -> FloatArray:
        """(2,) half the cavity's width and depth at a height."""
        torso = self.torso.section(height)
        down = float(np.interp(height, [self.levels[2], self.levels[0]], [0.0, 1.0]))
        wide, deep = torso.half_width - 1.15 * torso.fat_mm - 14, torso.half_depth - torso.fat_mm - 10
        return np.array([wide * (1 - _NARROWER * down), deep * (1 - 0.12 * down)])

    def middle(self, height: float) -> FloatArray:
        """(2,) the cavity's middle at a height."""
        return np.asarray(self.torso.section(height).centre + [0, 1.5])

    def wall(self, degrees: float | FloatArray, side: int, height: FloatArray, outside: float) -> FloatArray:
        """(N, 3) points of the wall at angles round the trunk from the back (0) to the front (180)."""
        angles = np.radians(np.asarray(degrees, dtype=float))
        axes = np.stack([self.half_axes(float(z)) for z in np.atleast_1d(height)]) + outside
        across = np.abs(np.sin(angles)) ** (2 / _POWER)
        forward = -np.sign(np.cos(angles)) * np.abs(np.cos(angles)) ** (2 / _POWER)
        middle = np.stack([self.middle(float(z)) for z in np.atleast_1d(height)])
        points = np.stack([middle[:, 0] + side * axes[:, 0] * across, middle[:, 1] + axes[:, 1] * forward], axis=1)
        return np.column_stack([points, np.atleast_1d(height)])


def thoracic_bones(
    thorax: Thorax, shapes: Mapping[str, VertebraShape], curve: SpineCurve
) -> tuple[list[SphereMesh], list[SphereMesh]]:
    """Ribs, and shoulder blades with the breastbone, as sphere meshes in RAS."""
    ribs: list[SphereMesh] = []
    for level, (end_deg, fall) in _RIB_COURSE.items():
        for side in (-1, 1):
            ribs += _rib(thorax, shapes[level], curve, side, end_deg, fall)
    return ribs, _blades(thorax) + _breastbone(thorax)


def _rib(
    thorax: Thorax, shape: VertebraShape, curve: SpineCurve, side: int, end_deg: float, fall: float
) -> list[SphereMesh]:
    """One rib: its head beside the disc above, its neck to the transverse process, its angle, and round the wall."""
    frame = curve.frames[shape.name]
    top = shape.height / 2
    head = [side * (shape.width_top / 2 + 1.0), shape.back_wall + 4.0, top - 1.0]
    tubercle = [side * (shape.transverse_span / 2 + 2.0), shape.back_wall - 16.0, top - 3.0]
    neck = frame.apply([head, tubercle])
    angles = np.linspace(34.0, end_deg, 11)
    part = (angles - angles[0]) / (angles[-1] - angles[0])
    heights = neck[1, 2] - 6.0 - fall * part
    path = np.vstack([neck, thorax.wall(angles, side, heights, 4.0)])
    flat = np.array([0, 0, 3.4])
    pieces: list[SphereMesh] = []
    for number, (p, q) in enumerate(pairwise(path)):
        thick = 3.2 if number == 0 else 2.7
        pieces += quad([p + flat, q + flat, q - flat, p - flat], thick)
    return pieces


def _blades(thorax: Thorax) -> list[SphereMesh]:
    """Shoulder blades: thin plates behind the ribs, between T3 and T8, with their spines."""
    high, low = thorax.levels[0] + 4.0, thorax.levels[2] + 18.0
    pieces: list[SphereMesh] = []
    for side in (-1, 1):
        middle_x, back = thorax.torso.centre[0], thorax.torso.section(high).centre[1] - thorax.half_axes(high)[1] - 2.0
        inner_high = np.array([middle_x + side * 62.0, back + 2.0, high])
        inner_low = np.array([middle_x + side * 72.0, back + 2.0, low])
        outer = np.array([middle_x + side * 128.0, back + 34.0, high + 6.0])
        pieces.append(triangle(inner_high, inner_low, outer, [2.0, 3.0, 4.0]))
        pieces.append(triangle(inner_high - [0, 0, 18], outer, outer - [0, 16, -6], [2.0, 3.0, 3.5]))
    return pieces


def _breastbone(thorax: Thorax) -> list[SphereMesh]:
    top, bottom = thorax.levels[0] - 20.0, thorax.levels[2] - 6.0
    x = thorax.torso.centre[0]
    front = thorax.torso.section(bottom).centre[1] + thorax.half_axes(bottom)[1]
    corners = [
        [x - 16, front - 8, top],
        [x + 16, front - 8, top],
        [x + 13, front + 3, bottom],
        [x - 13, front + 3, bottom],
    ]
    return quad(corners, 4.5)


def paint_chest(painter: SlicePainter, thorax: Thorax, height: float) -> None:
    """Lungs, what lies between them, and what the diaphragm lifts into them, of one slice."""
    ended = (thorax.recess - height) / _ORGANS_BELOW_MM
    if ended >= 1:
        return
    wide, deep = thorax.half_axes(height)
    middle = thorax.middle(height)
    if ended < 0:
        painter.ellipse(middle, (wide, deep), LUNG_HU, _POWER)
    # Towards the recess the organs fill the cavity; below it they round off, as nothing in a trunk ends flat.
    filled = 1.0 + 0.25 * float(np.clip(1 + ended * _ORGANS_BELOW_MM / 35.0, 0.0, 1.0))
    rounded = float(np.sqrt(1 - max(ended, 0.0) ** 2))
    for side, dome, hu in ((-1, thorax.domes[0], STOMACH_HU), (1, thorax.domes[1], LIVER_HU)):
        below = np.clip((dome - height) / 60.0, 0.0, 1.0)
        size = filled * rounded * float(np.sqrt(1 - (1 - below) ** 2))
        if size > 0:
            painter.ellipse(middle + [side * 0.47 * wide, 0.16 * deep], (0.52 * wide * size, 0.83 * deep * size), hu)
    above_heart = (height - thorax.heart[2]) / 58.0
    if abs(above_heart) < 1:
        swell = float(np.sqrt(1 - above_heart**2))
        painter.ellipse(thorax.heart[:2], (0.42 * wide * swell, 0.46 * deep * swell), HEART_HU)
    body = thorax.torso.at(height, thorax.torso.course)
    front = middle + [0, deep]
    between = np.array([24.0, max((front[1] - body[1]) / 2, 10.0)]) * rounded
    painter.ellipse((body + front) / 2, (float(between[0]), float(between[1])), 20.0, 2.4)
    painter.ellipse(body, (27.0 * rounded, 24.0 * rounded), MUSCLE_HU)


def texture_of_lungs(image: Hounsfield, grid: Grid, rng: np.random.Generator) -> None:
    """Gives lungs their vessels and their gradient of air, in place."""
    lung = np.abs(image - LUNG_HU) < 12
    if lung.any():
        fine, broad = patches(grid, 2.0, rng), patches(grid, 9.0, rng)
        vessels = np.clip(fine - 1.3, 0, 2.0) * 260.0
        image += lung * (vessels + 45.0 * broad).astype(np.float32)
