"""The projected contour of a vertebra as lines: its silhouette, and the crests inside it that an X-ray shows as edges.

X-rays pass through bone, so every place where they graze the surface makes an edge, hidden ones too. These places are
where the surface's normal stands across the ray: a curve on the surface (Hertzmann, Zorin: Illustrating smooth
surfaces, SIGGRAPH 2000), whose projection is drawn. It is made of surface points, not of pixels: crisp at any zoom.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from radgs.anatomy import PARTS, parts_of_vertebra, surface_mesh
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, Volume
from radgs.vertebra.separated_ct import neighbouring_labels

Kind = Literal["silhouette", "crest"]

#: Normals are averaged over about this distance: voxels' steps are no crests.
NORMAL_REACH_MM = 2.0
#: A closed curve on the surface that is shorter than this is unevenness, mm.
MIN_LOOP_MM = 25.0
#: A piece of a line shorter than this takes the kind and the part of what it lies between, mm.
MIN_PIECE_MM = 4.0
#: Whether a point lies on the silhouette is looked up on a raster of this pixel size at the vertebra, mm.
RASTER_MM = 0.5
#: It does when there is no bone so near beside it, mm.
BESIDE_MM = 1.25


@dataclass(frozen=True, eq=False)
class ContourLine:
    """A piece of a contour.

    Attributes:
        kind: "silhouette" where bone ends in the picture, "crest" within it.
        part: One of ``radgs.anatomy.PARTS``.
        points: (K, 3) on the bone's surface, the CT's RAS, mm.
    """

    kind: Kind
    part: str
    points: FloatArray

    def projected(self, pose: RigidTransform, geometry: ViewGeometry) -> FloatArray:
        """(K, 2) the line as (column, row) in the pixels of a view."""
        return geometry.project(pose.apply(self.points))


@dataclass(frozen=True, eq=False)
class ContourSurface:
    """A bone's surface, ready to have its contour drawn from any source.

    Attributes:
        vertices: (V, 3) the CT's RAS, mm.
        triangles: (T, 3) indices of vertices, counter-clockwise seen from outside.
        part: (V,) the part that a vertex belongs to, a number of ``radgs.anatomy.PARTS``.
    """

    vertices: FloatArray
    triangles: NDArray[np.int64]
    part: NDArray[np.int64]

    @classmethod
    def of(cls, labels: Volume, label: int, frame_to_ct: RigidTransform | None = None) -> ContourSurface:
        """The surface of a label.

        Args:
            labels: Label map, any orientation.
            label: The bone's label.
            frame_to_ct: A vertebra's anatomical frame, to tell its parts by; None for all in one.

        Raises:
            CaseError: The label is not in the map.
        """
        vertices, triangles = surface_mesh(labels, label)
        parts = None if frame_to_ct is None else parts_of_vertebra(labels, label, frame_to_ct)
        part = np.zeros(len(vertices), dtype=np.int64) if parts is None else parts.of(vertices)
        return cls(vertices, triangles, part)

    @cached_property
    def normals(self) -> FloatArray:
        """(V, 3) outward normals, averaged over ``NORMAL_REACH_MM``."""
        first, second, third = (self.vertices[self.triangles[:, corner]] for corner in range(3))
        across = np.cross(second - first, third - first)  # longer where a triangle is larger
        normals = np.zeros_like(self.vertices)
        for corner in range(3):
            np.add.at(normals, self.triangles[:, corner], across)
        mean, edge_mm = self._mean_of_neighbours
        # Each averaging spreads by about half an edge's square: as many as it takes.
        for _ in range(max(1, round(2.0 * (NORMAL_REACH_MM / edge_mm) ** 2 / 2))):
            normals = mean @ normals
        return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)

    @cached_property
    def _mean_of_neighbours(self) -> tuple[sparse.csr_matrix, float]:
        """The average over a vertex and its neighbours as a matrix, and the mean length of an edge, mm."""
        edges = np.concatenate([self.triangles[:, [0, 1]], self.triangles[:, [1, 2]], self.triangles[:, [2, 0]]])
        count = len(self.vertices)
        ones = np.ones(len(edges))
        links = sparse.coo_matrix((ones, (edges[:, 0], edges[:, 1])), shape=(count, count)).tocsr()
        links = ((links + links.T) > 0).astype(float) + sparse.identity(count, format="csr")
        length = float(np.linalg.norm(self.vertices[edges[:, 0]] - self.vertices[edges[:, 1]], axis=1).mean())
        return sparse.diags(1.0 / np.asarray(links.sum(axis=1)).ravel()) @ links, length

    def contour(self, pose: RigidTransform, geometry: ViewGeometry) -> tuple[ContourLine, ...]:
        """The bone's contour as a view's source sees it at a pose, ``ct_to_world``."""
        source = pose.inverse().apply(geometry.source_ras)
        raster = _Raster.of(self.vertices, self.triangles, source)
        lines: list[ContourLine] = []
        for points, part in _grazed_loops(self, source):
            if np.linalg.norm(np.diff(points, axis=0), axis=1).sum() >= MIN_LOOP_MM:
                lines += _pieces(points, part, raster.is_outside_beside(points))
        return tuple(lines)


@dataclass(frozen=True, eq=False)
class Contours:
    """What is drawn of a level: its vertebra, and the neighbours as the CT has them."""

    vertebra: ContourSurface
    neighbours: tuple[ContourSurface, ...] = ()

    @classmethod
    def of(cls, labels: Volume, label: int, frame_to_ct: RigidTransform | None) -> Contours:
        """The surfaces of a labelled vertebra and of those next to it.

        Args:
            labels: Label map, any orientation.
            label: The vertebra's label.
            frame_to_ct: Its anatomical frame; None where it has none.

        Raises:
            CaseError: The label is not in the map.
        """
        vertebra = ContourSurface.of(labels, label, frame_to_ct)
        beside = neighbouring_labels(labels, label, vertebra.vertices.mean(axis=0))
        return cls(vertebra, tuple(ContourSurface.of(labels, neighbour) for neighbour in beside))

    def landmarks(self, frame_to_ct: RigidTransform | None) -> dict[str, FloatArray]:
        """Points (3,) of the vertebra, the CT's RAS: the middles of its body and of its pedicles, where it has them.

        Args:
            frame_to_ct: Its anatomical frame; None where it has none, and then no landmarks.
        """
        if frame_to_ct is None:
            return {}
        bone = self.vertebra
        pedicles = bone.vertices[bone.part == PARTS.index("pedicles")]
        right = frame_to_ct.inverse().apply(pedicles)[:, 0] > 0 if len(pedicles) else np.zeros(0, dtype=bool)
        found = {
            "body": bone.vertices[bone.part == PARTS.index("body")],
            "right pedicle": pedicles[right],
            "left pedicle": pedicles[~right],
        }
        return {name: points.mean(axis=0) for name, points in found.items() if len(points)}


@dataclass(frozen=True, eq=False)
class ProjectedLine:
    """A line to be drawn.

    Attributes:
        kind: As of a ``ContourLine``; "neighbour" for the silhouette of a bone beside the vertebra.
        part: One of ``radgs.anatomy.PARTS``.
        points: (K, 2) (column, row) in the pixels of a view; they may leave the image.
    """

    kind: Literal["silhouette", "crest", "neighbour"]
    part: str
    points: FloatArray


def projected_lines(contours: Contours, pose: RigidTransform, geometry: ViewGeometry) -> tuple[ProjectedLine, ...]:
    """Everything that is drawn of a level at a pose, neighbours first; these stand as in the CT, not as they moved."""
    lines = [
        ProjectedLine("neighbour", line.part, line.projected(pose, geometry))
        for bone in contours.neighbours
        for line in bone.contour(pose, geometry)
        if line.kind == "silhouette"
    ]
    own = contours.vertebra.contour(pose, geometry)
    return (*lines, *(ProjectedLine(line.kind, line.part, line.projected(pose, geometry)) for line in own))


@dataclass(frozen=True, eq=False)
class _Raster:
    """Where a bone's shadow falls, on a virtual film through the middle of the bone."""

    film: ViewGeometry
    shadow: NDArray[np.float32]

    @classmethod
    def of(cls, vertices: FloatArray, triangles: NDArray[np.int64], source: FloatArray) -> _Raster:
        """The shadow that a point source casts, everything in the CT's RAS."""
        middle = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
        size = 2.0 * float(np.linalg.norm(vertices - middle, axis=1).max()) + 16.0
        film = _film(source, middle, size, round(size / RASTER_MM))
        shadow = np.zeros(film.shape, dtype=bool)
        corners = film.project(vertices)[triangles]
        # Triangles are about a pixel in size: their corners, sides and middles cover the shadow but for pinholes.
        for weights in _sprinkled():
            columns, rows = np.rint(np.einsum("c,tcx->xt", weights, corners)).astype(int)
            shadow[rows, columns] = True
        closed = ndimage.binary_closing(shadow, iterations=1)
        return cls(film, ndimage.gaussian_filter(closed.astype(np.float32), 0.5))

    def is_outside_beside(self, points: FloatArray) -> NDArray[np.bool_]:
        """(K,) whether a closed line (K, 3) has no bone on one of its sides."""
        line = self.film.project(points)
        along = np.roll(line, -2, axis=0) - np.roll(line, 2, axis=0)
        along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
        beside = np.stack([along[:, 1], -along[:, 0]], axis=1) * BESIDE_MM / RASTER_MM
        seen = [
            ndimage.map_coordinates(self.shadow, (line + side * beside).T[::-1], order=1, mode="nearest")
            for side in (1, -1)
        ]
        return np.minimum(*seen) < 0.5


