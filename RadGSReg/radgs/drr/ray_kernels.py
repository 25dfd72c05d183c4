"""The ray caster's inner loops, compiled: what ``VolumeRenderer`` computes with ``grid_sample``, a ray at a time.

Volumes lie flat, with a border of zeros one voxel wide: interpolation fades to zero there, and no sample needs to ask
where the volume ends. Indices (i, j, k) count from the border's first voxel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radgs.kernels import kernel


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
    "void(float32[::1], int64[::1], float64[:,::1], float64[:,::1], float64[::1], float64[:,::1], int64, float32[::1])"
)
def integrate(
    volume: NDArray[np.float32],
    shape: NDArray[np.int64],
    directions: NDArray[np.float64],
    to_index: NDArray[np.float64],
    source: NDArray[np.float64],
    spans: NDArray[np.float64],
    samples: int,
    image: NDArray[np.float32],
) -> None:
    """Line integrals of a volume.

    Args:
        volume: Flat.
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
    along_j, along_k = shape[2], shape[1] * shape[2]
    # Unsigned: numba asks of every signed index whether it counts from the end.
    i1, j1, k1 = np.uint64(1), np.uint64(along_j), np.uint64(along_k)
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
            a = np.uint64(np.int64(k) * along_k + np.int64(j) * along_j + np.int64(i))
            b, c, d = a + j1, a + k1, a + k1 + j1
            va = volume[a] + fx * (volume[a + i1] - volume[a])
            vb = volume[b] + fx * (volume[b + i1] - volume[b])
            vc = volume[c] + fx * (volume[c + i1] - volume[c])
            vd = volume[d] + fx * (volume[d + i1] - volume[d])
            total += (one - fz) * (va + fy * (vb - va)) + fz * (vc + fy * (vd - vc))
        image[ray] = total * np.float32(step)


@kernel(
    "void(float32[::1], int64[::1], float64[:,::1], float64[:,::1], float64[::1], float64[:,::1], int64,"
    " float64[::1], float32[:,::1])"
)
def integrate_with_derivatives(
    volume: NDArray[np.float32],
    shape: NDArray[np.int64],
    directions: NDArray[np.float64],
    to_index: NDArray[np.float64],
    source: NDArray[np.float64],
    spans: NDArray[np.float64],
    samples: int,
    centre: NDArray[np.float64],
    images: NDArray[np.float32],
) -> None:
    """Line integrals of a volume and their derivatives in a left-multiplied twist of its pose.

    The gradient is that of the interpolation itself. Along an axis on which a sample lies between the outermost voxel
    centres and the border it counts for nothing: there the volume ends.

    Args:
        volume: Flat.
        shape: (3,) planes, rows and columns.
        directions: (R, 3) unit directions, world.
        to_index: (3, 4) world mm to index.
        source: (3,) where all rays begin, world mm.
        spans: (R, 2) where rays enter and leave.
        samples: Of each ray.
        centre: (3,) the twist's fixed point, world mm.
        images: (7, R) receives line integrals, derivatives in three rotations (radians) and three translations (mm).
    """
    nothing, zero = np.float32(0.0), np.int32(0)
    last_i, last_j, last_k = np.int32(shape[2] - 2), np.int32(shape[1] - 2), np.int32(shape[0] - 2)
    along_j, along_k = shape[2], shape[1] * shape[2]
    i1, j1, k1 = np.uint64(1), np.uint64(along_j), np.uint64(along_k)
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
            a = np.uint64(np.int64(k) * along_k + np.int64(j) * along_j + np.int64(i))
            b, c, d = a + j1, a + k1, a + k1 + j1
            va, vb, vc, vd = volume[a], volume[b], volume[c], volume[d]
            # Along i at the four edges of the cell, then along j on its two faces, then along k.
            ia, ib, ic, id = volume[a + i1] - va, volume[b + i1] - vb, volume[c + i1] - vc, volume[d + i1] - vd
            va, vb, vc, vd = va + fx * ia, vb + fx * ib, vc + fx * ic, vd + fx * id
            jl, jh = vb - va, vd - vc
            vl, vh = va + fy * jl, vc + fy * jh
            vz = vh - vl
            value += vl + fz * vz
            ia, ic = ia + fy * (ib - ia), ic + fy * (id - ic)
            vx, vy = ia + fz * (ic - ia), jl + fz * (jh - jl)
            vx = vx if zero < i < last_i else nothing
            vy = vy if zero < j < last_j else nothing
            vz = vz if zero < k < last_k else nothing
            gx, gy, gz = gx + vx, gy + vy, gz + vz
            mx, my, mz = mx + t * vx, my + t * vy, mz + t * vz
        images[0, ray] = value * np.float32(step)
        # Force -int g and torque -int (x - centre) x g, both in world axes; x = source + distance times direction. What
        # lies along the ray is left out of the force: sliding along itself changes no ray.
        f0 = (to_index[0, 0] * gx + to_index[1, 0] * gy + to_index[2, 0] * gz) * -step
        f1 = (to_index[0, 1] * gx + to_index[1, 1] * gy + to_index[2, 1] * gz) * -step
        f2 = (to_index[0, 2] * gx + to_index[1, 2] * gy + to_index[2, 2] * gz) * -step
        along = f0 * d0 + f1 * d1 + f2 * d2
        f0, f1, f2 = f0 - along * d0, f1 - along * d1, f2 - along * d2
        m0 = (to_index[0, 0] * mx + to_index[1, 0] * my + to_index[2, 0] * mz) * -step * step + first * f0
        m1 = (to_index[0, 1] * mx + to_index[1, 1] * my + to_index[2, 1] * mz) * -step * step + first * f1
        m2 = (to_index[0, 2] * mx + to_index[1, 2] * my + to_index[2, 2] * mz) * -step * step + first * f2
        l0, l1, l2 = source[0] - centre[0], source[1] - centre[1], source[2] - centre[2]
        images[1, ray] = l1 * f2 - l2 * f1 + d1 * m2 - d2 * m1
        images[2, ray] = l2 * f0 - l0 * f2 + d2 * m0 - d0 * m2
        images[3, ray] = l0 * f1 - l1 * f0 + d0 * m1 - d1 * m0
        images[4, ray], images[5, ray], images[6, ray] = f0, f1, f2
