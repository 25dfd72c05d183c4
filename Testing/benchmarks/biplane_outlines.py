"""How far a bone's outline lies from edges that Canny's detector finds in the film.

The outline is traced by the same detector in the bone's DRR: where a bone begins, its image is steepest somewhat inside
the edge of its label, in film and DRR alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree
from skimage import feature

from radgs.drr import VolumeRenderer
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, XRayView
from radgs.overlay.arrays import crop_size_mm
from radgs.overlay.contours import ContourSurface
from radgs.vertebra import VertebraAnatomy

PIXEL_MM = 0.25
EDGE_SIGMA_MM = 0.6
#: Share of an image's gradients that start no edge, and that continue none.
STARTS, CONTINUES = 0.9, 0.8
#: The DRR's edges belong to the outline so near to that of the label, mm.
OUTLINE_MM = 2.0
#: Edges run along the outline, bone on the same side, to within this angle.
ALONG = np.cos(np.radians(30.0))
#: Edges are looked for so far, mm, and points without one count as this far.
REACH_MM = 5.0
#: Of the outline, what lies so near to the face where the bone was cut is left out, mm.
CUT_MM = 4.0


def outline_distances(
    view: XRayView,
    vertebra: VertebraAnatomy,
    surface: ContourSurface,
    bone: VolumeRenderer,
    cut_face: FloatArray,
    pose: RigidTransform,
) -> FloatArray:
    """(N,) distances of the outline's points from the nearest edge that runs along it, mm at the bone's depth.

    Args:
        view: The film.
        vertebra: The bone as it is registered.
        surface: That of its label, for the outline.
        bone: Its attenuation in the CT's own voxels; what is registered was fitted and resampled.
        cut_face: (K, 3) points on the face where it was cut off, CT's RAS; no film shows that face.
        pose: Where the bone is, ct_to_world.
    """
    size_mm = crop_size_mm(vertebra) + 4 * REACH_MM
    cropped, valid = view.crop(pose.apply(vertebra.centre), size_mm, round(size_mm / PIXEL_MM))
    geometry = cropped.geometry
    inside = ndimage.binary_erosion(valid > 0.5, iterations=round(3 * EDGE_SIGMA_MM / PIXEL_MM))
    outline = KDTree(np.concatenate(silhouette(surface, pose, geometry)) * PIXEL_MM)
    pixels = np.stack(np.meshgrid(*(np.arange(n) for n in geometry.shape[::-1])), axis=-1) * PIXEL_MM
    near_outline = outline.query(pixels, distance_upper_bound=OUTLINE_MM)[0] < OUTLINE_MM
    points, inwards = _edges(bone.render(pose, geometry).numpy(), near_outline)
    cut = KDTree(geometry.project(pose.apply(cut_face)) * PIXEL_MM)
    row, column = np.round(points.T[::-1] / PIXEL_MM).astype(int)
    kept = (cut.query(points)[0] > CUT_MM) & inside[row, column]
    edges, across = _edges(cropped.image, inside)
    found = KDTree(edges).query_ball_point(points[kept], REACH_MM)
    distances = np.full(len(found), REACH_MM)
    for number, (near, point, inward) in enumerate(zip(found, points[kept], inwards[kept], strict=True)):
        along = [index for index in near if across[index] @ inward > ALONG]
        if along:
            distances[number] = np.linalg.norm(edges[along] - point, axis=1).min()
    return distances


def silhouette(surface: ContourSurface, pose: RigidTransform, geometry: ViewGeometry) -> tuple[FloatArray, ...]:
    """The outer outline of a bone as polylines (K, 2), (column, row)."""
    lines = surface.contour(pose, geometry)
    return tuple(line.projected(pose, geometry) for line in lines if line.kind == "silhouette")


def _edges(image: NDArray[np.float32], where: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """Points (N, 2) on edges, mm, and unit vectors (N, 2) towards where the image is higher."""
    sigma = EDGE_SIGMA_MM / PIXEL_MM
    edges = where & feature.canny(image, sigma, CONTINUES, STARTS, use_quantiles=True)
    gradient = np.stack([ndimage.gaussian_filter(image, sigma, order=order)[edges] for order in ((0, 1), (1, 0))])
    across = np.asarray(gradient / np.maximum(np.linalg.norm(gradient, axis=0), 1e-12), dtype=np.float64)
    return np.asarray(np.argwhere(edges)[:, ::-1] * PIXEL_MM, dtype=np.float64), across.T
