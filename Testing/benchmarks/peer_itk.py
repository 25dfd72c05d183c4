"""ITK's registration of one volume to two projections, for two views of any C-arm.

``pip install itk-twoprojectionregistration`` (Apache-2.0; Wu, The Insight Journal, 2010). It was made for a linear
accelerator: both sources turn about one axis through an isocentre, and each detector faces its source. Any two views
have that geometry: the axis through the vertebra is upright on the plane of the vertebra and both sources, and the
X-rays are resampled onto detectors that face their sources. Similarity is normalised correlation, the search Powell's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from radgs.geometry import FloatArray, RigidTransform, Volume, XRayView, unit

try:
    import itk

    itk.TwoProjectionImageRegistrationMethod  # noqa: B018 - loaded at its first use
except (ImportError, AttributeError):
    HAS_ITK = False
else:
    HAS_ITK = True


@dataclass(frozen=True)
class Search:
    """One stage of Powell's search.

    Attributes:
        region_mm, pixels: The crops of the X-rays.
        box_mm, voxel_mm: What of the CT is projected: a box about the vertebra, and its voxels.
        step_mm, tolerance_mm: First steps along a line, and where its search ends; a degree counts as a millimetre.
        lines: Iterations over all six directions at most.
        per_line: Steps along a line at most.
    """

    region_mm: float = 128.0
    pixels: int = 64
    box_mm: float = 400.0
    voxel_mm: float = 2.5
    step_mm: float = 4.0
    tolerance_mm: float = 0.02
    lines: int = 20
    per_line: int = 20


@dataclass(frozen=True, eq=False)
class Gantry:
    """The frame in which the two sources turn: z is the axis, y the first beam; mm, from the isocentre.

    Attributes:
        axes: (3, 3) the frame's axes in the world, as columns.
        isocentre: (3,) in the world.
        distances: Of both sources from it.
        angles: Of both beams about the axis, radians.
        detectors: Columns' and rows' directions of both detectors, (3,) each, in the world.
    """

    axes: FloatArray
    isocentre: FloatArray
    distances: tuple[float, float]
    angles: tuple[float, float]
    detectors: tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]

    @classmethod
    def of(cls, sources: Sequence[FloatArray], isocentre: FloatArray) -> Gantry:
        """The frame of two sources (3,) about a point (3,), world."""
        first, second = (unit(isocentre - source) for source in sources)
        axis = unit(np.cross(first, second))
        angle = float(np.arctan2(np.linalg.norm(np.cross(first, second)), first @ second))
        distances = tuple(float(np.linalg.norm(isocentre - source)) for source in sources)
        axes = np.column_stack([np.cross(first, axis), first, axis])
        detectors = tuple((np.cross(beam, axis), axis) for beam in (first, second))
        return cls(axes, isocentre, (distances[0], distances[1]), (0.0, angle), (detectors[0], detectors[1]))


def aligned(
    ct: Volume, views: Sequence[XRayView], pose: RigidTransform, centre_ct: FloatArray, search: Search
) -> RigidTransform:
    """The pose that ITK's registration ends with.

    Args:
        ct: Attenuation, 1/mm.
        views: Two.
        pose: Where it begins, ct_to_world.
        centre_ct: (3,) the isocentre, in the CT, mm.
        search: How.
    """
    centre = pose.apply(centre_ct)
    gantry = Gantry.of([view.geometry.source_ras for view in views], centre)
    image3 = itk.Image[itk.F, 3]
    registration = itk.TwoProjectionImageRegistrationMethod[image3, image3].New()
    metric = itk.NormalizedCorrelationTwoImageToOneImageMetric[image3, image3].New()
    metric.SetSubtractMean(True)
    metric.ComputeGradientOff()
    transform = itk.Euler3DTransform[itk.D].New()
    transform.SetComputeZYX(True)
    transform.SetIdentity()
    transform.SetCenter([search.box_mm / 2] * 3)
    registration.SetMetric(metric)
    registration.SetTransform(transform)
    registration.SetMovingImage(box_image(ct, pose, gantry, search))
    for number, view in enumerate(views, start=1):
        fixed = detector_image(view, gantry, number - 1, search)
        getattr(registration, f"SetFixedImage{number}")(fixed)
        getattr(registration, f"SetFixedImageRegion{number}")(fixed.GetBufferedRegion())
        getattr(registration, f"SetInterpolator{number}")(projector(transform, gantry, number - 1))
    optimizer = itk.PowellOptimizer.New()
    optimizer.SetMaximize(False)
    optimizer.SetMaximumIteration(search.lines)
    optimizer.SetMaximumLineIteration(search.per_line)
    optimizer.SetStepLength(search.step_mm)
    optimizer.SetStepTolerance(search.tolerance_mm)
    optimizer.SetValueTolerance(1e-6)
    scales = itk.Array[itk.D](6)
    for number in range(6):
        scales[number] = 180.0 / np.pi if number < 3 else 1.0
    optimizer.SetScales(scales)
    registration.SetOptimizer(optimizer)
    registration.SetInitialTransformParameters(transform.GetParameters())
    registration.StartRegistration()
    transform.SetParameters(registration.GetLastTransformParameters())
    turn = itk.array_from_matrix(transform.GetMatrix())
    shift = np.array([transform.GetTranslation()[axis] for axis in range(3)])
    moved = RigidTransform(gantry.axes @ turn @ gantry.axes.T, np.zeros(3))
    about = RigidTransform(np.eye(3), centre)
    return RigidTransform(np.eye(3), gantry.axes @ shift) @ about @ moved @ about.inverse() @ pose


def projector(transform: Any, gantry: Gantry, view: int) -> Any:
    """ITK's ray caster of one view, which the transform moves the volume for."""
    made = itk.SiddonJacobsRayCastInterpolateImageFunction[itk.Image[itk.F, 3], itk.D].New()
    made.SetProjectionAngle(gantry.angles[view])
    made.SetFocalPointToIsocenterDistance(gantry.distances[view])
    made.SetThreshold(0.0)
    made.SetTransform(transform)
    made.Initialize()
    return made


