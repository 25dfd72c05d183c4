"""The vertebra's anatomical frame, from its label alone: origin at the body's centroid, axes right, anterior, superior.

Three landmarks that every vertebra has, found again on a finer footing each time the frame improves:

* the *spinal canal*, the hole in the slices across the superior axis; what lies in front of it is body;
* the *endplates*, whose mean plane gives the superior axis (by position: in thick slices their normals are steps);
* the *mirror plane* between the left and the right half, whose normal is the right axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from radgs.anatomy.body import IN_PLANE, SPACING_MM, BoolArray, posterior_wall, thick_part
from radgs.anatomy.surface import label_mask, sample_triangles, surface_mesh, touches_edge
from radgs.errors import CaseError
from radgs.geometry import FloatArray, RigidTransform, Volume, angle_between, unit

#: What remains beside the body is an arch when it is at least this large and lies this far from the body's centre; the
#: vertebrae measured have 3500 mm^3 (a crushed one) to 26000 mm^3 at 15 to 30 mm.
MIN_ARCH_MM3 = 1000.0
MIN_ARCH_OFFSET_MM = 8.0

#: How sharply the surface's normals gather around the first superior axis: half weight at 55, 34 and 24 degrees.
NORMAL_CONCENTRATIONS = (1.6, 4.0, 8.0)

#: Endplates are fitted this many voxels inside the body's outline, where rims and osteophytes do not reach.
ENDPLATE_INSET_VOXELS = 4

#: Distance at which an endplate voxel's pull on the fitted plane has halved, mm.
ENDPLATE_SCALE_MM = 1.5

#: Share of the surface that must agree on the mirror plane; the rest may be as lopsided as it likes.
MIRROR_SHARE = 0.8

REFINEMENTS = 4


@dataclass(frozen=True, eq=False)
class _Oriented:
    """A vertebra on an isotropic grid along the axes of a frame: array axes superior, anterior, right.

    Attributes:
        occupancy: Mask in 0..1 after linear interpolation, at grid voxels (k, j, i) = (superior, anterior, right).
        whole: Boolean mask of the filled vertebra on the same grid.
    """

    occupancy: Volume
    whole: BoolArray

    def centroid(self, part: BoolArray) -> FloatArray:
        """(3,) centroid of a part of the vertebra, RAS mm; voxels half filled at its outer surface count by half."""
        skin = ndimage.binary_dilation(part) & ~self.whole
        kji = np.argwhere(part | skin)
        weights = np.where(part, np.where(self.occupancy.array > 0.5, self.occupancy.array, 1.0), self.occupancy.array)
        return self.occupancy.to_ras(np.average(kji[:, ::-1], axis=0, weights=weights[tuple(kji.T)]))


@dataclass(frozen=True, eq=False)
class _Surface:
    """Points on the vertebra's surface: a dense set with its search tree, and a few to be mirrored into it."""

    dense: FloatArray
    tree: cKDTree
    sparse: FloatArray


class VertebraFrames:
    """Anatomical frames and body centres of a label map's vertebrae, each fitted once, when it is first asked for.

    Args:
        labels: Label map, any orientation.
    """

    def __init__(self, labels: Volume) -> None:
        self.labels = labels
        self._fits: dict[int, tuple[RigidTransform, bool]] = {}

    def frame_to_ct(self, label: int) -> RigidTransform:
        """See ``vertebra_frame``."""
        frame, has_arch = self._fit(label)
        if not has_arch:
            raise CaseError(
                f"Label {label} shows a vertebral body without posterior elements.",
                "Label the whole vertebra with its arch and processes, not only the body.",
            )
        return frame

    def frame_or_none(self, label: int) -> RigidTransform | None:
        """The same; None for a label without posterior elements.

        Raises:
            CaseError: The label is not in the map, or is too thin to hold a body.
        """
        frame, has_arch = self._fit(label)
        return frame if has_arch else None

    def body_centre(self, label: int) -> FloatArray:
        """See the function ``body_centre``."""
        return self._fit(label)[0].translation

    def level_spacing_mm(self, label: int) -> float | None:
        """See the function ``level_spacing_mm``."""
        centre = self.body_centre(label)
        present = [other for other in (label - 1, label + 1) if other > 0 and bool((self.labels.array == other).any())]
        whole = [other for other in present if not touches_edge(self.labels, other)]
        distances = []
        for other in whole or present:
            try:
                distances.append(float(np.linalg.norm(self.body_centre(other) - centre)))
            except CaseError:  # a neighbouring label that is a sliver, or another organ, is no neighbour
                continue
        return min(distances, default=None)

    def _fit(self, label: int) -> tuple[RigidTransform, bool]:
        if label not in self._fits:
            self._fits[label] = _fit_frame(self.labels, label)
        return self._fits[label]


