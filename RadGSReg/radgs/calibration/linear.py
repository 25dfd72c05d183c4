"""The direct linear transform: a projection matrix from points and their pixels, some of which may be wrong.

Hartley & Zisserman, Multiple View Geometry, 7.1 (normalised DLT); the least median of squares over drawn samples
(Rousseeuw 1984) finds the picks that agree.
"""

from __future__ import annotations

import numpy as np

from radgs.geometry import FloatArray

#: Points that a projection matrix needs.
MIN_POINTS = 6

#: Samples drawn: with a third of the picks wrong, one of these is right with a probability of 1 - 1e-5.
DRAWS = 200

#: Where no pick misses by more than this many medians, none is wrong and nothing need be drawn.
HARMLESS_MISS = 5.0


def projection_of_points(points: FloatArray, pixels: FloatArray) -> FloatArray:
    """(3, 4) P from (N, 3) points and their (N, 2) pixels, by the normalised DLT; positive in front for most points."""
    to_points, to_pixels = _normalising(points), _normalising(pixels)
    x = np.column_stack([points, np.ones(len(points))]) @ to_points.T
    u = np.column_stack([pixels, np.ones(len(pixels))]) @ to_pixels.T
    zeros = np.zeros_like(x)
    rows = np.concatenate([np.column_stack([x, zeros, -u[:, :1] * x]), np.column_stack([zeros, x, -u[:, 1:2] * x])])
    solution = np.linalg.svd(rows)[2][-1].reshape(3, 4)
    projection = np.linalg.inv(to_pixels) @ solution @ to_points
    projection = projection / np.linalg.norm(projection[2, :3])
    depths = points @ projection[2, :3] + projection[2, 3]
    return projection if np.median(depths) > 0 else -projection


def agreeing_projection(points: FloatArray, pixels: FloatArray, seed: int = 0) -> FloatArray:
    """(3, 4) P that the better half of the picks agrees on.

    Args:
        points: (N, 3) of the phantom, mm, N >= 6.
        pixels: (N, 2).
        seed: Of the samples drawn.
    """
    if len(points) <= MIN_POINTS:
        return projection_of_points(points, pixels)
    random = np.random.default_rng(seed)
    best = projection_of_points(points, pixels)
    all_misses = np.linalg.norm(project(best, points) - pixels, axis=1)
    smallest = float(np.median(all_misses))
    if all_misses.max() <= HARMLESS_MISS * smallest:
        return best
    for _ in range(DRAWS):
        chosen = random.choice(len(points), MIN_POINTS + 1, replace=False)
        if np.linalg.matrix_rank(points[chosen] - points[chosen].mean(axis=0), tol=1e-3) < 3:
            continue
        candidate = projection_of_points(points[chosen], pixels[chosen])
        misses = float(np.median(np.linalg.norm(project(candidate, points) - pixels, axis=1)))
        if misses < smallest:
            best, smallest = candidate, misses
    return best


def project(projection: FloatArray, points: FloatArray) -> FloatArray:
    """(N, 2) pixels of (N, 3) points under a (3, 4) projection matrix."""
    homogeneous = points @ projection[:, :3].T + projection[:, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(homogeneous[:, :2] / homogeneous[:, 2:], nan=1e9, posinf=1e9, neginf=-1e9)


def _normalising(points: FloatArray) -> FloatArray:
    """The similarity that takes points to zero mean and a mean distance of the square root of their dimension."""
    centre = points.mean(axis=0)
    dimension = points.shape[1]
    scale = np.sqrt(dimension) / max(float(np.linalg.norm(points - centre, axis=1).mean()), 1e-12)
    matrix = np.eye(dimension + 1) * scale
    matrix[:dimension, dimension] = -scale * centre
    matrix[dimension, dimension] = 1.0
    return matrix
