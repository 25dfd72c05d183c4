"""Implicit solids on a voxel grid: signed distances in mm (negative inside), joined and cut with rounded edges.

Bones are drawn as *sphere meshes*: segments and triangles whose corners carry a radius, each evaluated only in its own
small window of the grid. That keeps a whole spine at 1 mm to seconds of plain numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from radgs.geometry import FloatArray, RigidTransform, Volume

Distance = NDArray[np.float32]
Axes = tuple[Distance, Distance, Distance]

#: Distance (mm) stored where no solid has been drawn near by.
FAR = 30.0
#: Distances are exact enough up to this far (mm) from a drawn solid; beyond it they may stay at FAR.
REACH = 7.0


@dataclass(frozen=True)
class Grid:
    """An axis-aligned RAS voxel grid.

    Attributes:
        origin: (3,) RAS mm of the centre of voxel (0, 0, 0).
        spacing: (3,) voxel size in mm along right, anterior, superior.
        size: Number of voxels along i, j, k.
    """

    origin: FloatArray
    spacing: FloatArray
    size: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Array shape (D, H, W)."""
        return self.size[2], self.size[1], self.size[0]

    def volume(self, array: NDArray) -> Volume:
        """An array (D, H, W) of this grid as a volume."""
        index_to_ras = np.diag([*self.spacing, 1.0])
        index_to_ras[:3, 3] = self.origin
        return Volume(array, index_to_ras)

    def window(self, low: ArrayLike, high: ArrayLike) -> Grid | None:
        """The part of the grid between two RAS corners, or None where they miss each other."""
        start = np.clip(np.floor((np.asarray(low) - self.origin) / self.spacing), 0, self.size).astype(int)
        stop = np.clip(np.ceil((np.asarray(high) - self.origin) / self.spacing) + 1, 0, self.size).astype(int)
        if (stop <= start).any():
            return None
        width, height, depth = (int(n) for n in stop - start)
        return Grid(self.origin + start * self.spacing, self.spacing, (width, height, depth))

    def slices_of(self, part: Grid) -> tuple[slice, slice, slice]:
        """Where a window lies in this grid's arrays."""
        i, j, k = np.round((part.origin - self.origin) / self.spacing).astype(int)
        width, height, depth = part.size
        return slice(k, k + depth), slice(j, j + height), slice(i, i + width)

    def axes(self) -> Axes:
        """Right, anterior and superior coordinates in mm, shaped to broadcast to (D, H, W)."""
        x, y, z = (
            (o + s * np.arange(n)).astype(np.float32)
            for o, s, n in zip(self.origin, self.spacing, self.size, strict=True)
        )
        return x[None, None, :], y[None, :, None], z[:, None, None]

    def local(self, frame_to_ct: RigidTransform) -> Axes:
        """Coordinates (mm) of every voxel in a frame, each of shape (D, H, W)."""
        x, y, z = self.axes()
        to_frame = frame_to_ct.inverse()
        r, t = to_frame.rotation.astype(np.float32), to_frame.translation.astype(np.float32)
        first, second, third = (r[a, 0] * x + r[a, 1] * y + r[a, 2] * z + t[a] for a in range(3))
        return first, second, third


def smooth_min(first: Distance, second: Distance, blend_mm: float) -> Distance:
    """Union of two solids whose seam is filleted over ``blend_mm``."""
    if blend_mm <= 0:
        return np.minimum(first, second)
    near = np.maximum(blend_mm - np.abs(first - second), 0)
    return np.minimum(first, second) - near * near / np.float32(4 * blend_mm)


def smooth_max(first: Distance, second: Distance, blend_mm: float) -> Distance:
    """Intersection of two solids whose edge is rounded over ``blend_mm``."""
    return -smooth_min(-first, -second, blend_mm)


@dataclass(frozen=True)
class SphereMesh:
    """A segment or triangle swept by a ball whose radius runs linearly between the corners.

    Attributes:
        corners: (2, 3) or (3, 3) points, RAS mm.
        radii: (2,) or (3,) radii in mm.
    """

    corners: FloatArray
    radii: FloatArray

    def distance(self, axes: Axes) -> Distance:
        """Signed distance in mm (exact for equal radii) at broadcastable coordinates."""
        corners = self.corners.astype(np.float32)
        radii = self.radii.astype(np.float32)
        edges = [(0, 1)] if len(radii) == 2 else [(0, 1), (1, 2), (2, 0)]
        parts = [_segment(axes, corners[a], corners[b], radii[a], radii[b]) for a, b in edges]
        if len(radii) == 3:
            parts.append(_face(axes, corners, radii))
        return np.minimum.reduce(parts)

    def bounds(self, margin_mm: float) -> tuple[FloatArray, FloatArray]:
        """Low and high RAS corners of the box around the solid, grown by a margin."""
        reach = self.radii[:, None] + margin_mm
        return (self.corners - reach).min(axis=0), (self.corners + reach).max(axis=0)


def _dot(axes: Axes, vector: NDArray) -> Distance:
    return axes[0] * vector[0] + axes[1] * vector[1] + axes[2] * vector[2]


def _segment(axes: Axes, a: NDArray, b: NDArray, radius_a: np.float32, radius_b: np.float32) -> Distance:
    along = b - a
    offset = (axes[0] - a[0], axes[1] - a[1], axes[2] - a[2])
    t = np.clip(_dot(offset, along) / max(float(along @ along), 1e-6), 0, 1)
    squared = sum((offset[n] - t * along[n]) ** 2 for n in range(3))
    return np.sqrt(squared) - (radius_a + t * (radius_b - radius_a))