def _film(source: FloatArray, middle: FloatArray, size_mm: float, pixels: int) -> ViewGeometry:
    """A virtual film through a point, across the ray to it; which way is up does not matter."""
    forward = (middle - source) / np.linalg.norm(middle - source)
    helper = np.eye(3)[np.argmin(np.abs(forward))]
    right = np.cross(forward, helper)
    right /= np.linalg.norm(right)
    step = size_mm / pixels
    to_ras = np.eye(4)
    to_ras[:3, 0], to_ras[:3, 1], to_ras[:3, 2] = right * step, np.cross(forward, right) * step, forward
    to_ras[:3, 3] = middle - to_ras[:3, :2] @ np.full(2, (pixels - 1) / 2)
    return ViewGeometry(source, to_ras, (pixels, pixels))


def _sprinkled(steps: int = 5) -> Iterator[FloatArray]:
    """Weights (3,) of points spread over a triangle."""
    for first in range(steps + 1):
        for second in range(steps + 1 - first):
            yield np.array([first, second, steps - first - second]) / steps


def _grazed_loops(surface: ContourSurface, source: FloatArray) -> Iterator[tuple[FloatArray, NDArray[np.int64]]]:
    """The closed curves of a surface that rays graze: points (K, 3), the last one the first again, and parts (K,)."""
    facing = np.einsum("vi,vi->v", surface.normals, surface.vertices - source)
    facing = np.where(facing == 0.0, 1e-9, facing)
    signs = facing[surface.triangles] > 0
    cut = surface.triangles[signs.any(axis=1) & ~signs.all(axis=1)]
    sides = np.stack([cut[:, [0, 1]], cut[:, [1, 2]], cut[:, [2, 0]]], axis=1)
    crossed = (facing[sides[..., 0]] > 0) != (facing[sides[..., 1]] > 0)
    edges = np.sort(sides[crossed], axis=1)  # two a triangle, one after the other
    unique, number = np.unique(edges, axis=0, return_inverse=True)
    first, second = unique.T
    share = (facing[first] / (facing[first] - facing[second]))[:, None]
    points = surface.vertices[first] * (1 - share) + surface.vertices[second] * share
    parts = np.where(share[:, 0] < 0.5, surface.part[first], surface.part[second])
    for loop in _chained(number.reshape(-1, 2)):
        yield points[loop], parts[loop]


