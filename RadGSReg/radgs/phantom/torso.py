"""The soft tissues around the spine: skin, fat, muscle, vessels, kidneys, liver, spleen and bowel with its gas.

What lies beside the spine is drawn slice by slice along the spine's own course; organs are rounded solids in 3D. HU are
those of an unenhanced CT; in three patients of ten the great vessels carry contrast medium.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from radgs.geometry import FloatArray
from radgs.phantom.bone import Hounsfield, coverage, patches
from radgs.phantom.curve import SpineCurve
from radgs.phantom.morphometry import VertebraShape
from radgs.phantom.shapes import Grid, Solid, SphereMesh, chain
from radgs.phantom.slice_painter import SlicePainter

#: A back that follows the spine does so by such a share.
_FOLLOWS = (0.6, 1.0)
AIR_HU, FAT_HU, SKIN_HU, MUSCLE_HU = -1000.0, -100.0, 30.0, 55.0


@dataclass(frozen=True)
class Torso:
    """The trunk's outline and the spine's course through it, mm in RAS.

    Attributes:
        centre: (2,) right and anterior coordinates of the trunk's middle.
        half_width, half_depth: Half the trunk's extent across and from back to front.
        fat_mm: Thickness of the subcutaneous fat.
        heights: (N,) superior coordinates, ascending, at which the course is given.
        landmarks: Superior coordinates of the lowest lumbar vertebra, of T12 and of T11.
        course: (N, 2) middle of the vertebral bodies there.
        canal: (N, 2) middle of the spinal canal there.
        tips: (N, 2) tips of the spinous processes, by height of the vertebra.
        hollow: (N,) how far the back lies in front of its rearmost place there.
    """

    centre: FloatArray
    half_width: float
    half_depth: float
    fat_mm: float
    heights: FloatArray
    landmarks: tuple[float, float, float]
    course: FloatArray
    canal: FloatArray
    tips: FloatArray
    hollow: FloatArray

    @classmethod
    def around(
        cls, shapes: dict[str, VertebraShape], curve: SpineCurve, size: float, rng: np.random.Generator
    ) -> Torso:
        """The trunk of a patient: ``size`` 1 is slim to average, 1.3 large (most of the difference is fat)."""
        rows = []
        for level, frame in curve.frames.items():
            shape = shapes[level]
            canal = [0, shape.back_wall - shape.canal_depth / 2, 0]
            tip = [0, shape.back_wall - shape.spinous_length, 0]
            rows.append(np.concatenate([frame.apply([0, 0, 0]), frame.apply(canal)[:2], frame.apply(tip)[:2]]))
        for drop, back in ((-15.0, 0.0), (-60.0, -8.0)):
            canal, tip = [0, -26 + back, drop], [0, -48 + back, drop]
            place = curve.sacrum
            rows.append(
                np.concatenate([place.apply([0, -6 + back, drop]), place.apply(canal)[:2], place.apply(tip)[:2]])
            )
        table = np.array(rows)
        table = table[np.argsort(table[:, 2])]
        fat = 13.0 + 60.0 * max(size - 0.9, 0.0) + float(rng.uniform(-3, 3))
        half_width = 141.0 * size * (1 + 0.02 * float(rng.standard_normal()))
        half_depth = 103.0 * size * (1 + 0.02 * float(rng.standard_normal()))
        back = table[:, 6].min() - 0.7 * fat
        centre = np.array([0.3 * table[:, 0].mean(), back + half_depth])
        lowest = next(iter(curve.frames))  # they are stacked from below
        lumbar, t12, t11 = (float(curve.frames[level].translation[2]) for level in (lowest, "T12", "T11"))
        landmarks = (lumbar, t12, t11)
        courses = (table[:, :2], table[:, 3:5], table[:, 5:7])
        straight = np.zeros(len(table))
        return cls(centre, half_width, half_depth, fat, table[:, 2], landmarks, *courses, straight)

    def along_the_spine(self, rng: np.random.Generator) -> Torso:
        """The trunk with a back that follows the spine, as skin lies one or two centimetres behind every process."""
        behind = ndimage.gaussian_filter1d(self.tips[:, 1], 1.0, mode="nearest")
        behind = np.minimum(behind, self.tips[:, 1])
        return replace(self, hollow=float(rng.uniform(*_FOLLOWS)) * (behind - behind.min()))

    def section(self, height: float) -> Torso:
        """The trunk with the middle and the depth that it has at a superior coordinate."""
        forward = float(np.interp(height, self.heights, self.hollow)) / 2
        return replace(self, centre=self.centre + [0.0, forward], half_depth=self.half_depth - forward)

    def at(self, height: float, table: FloatArray) -> FloatArray:
        """A row of the course (2,) at a superior coordinate."""
        return np.array([np.interp(height, self.heights, table[:, n]) for n in range(2)])


#: Paints what lies in the chest into one slice, given its height.
PaintChest = Callable[[SlicePainter, float], None]


def draw_torso(
    grid: Grid,
    torso: Torso,
    rng: np.random.Generator,
    paint_chest: PaintChest | None = None,
    chest_from: float = np.inf,
) -> Hounsfield:
    """HU (D, H, W) of the trunk without its bones.

    Args:
        grid: Of the image.
        torso: The trunk.
        rng: Source of the variation.
        paint_chest: Paints lungs and heart; None leaves the abdomen's contents all the way up.
        chest_from: Height above which no loins lie beside the spine, mm.
    """
    image = np.full(grid.shape, AIR_HU, dtype=np.float32)
    heights = grid.origin[2] + grid.spacing[2] * np.arange(grid.size[2])
    furrow = float(rng.uniform(3.0, 8.0))
    for axial, height in zip(image, heights, strict=True):
        painter = SlicePainter(axial, grid)
        _trunk_wall(painter, torso.section(float(height)), float(height), furrow)
        if paint_chest is not None:
            paint_chest(painter, float(height))
    draw_organs(image, grid, torso, rng)
    streak = float(rng.uniform(0.5, 2.0))
    contrast = float(rng.uniform(0.3, 1.0)) if rng.uniform() < 0.3 else 0.0
    for axial, height in zip(image, heights, strict=True):
        loins = float(height) < chest_from
        section = torso.section(float(height))
        _beside_the_spine(SlicePainter(axial, grid), section, float(height), streak, contrast, loins=loins)
    _mottle(image, grid, torso, rng)
    return image


def _mottle(image: Hounsfield, grid: Grid, torso: Torso, rng: np.random.Generator) -> None:
    """Gives soft tissue its slight unevenness, and the muscles of the back their streaks of fat, in place."""
    noise = patches(grid, 3.0, rng)
    fatty = float(rng.uniform(30.0, 120.0))
    back = grid.axes()[1] < torso.centre[1]
    muscle = (np.abs(image - MUSCLE_HU) < 8) & back
    streaks = np.clip(noise - 0.6, 0, 1.2) * muscle
    image += np.where(image > -500, 9.0 * noise, 0).astype(np.float32) - np.float32(fatty) * streaks


def _trunk_wall(painter: SlicePainter, torso: Torso, height: float, furrow: float) -> None:
    """Skin, subcutaneous fat, the muscular wall, and the fat of the cavity inside it, of one slice."""
    a, b, fat = torso.half_width, torso.half_depth, torso.fat_mm
    painter.ellipse(torso.centre, (a, b), SKIN_HU, 2.35)
    painter.ellipse(torso.centre, (a - 2.0, b - 2.0), FAT_HU, 2.35)
    groove = np.array([torso.at(height, torso.tips)[0], torso.centre[1] - b])
    painter.ellipse(groove + [0, furrow - 12.0], (40.0, 14.0), SKIN_HU)
    painter.ellipse(groove + [0, furrow - 14.0], (40.5, 14.0), AIR_HU)
    painter.ellipse(torso.centre - [0, 0.1 * fat], (a - 1.15 * fat, b - 0.9 * fat), MUSCLE_HU, 2.3)
    painter.ellipse(torso.centre + [0, 1.5], (a - 1.15 * fat - 12, b - fat - 8), FAT_HU + 5, 2.25)
    painter.ellipse(torso.centre + [0, b - fat - 4.0], (1.5, 7.0), FAT_HU)


def _beside_the_spine(
    painter: SlicePainter, torso: Torso, height: float, streak: float, contrast: float, *, loins: bool
) -> None:
    """Muscles, vessels and the thecal sac of one slice."""
    body, canal, tip = (torso.at(height, table) for table in (torso.course, torso.canal, torso.tips))
    down = float(np.interp(height, [torso.landmarks[0], torso.landmarks[2]], [1.0, 0.0]))
    floor = torso.centre[1] - torso.half_depth + torso.fat_mm
    for side in (-1, 1):
        middle = (canal[1] - 14 + floor) / 2 + 1
        thick = max(canal[1] - 10 - middle, 16.0)
        painter.ellipse(np.array([tip[0] + side * 33, middle]), (33.0, thick + 1.5), FAT_HU + 10, 2.2)
        painter.ellipse(np.array([tip[0] + side * 33, middle]), (30.0, thick), MUSCLE_HU, 2.3)
        painter.ellipse(np.array([tip[0] + side * 31, middle - 2]), (streak, 13.0), -55.0)
        if loins:
            psoas = (5 + 17 * down, 12 + 12 * down)
            painter.ellipse(body + [side * (60 + 6 * down), -20], (20.0, 11.0), MUSCLE_HU, 2.2)
            painter.ellipse(body + [side * (27 + 13 * down), -9 + 3 * down], psoas, MUSCLE_HU + 3)
        painter.ellipse(np.array([tip[0] + side * 12, canal[1] - 22]), (10.0, 14.0), MUSCLE_HU - 4, 2.2)
    split = max(down - 0.75, 0.0) * 70
    for shift in (-split, split) if split > 3 else (0.0,):
        painter.ellipse(body + [-8 + shift, 29], (9.5 if split <= 3 else 6.0,) * 2, 45.0 + 200.0 * contrast)
    if loins:
        painter.ellipse(body + [15 + (4 if split > 3 else 0), 28], (12.0, 8.5), 42.0 + 90.0 * contrast)
    painter.ellipse(canal, (12.0, 9.0), -50.0)
    painter.ellipse(canal + [0, 0.5], (8.5, 7.0), 25.0)


def draw_organs(image: Hounsfield, grid: Grid, torso: Torso, rng: np.random.Generator) -> None:
    """Liver, spleen, kidneys, stomach, colon and small bowel, drawn into the trunk in place."""
    top = torso.landmarks[1]
    wide, deep = torso.half_width - torso.fat_mm - 14, torso.half_depth - torso.fat_mm - 10
    centre = np.array([*torso.centre, 0.0])

    def place(right: float, anterior: float, height: float) -> FloatArray:
        return centre + [right * wide, anterior * deep, height] + rng.normal(0, 3.0, 3)

    liver = [place(0.48, 0.3, top + 50), place(0.58, -0.02, top + 5), place(0.62, -0.15, top - 50)]
    _fill(image, grid, chain(liver, [58, 48, 16]), 58.0)
    _fill(image, grid, chain([place(-0.68, -0.3, top + 40), place(-0.7, -0.3, top - 10)], [30, 20]), 50.0)
    for side in (-1, 1):
        kidney = [place(side * 0.46, -0.36, top - 5 - 8 * side), place(side * 0.58, -0.30, top - 70 - 8 * side)]
        _fill(image, grid, chain(kidney, [23, 24]), 33.0)
        sinus = 0.5 * (kidney[0] + kidney[1]) - [side * 9, -3, 0]
        _fill(image, grid, chain([sinus + [0, 0, 10], sinus - [0, 0, 10]], 8.0), -60.0)
    _bowel(image, grid, [place(-0.3, 0.5, top + 15), place(0.05, 0.5, top - 20)], 24.0, 30.0, 0.4, rng)
    for right, gas in ((0.76, 0.2), (-0.78, 0.1)):
        run = [place(right, 0.05, top - 60 - 35 * n) for n in range(5)]
        _bowel(image, grid, run, 17.0, -60.0, gas + float(rng.uniform(0, 0.25)), rng, mottled=True)
    run = [place(right, 0.56, top - 62) for right in np.linspace(-0.62, 0.62, 6)]
    _bowel(image, grid, run, 15.0, -60.0, float(rng.uniform(0.1, 0.5)), rng, mottled=True)
    for _ in range(20):
        start = [*rng.uniform([-0.55, 0.02], [0.55, 0.6]), -float(rng.uniform(75, 220))]
        walk = np.cumsum(np.vstack([np.zeros(3), rng.normal(0, [0.17, 0.13, 14], (3, 3))]), axis=0) + start
        reach = np.linalg.norm(walk[:, :2], axis=1, keepdims=True)
        walk[:, :2] *= np.minimum(1, 0.68 / np.maximum(reach, 1e-6))
        gas = float(rng.uniform(0.15, 0.5)) if rng.uniform() < 0.35 else 0.0
        _bowel(image, grid, [place(x, y, top + z) for x, y, z in walk], 11.5, 25.0, gas, rng)


def _fill(
    image: Hounsfield, grid: Grid, pieces: list[SphereMesh], hu: float, mottled_by: np.random.Generator | None = None
) -> None:
    """Fills rounded pieces with ``hu`` in place, speckled like faeces where a source of noise is given."""
    bounds = [piece.bounds(2.0) for piece in pieces]
    window = grid.window(np.min([low for low, _ in bounds], axis=0), np.max([high for _, high in bounds], axis=0))
    if window is None:
        return
    solid = Solid(window)
    solid.add(pieces, blend_mm=6.0)
    part = image[grid.slices_of(window)]
    content = np.float32(hu) if mottled_by is None else hu + 90 * patches(window, 2.0, mottled_by)
    part += coverage(solid.distance, float(grid.spacing.mean())) * (content - part)


def _bowel(
    image: Hounsfield,
    grid: Grid,
    points: list[FloatArray],
    radius: float,
    hu: float,
    gas: float,
    rng: np.random.Generator,
    *,
    mottled: bool = False,
) -> None:
    """A loop of bowel: a wall, contents, and gas (a part ``gas`` of its calibre) that has risen to the front."""
    radii = radius * rng.uniform(0.75, 1.15, len(points))
    _fill(image, grid, chain(points, radii), 42.0)
    _fill(image, grid, chain(points, radii - 2.5), hu + float(rng.normal(0, 12)), rng if mottled else None)
    if gas > 0:
        risen = [p + [0, (1 - gas) * (r - 3.0), 0] for p, r in zip(points, radii, strict=True)]
        _fill(image, grid, chain(risen, np.maximum(gas * (radii - 3.5), 1.0)), -900.0)
