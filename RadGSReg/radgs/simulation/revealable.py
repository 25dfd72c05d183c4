"""What two views can reveal of a fault, by arithmetic: before any image is made and any registration is run.

A registration absorbs of a fault what a rigid motion of the vertebra can explain. What then remains between the views
is all that images can show of it, however they are looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from radgs.geometry import LEVER_MM, FloatArray, RigidTransform, ViewGeometry
from radgs.simulation.faults import Fault, FaultyCase

#: What remains between the views can be seen from here on, mm at the vertebra.
REVEALED_MM = 1.5


@dataclass(frozen=True, eq=False)
class Absorbed:
    """The pose that explains a fault best.

    Attributes:
        ct_to_world: That pose.
        remains_mm: (V,) root mean square of what it leaves unexplained in each view, mm at the vertebra.
    """

    ct_to_world: RigidTransform
    remains_mm: NDArray[np.float64]

    @property
    def between_views_mm(self) -> float:
        """By how much the views contradict each other: what each leaves, together."""
        return float(self.remains_mm.sum())


def absorb(
    points: FloatArray,
    truth: RigidTransform,
    believed: Sequence[ViewGeometry],
    true: Sequence[ViewGeometry],
    motions: Sequence[RigidTransform] | None = None,
) -> Absorbed:
    """Solves for the pose that best puts points where the images show them.

    Args:
        points: (N, 3) of the vertebra, in the CT's RAS, mm.
        truth: Their true pose at the first view.
        believed: The views as the case has them.
        true: The views as they were, for the same images.
        motions: How the patient had moved at each view, in the world; not at all by default.
    """
    motions = motions or [RigidTransform.identity()] * len(true)
    shown = [g.project((motion @ truth).apply(points)) for g, motion in zip(true, motions, strict=True)]
    centre = truth.apply(points.mean(axis=0))
    scale = [_mm_per_pixel(geometry, centre) for geometry in believed]

    def pose(twist: NDArray[np.float64]) -> RigidTransform:
        return truth.rotated_about(centre, twist[:3] / LEVER_MM, twist[3:])

    def residuals(twist: NDArray[np.float64]) -> NDArray[np.float64]:
        placed = pose(twist).apply(points)
        return np.stack([(g.project(placed) - at) * mm for g, at, mm in zip(believed, shown, scale, strict=True)])

    found = least_squares(lambda twist: residuals(twist).ravel(), np.zeros(6), x_scale="jac")
    left = residuals(found.x)
    return Absorbed(pose(found.x), np.sqrt((left**2).sum(axis=-1).mean(axis=-1)))


def revealable(fault: Fault, faulty: FaultyCase, points: FloatArray) -> bool:
    """Whether the inputs can reveal a fault: a mirror, a foreign bone, an image's size, or views that disagree.

    Args:
        fault: What was done.
        faulty: The case it was done to.
        points: (N, 3) of the vertebra, in the CT's RAS, mm.
    """
    if fault.mirrored_view or fault.mirrored_ct or fault.foreign_ct or fault.foreign_view:
        return True
    if (fault.cropped and fault.size_stated) or fault.labels_mm:
        return True
    (level,) = faulty.case.truth
    believed = [view.geometry for view in faulty.case.views]
    absorbed = absorb(points, faulty.case.truth[level], believed, faulty.geometries, faulty.motions)
    return absorbed.between_views_mm > REVEALED_MM


def _mm_per_pixel(geometry: ViewGeometry, centre: FloatArray) -> NDArray[np.float64]:
    """(2,) what a column and a row are at the depth of a point, mm."""
    depth = float(geometry.normal @ (centre - geometry.source_ras))
    return np.array(geometry.pixel_spacing) * depth / geometry.source_to_detector_mm
