"""From a bone's shape to its Hounsfield units: a thin dense shell around a spongy, striated inside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from radgs.geometry import RigidTransform
from radgs.phantom.morphometry import VertebraShape
from radgs.phantom.shapes import Distance, Grid, Solid

Hounsfield = NDArray[np.float32]


@dataclass(frozen=True)
class BoneQuality:
    """What bone looks like in CT for a degree of osteoporosis.

    Attributes:
        trabecular_hu: Mean of the spongy inside of a vertebral body.
        arch_hu: Mean of the spongy inside of the arch.
        cortical_hu: The compact shell.
        body_shell_mm: Thickness of the shell around a vertebral body.
        arch_shell_mm: Thickness of the shell around the arch.
        texture_hu: Standard deviation of the trabecular pattern.
    """

    trabecular_hu: float
    arch_hu: float
    cortical_hu: float
    body_shell_mm: float
    arch_shell_mm: float
    texture_hu: float

    @classmethod
    def draw(cls, rng: np.random.Generator, osteoporosis: float) -> BoneQuality:
        """Bone of a person with the given osteoporosis, 0 (healthy adult) to 1 (severe)."""
        own = float(np.clip(rng.standard_normal(), -2, 2))
        return cls(
            trabecular_hu=(1 - osteoporosis) * 175.0 + osteoporosis * 60.0 + 18.0 * own,
            arch_hu=(1 - osteoporosis) * 260.0 + osteoporosis * 130.0 + 15.0 * own,
            cortical_hu=920.0 - 160.0 * osteoporosis + 40.0 * own,
            body_shell_mm=0.8 - 0.3 * osteoporosis,
            arch_shell_mm=1.5 - 0.5 * osteoporosis,
            texture_hu=52.0 - 7.0 * osteoporosis,
        )


def refine_distance(solid: Solid) -> tuple[Distance, Distance]:
    """The distance made first-order exact, and each voxel's width across the surface.

    Returns:
        Signed distance in mm and the voxel's extent (mm) along the surface's normal, both of the solid's shape.
    """
    sx, sy, sz = (float(s) for s in solid.grid.spacing)
    dz, dy, dx = np.gradient(solid.distance, sz, sy, sx)
    slope = np.maximum(np.sqrt(dx * dx + dy * dy + dz * dz), 0.35)
    width = (np.abs(dx) * sx + np.abs(dy) * sy + np.abs(dz) * sz) / slope
    distance = solid.distance / slope
    return distance.astype(np.float32), np.maximum(width, 0.3).astype(np.float32)


def coverage(distance: Distance, width: Distance | float) -> Hounsfield:
    """Part of each voxel (0 to 1) that lies inside a surface at the given signed distance (mm)."""
    return np.clip(0.5 - distance / width, 0, 1)


def blend_bone(
    hu: Hounsfield,
    distance: Distance,
    width: Distance,
    shell_mm: Distance | float,
    cortical: float,
    inside: Hounsfield | float,
) -> None:
    """Draws bone over an image in place, shell and inside each with their share of every voxel."""
    whole = coverage(distance, width)
    core = coverage(distance + shell_mm, width)
    hu *= 1 - whole
    hu += cortical * (whole - core) + inside * core


def vertebra_inside(
    grid: Grid, shape: VertebraShape, frame_to_ct: RigidTransform, quality: BoneQuality, rng: np.random.Generator
) -> tuple[Hounsfield, Distance]:
    """HU of the spongy bone and thickness of the shell (mm), over a window around one vertebra."""
    x, y, z = grid.local(frame_to_ct)
    arch = np.clip((shape.back_wall + 1.0 - y) / 5.0, 0, 1)
    level = np.clip(np.abs(z) / (shape.height / 2), 0, 1)
    mean = quality.trabecular_hu * (0.9 + 0.45 * level**4)
    # The basivertebral vein enters the back wall at mid-height and forks towards the middle of the body.
    depth = y - shape.back_wall
    fork = np.abs(np.abs(x) - np.maximum(depth - 5, 0) * 0.55)
    vein = np.exp(-((fork / 2.2) ** 2) - (z / 2.2) ** 2) * np.clip(1.1 - depth / (0.6 * shape.depth), 0, 1)
    mean = mean - 0.75 * quality.trabecular_hu * vein
    inside = mean + arch * (quality.arch_hu - mean) + quality.texture_hu * texture(grid, rng)
    shell = quality.body_shell_mm + arch * (quality.arch_shell_mm - quality.body_shell_mm)
    # Real shells are uneven: worn thin in places, thickened under load, the endplates more than the walls.
    shell = shell * (1 + 0.35 * (1 - arch) * level**6) * np.exp(0.32 * patches(grid, 3.0, rng) - 0.05)
    return inside.astype(np.float32), shell.astype(np.float32)


def texture(grid: Grid, rng: np.random.Generator) -> Hounsfield:
    """A trabecular pattern of unit variance: fine grain, stretched along the load, over broader patches."""
    spacing = grid.spacing[::-1]
    fine = ndimage.gaussian_filter(
        rng.standard_normal(grid.shape, dtype=np.float32), np.array([1.5, 0.65, 0.65]) / spacing, truncate=2.5
    )
    return (0.8 * fine / fine.std() + 0.6 * patches(grid, 2.5, rng)).astype(np.float32)


def patches(grid: Grid, size_mm: float, rng: np.random.Generator) -> Hounsfield:
    """Smooth noise of unit variance whose features are about two and a half times ``size_mm`` across."""
    step = tuple(max(1, round(size_mm / s)) for s in grid.spacing[::-1])
    coarse_shape = tuple(-(-n // s) + 1 for n, s in zip(grid.shape, step, strict=True))
    coarse = ndimage.gaussian_filter(rng.standard_normal(coarse_shape, dtype=np.float32), 1.0, truncate=2.5)
    coarse /= coarse.std()
    return ndimage.zoom(coarse, step, order=1)[tuple(slice(0, n) for n in grid.shape)]
