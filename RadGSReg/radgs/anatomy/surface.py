"""The labelled vertebra as a mask and as a surface, and the points mTRE is measured on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from radgs.errors import CaseError
from radgs.geometry import FloatArray, Volume

#: Marching cubes sees the mask blurred by this much: enough to round the voxels' corners, too little to shrink bone.
SMOOTHING_MM = 0.7


def label_mask(labels: Volume, label: int, margin_voxels: int = 2) -> Volume:
    """One label's boolean mask in its own box plus a margin, padded with background beyond the grid's edge.

    Raises:
        CaseError: The label is not in the map.
    """
    box = labels.box(*label_extent(labels, label))
    mask = np.pad(box.array == label, margin_voxels)
    index_to_ras = box.index_to_ras.copy()
    index_to_ras[:3, 3] = box.to_ras([-margin_voxels] * 3)
    return Volume(mask, index_to_ras)


def label_extent(labels: Volume, label: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Smallest box low <= (i, j, k) < high around a label: two (3,) arrays.

    Raises:
        CaseError: The label is not in the map.
    """
    mask = labels.array == label
    occupied = [np.flatnonzero(mask.any(axis=axes)) for axes in ((0, 1), (0, 2), (1, 2))]
    if not occupied[0].size:
        raise CaseError(
            f"The label map holds no voxel of label {label}.", "Choose the label of a vertebra that is segmented."
        )
    return np.array([found[0] for found in occupied]), np.array([found[-1] + 1 for found in occupied])


def touches_edge(labels: Volume, label: int) -> bool:
    """Whether the label reaches the border of the grid, so that the vertebra is probably cut off.

    Raises:
        CaseError: The label is not in the map.
    """
    low, high = label_extent(labels, label)
    return bool((low == 0).any() or (high == np.asarray(labels.size)).any())


def surface_mesh(labels: Volume, label: int) -> tuple[FloatArray, NDArray[np.int64]]:
    """The labelled vertebra's surface, halfway between the voxel centres inside and outside.

    Args:
        labels: Label map, any orientation.
        label: The vertebra's label.

    Returns:
        Vertices (V, 3) in RAS mm and triangles (T, 3) of vertex indices, counter-clockwise seen from outside.

    Raises:
        CaseError: The label is not in the map.
    """
    from skimage.measure import marching_cubes  # only here: whoever wants the levels' names need not have it

    mask = label_mask(labels, label, margin_voxels=4)
    sigmas = np.minimum(SMOOTHING_MM / mask.spacing, 1.0)[::-1]
    # Slices further apart than the blur stay steps: blurring across them would eat the laminae.
    sigmas[sigmas < 0.4] = 0.0
    smooth = ndimage.gaussian_filter(mask.array.astype(np.float32), sigmas)
    if smooth.max() <= 0.5:
        smooth = mask.array.astype(np.float32)
    vertices_kji, triangles, _, _ = marching_cubes(smooth, level=0.5, gradient_direction="descent")
    vertices = mask.to_ras(vertices_kji[:, ::-1])
    # Marching cubes turns the triangles outwards for a right-handed reading of (i, j, k); a left-handed one mirrors.
    if np.linalg.det(mask.index_to_ras[:3, :3]) < 0:
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
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    corners = vertices[triangles[random.choice(len(triangles), size=count, p=areas / areas.sum())]]
    # Square root of the first draw: uniform over a triangle (Turk, Graphics Gems, 1990).
    towards = np.sqrt(random.random(count))
    along = random.random(count)
    weights = np.stack([1.0 - towards, towards * (1.0 - along), towards * along], axis=1)
    return np.einsum("nc,nca->na", weights, corners)
