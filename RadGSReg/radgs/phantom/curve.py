"""How the vertebrae stand on one another: discs, lordosis, scoliosis with its coupled turn, and a little disorder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radgs.geometry import FloatArray, RigidTransform
from radgs.phantom.morphometry import ORDER, VertebraShape

#: Share of the L1-S1 lordosis that lies between each vertebra and the one below (radiographic pattern of adults).
_LORDOSIS_SHARE = {"L1": 0.10, "L2": 0.14, "L3": 0.19, "L4": 0.25, "L5": 0.32}
#: Kyphosis above the lumbar spine, degrees forward from the level below.
_KYPHOSIS_DEG = {"T11": -3.0, "T12": -1.0}
#: Tilt to the right against the level below, per Cobb angle: one curve from L1 to L4, its apex at L2-L3.
_TILT_SHARE = {"T11": 0.1, "T12": 0.1, "L1": -0.3, "L2": -0.4, "L3": -0.3, "L4": 0.25, "L5": 0.25}
#: Axial turn against the level below, per Cobb angle: the spinous processes turn into the hollow of the curve.
_TURN_SHARE = {"T11": 0.1, "T12": 0.1, "L1": 0.15, "L2": 0.0, "L3": -0.15, "L4": -0.1, "L5": -0.1}


@dataclass(frozen=True)
class SpineCurve:
    """Where every vertebra stands.

    Attributes:
        frames: Level -> frame_to_ct (origin: body centre; axes right, anterior, superior).
        sacrum: Frame of the sacral endplate: its centre, its normal as the third axis.
        lordosis_deg: Angle between L1 and the sacral endplate in the sagittal plane.
        scoliosis_deg: Cobb angle of the lumbar curve; positive where it bends to the right.
    """

    frames: dict[str, RigidTransform]
    sacrum: RigidTransform
    lordosis_deg: float
    scoliosis_deg: float


def draw_curve(
    rng: np.random.Generator,
    shapes: dict[str, VertebraShape],
    lordosis_deg: float | None = None,
    scoliosis_deg: float | None = None,
) -> SpineCurve:
    """Stacks the vertebrae from the sacrum up, with L3's body centre at the RAS origin and L3 nearly upright.

    Args:
        rng: Source of the variation.
        shapes: Level -> measures.
        lordosis_deg: L1-S1 angle; drawn from 44 +- 8 degrees when None.
        scoliosis_deg: Cobb angle; drawn from 0 +- 4 degrees when None.
    """
    lordosis = 44.0 + 8.0 * float(np.clip(rng.standard_normal(), -2, 2)) if lordosis_deg is None else lordosis_deg
    scoliosis = 4.0 * float(np.clip(rng.standard_normal(), -2, 2)) if scoliosis_deg is None else scoliosis_deg
    below = RigidTransform.identity()
    frames: dict[str, RigidTransform] = {}
    for index in range(len(ORDER) - 1, -1, -1):
        level = ORDER[index]
        extension = _LORDOSIS_SHARE.get(level, 0.0) * lordosis + _KYPHOSIS_DEG.get(level, 0.0)
        bend = _TILT_SHARE[level] * scoliosis
        turn = _TURN_SHARE[level] * scoliosis
        wobble = rng.normal(0.0, [0.8, 0.6, 0.7])
        slip = rng.normal(0.0, [0.3, 0.5, 0.0])
        angles = np.radians(np.array([extension, bend, turn]) + wobble)
        below_shape = shapes[ORDER[index + 1]] if index + 1 < len(ORDER) else None
        below = below @ _step(angles, _disc_step(shapes[level], below_shape), slip)
        frames[level] = below
    tilt = RigidTransform.from_rotation_vector(np.radians(rng.normal(0.0, [2.5, 1.0, 1.5]) + [2.0, 0.0, 0.0]))
    upright = tilt @ frames["L3"].inverse()
    return SpineCurve(
        {level: upright @ frame for level, frame in frames.items()}, upright, float(lordosis), float(scoliosis)
    )


def _disc_step(shape: VertebraShape, below: VertebraShape | None) -> tuple[float, float]:
    """Half the way from the frame below to the disc's middle, and from there to the frame above, mm."""
    half_disc = shape.disc_below / 2
    return half_disc + (below.height / 2 if below is not None else 0.0), half_disc + shape.height / 2


def _step(angles: FloatArray, halves: tuple[float, float], slip: FloatArray) -> RigidTransform:
    """From one vertebra to the next: half the way up, the turn in the disc's middle, the other half."""
    up = np.array([0.0, 0.0, halves[0]]) + slip
    turn = RigidTransform.from_rotation_vector(angles)
    return RigidTransform(np.eye(3), up) @ turn @ RigidTransform(np.eye(3), np.array([0.0, 0.0, halves[1]]))
