"""The shape of one vertebra: body, pedicles, laminae, articular, transverse and spinous processes.

Everything is drawn in the vertebra's frame (mm; origin: body centre; axes right, anterior, superior). Facet joints are
drawn from *one* surface per joint, a cylinder standing in the lower vertebra's frame: the lower vertebra's superior
process lies outside it, the upper vertebra's inferior process inside it, with the joint space between them. So
neighbours interlock as they do in life, however the spine is bent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radgs.geometry import FloatArray, RigidTransform
from radgs.phantom.morphometry import VertebraShape
from radgs.phantom.shapes import (
    FAR,
    Axes,
    Distance,
    Grid,
    Solid,
    SphereMesh,
    chain,
    placed,
    quad,
    smooth_max,
    triangle,
)

#: Space between the bony facets of a joint (cartilage and fluid), mm.
JOINT_SPACE_MM = 1.8
#: Radius of the cylinder that a facet's surface follows, mm.
_FACET_RADIUS_MM = 15.0
#: From a facet's surface to the middle of its process, mm.
_FACET_INSET_MM = 4.6


@dataclass(frozen=True)
class FacetJoint:
    """One facet joint.

    Attributes:
        frame_to_ct: Origin in the joint space; first axis from the superior to the inferior process (the facet's
            normal), third axis up.
    """

    frame_to_ct: RigidTransform

    def surface(self, axes: Axes) -> Distance:
        """Signed distance (mm) to the joint's surface at RAS coordinates; negative on the inferior process's side."""
        to_joint = self.frame_to_ct.inverse()
        r, t = to_joint.rotation.astype(np.float32), to_joint.translation.astype(np.float32)
        across, along = (r[a, 0] * axes[0] + r[a, 1] * axes[1] + r[a, 2] * axes[2] + t[a] for a in (0, 1))
        return np.sqrt((across - _FACET_RADIUS_MM) ** 2 + along**2) - np.float32(_FACET_RADIUS_MM)


def upper_joints(shape: VertebraShape, frame_to_ct: RigidTransform, rng: np.random.Generator) -> dict[int, FacetJoint]:
    """The joints a vertebra makes with the level above, keyed by side: -1 left, +1 right."""
    joints = {}
    for side in (-1, 1):
        angle = np.radians(shape.facet_angle + 2.5 * float(np.clip(rng.standard_normal(), -2, 2)))
        normal = np.array([-side * np.cos(angle), -np.sin(angle), 0.12])
        normal /= np.linalg.norm(normal)
        up = np.array([0.0, 0.0, 1.0]) - normal[2] * normal
        up /= np.linalg.norm(up)
        origin = np.array(
            [side * shape.facet_spacing / 2, shape.back_wall - shape.canal_depth + 1.0, shape.height / 2 + 1.0]
        ) + rng.normal(0, 0.4, 3)
        rotation = np.stack([normal, np.cross(up, normal), up], axis=1)
        joints[side] = FacetJoint(frame_to_ct @ RigidTransform(rotation, origin))
    return joints


@dataclass(frozen=True)
class Landmarks:
    """Points of one vertebra's arch, per side, in its frame (mm)."""

    pedicle: FloatArray
    pillar: FloatArray
    pars: FloatArray
    lamina_top: FloatArray
    lamina_bottom: FloatArray
    transverse_root: FloatArray
    transverse_tip: FloatArray


def landmarks(shape: VertebraShape, side: int, rng: np.random.Generator) -> Landmarks:
    """Where the parts of the arch stand on one side, with the small asymmetry of real vertebrae."""

    def point(x: float, y: float, z: float, spread: float = 0.45) -> FloatArray:
        return np.array([side * x, y, z]) + rng.normal(0, spread, 3)

    back, half = shape.back_wall, shape.height / 2
    pedicle_x = (shape.canal_width + shape.pedicle_width) / 2
    pedicle_z = half - shape.pedicle_height / 2 - 0.6
    lumbosacral = shape.name == "L5"
    thoracic = shape.name.startswith("T")
    tip_y = back - (22.0 if thoracic else 17.0 if not lumbosacral else 14.0)
    tip_z = pedicle_z + (1.0 if thoracic else 5.0 if shape.name in ("L4", "L5") else 2.0)
    return Landmarks(
        pedicle=point(pedicle_x, back, pedicle_z, 0.3),
        pillar=point(pedicle_x + 0.8, back - 12.0, pedicle_z - 1.5),
        pars=point(pedicle_x - 2.2, back - 15.5, -3.5),
        lamina_top=point(pedicle_x - 4.0, back - 14.5, 0.5),
        lamina_bottom=point(pedicle_x - 4.5, back - shape.canal_depth - 1.5, -half - 2.0),
        transverse_root=point(pedicle_x + 3.5, back - (9.5 if not lumbosacral else 6.0), pedicle_z - 1.0),
        transverse_tip=point(shape.transverse_span / 2 - 3.0, tip_y, tip_z, 1.6),
    )


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
    reach = np.array([shape.transverse_span / 2 + 9, shape.depth / 2 + 9, shape.height / 2 + 24])
    drop = np.array([reach[0], shape.spinous_length + shape.depth / 2 + 9, shape.height / 2 + 32])
    corners = np.array(
        [[x, y, z] for x in (-drop[0], reach[0]) for y in (-drop[1], reach[1]) for z in (-drop[2], reach[2])]
    )
    placed_corners = frame_to_ct.apply(corners)
    window = grid.window(placed_corners.min(axis=0), placed_corners.max(axis=0))
    if window is None:
        raise ValueError(f"{shape.name} lies outside the grid")
    bone = Solid(window)
    bone.add(placed(_arch(shape, sides, rng), frame_to_ct), blend_mm=2.5)
    for side, joint in above.items():
        bone.add_distance(window, _superior_process(window, shape, sides[side], frame_to_ct, joint), blend_mm=2.0)
    for side, joint in below.items():
        bone.add_distance(window, _inferior_process(window, shape, sides[side], frame_to_ct, joint), blend_mm=2.0)
    local = window.local(frame_to_ct)
    body = body_distance(shape, local)
    bone.add_distance(window, body, blend_mm=4.0)
    bone.cut(canal_distance(shape, local), blend_mm=1.5)
    return bone


