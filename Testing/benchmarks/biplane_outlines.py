"""How far a bone's projected outline lies from edges that Canny's detector finds in the film."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree
from skimage import feature

from radgs.geometry import FloatArray, RigidTransform, XRayView
from radgs.overlay.arrays import crop_size_mm, silhouette
from radgs.vertebra import VertebraAnatomy

PIXEL_MM = 0.25
EDGE_SIGMA_MM = 0.6
#: Of the gradients in the film's crop, the share that starts no edge, and that continues none.
STARTS, CONTINUES = 0.9, 0.8
#: Edges run along the outline to within this angle.
ALONG = np.cos(np.radians(30.0))
#: Edges are looked for so far, mm, and points without one count as this far.
REACH_MM = 5.0
#: Of the outline, what lies so near to the face where the bone was cut is left out, mm.
CUT_MM = 4.0


def outline_distances(
    view: XRayView, vertebra: VertebraAnatomy, cut_face: FloatArray, pose: RigidTransform
) -> FloatArray:
    """(N,) distances of the outline's points from the nearest edge that runs along it, mm at the bone's depth.

    Args:
        view: The film.
        vertebra: The bone.
        cut_face: (K, 3) points on the face where it was cut off, CT's RAS; no film shows that face.
        pose: Where the bone is, ct_to_world.
    """
    size_mm = crop_size_mm(vertebra) + 4 * REACH_MM
    cropped, valid = view.crop(pose.apply(vertebra.centre), size_mm, round(size_mm / PIXEL_MM))
    inside = ndimage.binary_erosion(valid > 0.5, iterations=round(3 * EDGE_SIGMA_MM / PIXEL_MM))
    sigma = EDGE_SIGMA_MM / PIXEL_MM
    edges = feature.canny(
        cropped.image, sigma, mask=inside, low_threshold=CONTINUES, high_threshold=STARTS, use_quantiles=True
    )
    across = np.stack([ndimage.gaussian_filter(cropped.image, sigma, order=order)[edges] for order in ((0, 1), (1, 0))])
    across = (across / np.maximum(np.linalg.norm(across, axis=0), 1e-12)).T
    at = np.argwhere(edges)[:, ::-1] * PIXEL_MM
    points, normals = _resampled(silhouette(vertebra, pose, cropped.geometry))
    cut = KDTree(cropped.geometry.project(pose.apply(cut_face)) * PIXEL_MM)
    kept = cut.query(points)[0] > CUT_MM
    kept &= ndimage.map_coordinates(inside.astype(float), points[:, ::-1].T / PIXEL_MM, order=0, cval=0.0) > 0
    found = KDTree(at).query_ball_point(points[kept], REACH_MM)
    distances = np.full(len(found), REACH_MM)
    for number, (near, point, normal) in enumerate(zip(found, points[kept], normals[kept], strict=True)):
        along = [index for index in near if abs(across[index] @ normal) > ALONG]
        if along:
            distances[number] = np.linalg.norm(at[along] - point, axis=1).min()
    return distances


def _resampled(outlines: tuple[FloatArray, ...]) -> tuple[FloatArray, FloatArray]:
    """Points every half millimetre, and unit normals there; (N, 2) each, mm in the crop."""
    points, normals = [], []
    for outline in outlines:
        line = outline * PIXEL_MM
        length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
        smooth = ndimage.gaussian_filter1d(line, 3, axis=0, mode="wrap")
        at = np.arange(0.0, length[-1], 0.5)
        there = np.stack([np.interp(at, length, smooth[:, axis]) for axis in (0, 1)], axis=1)
        tangent = np.gradient(there, axis=0)
        tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-12)
        points.append(there)
        normals.append(np.stack([-tangent[:, 1], tangent[:, 0]], axis=1))
    return np.concatenate(points), np.concatenate(normals)
