"""X-ray and DRR compared over the whole film, for a viewer that shows the film in its own plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, XRayView
from radgs.overlay.agreement import SLOPE_SIGMA_MM, edge_gradient, local_agreement
from radgs.overlay.arrays import FloatImage, Pictured, ViewCrop
from radgs.overlay.comparisons import MATCH_SIGMA_MM, difference_picture, edge_alpha, wide_gaussian
from radgs.overlay.contours import ProjectedLine

#: A whole DRR has no more pixels than this; more would not show in a slice view, and cost seconds.
MAX_DRR_PIXELS = 300_000
#: In a difference's bytes, what the X-ray does not show; greys begin above it.
UNMEASURED = 0
#: In an agreement's bytes, where the vertebra has no edge; doubt begins above it. Weaker edges count as none.
NO_EDGE, WEAKEST_EDGE = 0, 0.15


def binned_film(geometry: ViewGeometry) -> tuple[int, ViewGeometry]:
    """The detector with so many pixels taken together, side by side, that a whole DRR stays quick."""
    rows, columns = geometry.shape
    factor = 1
    while rows * columns > MAX_DRR_PIXELS * factor**2:
        factor += 1
    factor = next(n for n in range(factor, 0, -1) if rows % n == 0 and columns % n == 0)
    return factor, geometry.binned(factor)


def film_of(view: XRayView, binned: int, middle: FloatArray) -> ViewCrop:
    """All of an X-ray, as the pictures take it.

    Args:
        view: The X-ray.
        binned: How many of its pixels are taken together, side by side.
        middle: (3,) a point at the vertebra's depth, world RAS, mm.
    """
    rows, columns = (size // binned for size in view.image.shape)
    measured = view.measured.astype(np.float32)

    def mean(image: NDArray) -> FloatImage:
        blocks = image.reshape(rows, binned, columns, binned).mean(axis=(1, 3))
        return np.asarray(blocks, dtype=np.float32)

    share = mean(measured)
    geometry = view.geometry.binned(binned)
    depth = float(geometry.normal @ (middle - geometry.source_ras))
    pixel_mm = float(np.mean(geometry.pixel_spacing)) * abs(depth) / geometry.source_to_detector_mm
    image = np.asarray(mean(view.image * measured) / np.maximum(share, 1e-6), dtype=np.float32)
    return ViewCrop(image, share, geometry, pixel_mm)


def like_film(film: ViewCrop, drr: FloatImage) -> FloatImage:
    """(H, W) a DRR with the X-ray's local brightness and contrast, so that the eye compares what lies where.

    Unlike a fit, this takes nothing away where the two do not lie on each other.

    Args:
        film: The X-ray, of ``film_of``.
        drr: (H, W) line integrals in its pixels.
    """
    measured = (film.valid > 0.5).astype(np.float32)
    sigma = MATCH_SIGMA_MM / film.pixel_mm
    share = np.maximum(wide_gaussian(measured, sigma), 1e-3)

    def local(image: FloatImage) -> tuple[FloatArray, FloatArray]:
        mean = wide_gaussian(image * measured, sigma) / share
        square = wide_gaussian(image * image * measured, sigma) / share
        return np.asarray(mean, dtype=float), np.sqrt(np.maximum(square - mean**2, 1e-8))

    (xray_mean, xray_spread), (drr_mean, drr_spread) = local(film.image), local(drr)
    return (xray_mean + xray_spread / drr_spread * (drr - drr_mean)).astype(np.float32)


def film_comparisons(
    film: ViewCrop, drr: FloatImage, vertebra: Pictured, pose: RigidTransform, lines: Sequence[ProjectedLine]
) -> dict[str, NDArray[np.uint8]]:
    """What can be laid over a film beside the DRR itself, as bytes in the film's pixels (H, W).

    ``edges``: how strong the DRR's edges are along their ridges, 255 those of the vertebra. ``difference``: 128 where
    X-ray and DRR agree, more where the X-ray shows more, less where the DRR does, and ``UNMEASURED``. ``agreement``:
    along the vertebra's contour from 1, wholly doubtful, to 255, wholly agreeing, and ``NO_EDGE``.

    Args:
        film: The X-ray, of ``film_of``.
        drr: (H, W) line integrals of the CT at the pose, in the film's pixels.
        vertebra: The vertebra.
        pose: Its ``ct_to_world``.
        lines: Its contour there, in the film's pixels.
    """
    gradient = edge_gradient(drr, np.ones_like(drr), film.pixel_mm)
    edges = edge_alpha(np.hypot(*gradient), _around(film.geometry, pose.apply(vertebra.surface)))
    grey = np.rint(1.0 + 254.0 * difference_picture(film, drr))
    difference = np.where(film.valid > 0.5, grey, UNMEASURED)
    thin = np.rint(255.0 * np.where(_on_ridge(gradient), edges, 0.0))
    return {
        "edges": thin.astype(np.uint8),
        "difference": difference.astype(np.uint8),
        "agreement": _agreement(film, drr, lines),
    }


def _agreement(film: ViewCrop, drr: FloatImage, lines: Sequence[ProjectedLine]) -> NDArray[np.uint8]:
    """(H, W) as ``film_comparisons`` has it, looked at only as far around the vertebra as anything weighs in."""
    found = np.full(drr.shape, NO_EDGE, dtype=np.uint8)
    own = [line.points for line in lines if line.kind != "neighbour"]
    if not own:
        return found
    margin = 4.0 * SLOPE_SIGMA_MM / film.pixel_mm
    points = np.concatenate(own)
    first = np.clip(np.floor(points.min(axis=0) - margin), 0, None).astype(int)
    last = np.clip(np.ceil(points.max(axis=0) + margin), 0, None).astype(int)
    window = np.s_[first[1] : last[1] + 1, first[0] : last[0] + 1]
    if drr[window].size == 0:
        return found
    around = replace(film, image=film.image[window], valid=film.valid[window])
    moved = [replace(line, points=line.points - first) for line in lines]
    agreement = local_agreement(around, drr[window], moved)
    found[window] = np.where(agreement.weight > WEAKEST_EDGE, np.rint(1.0 + 254.0 * agreement.share), NO_EDGE)
    return found


def _on_ridge(gradient: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(H, W) where a gradient (2, H, W) is as strong as a pixel further to either side of the edge, or stronger."""
    strength = np.hypot(*gradient)
    across = gradient / np.maximum(strength, 1e-12)
    here = np.indices(strength.shape)
    sides = [ndimage.map_coordinates(strength, here + side * across, order=1, mode="nearest") for side in (1.0, -1.0)]
    return np.asarray((strength >= sides[0]) & (strength >= sides[1]))


def _around(geometry: ViewGeometry, points: FloatArray) -> NDArray[np.bool_]:
    """(H, W) where world points fall, and between them: their upright rectangle; all of it where they fall beside."""
    pixels = geometry.project(points)
    (left, top), (right, bottom) = np.nanmin(pixels, axis=0), np.nanmax(pixels, axis=0)
    rows, columns = np.indices(geometry.shape)
    inside = (columns >= left) & (columns <= right) & (rows >= top) & (rows <= bottom)
    return inside if inside.any() else np.ones(geometry.shape, dtype=bool)
