"""Vertebrae as the label map shows them: levels and their names, surface, body centre, anatomical frame.

Every function takes the label map as a ``Volume`` of integers in any orientation, handedness and spacing, and answers
in that volume's RAS millimetres.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.measure import marching_cubes

from radgs.errors import CaseError
from radgs.geometry import FloatArray, RigidTransform, unit
from radgs.volume import Volume, isotropic_grid

#: Thoracic and lumbar levels from the head down.
LEVELS: tuple[str, ...] = (*(f"T{n}" for n in range(1, 13)), *(f"L{n}" for n in range(1, 6)))

#: Edge of the region of interest around a vertebral body, mm.
ROI_SIZE_MM = 128.0

#: Which label the common segmentations give each level.
LABEL_NUMBERINGS: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "VerSe": MappingProxyType({level: 8 + n for n, level in enumerate(LEVELS)}),
        "TotalSegmentator": MappingProxyType({level: 43 - n for n, level in enumerate(LEVELS)}),
        "TotalSegmentator v1": MappingProxyType({level: 34 - n for n, level in enumerate(LEVELS)}),
    }
)

#: Centres of neighbouring vertebrae lie this far apart along the spine, mm (T1 to L5, adults).
PLAUSIBLE_PITCH_MM = (12.0, 60.0)

#: Marching cubes sees the mask blurred by this much: enough to round the voxels' corners, too little to shrink bone.
SMOOTHING_MM = 0.7

#: Voxel size at which the body is told from its processes, mm.
SHAPE_SPACING_MM = 1.5

#: The body is what a ball of this fraction of the largest inscribed radius can reach; pedicles are thinner.
CORE_FRACTION = 0.6

#: How sharply the endplates' normals gather around the superior axis: half weight at 55, 34 and 24 degrees.
ENDPLATE_CONCENTRATIONS = (1.6, 4.0, 8.0)


@dataclass(frozen=True, eq=False)
class VertebralBody:
    """The thick, convex part of a vertebra and what is left of it.

    Attributes:
        core: Boolean mask of the body on an isotropic grid along RAS.
        whole: Boolean mask of the whole vertebra on the same grid.
    """

    core: Volume
    whole: Volume

    @property
    def centre(self) -> FloatArray:
        """(3,) centroid of the body, RAS mm."""
        return _centroid(self.core)

    @property
    def posterior_elements_centre(self) -> FloatArray:
        """(3,) centroid of everything that is not body, RAS mm.

        Raises:
            CaseError: There is nothing but body.
        """
        arch = self.whole.array & ~ndimage.binary_dilation(self.core.array, iterations=2)
        if arch.sum() * SHAPE_SPACING_MM**3 < 500.0:
            raise CaseError(
                "A vertebra's label shows a body without posterior elements.",
                "Label the whole vertebra with its arch and processes, not only the body.",
            )
        return _centroid(Volume(arch, self.whole.index_to_ras))


def suggest_numbering(labels: Volume) -> str | None:
    """Which of ``LABEL_NUMBERINGS`` a label map follows, judged by the order of its labels along the spine.

    Returns:
        The numbering under which the most levels follow one another from the head down at the pitch of a spine;
        None when none explains at least two levels.
    """
    centres = _label_centres(labels)
    scores = {name: _levels_in_order(centres, numbering) for name, numbering in LABEL_NUMBERINGS.items()}
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] >= 2 else None


def suggest_label(labels: Volume, level: str) -> int | None:
    """The label that probably is ``level`` (e.g. "L3"), or None; always for a person to confirm."""
    numbering = suggest_numbering(labels)
    label = None if numbering is None else LABEL_NUMBERINGS[numbering].get(level)
    return label if label is not None and (labels.array == label).any() else None


def surface_mesh(labels: Volume, label: int) -> tuple[FloatArray, NDArray[np.int64]]:
    """The labelled vertebra's surface at half height between voxel centres inside and outside.

    Args:
        labels: Label map, any orientation.
        label: The vertebra's label.

    Returns:
        Vertices (V, 3) in RAS mm and triangles (T, 3) of vertex indices, counter-clockwise seen from outside.

    Raises:
        CaseError: The label is not in the map.
    """
    mask = _padded_mask(labels, label, margin_voxels=4)
    sigmas = np.minimum(SMOOTHING_MM / mask.spacing, 1.0)[::-1]
    # A mask's slices further apart than the blur stay steps; blurring across them would eat the laminae.
    sigmas[sigmas < 0.4] = 0.0
    smooth = ndimage.gaussian_filter(mask.array.astype(np.float32), sigmas)
    vertices_kji, triangles, _, _ = marching_cubes(smooth, level=0.5, gradient_direction="descent")
    vertices = mask.to_ras(vertices_kji[:, ::-1])
    # Reading (k, j, i) backwards mirrors once; a right-handed index_to_ras leaves it so, a left-handed one undoes it.
    if np.linalg.det(mask.index_to_ras[:3, :3]) > 0:
        triangles = triangles[:, ::-1]
    return vertices, np.ascontiguousarray(triangles, dtype=np.int64)


def surface_points(labels: Volume, label: int, count: int = 2000, seed: int = 0) -> FloatArray:
    """Points spread uniformly by area over the labelled surface, the points of mTRE.

    Args:
        labels: Label map, any orientation.
        label: The vertebra's label.
        count: Number of points.
        seed: Seed of the draw; the same seed gives the same points.

    Returns:
        (count, 3) RAS mm.

    Raises:
        CaseError: The label is not in the map.
    """
    vertices, triangles = surface_mesh(labels, label)
    return sample_triangles(vertices, triangles, count, seed)


def sample_triangles(vertices: FloatArray, triangles: NDArray[np.int64], count: int, seed: int = 0) -> FloatArray:
    """(count, 3) points uniform by area over a mesh of vertices (V, 3) and triangles (T, 3)."""
    random = np.random.default_rng(seed)
    normals = _triangle_normals(vertices, triangles)
    areas = np.linalg.norm(normals, axis=1)
    corners = vertices[triangles[random.choice(len(triangles), size=count, p=areas / areas.sum())]]
    # Square root of the first draw: uniform over a triangle (Turk, Graphics Gems, 1990).
    towards = np.sqrt(random.random(count))
    along = random.random(count)
    weights = np.stack([1.0 - towards, towards * (1.0 - along), towards * along], axis=1)
    return np.einsum("nc,nca->na", weights, corners)


def vertebral_body(labels: Volume, label: int) -> VertebralBody:
    """Tells a vertebra's body from its arch and processes: the body is what a fat enough ball can reach.

    Raises:
        CaseError: The label is not in the map, or is too thin to hold a body.
    """
    whole = _isotropic_mask(labels, label)
    depth = ndimage.distance_transform_edt(whole.array) * SHAPE_SPACING_MM
    radius = CORE_FRACTION * depth.max()
    if radius < 2.0:
        raise CaseError(f"Label {label} is too thin to hold a vertebral body.", "Choose the label of a whole vertebra.")
    reach = ndimage.distance_transform_edt(depth < radius) * SHAPE_SPACING_MM
    core = _component_of(reach < radius, np.unravel_index(depth.argmax(), depth.shape)) & whole.array
    return VertebralBody(Volume(core, whole.index_to_ras), whole)


def body_centre(labels: Volume, label: int) -> FloatArray:
    """(3,) centroid of the vertebral body, not of the whole vertebra, RAS mm.

    Raises:
        CaseError: The label is not in the map, or is too thin to hold a body.
    """
    return vertebral_body(labels, label).centre


def vertebra_frame(labels: Volume, label: int) -> RigidTransform:
    """The vertebra's anatomical frame: origin at the body's centroid, axes right, anterior, superior.

    Superior is the mean normal of the two endplates, on the side of the CT's superior; anterior runs from the
    posterior elements to the body, square to it. The frame turns with the vertebra while its superior axis stays
    within about 45 degrees of the CT's.

    Args:
        labels: Label map, any orientation.
        label: The vertebra's label.

    Returns:
        frame_to_ct: maps (right, anterior, superior) mm from the body's centroid to the label map's RAS.

    Raises:
        CaseError: The label is not in the map, or shows no body, or a body without posterior elements.
    """
    body = vertebral_body(labels, label)
    superior = _superior_axis(body, *surface_mesh(labels, label))
    forward = body.centre - body.posterior_elements_centre
    anterior = unit(forward - (forward @ superior) * superior)
    right = np.cross(anterior, superior)
    return RigidTransform(np.stack([right, anterior, superior], axis=1), body.centre)


def level_pitch_mm(labels: Volume, label: int) -> float | None:
    """Distance from this body's centre to the nearest neighbouring level's (label - 1 or label + 1), mm.

    Neighbours cut by the label map's edge count only where no whole one is present; None without any neighbour.
    """
    present = [other for other in (label - 1, label + 1) if other > 0 and (labels.array == other).any()]
    whole = [other for other in present if not touches_edge(labels, other)]
    centre = body_centre(labels, label)
    distances = [float(np.linalg.norm(body_centre(labels, other) - centre)) for other in whole or present]
    plausible = [distance for distance in distances if PLAUSIBLE_PITCH_MM[0] <= distance <= PLAUSIBLE_PITCH_MM[1]]
    return min(plausible, default=None)


def touches_edge(labels: Volume, label: int) -> bool:
    """Whether the label reaches the border of the grid, so that the vertebra is probably cut off."""
    low, high = _label_box(labels, label)
    return bool((low == 0).any() or (high == np.asarray(labels.size)).any())


def _label_box(labels: Volume, label: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Smallest box low <= (i, j, k) < high around a label."""
    mask = labels.array == label
    occupied = [np.flatnonzero(mask.any(axis=axes)) for axes in ((0, 1), (0, 2), (1, 2))]
    if not occupied[0].size:
        raise CaseError(
            f"The label map holds no voxel of label {label}.", "Choose the label of a vertebra that is segmented."
        )
    return np.array([found[0] for found in occupied]), np.array([found[-1] + 1 for found in occupied])