def body_distance(shape: VertebraShape, local: Axes) -> Distance:
    """Signed distance (mm, first order) of the vertebral body: kidney-shaped, waisted, with dished endplates."""
    x, y, z = local
    half = shape.height / 2
    level = np.clip(z / half, -1.15, 1.15)
    waist = 1 - shape.waist * (1 - np.minimum(level * level, 1)) ** 1.0
    side_radius = waist * (shape.width + level * (shape.width_top - shape.width_bottom) / 2) / 2
    depth_radius = waist**0.8 * (shape.depth + level * (shape.depth_top - shape.depth_bottom) / 2) / 2
    u, v = np.abs(x) / side_radius, y / depth_radius
    # The back wall is hollowed by the canal; the front stays round.
    v = np.where(v < 0, v * (1.0 + 0.16 * np.exp(-((u / 0.45) ** 2))), v)
    power = np.where(v < 0, np.float32(2.9), np.float32(2.25))
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
    half_width = shape.canal_width / 2 * (1 + 0.28 * np.clip(v, -1, 1) - 0.05)
    radius = ((np.abs(x) / half_width) ** 2.4 + np.abs(v) ** 2.4) ** np.float32(1 / 2.4)
    tube = (radius - 1) * np.float32(min(half_depth, shape.canal_width / 2))
    return np.maximum(tube, np.abs(z) - shape.height / 2 - 22)


def _arch(shape: VertebraShape, sides: dict[int, Landmarks], rng: np.random.Generator) -> list[SphereMesh]:
    """Pedicles, pillars, laminae, transverse and spinous processes, in the vertebra's frame."""
    half = shape.height / 2
    inner = shape.back_wall - shape.canal_depth
    ridge_top = np.array([0.0, inner - 3.6, -1.0])
    ridge_bottom = np.array([0.0, inner - 6.0, -half - 3.0])
    pieces: list[SphereMesh] = []
    for side, mark in sides.items():
        pieces += _pedicle(shape, mark)
        pieces += chain([mark.pillar, mark.pars, mark.lamina_bottom], [5.6, 4.4, 3.2])
        pieces += quad([ridge_top, mark.lamina_top, mark.lamina_bottom, ridge_bottom], [3.0, 3.2, 2.9, 2.8])
        pieces += _transverse(shape, mark, side)
    return pieces + _spinous(shape, ridge_top, ridge_bottom, rng)


def _pedicle(shape: VertebraShape, mark: Landmarks) -> list[SphereMesh]:
    radius = min(shape.pedicle_width, shape.pedicle_height) / 2
    up = np.array([0, 0, max(shape.pedicle_height / 2 - radius, 0.0)])
    out = np.array([np.sign(mark.pedicle[0]) * max(shape.pedicle_width / 2 - radius, 0.0), 0, 0])
    front = mark.pedicle + [0, 7.0, 0]
    back = mark.pillar * [1, 1, 0] + [0, 2.0, mark.pedicle[2] - 0.5]
    sheets = [(up, 0.9 * up)] if up[2] >= abs(out[0]) else [(out, 0.8 * out)]
    pieces: list[SphereMesh] = []
    for wide, narrow in sheets:
        corners = [front + wide, front - wide, back - narrow, back + narrow]
        pieces += quad(corners, [radius, radius, 0.92 * radius, 0.92 * radius])
    return pieces


