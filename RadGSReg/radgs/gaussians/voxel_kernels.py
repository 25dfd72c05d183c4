"""Voxelization's inner loops, compiled: what ``VoxelRuns`` computes, a Gaussian at a time.

Along a run of voxels a Gaussian is exp of a quadratic, whose ratio from one voxel to the next changes by a constant
factor: two products a voxel instead of an exponential, in double precision, in which runs are far too short for their
rounding to show.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from radgs.kernels import kernel

#: What ``find_runs`` writes of a run in whole numbers ...
GAUSSIAN, START, LENGTH = range(3)
PLACES = 3
#: ... and in others: its first voxel's offset from the centre in voxels, the profile there, the profile's ratio from
#: there to the next voxel, and how that ratio changes from a voxel to the next.
ALONG, DOWN, UP, PROFILE, RATIO, CURVE = range(6)
SHAPES = 6
#: What ``sum_moments`` writes of a Gaussian: sums of w, w x and w x x^T (ii, ij, ik, jj, jk, kk).
MOMENTS = 10


@kernel("int64(float32[:,::1], float32[:,:,::1], float64, int64, int64, int64, int64[:,::1], float64[:,::1])")
def find_runs(
    centres: NDArray[np.float32],
    precisions: NDArray[np.float32],
    cutoff_sigma: float,
    slices: int,
    rows: int,
    columns: int,
    places: NDArray[np.int64],
    shapes: NDArray[np.float64],
) -> int:
    """Runs of voxels along i that Gaussians reach, Gaussian by Gaussian and in the order of the volume.

    Args:
        centres: (N, 3) in voxels along i, j, k.
        precisions: (N, 3, 3) in voxels; one that is not positive definite reaches nothing.
        cutoff_sigma: Where Gaussians end.
        slices: Of the volume.
        rows: Of the volume.
        columns: Of the volume.
        places: (R, 3) receives Gaussian, index of the first voxel in the volume, and voxels of each run.
        shapes: (R, 6) receives what the profile along it is made of.

    Returns:
        How many runs there are; where that is more than R, the first R were written.
    """
    variance = cutoff_sigma * cutoff_sigma
    found = 0
    for n in range(centres.shape[0]):
        i, j, k = np.float64(centres[n, 0]), np.float64(centres[n, 1]), np.float64(centres[n, 2])
        ii, ij, ik = np.float64(precisions[n, 0, 0]), np.float64(precisions[n, 0, 1]), np.float64(precisions[n, 0, 2])
        jj, jk, kk = np.float64(precisions[n, 1, 1]), np.float64(precisions[n, 1, 2]), np.float64(precisions[n, 2, 2])
        if not (abs(i) + abs(j) + abs(k) < np.inf and ii > 0.0 and ii + jj + kk < np.inf):
            continue
        # The exponent's minimum along i, and then also along j, as a function of what is left.
        rows_jj, rows_jk, rows_kk = jj - ij * ij / ii, jk - ij * ik / ii, kk - ik * ik / ii
        if not rows_jj > 0.0:
            continue
        slices_kk = rows_kk - rows_jk * rows_jk / rows_jj
        if not slices_kk > 0.0:
            continue
        curve, half_k = math.exp(-ii), cutoff_sigma / math.sqrt(slices_kk)
        first_k = int(min(max(math.ceil(max(k - half_k, -1.0)), 0.0), float(slices)))
        last_k = int(max(min(math.floor(min(k + half_k, float(slices))), slices - 1.0), -1.0))
        for at_k in range(first_k, last_k + 1):
            dk = at_k - k
            middle_j = j - rows_jk * dk / rows_jj
            half_j = math.sqrt(max(variance - slices_kk * dk * dk, 0.0) / rows_jj)
            first_j = int(min(max(math.ceil(max(middle_j - half_j, -1.0)), 0.0), float(rows)))
            last_j = int(max(min(math.floor(min(middle_j + half_j, float(rows))), rows - 1.0), -1.0))
            for at_j in range(first_j, last_j + 1):
                dj = at_j - j
                slope = ij * dj + ik * dk
                level = jj * dj * dj + 2.0 * jk * dj * dk + kk * dk * dk
                left = slope * slope - ii * (level - variance)
                if not left >= 0.0:
                    continue
                middle_i, half_i = i - slope / ii, math.sqrt(left) / ii
                first_i = int(min(max(math.ceil(max(middle_i - half_i, -1.0)), 0.0), float(columns)))
                last_i = int(max(min(math.floor(min(middle_i + half_i, float(columns))), columns - 1.0), -1.0))
                if last_i < first_i:
                    continue
                if found < places.shape[0]:
                    di = first_i - i
                    places[found, GAUSSIAN] = n
                    places[found, START] = (at_k * rows + at_j) * columns + first_i
                    places[found, LENGTH] = last_i + 1 - first_i
                    shapes[found, ALONG], shapes[found, DOWN], shapes[found, UP] = di, dj, dk
                    shapes[found, PROFILE] = math.exp(-0.5 * (level + di * (2.0 * slope + ii * di)))
                    shapes[found, RATIO] = math.exp(-(slope + ii * (di + 0.5)))
                    shapes[found, CURVE] = curve
                found += 1
    return found


@kernel("void(int64[:,::1], float64[:,::1], float32[::1], float32[::1])")
def add_profiles(
    places: NDArray[np.int64],
    shapes: NDArray[np.float64],
    densities: NDArray[np.float32],
    volume: NDArray[np.float32],
) -> None:
    """Adds every Gaussian to the voxels that it reaches.

    Args:
        places: (R, 3) from ``find_runs``.
        shapes: (R, 6) likewise.
        densities: (N,) attenuation at the centres.
        volume: (slices * rows * columns,) that they are added to.
    """
    for run in range(places.shape[0]):
        start, length = places[run, START], places[run, LENGTH]
        value, ratio, curve = shapes[run, PROFILE], shapes[run, RATIO], shapes[run, CURVE]
        value *= densities[np.uint64(places[run, GAUSSIAN])]
        for step in range(length):
            volume[np.uint64(start + step)] += np.float32(value)
            value *= ratio
            ratio *= curve


@kernel("void(int64[:,::1], float64[:,::1], float32[::1], float64[:,::1])")
def sum_moments(
    places: NDArray[np.int64],
    shapes: NDArray[np.float64],
    weights: NDArray[np.float32],
    moments: NDArray[np.float64],
) -> None:
    """Moments of every Gaussian's profile, weighted voxel by voxel, about its centre.

    Args:
        places: (R, 3) from ``find_runs``.
        shapes: (R, 6) likewise.
        weights: (slices * rows * columns,) of the voxels.
        moments: (N, 10) that they are added to.
    """
    for run in range(places.shape[0]):
        start, length = places[run, START], places[run, LENGTH]
        value, ratio, curve = shapes[run, PROFILE], shapes[run, RATIO], shapes[run, CURVE]
        zeroth, first, second = 0.0, 0.0, 0.0
        for step in range(length):
            weight = value * weights[np.uint64(start + step)]
            zeroth += weight
            first += step * weight
            second += step * (step * weight)
            value *= ratio
            ratio *= curve
        di, dj, dk = shapes[run, ALONG], shapes[run, DOWN], shapes[run, UP]
        along = first + di * zeroth
        n = np.uint64(places[run, GAUSSIAN])
        moments[n, 0] += zeroth
        moments[n, 1] += along
        moments[n, 2] += dj * zeroth
        moments[n, 3] += dk * zeroth
        moments[n, 4] += second + di * (2.0 * first + di * zeroth)
        moments[n, 5] += dj * along
        moments[n, 6] += dk * along
        moments[n, 7] += dj * dj * zeroth
        moments[n, 8] += dj * dk * zeroth
        moments[n, 9] += dk * dk * zeroth


@kernel("void(int64[:,::1], float64[:,::1], float32[::1], int32[::1])")
def list_profiles(
    places: NDArray[np.int64],
    shapes: NDArray[np.float64],
    entries: NDArray[np.float32],
    voxels: NDArray[np.int32],
) -> None:
    """Every run's profile at density one and the voxels it belongs to, one run after the other.

    Args:
        places: (R, 3) from ``find_runs``.
        shapes: (R, 6) likewise.
        entries: (E,) receives the profiles; E is all runs' lengths together.
        voxels: (E,) receives the voxels' indices.
    """
    entry = 0
    for run in range(places.shape[0]):
        start = places[run, START]
        value, ratio, curve = shapes[run, PROFILE], shapes[run, RATIO], shapes[run, CURVE]
        for step in range(places[run, LENGTH]):
            if entry >= entries.shape[0]:
                return
            entries[np.uint64(entry)] = np.float32(value)
            voxels[np.uint64(entry)] = np.int32(start + step)
            entry += 1
            value *= ratio
            ratio *= curve