def _padded_mask(labels: Volume, label: int, margin_voxels: int) -> Volume:
    """The label's mask in its own box with a margin, padded with background beyond the grid's edge."""
    box = labels.box(*_label_box(labels, label))
    mask = np.pad(box.array == label, margin_voxels)
    index_to_ras = box.index_to_ras.copy()
    index_to_ras[:3, 3] = box.to_ras([-margin_voxels] * 3)
    return Volume(mask, index_to_ras)


def _isotropic_mask(labels: Volume, label: int) -> Volume:
    """The label's filled mask on an isotropic grid along RAS."""
    mask = _padded_mask(labels, label, margin_voxels=2)
    corners = mask.to_ras([[i, j, k] for i in (0, mask.size[0]) for j in (0, mask.size[1]) for k in (0, mask.size[2])])
    low, high = corners.min(axis=0), corners.max(axis=0)
    grid = isotropic_grid((low + high) / 2, high - low + 4 * SHAPE_SPACING_MM, SHAPE_SPACING_MM)
    resampled = Volume(mask.array.astype(np.float32), mask.index_to_ras).resampled_to(grid)
    return Volume(ndimage.binary_fill_holes(resampled.array > 0.5), grid.index_to_ras)


def _component_of(mask: NDArray[np.bool_], seed: tuple[np.intp, ...]) -> NDArray[np.bool_]:
    """The connected component of a mask that holds the voxel ``seed``."""
    components, _ = ndimage.label(mask)
    return components == components[seed]


