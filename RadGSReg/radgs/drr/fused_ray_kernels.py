"""The ray caster's Triton kernels: many volumes, poses and views in two launches, as ``ray_kernels`` has one of each.

The first cuts the rays and finds how many samples each image gets, the second integrates; nothing goes back to the host
in between. Geometry is in double precision, as it is everywhere else; positions and sums along a ray are single. This
module imports Triton: only ``fused_ray_caster`` imports it, where a probe or a test asks for it.
"""

from __future__ import annotations

import triton
import triton.language as tl

#: Numbers of a job: of ``geometries``, see ``fused_ray_caster.RayCast.table``; of ``sizes``, address, planes, rows and
#: columns of the volume, rows and columns of the image, and its first ray.
GEOMETRY, SIZES = tl.constexpr(31), tl.constexpr(7)


@triton.jit
def ray_direction(geometry: tl.tensor, column: tl.tensor, row: tl.tensor) -> tl.tensor:
    """Unit direction of a pixel's ray, world: (corner + column * column step + row * row step) / its length."""
    x = tl.load(geometry + 9) + column * tl.load(geometry + 3) + row * tl.load(geometry + 6)
    y = tl.load(geometry + 10) + column * tl.load(geometry + 4) + row * tl.load(geometry + 7)
    z = tl.load(geometry + 11) + column * tl.load(geometry + 5) + row * tl.load(geometry + 8)
    length = tl.sqrt(x * x + y * y + z * z)
    return x / length, y / length, z / length


@triton.jit
def to_index(geometry: tl.tensor, axis: tl.constexpr, x: tl.tensor, y: tl.tensor, z: tl.tensor) -> tl.tensor:
    """One component of a world vector in indices."""
    at = geometry + 12 + 4 * axis
    return tl.load(at) * x + tl.load(at + 1) * y + tl.load(at + 2) * z


@triton.jit
def narrowed(
    geometry: tl.tensor, axis: tl.constexpr, near: tl.tensor, far: tl.tensor, x: tl.tensor, y: tl.tensor, z: tl.tensor
) -> tl.tensor:
    """Entry and exit, narrowed to where a ray lies between two faces of the volume."""
    origin = to_index(geometry, axis, tl.load(geometry), tl.load(geometry + 1), tl.load(geometry + 2))
    origin += tl.load(geometry + 12 + 4 * axis + 3)
    slope = to_index(geometry, axis, x, y, z)
    upper = tl.load(geometry + 24 + axis)
    parallel = slope == 0.0
    divisor = tl.where(parallel, 1.0, slope)
    low, high = -origin / divisor, (upper - origin) / divisor
    beside = tl.where((origin <= 0.0) | (origin >= upper), 0.0, float("inf"))  # a ray along the faces is in or out
    near = tl.where(parallel, near, tl.maximum(near, tl.minimum(low, high)))
    return near, tl.minimum(far, tl.where(parallel, beside, tl.maximum(low, high)))


@triton.jit
def job_pixels(size: tl.tensor, BLOCK: tl.constexpr) -> tuple[tl.tensor, tl.tensor, tl.tensor, tl.tensor]:
    """This block's pixels, which of them the job's image has, its columns, and where its rays begin."""
    columns = tl.load(size + 5)
    pixel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    return pixel, pixel < tl.load(size + 4) * columns, columns, tl.load(size + 6)


