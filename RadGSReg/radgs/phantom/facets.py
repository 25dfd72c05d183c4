"""Facet joints and the articular processes that meet in them.

Each joint is *one* surface, a cylinder standing in the lower vertebra's frame: the lower vertebra's superior process
lies outside it, the upper vertebra's inferior process inside it, with the joint space between them. So neighbours
interlock as they do in life, however the spine is bent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radgs.geometry import RigidTransform
from radgs.phantom.arch import Landmarks
from radgs.phantom.morphometry import VertebraShape
from radgs.phantom.shapes import FAR, Axes, Distance, Grid, Solid, SphereMesh, chain, quad, smooth_max, triangle

#: Space between the bony facets of a joint (cartilage and fluid), mm.
JOINT_SPACE_MM = 1.8
#: Radius of the cylinder that a facet's surface follows, mm.
FACET_RADIUS_MM = 14.0
#: From a facet's surface to the middle of its process, mm.
INSET_MM = 4.8


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
        return np.sqrt((across - FACET_RADIUS_MM) ** 2 + along**2) - np.float32(FACET_RADIUS_MM)


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
            [side * shape.facet_spacing / 2, shape.back_wall - shape.canal_depth + 1.5, shape.height / 2 - 0.5]
        )
        origin += rng.normal(0, 0.4, 3)
        rotation = np.stack([normal, np.cross(up, normal), up], axis=1)
        joints[side] = FacetJoint(frame_to_ct @ RigidTransform(rotation, origin))
    return joints


def cut_at_joint(window: Grid, pieces: list[SphereMesh], joint: FacetJoint, side_of_joint: int) -> Distance:
    """Distance of an articular process cut along its joint: outside the joint's cylinder (+1) or inside it (-1)."""
    process = Solid(window)
    process.add(pieces, blend_mm=2.0)
    near = process.distance < FAR
    surface = joint.surface(window.axes())
    cut = smooth_max(process.distance, np.float32(JOINT_SPACE_MM / 2) - side_of_joint * surface, 1.0)
    return np.where(near, cut, np.float32(FAR))


def superior_process(
    window: Grid, shape: VertebraShape, mark: Landmarks, frame_to_ct: RigidTransform, joint: FacetJoint
) -> Distance:
    """Signed distance of a superior articular process with its mammillary knob, on a window of the grid."""
    place, k = joint.frame_to_ct, shape.stoutness
    inset = -INSET_MM * k
    tips = [place.apply([inset - 0.4, -3.5 * k, 3.8 * k]), place.apply([inset - 0.4, 3.5 * k, 3.8 * k])]
    feet = [place.apply([inset - 0.5, -4.5 * k, -4.5 * k]), place.apply([inset - 0.5, 4.5 * k, -4.5 * k])]
    pillar = frame_to_ct.apply(mark.pillar)
    pieces = [
        *quad([tips[0], tips[1], feet[1], feet[0]], [4.0 * k, 4.0 * k, 5.4 * k, 5.4 * k]),
        triangle(pillar, feet[0], feet[1], [5.8 * k, 5.2 * k, 5.2 * k]),
    ]
    if not shape.name.startswith("T"):
        outward = np.sign(mark.pillar[0])
        knob = place.apply([inset - 2.5, 0.0, 0.0]) + frame_to_ct.rotation @ np.array([outward * 1.0, -5.0, -1.0])
        pieces += chain([0.5 * (feet[0] + feet[1]), knob], [5.0, 4.3])
    return cut_at_joint(window, pieces, joint, 1)


def inferior_process(
    window: Grid, shape: VertebraShape, mark: Landmarks, frame_to_ct: RigidTransform, joint: FacetJoint
) -> Distance:
    """Signed distance of an inferior articular process, on a window of the grid."""
    place, k = joint.frame_to_ct, shape.stoutness
    inset = INSET_MM * k
    low = [place.apply([inset, -3.2 * k, -4.5 * k]), place.apply([inset, 3.2 * k, -4.5 * k])]
    high = [place.apply([inset, -3.5 * k, 5.0 * k]), place.apply([inset, 3.5 * k, 5.0 * k])]
    pars, lamina = frame_to_ct.apply(mark.pars), frame_to_ct.apply(mark.lamina_bottom)
    pieces = [
        *quad([high[0], high[1], low[1], low[0]], [4.8 * k, 4.8 * k, 4.0 * k, 4.0 * k]),
        triangle(pars, high[0], high[1], [4.6 * k, 4.6 * k, 4.6 * k]),
        triangle(pars, lamina, 0.5 * (low[0] + low[1]), [4.4 * k, 3.4 * k, 3.8 * k]),
    ]
    return cut_at_joint(window, pieces, joint, -1)