def _transverse(shape: VertebraShape, mark: Landmarks, side: int) -> list[SphereMesh]:
    root, tip = mark.transverse_root, mark.transverse_tip
    if shape.name == "L5":
        foot = np.array([side * (shape.width / 2 - 6), shape.back_wall + 8, root[2] - 2])
        return [
            triangle(root + [0, 0, 3], foot, tip, [5.5, 5.0, 4.2]),
            triangle(root - [0, 0, 4], foot, tip, [5.0, 4.5, 4.2]),
        ]
    if shape.name.startswith("T"):
        return chain([root, tip], [5.0, 4.6])
    knee = root + 0.45 * (tip - root) + np.array([0, 1.0, -0.8])
    spread = np.array([0.0, 0.0, 2.6])
    return [
        *quad([root + 1.3 * spread, knee + 0.8 * spread, knee - spread, root - 1.3 * spread], [2.9, 2.5, 2.5, 2.9]),
        triangle(knee + 0.8 * spread, tip, knee - spread, [2.5, 2.6, 2.5]),
    ]


def _spinous(
    shape: VertebraShape, ridge_top: FloatArray, ridge_bottom: FloatArray, rng: np.random.Generator
) -> list[SphereMesh]:
    """A hatchet: a thin blade with a thick back and lower edge, its tip a little off the midline."""
    tip_y = shape.back_wall - shape.spinous_length + 3.0
    off = float(rng.normal(0, 1.2))
    top = np.array([off, tip_y + 1.5, -shape.spinous_drop + shape.spinous_height / 2 - 3.0])
    bottom = np.array([off, tip_y + 1.0, -shape.spinous_drop - shape.spinous_height / 2 + 3.5])
    heel = 0.5 * (ridge_bottom + bottom) + [0, 0, 1.0]
    return [
        *quad([ridge_top, top, bottom, heel], [2.6, 2.3, 3.0, 2.4]),
        triangle(ridge_top, heel, ridge_bottom, [2.6, 2.4, 2.7]),
        *chain([top, 0.5 * (top + bottom) + [0, -1.0, 0], bottom], [2.9, 3.4, 3.8]),
    ]


def articular_process(window: Grid, pieces: list[SphereMesh], joint: FacetJoint, side_of_joint: int) -> Distance:
    """An articular process cut along its joint: outside the joint's cylinder (+1) or inside it (-1)."""
    process = Solid(window)
    process.add(pieces, blend_mm=2.0)
    near = process.distance < FAR
    surface = joint.surface(window.axes())
    cut = smooth_max(process.distance, np.float32(JOINT_SPACE_MM / 2) - side_of_joint * surface, 1.0)
    return np.where(near, cut, np.float32(FAR))


def _superior_process(
    window: Grid, shape: VertebraShape, mark: Landmarks, frame_to_ct: RigidTransform, joint: FacetJoint
) -> Distance:
    place = joint.frame_to_ct
    inset = -_FACET_INSET_MM
    tips = [place.apply([inset - 0.6, -4.0, 5.5]), place.apply([inset - 0.6, 3.5, 5.5])]
    feet = [place.apply([inset, -4.0, -4.0]), place.apply([inset, 4.0, -5.0])]
    pillar = frame_to_ct.apply(mark.pillar)
    pieces = [
        *quad([tips[0], tips[1], feet[1], feet[0]], [3.6, 3.4, 4.6, 4.6]),
        triangle(pillar, feet[0], feet[1], [5.4, 4.6, 4.6]),
    ]
    # The mammillary process: the knob behind the superior process.
    outward = np.sign(mark.pillar[0])
    knob = place.apply([inset - 2.5, 0.0, 1.0]) + frame_to_ct.rotation @ np.array([outward * 0.5, -4.0, 0.0])
    if not shape.name.startswith("T"):
        pieces += chain([0.5 * (feet[0] + feet[1]), knob], [4.0, 3.0])
    return articular_process(window, pieces, joint, 1)


def _inferior_process(
    window: Grid, shape: VertebraShape, mark: Landmarks, frame_to_ct: RigidTransform, joint: FacetJoint
) -> Distance:
    place = joint.frame_to_ct
    inset = _FACET_INSET_MM
    low = [place.apply([inset, -3.2, -4.5]), place.apply([inset, 3.0, -4.5])]
    high = [place.apply([inset, -3.5, 5.0]), place.apply([inset, 3.0, 5.0])]
    pars, lamina = frame_to_ct.apply(mark.pars), frame_to_ct.apply(mark.lamina_bottom)
    pieces = [
        *quad([high[0], high[1], low[1], low[0]], [4.4, 4.2, 3.8, 3.8]),
        triangle(pars, high[0], high[1], [4.2, 4.2, 4.2]),
        triangle(pars, lamina, 0.5 * (low[0] + low[1]), [4.0, 3.2, 3.4]),
    ]
    return articular_process(window, pieces, joint, -1)
