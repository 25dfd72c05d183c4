"""The ray caster's inner loops, compiled: what ``VolumeRenderer`` computes with ``grid_sample``, a ray at a time.

Volumes lie flat, channels of a voxel side by side, with a border of zeros one voxel wide: interpolation fades to zero
there, and no sample needs to ask where the volume ends. Indices (i, j, k) count from the border's first voxel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radgs.kernels import kernel

#: Value, and gradient in the volume's RAS.
CHANNELS = 4


@kernel("int64(float64[:,::1], float64[:,::1], float64[::1], float64[::1], float64, float64[:,::1])")
def cut_rays(
    directions: NDArray[np.float64],
    to_index: NDArray[np.float64],
    source: NDArray[np.float64],
    upper: NDArray[np.float64],
    step_mm: float,
    spans: NDArray[np.float64],
) -> int:
    """Finds where rays enter and leave the volume, and the number of samples that all of them get.

    Args:
        directions: (R, 3) unit directions, world.
        to_index: (3, 4) world mm to index.
        source: (3,) where all rays begin, world mm.
        upper: (3,) last index.
        step_mm: Longest distance between samples.
        spans: (R, 2) receives distances from the source, mm; zeros for rays that miss.
    """
    longest = 0.0
    for ray in range(directions.shape[0]):
        near, far = 0.0, np.inf
        for axis in range(3):
            origin = to_index[axis, 3]
            slope = 0.0
            for world in range(3):
                origin += to_index[axis, world] * source[world]
                slope += to_index[axis, world] * directions[ray, world]
            if slope != 0.0:
                low, high = -origin / slope, (upper[axis] - origin) / slope
                near, far = max(near, min(low, high)), min(far, max(low, high))
            elif origin <= 0.0 or origin >= upper[axis]:
                far = 0.0
        if far > near:
            spans[ray, 0], spans[ray, 1] = near, far
            longest = max(longest, far - near)
        else:
            spans[ray, 0], spans[ray, 1] = 0.0, 0.0
    return max(1, int(np.ceil(longest / step_mm)))


@kernel(
    "void(float32[::1], int64, int64[::1], float64[:,::1], float64[:,::1], float64[::1], float64[:,::1], int64,"
    " float32[::1])"
)
def integrate(
    volume: NDArray[np.float32],
    channels: int,
    shape: NDArray[np.int64],
    directions: NDArray[np.float64],
    to_index: NDArray[np.float64],
    source: NDArray[np.float64],
    spans: NDArray[np.float64],
    samples: int,
    image: NDArray[np.float32],
) -> None:
    """Line integrals of a volume's first channel.

    Args:
        volume: Flat.
        channels: Values a voxel.
        shape: (3,) planes, rows and columns.
        directions: (R, 3) unit directions, world.
        to_index: (3, 4) world mm to index.
        source: (3,) where all rays begin, world mm.
        spans: (R, 2) where rays enter and leave.
        samples: Of each ray.
        image: (R,) receives the line integrals.
    """
    one, zero = np.float32(1.0), np.int32(0)
    last_i, last_j, last_k = np.int32(shape[2] - 2), np.int32(shape[1] - 2), np.int32(shape[0] - 2)
    along_j, along_k = shape[2] * channels, shape[1] * shape[2] * channels
    # Unsigned: numba asks of every signed index whether it counts from the end.
    i1, j1, k1 = np.uint64(channels), np.uint64(along_j), np.uint64(along_k)
    for ray in range(directions.shape[0]):
        step = (spans[ray, 1] - spans[ray, 0]) / samples
        if not step > 0.0:
            image[ray] = 0.0
            continue
        d0, d1, d2 = directions[ray, 0], directions[ray, 1], directions[ray, 2]
        first = spans[ray, 0] + step / 2
        p0, p1, p2 = source[0] + first * d0, source[1] + first * d1, source[2] + first * d2
        x0 = np.float32(to_index[0, 0] * p0 + to_index[0, 1] * p1 + to_index[0, 2] * p2 + to_index[0, 3])
        y0 = np.float32(to_index[1, 0] * p0 + to_index[1, 1] * p1 + to_index[1, 2] * p2 + to_index[1, 3])
        z0 = np.float32(to_index[2, 0] * p0 + to_index[2, 1] * p1 + to_index[2, 2] * p2 + to_index[2, 3])
        dx = np.float32(step * (to_index[0, 0] * d0 + to_index[0, 1] * d1 + to_index[0, 2] * d2))
        dy = np.float32(step * (to_index[1, 0] * d0 + to_index[1, 1] * d1 + to_index[1, 2] * d2))
        dz = np.float32(step * (to_index[2, 0] * d0 + to_index[2, 1] * d1 + to_index[2, 2] * d2))
        total = np.float32(0.0)
        for sample in range(samples):
            t = np.float32(sample)
            x, y, z = x0 + t * dx, y0 + t * dy, z0 + t * dz
            i, j, k = np.int32(x), np.int32(y), np.int32(z)
            i, j, k = max(min(i, last_i), zero), max(min(j, last_j), zero), max(min(k, last_k), zero)
            fx, fy, fz = x - np.float32(i), y - np.float32(j), z - np.float32(k)
            a = np.uint64(np.int64(k) * along_k + np.int64(j) * along_j + np.int64(i) * channels)
            b, c, d = a + j1, a + k1, a + k1 + j1
            va = volume[a] + fx * (volume[a + i1] - volume[a])
            vb = volume[b] + fx * (volume[b + i1] - volume[b])
            vc = volume[c] + fx * (volume[c + i1] - volume[c])
            vd = volume[d] + fx * (volume[d + i1] - volume[d])
            total += (one - fz) * (va + fy * (vb - va)) + fz * (vc + fy * (vd - vc))
        image[ray] = total * np.float32(step)


@kernel(
    "void(float32[::1], int64[::1], float64[:,::1], float64[:,::1], float64[::1], float64[:,::1], int64,"
    " float64[:,::1], float64[::1], float32[:,::1])"
)
def integrate_with_derivatives(
    volume: NDArray[np.float32],
    shape: NDArray[np.int64],
    directions: NDArray[np.float64],
    to_index: NDArray[np.float64],
    source: NDArray[np.float64],
    spans: NDArray[np.float64],
    samples: int,
    rotation: NDArray[np.float64],
    centre: NDArray[np.float64],
    images: NDArray[np.float32],
) -> None:
    """Line integrals of a volume of ``CHANNELS``, and their derivatives in a left-multiplied twist of its pose.

    Args:
        volume: Flat.
        shape: (3,) planes, rows and columns.
        directions: (R, 3) unit directions, world.
        to_index: (3, 4) world mm to index.
        source: (3,) where all rays begin, world mm.
        spans: (R, 2) where rays enter and leave.
        samples: Of each ray.
        rotation: (3, 3) of the pose.
        centre: (3,) the twist's fixed point, world mm.
        images: (7, R) receives line integrals, derivatives in three rotations (radians) and three translations (mm).
    """
    one, zero = np.float32(1.0), np.int32(0)
    last_i, last_j, last_k = np.int32(shape[2] - 2), np.int32(shape[1] - 2), np.int32(shape[0] - 2)
    along_j, along_k = shape[2] * CHANNELS, shape[1] * shape[2] * CHANNELS
    c1, c2, c3 = np.uint64(1), np.uint64(2), np.uint64(3)
    i1, j1, k1 = np.uint64(CHANNELS), np.uint64(along_j), np.uint64(along_k)
    for ray in range(directions.shape[0]):
        step = (spans[ray, 1] - spans[ray, 0]) / samples
        if not step > 0.0:
            images[:, ray] = 0.0
            continue
        d0, d1, d2 = directions[ray, 0], directions[ray, 1], directions[ray, 2]
        first = spans[ray, 0] + step / 2
        p0, p1, p2 = source[0] + first * d0, source[1] + first * d1, source[2] + first * d2
        x0 = np.float32(to_index[0, 0] * p0 + to_index[0, 1] * p1 + to_index[0, 2] * p2 + to_index[0, 3])
        y0 = np.float32(to_index[1, 0] * p0 + to_index[1, 1] * p1 + to_index[1, 2] * p2 + to_index[1, 3])
        z0 = np.float32(to_index[2, 0] * p0 + to_index[2, 1] * p1 + to_index[2, 2] * p2 + to_index[2, 3])
        dx = np.float32(step * (to_index[0, 0] * d0 + to_index[0, 1] * d1 + to_index[0, 2] * d2))
        dy = np.float32(step * (to_index[1, 0] * d0 + to_index[1, 1] * d1 + to_index[1, 2] * d2))
        dz = np.float32(step * (to_index[2, 0] * d0 + to_index[2, 1] * d1 + to_index[2, 2] * d2))
        value = gx = gy = gz = mx = my = mz = np.float32(0.0)
        for sample in range(samples):
            t = np.float32(sample)
            x, y, z = x0 + t * dx, y0 + t * dy, z0 + t * dz
            i, j, k = np.int32(x), np.int32(y), np.int32(z)
            i, j, k = max(min(i, last_i), zero), max(min(j, last_j), zero), max(min(k, last_k), zero)
            fx, fy, fz = x - np.float32(i), y - np.float32(j), z - np.float32(k)
            a = np.uint64(np.int64(k) * along_k + np.int64(j) * along_j + np.int64(i) * CHANNELS)
            b, c, d = a + j1, a + k1, a + k1 + j1
            e, f, g, h = a + i1, b + i1, c + i1, d + i1
            ex, ey, ez = one - fx, one - fy, one - fz
            wa, wb, wc, wd = ex * (ey * ez), ex * (fy * ez), ex * (ey * fz), ex * (fy * fz)
            we, wf, wg, wh = fx * (ey * ez), fx * (fy * ez), fx * (ey * fz), fx * (fy * fz)
            value += ((wa * volume[a] + we * volume[e]) + (wb * volume[b] + wf * volume[f])) + (
                (wc * volume[c] + wg * volume[g]) + (wd * volume[d] + wh * volume[h])
            )
            vx = ((wa * volume[a + c1] + we * volume[e + c1]) + (wb * volume[b + c1] + wf * volume[f + c1])) + (
                (wc * volume[c + c1] + wg * volume[g + c1]) + (wd * volume[d + c1] + wh * volume[h + c1])
            )
            vy = ((wa * volume[a + c2] + we * volume[e + c2]) + (wb * volume[b + c2] + wf * volume[f + c2])) + (
                (wc * volume[c + c2] + wg * volume[g + c2]) + (wd * volume[d + c2] + wh * volume[h + c2])
            )
            vz = ((wa * volume[a + c3] + we * volume[e + c3]) + (wb * volume[b + c3] + wf * volume[f + c3])) + (
                (wc * volume[c + c3] + wg * volume[g + c3]) + (wd * volume[d + c3] + wh * volume[h + c3])
            )
            gx, gy, gz = gx + vx, gy + vy, gz + vz
            mx, my, mz = mx + t * vx, my + t * vy, mz + t * vz
        images[0, ray] = value * np.float32(step)
        # Force -int g and torque -int (x - centre) x g, both in world axes; x = source + distance times direction.
        f0 = (rotation[0, 0] * gx + rotation[0, 1] * gy + rotation[0, 2] * gz) * -step
        f1 = (rotation[1, 0] * gx + rotation[1, 1] * gy + rotation[1, 2] * gz) * -step
        f2 = (rotation[2, 0] * gx + rotation[2, 1] * gy + rotation[2, 2] * gz) * -step
        m0 = (rotation[0, 0] * mx + rotation[0, 1] * my + rotation[0, 2] * mz) * -step * step + first * f0
        m1 = (rotation[1, 0] * mx + rotation[1, 1] * my + rotation[1, 2] * mz) * -step * step + first * f1
        m2 = (rotation[2, 0] * mx + rotation[2, 1] * my + rotation[2, 2] * mz) * -step * step + first * f2
        l0, l1, l2 = source[0] - centre[0], source[1] - centre[1], source[2] - centre[2]
        images[1, ray] = l1 * f2 - l2 * f1 + d1 * m2 - d2 * m1
        images[2, ray] = l2 * f0 - l0 * f2 + d2 * m0 - d0 * m2
        images[3, ray] = l0 * f1 - l1 * f0 + d0 * m1 - d1 * m0
        images[4, ray], images[5, ray], images[6, ray] = f0, f1, f2