def _face(axes: Axes, corners: NDArray, radii: NDArray) -> Distance:
    """Distance above the triangle's interior; FAR beside it, where an edge is nearer."""
    u, v = corners[1] - corners[0], corners[2] - corners[0]
    normal = np.cross(u, v)
    area = float(normal @ normal)
    if area < 1e-6:
        return np.full(np.broadcast_shapes(*(a.shape for a in axes)), FAR, dtype=np.float32)
    offset = (axes[0] - corners[0][0], axes[1] - corners[0][1], axes[2] - corners[0][2])
    beta = _dot(offset, np.cross(v, normal) / area)
    gamma = _dot(offset, np.cross(normal, u) / area)
    height = np.abs(_dot(offset, normal / np.sqrt(area)))
    inside = (beta >= 0) & (gamma >= 0) & (beta + gamma <= 1)
    radius = radii[0] + beta * (radii[1] - radii[0]) + gamma * (radii[2] - radii[0])
    return np.where(inside, height - radius, np.float32(FAR))


class Solid:
    """A signed distance field on a window of the grid, to which pieces are added and from which others are cut."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.distance: Distance = np.full(grid.shape, FAR, dtype=np.float32)

    def add(self, pieces: Sequence[SphereMesh], blend_mm: float = 2.0) -> None:
        """Joins sphere meshes to the solid, filleting every seam."""
        for piece in pieces:
            window = self.grid.window(*piece.bounds(REACH))
            if window is not None:
                self.add_distance(window, piece.distance(window.axes()), blend_mm)

    def add_distance(self, window: Grid, distance: Distance, blend_mm: float = 2.0) -> None:
        """Joins a solid given by its distance on a window of this grid."""
        at = self.grid.slices_of(window)
        self.distance[at] = smooth_min(self.distance[at], distance, blend_mm)

    def cut(self, distance: Distance, blend_mm: float = 1.0) -> None:
        """Removes another solid, given by its distance on this grid, rounding the new edge."""
        self.distance = smooth_max(self.distance, -distance, blend_mm)

    def roughen(self, frame_to_ct: RigidTransform, depth_mm: float, rng: np.random.Generator) -> None:
        """Makes the surface uneven, as real bone is, by smooth noise that belongs to a frame and not to the grid.

        Args:
            frame_to_ct: The frame in which the noise stands.
            depth_mm: Standard deviation of the surface's displacement.
            rng: Source of the noise.
        """
        lattice_mm, half_extent_mm = 4.0, 100.0
        count = round(2 * half_extent_mm / lattice_mm) + 1
        noise = ndimage.gaussian_filter(rng.standard_normal((count, count, count), dtype=np.float32), 0.7)
        near = np.abs(self.distance) < 3.0
        k, j, i = np.nonzero(near)
        points = frame_to_ct.inverse().apply(self.grid.origin + np.stack([i, j, k], axis=1) * self.grid.spacing)
        at = (points + half_extent_mm).T / lattice_mm
        self.distance[near] += depth_mm / noise.std() * ndimage.map_coordinates(noise, at, order=1, mode="nearest")

    def keep_clear_of(self, other: Solid, gap_mm: float) -> None:
        """Draws both solids back from where they touch, until ``gap_mm`` lies between them."""
        offset = np.round((other.grid.origin - self.grid.origin) / self.grid.spacing).astype(int)
        start = np.maximum(offset, 0)
        stop = np.minimum(offset + other.grid.size, self.grid.size)
        if (stop <= start).any():
            return
        mine = tuple(slice(a, b) for a, b in zip(start[::-1], stop[::-1], strict=True))
        theirs = tuple(slice(a, b) for a, b in zip((start - offset)[::-1], (stop - offset)[::-1], strict=True))
        first, second = self.distance[mine].copy(), other.distance[theirs].copy()
        self.distance[mine] = np.maximum(first, (first - second + gap_mm) / 2)
        other.distance[theirs] = np.maximum(second, (second - first + gap_mm) / 2)


def triangle(a: ArrayLike, b: ArrayLike, c: ArrayLike, radii: float | Sequence[float]) -> SphereMesh:
    """A rounded plate between three points (mm)."""
    return SphereMesh(np.array([a, b, c], dtype=float), np.broadcast_to(np.asarray(radii, dtype=float), 3).copy())


def quad(corners: Sequence[ArrayLike], radii: float | Sequence[float]) -> list[SphereMesh]:
    """A rounded plate between four points (mm), in order around its border."""
    r = np.broadcast_to(np.asarray(radii, dtype=float), 4)
    a, b, c, d = corners
    return [triangle(a, b, c, [r[0], r[1], r[2]]), triangle(a, c, d, [r[0], r[2], r[3]])]


def chain(points: Sequence[ArrayLike], radii: float | Sequence[float] | FloatArray) -> list[SphereMesh]:
    """A rod through points (mm), with a radius at each."""
    p = np.asarray(points, dtype=float)
    r = np.broadcast_to(np.asarray(radii, dtype=float), len(p))
    return [SphereMesh(p[n : n + 2], r[n : n + 2].copy()) for n in range(len(p) - 1)]


def placed(pieces: Sequence[SphereMesh], frame_to_ct: RigidTransform) -> list[SphereMesh]:
    """Pieces drawn in a frame, moved to RAS."""
    return [SphereMesh(frame_to_ct.apply(piece.corners), piece.radii) for piece in pieces]