def _chained(segments: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Segments (S, 2) of point numbers as closed chains of numbers; a mesh with a hole leaves open ones."""
    if not len(segments):
        return
    both = np.concatenate([segments, segments[:, ::-1]])
    both = both[np.argsort(both[:, 0], kind="stable")]
    count = int(both[-1, 0]) + 1
    # Plain lists: a pose that is moved waits for this loop, and arrays are slow by the single number.
    first, other = np.searchsorted(both[:, 0], np.arange(count + 1)).tolist(), both[:, 1].tolist()
    left = bytearray(b"\1") * count
    for start in both[:, 0].tolist():
        if not left[start]:
            continue
        chain, at = [], start
        while at >= 0:
            left[at] = 0
            chain.append(at)
            at = next((number for number in other[first[at] : first[at + 1]] if left[number]), -1)
        if start in other[first[chain[-1]] : first[chain[-1] + 1]]:
            chain.append(start)
        yield np.array(chain)


def _pieces(points: FloatArray, part: NDArray[np.int64], outside: NDArray[np.bool_]) -> Iterator[ContourLine]:
    """A loop (K, 3) cut where its kind or its part changes."""
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    window = max(1, round(MIN_PIECE_MM / max(float(steps.mean()), 1e-6)))
    outside = ndimage.median_filter(outside.astype(np.uint8), size=2 * window + 1, mode="wrap").astype(bool)
    part = ndimage.median_filter(part, size=2 * window + 1, mode="wrap")
    ends = np.flatnonzero((np.diff(outside.astype(int)) != 0) | (np.diff(part) != 0)) + 1
    for start, end in zip([0, *ends], [*ends, len(points) - 1], strict=True):
        kind: Kind = "silhouette" if outside[start] else "crest"
        if end > start:
            yield ContourLine(kind, PARTS[part[start]], points[start : end + 1])
