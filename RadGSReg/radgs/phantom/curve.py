"""How the vertebrae stand on one another: discs, lordosis, scoliosis with its coupled turn, and a little disorder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from radgs.geometry import FloatArray, RigidTransform
from radgs.phantom.morphometry import ORDER, VertebraShape

#: All from the lowest vertebra upwards; beyond their ends nothing.
#: Share of the L1-S1 lordosis that lies between each vertebra and the one below (radiographic pattern of adults).
_LORDOSIS_SHARE = (0.32, 0.25, 0.19, 0.14, 0.10)
#: Tilt to the right against the level below, per Cobb angle: one curve from L1 to L4, its apex at L2-L3, and a curve
#: the other way above it, its apex at T8-T9.
_TILT_SHARE = (0.25, 0.25, -0.3, -0.4, -0.3, 0.1, 0.1, 0.2, 0.25, 0.25, -0.05, -0.2, -0.2, -0.1)
#: Axial turn against the level below, per Cobb angle: the spinous processes turn into the hollow of the curve.
_TURN_SHARE = (-0.1, -0.1, -0.15, 0.0, 0.15, 0.1, 0.1, 0.1, 0.05, 0.0, -0.05, -0.1, -0.1, -0.05)
#: Kyphosis above the lumbar spine, degrees forward from the level below.
_KYPHOSIS_DEG = {
    "T3": -3.0,
    "T4": -3.5,
    "T5": -4.0,
    "T6": -4.5,
    "T7": -4.5,
    "T8": -4.5,
    "T9": -4.0,
    "T10": -3.5,
    "T11": -3.0,
    "T12": -1.0,
}


#: How far L3 looks up, degrees, its mean and standard deviation: of the lumbar spine of trials, and of whole columns.
#: A column stands over its sacrum: T12 and L1 slope back by some 15 degrees, or the chest would hang far in front.
_L3_UP_DEG, _L3_UP_IN_WHOLE_COLUMN_DEG = (2.0, 2.5), (7.0, 5.0)


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
    column: Sequence[str] = ORDER,
    wedges_deg: Mapping[str, float] | None = None,
) -> SpineCurve:
    """Stacks the vertebrae from the sacrum up, with L3's body centre at the RAS origin and L3 nearly upright.

    Args:
        rng: Source of the variation.
        shapes: Level -> measures.
        lordosis_deg: L1-S1 angle; drawn from 44 +- 8 degrees when None.
        scoliosis_deg: Cobb angle; drawn from 0 +- 4 degrees when None.
        column: The levels, from the head down.
        wedges_deg: Level -> the angle by which a fracture bends the spine forward there.
    """
    lordosis = 44.0 + 8.0 * float(np.clip(rng.standard_normal(), -2, 2)) if lordosis_deg is None else lordosis_deg
    scoliosis = 4.0 * float(np.clip(rng.standard_normal(), -2, 2)) if scoliosis_deg is None else scoliosis_deg
    below = RigidTransform.identity()
    frames: dict[str, RigidTransform] = {}
    flexion = _flexion_below(column, wedges_deg or {})
    for index in range(len(column) - 1, -1, -1):
        level, from_below = column[index], len(column) - 1 - index
        extension = _share(_LORDOSIS_SHARE, from_below) * lordosis + _KYPHOSIS_DEG.get(level, 0.0) - flexion[level]
        bend = _share(_TILT_SHARE, from_below) * scoliosis
        turn = _share(_TURN_SHARE, from_below) * scoliosis
        wobble = rng.normal(0.0, [0.8, 0.6, 0.7])
        slip = rng.normal(0.0, [0.3, 0.5, 0.0])
        angles = np.radians(np.array([extension, bend, turn]) + wobble)
        below_shape = shapes[column[index + 1]] if index + 1 < len(column) else None
        below = below @ _step(angles, _disc_step(shapes[level], below_shape), slip)
        frames[level] = below
    mean, spread = _L3_UP_DEG if column[0] == ORDER[0] else _L3_UP_IN_WHOLE_COLUMN_DEG
    tilt = RigidTransform.from_rotation_vector(np.radians(rng.normal(0.0, [spread, 1.0, 1.5]) + [mean, 0.0, 0.0]))
    upright = tilt @ frames["L3"].inverse()
    return SpineCurve(
        {level: upright @ frame for level, frame in frames.items()}, upright, float(lordosis), float(scoliosis)
    )


def _share(shares: Sequence[float], from_below: int) -> float:
    return shares[from_below] if from_below < len(shares) else 0.0


def _flexion_below(column: Sequence[str], wedges_deg: Mapping[str, float]) -> dict[str, float]:
    """Degrees that each level bends forward against the one below: half of either one's wedge, whose axes halve it."""
    halves = {level: wedges_deg.get(level, 0.0) / 2 for level in column}
    below = {upper: halves[lower] for upper, lower in pairwise(column)}
    return {level: halves[level] + below.get(level, 0.0) for level in column}


def _disc_step(shape: VertebraShape, below: VertebraShape | None) -> tuple[float, float]:
    """Half the way from the frame below to the disc's middle, and from there to the frame above, mm."""
    half_disc = shape.disc_below / 2
    return half_disc + (below.height / 2 if below is not None else 0.0), half_disc + shape.height / 2


def _step(angles: FloatArray, halves: tuple[float, float], slip: FloatArray) -> RigidTransform:
    """From one vertebra to the next: half the way up, the turn in the disc's middle, the other half."""
    up = np.array([0.0, 0.0, halves[0]]) + slip
    turn = RigidTransform.from_rotation_vector(angles)
    return RigidTransform(np.eye(3), up) @ turn @ RigidTransform(np.eye(3), np.array([0.0, 0.0, halves[1]]))
