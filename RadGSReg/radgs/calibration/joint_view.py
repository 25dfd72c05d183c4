"""The moving view while vertebrae are watched through it: what it does to their images, and to the view's numbers.

Taken along as one rigid thing, a view does to an image what the contrary motion does to every part: no ray changes, so
that images which were rendered once serve again. What its rays do among themselves (the detector's slant, and its
distance at a constant size of the vertebra) changes images so little that a linear model serves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radgs.calibration.view_moves import NUMBERS, numbers_between, taken_along, with_detector
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, unit
from radgs.refine.solver import TWIST_SCALE

#: Of a view's step: a rigid twist about the pivot (units of ``TWIST_SCALE``), and the shape of its rays.
STEP_NUMBERS, RIGID, SHAPE = 9, slice(0, 6), slice(6, 9)
#: What one unit of shape is: degrees of slant across and down, and mm of the source-detector distance.
SHAPE_UNITS = np.array([1.0, 1.0, 20.0])
#: Of the finite differences with which a step is expressed in the view's numbers.
DIFFERENCE = 1e-3


@dataclass(frozen=True, eq=False)
class MovingView:
    """A view that has moved from where its X-rays were cropped.

    Attributes:
        base: Where it stood when they were.
        pivot: (3,) about where the vertebrae are; the centre of its twists.
        motion: How it was taken along since.
        shape: (3,) how its rays have changed among themselves, in ``SHAPE_UNITS``.
    """

    base: ViewGeometry
    pivot: FloatArray
    motion: RigidTransform
    shape: NDArray[np.float64]

    @classmethod
    def at(cls, geometry: ViewGeometry, pivot: FloatArray) -> MovingView:
        """The view before it moves."""
        return cls(geometry, pivot, RigidTransform.identity(), np.zeros(3))

    @property
    def geometry(self) -> ViewGeometry:
        """Where it stands now."""
        return taken_along(shaped(self.base, self.pivot, self.shape), self.motion)

    def stepped(self, step: NDArray[np.float64]) -> MovingView:
        """After a step of ``STEP_NUMBERS``."""
        twist = step[RIGID] * TWIST_SCALE
        inner = RigidTransform.identity().rotated_about(self.pivot, twist[:3], twist[3:])
        return MovingView(self.base, self.pivot, self.motion @ inner, self.shape + step[SHAPE])

    def pose_seen(self, pose: RigidTransform) -> RigidTransform:
        """The pose that shows a part at the base as it is seen now."""
        return self.motion.inverse() @ pose

    def twist_seen(self, centre: FloatArray) -> NDArray[np.float64]:
        """(6, 6) from a part's twist about a point to that of the pose seen, about the same point; rad and mm."""
        inverse = self.motion.inverse()
        return _twist_about(centre, inverse.apply(centre), inverse.rotation)

    def own_twist_seen(self, centre: FloatArray) -> NDArray[np.float64]:
        """(6, 6) from the view's own twist about its pivot to that of poses seen, about a point; rad and mm."""
        return -_twist_about(centre, self.pivot, np.eye(3))

    def numbers_per_step(self) -> NDArray[np.float64]:
        """(9, 9) how a step changes the view's numbers."""
        columns = np.empty((NUMBERS, STEP_NUMBERS))
        for place, axis in enumerate(np.eye(STEP_NUMBERS) * DIFFERENCE):
            before, after = self.stepped(-axis).geometry, self.stepped(axis).geometry
            columns[:, place] = numbers_between(before, after) / (2 * DIFFERENCE)
        return columns


def shaped(geometry: ViewGeometry, pivot: FloatArray, shape: NDArray[np.float64]) -> ViewGeometry:
    """A view with other rays, none of which moves the pivot's image or its size.

    Args:
        geometry: The view.
        pivot: (3,) whose image stays.
        shape: (3,) slant across, slant down, source-detector distance, in ``SHAPE_UNITS``.
    """
    slant_across, slant_down, longer = shape * SHAPE_UNITS
    middle, beam = geometry.pixel_to_ras(geometry.project(pivot)), geometry.normal
    ray = unit(middle - geometry.source_ras)
    ray = ray / (ray @ beam)
    rows, columns = unit(geometry.row_step), unit(geometry.column_step)
    slant = np.radians(slant_across) * rows + np.radians(slant_down) * columns
    detector = RigidTransform.identity().rotated_about(middle, slant, longer * ray)
    depth = (pivot - geometry.source_ras) @ beam
    back = -ray * depth * longer / geometry.source_to_detector_mm
    return taken_along(with_detector(geometry, detector), RigidTransform(np.eye(3), back))


def through(crop: ViewGeometry, before: ViewGeometry, after: ViewGeometry) -> ViewGeometry:
    """The rays that a crop's pixels have when the view they were taken from stands elsewhere.

    Args:
        crop: A virtual detector of the view, see ``ViewGeometry.crop_geometry``.
        before: The view that it was cropped from.
        after: Where that view stands now.
    """
    to_pixel = before.ras_to_homogeneous_pixel
    on_crop = crop.detector_to_ras[:3, [0, 1, 3]]
    pixels = to_pixel[:, :3] @ on_crop + np.outer(to_pixel[:, 3], [0.0, 0.0, 1.0])
    rays = np.column_stack([after.column_step, after.row_step, after.detector_to_ras[:3, 3] - after.source_ras])
    detector_to_ras = np.eye(4)
    detector_to_ras[:3, [0, 1, 3]] = rays @ pixels
    detector_to_ras[:3, 2] = unit(np.cross(detector_to_ras[:3, 0], detector_to_ras[:3, 1]))
    detector_to_ras[:3, 3] += after.source_ras
    return ViewGeometry(after.source_ras, detector_to_ras, crop.shape)


def _twist_about(centre: FloatArray, pivot: FloatArray, rotation: FloatArray) -> NDArray[np.float64]:
    """(6, 6) a twist about ``pivot``, turned by ``rotation``, as one about ``centre``."""
    x, y, z = centre - pivot
    lever = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    matrix = np.zeros((6, 6))
    matrix[:3, :3] = matrix[3:, 3:] = rotation
    matrix[3:, :3] = -lever @ rotation
    return matrix
