"""The shape of one vertebra as a signed distance field: body, arch and articular processes, less the spinal canal.

Drawn in the vertebra's frame (mm; origin: body centre; axes right, anterior, superior).
"""

from __future__ import annotations

import numpy as np

from radgs.geometry import FloatArray, RigidTransform
from radgs.phantom.arch import arch_pieces, landmarks
from radgs.phantom.facets import FacetJoint, inferior_process, superior_process
from radgs.phantom.morphometry import VertebraShape
from radgs.phantom.shapes import Axes, Distance, Grid, Solid, SphereMesh, chain, placed, smooth_max

#: Unevenness of a bone's surface (standard deviation), mm.
ROUGHNESS_MM = 0.3


def draw_vertebra(
    grid: Grid,
    shape: VertebraShape,
    frame_to_ct: RigidTransform,
    above: dict[int, FacetJoint],
    below: dict[int, FacetJoint],
    rng: np.random.Generator,
) -> Solid:
    """Signed distance field of one vertebra in a window of the grid around it.

    Args:
        grid: The whole spine's grid.
        shape: The vertebra's measures.
        frame_to_ct: Where it stands.
        above: Its joints with the level above (it carries their superior processes), by side.
        below: Its joints with the level below (it carries their inferior processes), by side.
        rng: Source of its asymmetry.
    """
    sides = {side: landmarks(shape, side, rng) for side in (-1, 1)}
    window = window_around(grid, frame_to_ct, *_box(shape))
    bone = Solid(window)
    bone.add(placed(arch_pieces(shape, sides, rng), frame_to_ct), blend_mm=2.5)
    for side, joint in above.items():
        bone.add_distance(window, superior_process(window, shape, sides[side], frame_to_ct, joint), blend_mm=2.5)
    for side, joint in below.items():
        bone.add_distance(window, inferior_process(window, shape, sides[side], frame_to_ct, joint), blend_mm=2.5)
    local = window.local(frame_to_ct)
    bone.add_distance(window, body_distance(shape, local), blend_mm=4.5)
    bone.add(placed(_osteophytes(shape, rng), frame_to_ct), blend_mm=3.0)
    bone.cut(canal_distance(shape, local), blend_mm=1.5)
    bone.roughen(frame_to_ct, ROUGHNESS_MM, rng)
    return bone


def in_sight(grid: Grid, shape: VertebraShape, frame_to_ct: RigidTransform) -> bool:
    """Whether enough of the box around a vertebra lies in a grid for a surface to be drawn."""
    low, high = _corners(frame_to_ct, *_box(shape))
    window = grid.window(low, high)
    return window is not None and min(window.size) > 1


def _box(shape: VertebraShape) -> tuple[list[float], list[float]]:
    """Two corners of the box that holds a vertebra, in its frame, mm; thoracic spinous processes hang far down."""
    down = max(shape.height / 2 + 32, shape.spinous_drop + shape.spinous_height / 2 + 9)
    low = [-shape.transverse_span / 2 - 9, shape.back_wall - shape.spinous_length - 9, -down]
    return low, [shape.transverse_span / 2 + 9, shape.depth / 2 + 9, shape.height / 2 + 22]


def _corners(frame_to_ct: RigidTransform, low: list[float], high: list[float]) -> tuple[FloatArray, FloatArray]:
    """Low and high RAS corners around a box given by two corners in a frame, mm."""
    pairs = list(zip(low, high, strict=True))
    corners = frame_to_ct.apply([[x, y, z] for x in pairs[0] for y in pairs[1] for z in pairs[2]])
    return corners.min(axis=0), corners.max(axis=0)


def window_around(grid: Grid, frame_to_ct: RigidTransform, low: list[float], high: list[float]) -> Grid:
    """The part of the grid that holds a box given by two corners in a frame, mm."""
    window = grid.window(*_corners(frame_to_ct, low, high))
    if window is None:
        raise ValueError("a bone of the phantom lies wholly outside its grid")
    return window


def body_distance(shape: VertebraShape, local: Axes) -> Distance:
    """Signed distance (mm, first order) of the vertebral body: kidney-shaped, waisted, with dished endplates."""
    x, y, z = local
    half = shape.height / 2
    level = np.clip(z / half, -1.15, 1.15)
    square = np.minimum(level * level, 1)
    rim = 1 + shape.rim * square**4
    waist = (1 - shape.waist * (1 - square)) * rim
    side_radius = waist * (shape.width + level * (shape.width_top - shape.width_bottom) / 2) / 2
    depth_radius = waist**0.8 * (shape.depth + level * (shape.depth_top - shape.depth_bottom) / 2) / 2
    u, v = np.abs(x) / side_radius, y / depth_radius
    # The back wall is hollowed by the canal; the front stays round.
    v = np.where(v < 0, v * (1.0 + 0.10 * np.exp(-((u / 0.45) ** 2))), v)
    power = np.where(v < 0, np.float32(2.5), np.float32(2.06))
    radius = (u**power + np.abs(v) ** power) ** (1 / power)
    wall = (radius - 1) * np.minimum(side_radius, depth_radius)
    rise = (shape.height_front - shape.height_back) / (2 * shape.depth) * y
    hollow = np.clip(1 - (radius / 0.86) ** 2, 0, 1)
    top = z - (half + rise - shape.dip_top * hollow)
    bottom = -z - (half + rise - shape.dip_bottom * hollow)
    return smooth_max(smooth_max(wall, top, 2.0), bottom, 2.0)


def canal_distance(shape: VertebraShape, local: Axes) -> Distance:
    """Signed distance (mm, first order) of the spinal canal, a rounded triangle, along the vertebra's third axis."""
    x, y, z = local
    half_depth = shape.canal_depth / 2
    v = (y - (shape.back_wall - half_depth)) / half_depth
    half_width = shape.canal_width / 2 * (0.93 + 0.34 * np.clip(v, -1, 0.2))
    radius = ((np.abs(x) / half_width) ** 2.4 + np.abs(v) ** 2.4) ** np.float32(1 / 2.4)
    tube = (radius - 1) * np.float32(min(half_depth, shape.canal_width / 2))
    return np.maximum(tube, np.abs(z) - shape.height / 2 - 22)


def _osteophytes(shape: VertebraShape, rng: np.random.Generator) -> list[SphereMesh]:
    """Small spurs of bone along the front and side rims of the endplates."""
    pieces: list[SphereMesh] = []
    for _ in range(rng.poisson(shape.spurs)):
        side = float(rng.choice([-1.0, 1.0]))
        angle = float(rng.uniform(-0.2, np.pi + 0.2))
        spread = float(rng.uniform(0.15, 0.5))
        width, depth = (shape.width_top, shape.depth_top) if side > 0 else (shape.width_bottom, shape.depth_bottom)
        arc = angle + np.linspace(-spread, spread, 4)
        rim = [_on_rim(width, depth, a, side * (shape.height / 2 - 1.5)) for a in arc]
        pieces += chain(rim, float(rng.uniform(1.2, 2.2)))
    return pieces


def _on_rim(width: float, depth: float, angle: float, height: float) -> FloatArray:
    return np.array([0.95 * width / 2 * np.cos(angle), 0.95 * depth / 2 * np.sin(angle), height])