def box_image(ct: Volume, pose: RigidTransform, gantry: Gantry, search: Search) -> Any:
    """The CT at a pose, sampled along the gantry's axes in a box about the isocentre; 0 beyond the CT."""
    count = round(search.box_mm / search.voxel_mm)
    at = (np.arange(count) + 0.5) * search.voxel_mm - search.box_mm / 2
    z, y, x = np.meshgrid(at, at, at, indexing="ij")
    world = gantry.isocentre + np.stack([x, y, z], axis=-1) @ gantry.axes.T
    index = ct.to_index(pose.inverse().apply(world.reshape(-1, 3)))[:, ::-1].T
    sampled = map_coordinates(np.asarray(ct.array, np.float32), index, order=1, mode="constant")
    image = itk.image_from_array(np.ascontiguousarray(sampled.reshape(z.shape), np.float32))
    image.SetSpacing([search.voxel_mm] * 3)
    image.SetOrigin([0.0, 0.0, 0.0])
    return image


def detector_points(gantry: Gantry, view: int, search: Search) -> NDArray[np.float64]:
    """(P, P, 3) pixel centres, [row, column], of a detector through the isocentre, in the world."""
    at = detector_steps(search)
    right, up = gantry.detectors[view]
    return gantry.isocentre + at[None, :, None] * right + at[:, None, None] * up


def detector_steps(search: Search) -> NDArray[np.float64]:
    """(P,) pixel centres along a detector's side, mm from its middle."""
    return (np.arange(search.pixels) - (search.pixels - 1) / 2) * search.region_mm / search.pixels


def detector_image(view: XRayView, gantry: Gantry, number: int, search: Search) -> Any:
    """An X-ray resampled onto the detector that faces its source, as ITK places it: the source is the origin."""
    points = detector_points(gantry, number, search)
    pixels = np.asarray(view.geometry.project(points.reshape(-1, 3)))
    values = map_coordinates(np.asarray(view.image, np.float32), pixels[:, ::-1].T, order=1, mode="nearest")
    image = itk.image_from_array(np.ascontiguousarray(values.reshape(1, *points.shape[:2]), np.float32))
    first = float(detector_steps(search)[0])
    step = search.region_mm / search.pixels
    image.SetSpacing([step, step, 1.0])
    image.SetOrigin([first, first, -gantry.distances[number]])
    return image
