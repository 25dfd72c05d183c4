"""X-ray views: an image, the point source, and the detector plane.

A view needs nothing but ``source_ras`` and ``detector_to_ras``; intrinsics, SDD/SID, angles and projection matrices are
ways to get there. Pixels are (column, row) with centres at integers; arrays are indexed [row, column].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from radgs.errors import GeometryError
from radgs.geometry.field_of_measurement import find_field
from radgs.geometry.rigid_transform import FloatArray, unit
from radgs.geometry.sigma import GeometrySigma

#: Below this angle two views see the same thing and depth cannot be triangulated (degrees).
MIN_VIEW_ANGLE_DEG = 20.0
#: Points along a crop's side at which the image is looked up, at most.
MAX_FINE_PIXELS = 4096
#: Samples along a crop pixel's side that are enough; a finer image is halved before it is resampled.
ENOUGH_SAMPLES = 3
#: An interpolated value counts where at least this share of its weight lies on measured pixels.
MIN_MEASURED = 0.5


@dataclass(frozen=True, eq=False)
class ViewGeometry:
    """Where the source and the detector stand.

    Attributes:
        source_ras: (3,) focal spot, RAS mm.
        detector_to_ras: (4, 4) map from (column, row, 0, 1) to RAS mm.
        shape: Rows and columns of the image.
    """

    source_ras: FloatArray
    detector_to_ras: FloatArray
    shape: tuple[int, int]

    @property
    def column_step(self) -> FloatArray:
        """(3,) RAS mm from one column to the next."""
        return self.detector_to_ras[:3, 0]

    @property
    def row_step(self) -> FloatArray:
        """(3,) RAS mm from one row to the next."""
        return self.detector_to_ras[:3, 1]

    @property
    def pixel_spacing(self) -> tuple[float, float]:
        """Column and row spacing on the detector, mm."""
        return float(np.linalg.norm(self.column_step)), float(np.linalg.norm(self.row_step))

    @property
    def normal(self) -> FloatArray:
        """(3,) unit normal of the detector plane, pointing away from the source."""
        normal = unit(np.cross(self.column_step, self.row_step))
        return normal if normal @ (self.detector_to_ras[:3, 3] - self.source_ras) > 0 else -normal

    @property
    def source_to_detector_mm(self) -> float:
        """Distance of the source from the detector plane (SDD), mm."""
        return float(self.normal @ (self.detector_to_ras[:3, 3] - self.source_ras))

    @property
    def centre_ras(self) -> FloatArray:
        """(3,) centre of the detector, RAS mm."""
        rows, columns = self.shape
        return self.pixel_to_ras([(columns - 1) / 2, (rows - 1) / 2])

    @property
    def central_direction(self) -> FloatArray:
        """(3,) unit direction from the source to the detector's centre."""
        return unit(self.centre_ras - self.source_ras)

    def pixel_to_ras(self, pixels: ArrayLike) -> FloatArray:
        """Maps (..., 2) pixels (column, row) to (..., 3) points on the detector, RAS mm."""
        values = np.asarray(pixels, dtype=np.float64)
        return values @ self.detector_to_ras[:3, :2].T + self.detector_to_ras[:3, 3]

    @property
    def ras_to_homogeneous_pixel(self) -> FloatArray:
        """(3, 4) projection matrix: (x, y, z, 1) -> w * (column, row, 1), w > 0 in front of the source."""
        basis = np.column_stack([self.column_step, self.row_step, self.detector_to_ras[:3, 3] - self.source_ras])
        inverse = np.linalg.inv(basis)
        return np.column_stack([inverse, -inverse @ self.source_ras])

    def project(self, points: ArrayLike) -> FloatArray:
        """Projects (..., 3) RAS points to (..., 2) pixels (column, row).

        Points at or behind the source have no image and come back as NaN.
        """
        values = np.asarray(points, dtype=np.float64)
        matrix = self.ras_to_homogeneous_pixel
        homogeneous = values @ matrix[:, :3].T + matrix[:, 3]
        depth = homogeneous[..., 2:]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(depth > 1e-9, homogeneous[..., :2] / depth, np.nan)

    def back_project(self, pixels: ArrayLike) -> FloatArray:
        """(..., 3) unit directions of the rays from the source through (..., 2) pixels (column, row)."""
        offsets = self.pixel_to_ras(pixels) - self.source_ras
        return offsets / np.linalg.norm(offsets, axis=-1, keepdims=True)

    @cached_property
    def pixel_directions(self) -> FloatArray:
        """(H * W, 3) unit directions from the source through every pixel, row by row."""
        rows, columns = np.meshgrid(*(np.arange(n) for n in self.shape), indexing="ij")
        return self.back_project(np.stack([columns, rows], axis=-1).reshape(-1, 2))

    def contains(self, pixels: ArrayLike) -> NDArray[np.bool_]:
        """Whether (..., 2) pixels (column, row) fall on the image."""
        values = np.asarray(pixels, dtype=np.float64)
        rows, columns = self.shape
        inside = (values > -0.5) & (values < np.array([columns, rows]) - 0.5)
        return np.asarray(inside.all(axis=-1))

    def binned(self, factor: int) -> ViewGeometry:
        """The same detector with ``factor`` x ``factor`` pixels taken together; sides must divide by ``factor``."""
        detector_to_ras = self.detector_to_ras.copy()
        detector_to_ras[:3, :2] *= factor
        detector_to_ras[:3, 3] += (self.column_step + self.row_step) * (factor - 1) / 2
        return ViewGeometry(self.source_ras, detector_to_ras, (self.shape[0] // factor, self.shape[1] // factor))

    def crop_geometry(self, centre_ras: ArrayLike, size_mm: float, pixels: int) -> ViewGeometry:
        """A virtual detector through a region's centre, perpendicular to the ray that passes there.

        Columns and rows measure millimetres at the region's depth; rows run from superior to inferior.

        Args:
            centre_ras: (3,) centre of the region, RAS mm.
            size_mm: Side of the square crop at the region's depth, mm.
            pixels: Pixels along the side.

        Raises:
            GeometryError: The ray runs along the superior axis, so "up" is undefined.
        """
        centre = np.asarray(centre_ras, dtype=np.float64)
        direction = unit(centre - self.source_ras)
        superior = np.array([0.0, 0.0, 1.0])
        up = superior - (superior @ direction) * direction
        if np.linalg.norm(up) < 0.1:
            raise GeometryError(
                "A view looks along the patient's superior axis.",
                "Use projections across the spine, such as AP and lateral.",
            )
        up = unit(up)
        step = size_mm / pixels
        detector_to_ras = np.eye(4)
        detector_to_ras[:3, 0] = np.cross(direction, up) * step
        detector_to_ras[:3, 1] = -up * step
        detector_to_ras[:3, 2] = direction
        detector_to_ras[:3, 3] = centre - detector_to_ras[:3, :2] @ np.full(2, (pixels - 1) / 2)
        return ViewGeometry(self.source_ras, detector_to_ras, (pixels, pixels))


@dataclass(frozen=True, eq=False)
class XRayView:
    """One calibrated X-ray.

    Attributes:
        name: What the user calls it, e.g. "AP".
        image: (H, W) float32 line integrals (dimensionless, 0 = air), indexed [row, column].
        geometry: Source and detector; its shape is the image's.
        conversion: How the raw pixel values became line integrals, in one sentence.
        field: (H, W) True where the X-ray was measured; None where nobody said, and the image itself shall tell.
        geometry_sigma: How uncertain the geometry is, where that is known.
    """

    name: str
    image: NDArray[np.float32]
    geometry: ViewGeometry
    conversion: str = "line integrals as given"
    field: NDArray[np.bool_] | None = None
    geometry_sigma: GeometrySigma | None = None

    @cached_property
    def measured(self) -> NDArray[np.bool_]:
        """(H, W) True where the X-ray was measured: as given, else as ``find_field`` finds it."""
        return find_field(self.image) if self.field is None else self.field

    @cached_property
    def _halved(self) -> XRayView:
        """The same X-ray with pixels twice as large; those that were not measured whole count as not measured."""
        rows, columns = (size // 2 for size in self.image.shape)

        def blocks(array: NDArray) -> NDArray:
            return array[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2)

        larger = np.diag([2.0, 2.0, 1.0, 1.0])
        larger[:2, 3] = 0.5
        return XRayView(
            self.name,
            blocks(self.image).mean(axis=(1, 3)),
            ViewGeometry(self.geometry.source_ras, self.geometry.detector_to_ras @ larger, (rows, columns)),
            self.conversion,
            np.asarray(blocks(self.measured).all(axis=(1, 3))),
        )

    def crop(self, centre_ras: ArrayLike, size_mm: float, pixels: int) -> tuple[XRayView, NDArray[np.float32]]:
        """Resamples the image onto the virtual detector of ``ViewGeometry.crop_geometry``.

        Where the crop is coarser than the detector, each crop pixel is the mean over what was measured in its
        footprint.

        Returns:
            The cropped view and a (pixels, pixels) validity map: the fraction of each pixel that was measured.
        """
        geometry = self.geometry.crop_geometry(centre_ras, size_mm, pixels)
        corner_pixels = np.array([[0, 0], [1, 0], [0, 1]]) + (pixels - 1) / 2
        corners = self.geometry.project(geometry.pixel_to_ras(corner_pixels))
        wanted = np.ceil(np.linalg.norm(corners[1:] - corners[0], axis=1).max() - 1e-6)
        # Next to the source a pixel's footprint is the whole image: there is nothing to see, and no memory for it.
        oversampling = int(np.clip(np.nan_to_num(wanted, nan=1.0), 1, max(1, MAX_FINE_PIXELS // pixels)))
        if oversampling >= 2 * ENOUGH_SAMPLES and min(self.image.shape) >= 4:
            return self._halved.crop(centre_ras, size_mm, pixels)

        fine = (np.arange(pixels * oversampling) + 0.5) / oversampling - 0.5
        columns, rows = np.meshgrid(fine, fine)
        source_pixels = self.geometry.project(geometry.pixel_to_ras(np.stack([columns, rows], axis=-1)))
        inside = self.geometry.contains(source_pixels).astype(np.float32)
        at = np.moveaxis(source_pixels[..., ::-1], -1, 0)

        def block_mean(array: NDArray) -> NDArray[np.float32]:
            blocks = array.reshape(pixels, oversampling, pixels, oversampling)
            return blocks.mean(axis=(1, 3)).astype(np.float32)

        if self.measured.all():
            image = block_mean(ndimage.map_coordinates(self.image, at, order=1, mode="nearest"))
            return XRayView(self.name, image, geometry, self.conversion), block_mean(inside)
        measured = self.measured.astype(np.float32)
        share = ndimage.map_coordinates(measured, at, order=1, mode="nearest") * inside
        share = np.where(share > MIN_MEASURED, share, 0.0)
        values = ndimage.map_coordinates(self.image * measured, at, order=1, mode="nearest")
        valid = block_mean(share)
        image = (block_mean(values * (share > 0)) / np.maximum(valid, 1e-6)).astype(np.float32)
        return XRayView(self.name, image * (valid > 0), geometry, self.conversion, valid > 0), valid


@dataclass(frozen=True, eq=False)
class Triangulation:
    """Where rays meet.

    Attributes:
        point: (3,) least-squares meeting point, RAS mm.
        distances: (V,) distance of each ray from that point, mm.
    """

    point: FloatArray
    distances: FloatArray

    @property
    def gap_mm(self) -> float:
        """How far apart the rays pass: twice the largest distance (exact for two rays)."""
        return 2.0 * float(self.distances.max())


def triangulate(geometries: Sequence[ViewGeometry], pixels: ArrayLike) -> Triangulation:
    """The point nearest, in least squares, to the rays through one pixel (column, row) per view.

    Args:
        geometries: V >= 2 views.
        pixels: (V, 2) pixels.

    Raises:
        GeometryError: The rays are nearly parallel.
    """
    directions = np.stack([g.back_project(p) for g, p in zip(geometries, np.asarray(pixels, float), strict=True)])
    sources = np.stack([g.source_ras for g in geometries])
    projectors = np.eye(3) - directions[:, :, None] * directions[:, None, :]
    system = projectors.sum(axis=0)
    if np.linalg.eigvalsh(system)[0] < 1 - np.cos(np.radians(MIN_VIEW_ANGLE_DEG)):
        raise GeometryError(
            "The views are nearly parallel, so the depth of the vertebra cannot be found.",
            f"Use views at least {MIN_VIEW_ANGLE_DEG:.0f} degrees apart, such as AP and lateral.",
        )
    point = np.linalg.solve(system, np.einsum("vij,vj->i", projectors, sources))
    offsets = np.einsum("vij,vj->vi", projectors, point - sources)
    return Triangulation(point, np.linalg.norm(offsets, axis=1))