def vertebra_frame(labels: Volume, label: int) -> RigidTransform:
    """The vertebra's anatomical frame: origin at the body's centroid, axes right, anterior, superior.

    The label's own shape decides; the CT's RAS axes only say which end is up and which side is front, and may be
    45 degrees off. Moving the label map moves the frame with it, to about one degree and half a millimetre.

    Args:
        labels: Label map, any orientation.
        label: The vertebra's label.

    Returns:
        frame_to_ct: maps (right, anterior, superior) mm from the body's centroid to the label map's RAS.

    Raises:
        CaseError: The label is not in the map, is too thin to hold a body, or is a body without posterior elements.
    """
    return VertebraFrames(labels).frame_to_ct(label)


def body_centre(labels: Volume, label: int) -> FloatArray:
    """(3,) centroid of the vertebral body, not of the whole vertebra, RAS mm: the origin of ``vertebra_frame``.

    Raises:
        CaseError: The label is not in the map, or is too thin to hold a body.
    """
    return VertebraFrames(labels).body_centre(label)


def level_spacing_mm(labels: Volume, label: int) -> float | None:
    """Distance from this body's centre to the nearest neighbouring level's (label - 1 or label + 1), mm.

    Neighbours cut by the label map's edge count only where no whole one is present; None without any neighbour.

    Raises:
        CaseError: The label is not in the map, or is too thin to hold a body.
    """
    return VertebraFrames(labels).level_spacing_mm(label)


def _fit_frame(labels: Volume, label: int) -> tuple[RigidTransform, bool]:
    """The frame, and whether there were posterior elements to orient it by."""
    mask = label_mask(labels, label)
    vertices, triangles = surface_mesh(labels, label)
    dense = sample_triangles(vertices, triangles, 6000)
    surface = _Surface(dense, cKDTree(dense), dense[:1500])
    frame, has_arch = _first_frame(_oriented(mask, vertices, np.eye(3)), label)
    for _ in range(REFINEMENTS):
        frame = _refined_frame(_oriented(mask, vertices, frame.rotation), surface, frame, label)
    # Other bones have ends and ridges beside their thick part, too; a canal only vertebrae have.
    return frame, has_arch and posterior_wall(_oriented(mask, vertices, frame.rotation).whole) is not None


def _oriented(mask: Volume, vertices: FloatArray, rotation: FloatArray) -> _Oriented:
    """The mask on a grid along the columns of ``rotation`` (right, anterior, superior) that holds all vertices."""
    along = vertices @ rotation
    low, high = along.min(axis=0) - 3 * SPACING_MM, along.max(axis=0) + 3 * SPACING_MM
    width, depth, height = np.ceil((high - low) / SPACING_MM).astype(int) + 1
    index_to_ras = np.eye(4)
    index_to_ras[:3, :3] = rotation * SPACING_MM
    index_to_ras[:3, 3] = rotation @ low
    grid = Volume(np.zeros((height, depth, width), dtype=np.float32), index_to_ras)
    occupancy = Volume(mask.array.astype(np.float32), mask.index_to_ras).resampled_to(grid)
    return _Oriented(occupancy, ndimage.binary_fill_holes(occupancy.array > 0.5))


def _first_frame(vertebra: _Oriented, label: int) -> tuple[RigidTransform, bool]:
    """A frame good to some 15 degrees, and whether there are posterior elements: thick part, normals, what remains."""
    core = thick_part(vertebra.whole, label)
    centre = vertebra.centroid(core)
    superior = _superior_from_normals(vertebra, core)
    arch = vertebra.whole & ~ndimage.binary_dilation(core, iterations=2)
    away_from_arch = centre - vertebra.centroid(arch) if arch.any() else np.zeros(3)
    has_arch = bool(arch.sum() * SPACING_MM**3 >= MIN_ARCH_MM3 and np.linalg.norm(away_from_arch) >= MIN_ARCH_OFFSET_MM)
    forward = np.array([0.0, 1.0, 0.0])
    if has_arch and angle_between(away_from_arch, forward) < np.radians(60.0):
        forward = away_from_arch
    right = unit(np.cross(forward, superior))
    return RigidTransform(np.stack([right, np.cross(superior, right), superior], axis=1), centre), has_arch


def _refined_frame(vertebra: _Oriented, surface: _Surface, frame: RigidTransform, label: int) -> RigidTransform:
    """The frame from canal, endplates and mirror plane, on a grid along the frame of the step before."""
    in_front = vertebra.whole.copy()
    wall = posterior_wall(vertebra.whole)
    if wall is not None:
        in_front[:, :wall] = False
    body = ndimage.binary_dilation(thick_part(in_front, label), iterations=2) & in_front
    centre = vertebra.centroid(body)
    superior = frame.rotation @ _endplate_direction(vertebra.occupancy.array, body)
    right = _mirror_normal(surface, centre, frame.rotation[:, 0])
    # Half the step: on a small body the voxels' rounding can make whole steps swing between two answers.
    superior = unit(frame.rotation[:, 2] + superior)
    superior = unit(superior - (superior @ right) * right)
    return RigidTransform(np.stack([right, np.cross(superior, right), superior], axis=1), centre)