@triton.jit
def cut_rays(
    geometries: tl.tensor, sizes: tl.tensor, spans: tl.tensor, samples: tl.tensor, total: tl.tensor, BLOCK: tl.constexpr
) -> None:
    """Entry and exit (2, total) of every ray, mm, and each job's number of samples: that of its longest ray."""
    job = tl.program_id(1)
    geometry, size = geometries + job * GEOMETRY, sizes + job * SIZES
    pixel, ours, columns, first_ray = job_pixels(size, BLOCK)
    x, y, z = ray_direction(geometry, (pixel % columns).to(tl.float64), (pixel // columns).to(tl.float64))
    near = tl.zeros([BLOCK], tl.float64)
    far = near + float("inf")
    near, far = narrowed(geometry, 0, near, far, x, y, z)
    near, far = narrowed(geometry, 1, near, far, x, y, z)
    near, far = narrowed(geometry, 2, near, far, x, y, z)
    hit = ours & (far > near)
    near, far = tl.where(hit, near, 0.0), tl.where(hit, far, 0.0)
    tl.store(spans + first_ray + pixel, near, ours)
    tl.store(spans + total + first_ray + pixel, far, ours)
    tl.atomic_max(samples + job, tl.max(tl.ceil((far - near) / tl.load(geometry + 27))).to(tl.int32))


@triton.jit
def integrate(
    geometries: tl.tensor,
    sizes: tl.tensor,
    spans: tl.tensor,
    samples: tl.tensor,
    images: tl.tensor,
    total: tl.tensor,
    DERIVATIVES: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """Line integrals, and with DERIVATIVES six derivatives, of all jobs: (7 or 1, total) images."""
    job = tl.program_id(1)
    geometry, size = geometries + job * GEOMETRY, sizes + job * SIZES
    pixel, ours, columns, first_ray = job_pixels(size, BLOCK)
    near = tl.load(spans + first_ray + pixel, ours, 0.0)
    far = tl.load(spans + total + first_ray + pixel, ours, 0.0)
    count = tl.maximum(tl.load(samples + job), 1)
    step = (far - near) / count
    first = near + 0.5 * step
    hit = ours & (step > 0.0)
    d0, d1, d2 = ray_direction(geometry, (pixel % columns).to(tl.float64), (pixel // columns).to(tl.float64))
    s0, s1, s2 = tl.load(geometry), tl.load(geometry + 1), tl.load(geometry + 2)
    p0, p1, p2 = s0 + first * d0, s1 + first * d1, s2 + first * d2
    x0 = (to_index(geometry, 0, p0, p1, p2) + tl.load(geometry + 15)).to(tl.float32)
    y0 = (to_index(geometry, 1, p0, p1, p2) + tl.load(geometry + 19)).to(tl.float32)
    z0 = (to_index(geometry, 2, p0, p1, p2) + tl.load(geometry + 23)).to(tl.float32)
    dx = (step * to_index(geometry, 0, d0, d1, d2)).to(tl.float32)
    dy = (step * to_index(geometry, 1, d0, d1, d2)).to(tl.float32)
    dz = (step * to_index(geometry, 2, d0, d1, d2)).to(tl.float32)

    volume = tl.load(size).to(tl.pointer_type(tl.float32))
    planes, rows_of, columns_of = tl.load(size + 1).to(tl.int32), tl.load(size + 2).to(tl.int32), tl.load(size + 3)
    columns_of = columns_of.to(tl.int32)
    last_i, last_j, last_k = columns_of - 2, rows_of - 2, planes - 2
    along_k = rows_of * columns_of
    value = tl.zeros([BLOCK], tl.float32)
    gx, gy, gz = value, value, value
    mx, my, mz = value, value, value
    for sample in range(count):
        t = sample * 1.0
        x, y, z = x0 + t * dx, y0 + t * dy, z0 + t * dz
        i = tl.minimum(tl.maximum(x.to(tl.int32), 0), last_i)
        j = tl.minimum(tl.maximum(y.to(tl.int32), 0), last_j)
        k = tl.minimum(tl.maximum(z.to(tl.int32), 0), last_k)
        fx, fy, fz = x - i.to(tl.float32), y - j.to(tl.float32), z - k.to(tl.float32)
        a = volume + k * along_k + j * columns_of + i
        b, c, d = a + columns_of, a + along_k, a + along_k + columns_of
        va, vb, vc, vd = tl.load(a, hit, 0.0), tl.load(b, hit, 0.0), tl.load(c, hit, 0.0), tl.load(d, hit, 0.0)
        # Along i at the four edges of the cell, then along j on its two faces, then along k.
        ia, ib = tl.load(a + 1, hit, 0.0) - va, tl.load(b + 1, hit, 0.0) - vb
        ic, id = tl.load(c + 1, hit, 0.0) - vc, tl.load(d + 1, hit, 0.0) - vd
        va, vb, vc, vd = va + fx * ia, vb + fx * ib, vc + fx * ic, vd + fx * id
        jl, jh = vb - va, vd - vc
        vl = va + fy * jl
        vz = vc + fy * jh - vl
        value += vl + fz * vz
        if DERIVATIVES:
            ia, ic = ia + fy * (ib - ia), ic + fy * (id - ic)
            vx = tl.where((i > 0) & (i < last_i), ia + fz * (ic - ia), 0.0)
            vy = tl.where((j > 0) & (j < last_j), jl + fz * (jh - jl), 0.0)
            vz = tl.where((k > 0) & (k < last_k), vz, 0.0)
            gx, gy, gz = gx + vx, gy + vy, gz + vz
            mx, my, mz = mx + t * vx, my + t * vy, mz + t * vz

    at = images + first_ray + pixel
    tl.store(at, tl.where(hit, value * step.to(tl.float32), 0.0), ours)
    if DERIVATIVES:
        gx, gy, gz, mx, my, mz = gx * -step, gy * -step, gz * -step, mx * -step, my * -step, mz * -step
        # Force and torque in world axes, the force without what lies along the ray: as in ``ray_kernels``.
        m = geometry + 12
        f0 = tl.load(m) * gx + tl.load(m + 4) * gy + tl.load(m + 8) * gz
        f1 = tl.load(m + 1) * gx + tl.load(m + 5) * gy + tl.load(m + 9) * gz
        f2 = tl.load(m + 2) * gx + tl.load(m + 6) * gy + tl.load(m + 10) * gz
        along = f0 * d0 + f1 * d1 + f2 * d2
        f0, f1, f2 = f0 - along * d0, f1 - along * d1, f2 - along * d2
        m0 = (tl.load(m) * mx + tl.load(m + 4) * my + tl.load(m + 8) * mz) * step + first * f0
        m1 = (tl.load(m + 1) * mx + tl.load(m + 5) * my + tl.load(m + 9) * mz) * step + first * f1
        m2 = (tl.load(m + 2) * mx + tl.load(m + 6) * my + tl.load(m + 10) * mz) * step + first * f2
        l0, l1, l2 = s0 - tl.load(geometry + 28), s1 - tl.load(geometry + 29), s2 - tl.load(geometry + 30)
        t0, t1, t2 = l1 * f2 - l2 * f1, l2 * f0 - l0 * f2, l0 * f1 - l1 * f0
        t0, t1, t2 = t0 + d1 * m2 - d2 * m1, t1 + d2 * m0 - d0 * m2, t2 + d0 * m1 - d1 * m0
        tl.store(at + total, tl.where(hit, t0, 0.0).to(tl.float32), ours)
        tl.store(at + 2 * total, tl.where(hit, t1, 0.0).to(tl.float32), ours)
        tl.store(at + 3 * total, tl.where(hit, t2, 0.0).to(tl.float32), ours)
        tl.store(at + 4 * total, tl.where(hit, f0, 0.0).to(tl.float32), ours)
        tl.store(at + 5 * total, tl.where(hit, f1, 0.0).to(tl.float32), ours)
        tl.store(at + 6 * total, tl.where(hit, f2, 0.0).to(tl.float32), ours)