def _centroid(mask: Volume) -> FloatArray:
    return mask.to_ras(np.argwhere(mask.array)[:, ::-1].mean(axis=0))


def _triangle_normals(vertices: FloatArray, triangles: NDArray[np.int64]) -> FloatArray:
    """(T, 3) outward normals whose length is the triangle's area."""
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    return 0.5 * np.cross(b - a, c - a)


def _superior_axis(body: VertebralBody, vertices: FloatArray, triangles: NDArray[np.int64]) -> FloatArray:
    """(3,) mean of the two endplates' normals: a mean shift from the CT's superior over the body's surface."""
    core_points = body.core.to_ras(np.argwhere(body.core.array)[:, ::-1])
    middles = vertices[triangles].mean(axis=1)
    distances, _ = cKDTree(core_points).query(middles, distance_upper_bound=2 * SHAPE_SPACING_MM)
    normals = _triangle_normals(vertices, triangles)[np.isfinite(distances)]
    areas = np.linalg.norm(normals, axis=1)
    normals, areas = normals[areas > 0] / areas[areas > 0, None], areas[areas > 0]
    superior = np.array([0.0, 0.0, 1.0])
    for concentration in np.repeat(ENDPLATE_CONCENTRATIONS, 8):
        along = normals @ superior
        weights = areas * np.exp(concentration * (np.abs(along) - 1.0))
        upper, lower = (weights[side] @ normals[side] for side in (along > 0, along < 0))
        superior = unit(unit(upper) - unit(lower))
    return superior


def _label_centres(labels: Volume) -> dict[int, FloatArray]:
    """Rough centroid (3,) of every label, RAS mm; every second voxel along each axis is enough."""
    coarse = np.asarray(labels.array[::2, ::2, ::2]).astype(np.int64)
    found = [int(label) for label in np.unique(coarse) if label > 0]
    centres = ndimage.center_of_mass(coarse > 0, coarse, found)
    return {label: labels.to_ras(2.0 * np.asarray(kji)[::-1]) for label, kji in zip(found, centres, strict=True)}


def _levels_in_order(centres: Mapping[int, FloatArray], numbering: Mapping[str, int]) -> int:
    """How many levels form a spine from the head down under a numbering; 0 when any neighbours contradict it."""
    present = [level for level in LEVELS if numbering[level] in centres]
    for upper, lower in pairwise(present):
        steps = LEVELS.index(lower) - LEVELS.index(upper)
        gap = centres[numbering[upper]] - centres[numbering[lower]]
        low, high = PLAUSIBLE_PITCH_MM[0] * steps, PLAUSIBLE_PITCH_MM[1] * steps
        if gap[2] <= 0 or not low <= np.linalg.norm(gap) <= high:
            return 0
    return len(present)