def _superior_from_normals(vertebra: _Oriented, core: BoolArray) -> FloatArray:
    """(3,) mean of the endplates' normals in RAS: a mean shift from the grid's superior over the body's surface."""
    rotation = vertebra.occupancy.index_to_ras[:3, :3] / SPACING_MM
    smooth = ndimage.gaussian_filter(vertebra.occupancy.array, 1.3)
    slope = -np.stack(np.gradient(smooth)[::-1], axis=-1)
    steep = np.linalg.norm(slope, axis=-1) > 0.03
    outward = slope[ndimage.binary_dilation(core, iterations=2) & steep] @ rotation.T
    lengths = np.linalg.norm(outward, axis=1)
    normals = outward / lengths[:, None]
    superior = rotation[:, 2]
    for concentration in np.repeat(NORMAL_CONCENTRATIONS, 8):
        along = normals @ superior
        weights = lengths * np.exp(concentration * (np.abs(along) - 1.0))
        upper, lower = (weights[side] @ normals[side] for side in (along > 0, along < 0))
        superior = unit(unit(upper) - unit(lower))
    return superior


def _endplate_direction(occupancy: NDArray[np.float32], body: BoolArray) -> FloatArray:
    """(3,) mean normal of the planes through the two endplates, in the grid's own right, anterior, superior."""
    outline = body.any(axis=0)
    inside = ndimage.binary_erosion(outline, IN_PLANE[1], iterations=ENDPLATE_INSET_VOXELS)
    if inside.sum() < 40:
        return np.array([0.0, 0.0, 1.0])
    rows, columns = np.nonzero(inside)
    places = np.stack([columns - columns.mean(), rows - rows.mean(), np.ones(len(rows))], axis=1) * SPACING_MM
    columns_up, body_up = occupancy[:, inside], body[:, inside]
    upper = _plane_normal(places, _end_heights(columns_up, body_up))
    lower = _plane_normal(places, -_end_heights(columns_up[::-1], body_up[::-1]))
    return unit(upper + lower)


def _end_heights(occupancy: NDArray[np.float32], body: BoolArray) -> FloatArray:
    """(N,) heights in mm where columns (K, N) of occupancy last fall through one half within the body."""
    count, width = occupancy.shape
    filled = body & (occupancy > 0.5)
    last = count - 1 - filled[::-1].argmax(axis=0)
    column = np.arange(width)
    here = occupancy[last, column]
    beyond = np.minimum(occupancy[np.minimum(last + 1, count - 1), column], 0.499)
    return (last + np.clip((here - 0.5) / (here - beyond), 0.0, 1.0)) * SPACING_MM


def _plane_normal(places: FloatArray, heights: FloatArray) -> FloatArray:
    """(3,) upward normal of the plane through heights (N,) over places (N, 3), by Cauchy-weighted least squares."""
    slopes: FloatArray = np.zeros(3)
    residuals = np.zeros(len(heights))
    for _ in range(8):
        pull = places.T / (1.0 + (residuals / ENDPLATE_SCALE_MM) ** 2)
        slopes = np.asarray(np.linalg.solve(pull @ places, pull @ heights), dtype=np.float64)
        residuals = heights - places @ slopes
    return unit(np.array([-slopes[0], -slopes[1], 1.0]))


def _mirror_normal(surface: _Surface, centre: FloatArray, right: FloatArray) -> FloatArray:
    """(3,) unit normal of the plane that best mirrors the surface onto itself, near ``right``.

    Iterated closest points between the surface and its mirror image. With points p and their partners r, both centred,
    |r - (p - 2 (p.n) n)|^2 = |r - p|^2 + 4 (p.n)(r.n), so the best normal is the lowest eigenvector of the sum of
    p r' + r p'.
    """
    normal, offset = right, float(centre @ right)
    for _ in range(30):
        mirrored = surface.sparse - 2 * ((surface.sparse @ normal) - offset)[:, None] * normal
        distances, nearest = surface.tree.query(mirrored)
        agreeing = distances <= np.quantile(distances, MIRROR_SHARE)
        points, partners = surface.sparse[agreeing], surface.dense[nearest[agreeing]]
        products = (points - points.mean(axis=0)).T @ (partners - partners.mean(axis=0))
        lowest = np.linalg.eigh(products + products.T)[1][:, 0]
        before = np.append(normal, offset)
        normal = lowest if lowest @ normal > 0 else -lowest
        offset = float((points.mean(axis=0) + partners.mean(axis=0)) / 2 @ normal)
        if np.abs(np.append(normal, offset) - before).max() < 1e-12:  # the same partners: they will be the same again
            break
    return normal
