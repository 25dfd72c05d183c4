"""Voxelization's Triton kernels: boxes, lists, sums, moments. ``voxel_runs`` says what the numbers mean.

Gaussians are listed by the cubes of voxels they reach; each cube adds up its own, in their order, and each Gaussian
sums its moments over its own box: results do not depend on which program ran first. This module imports Triton: only
``voxel_fused`` imports it, where a probe or a test asks for it.
"""

from __future__ import annotations

import triton
import triton.language as tl

#: What is summed of a Gaussian.
MOMENTS = tl.constexpr(10)


@triton.jit
def interval(middle: tl.tensor, variance: tl.tensor, size: tl.tensor) -> tl.tensor:
    """First and last of the voxels 0..size-1 within the root of ``variance`` of ``middle``; none where first > last."""
    half = tl.sqrt(variance)
    limit = size.to(tl.float64)
    first = tl.ceil(tl.minimum(tl.maximum(middle - half, 0.0), limit))
    last = tl.floor(tl.minimum(tl.maximum(middle + half, -1.0), limit - 1.0))
    return first.to(tl.int32), last.to(tl.int32)


@triton.jit
def find_boxes(
    centres: tl.tensor,
    precisions: tl.tensor,
    boxes: tl.tensor,
    count: tl.tensor,
    columns: tl.tensor,
    rows: tl.tensor,
    slices: tl.tensor,
    variance: tl.tensor,
    BLOCK: tl.constexpr,
) -> None:
    """Boxes (6, N) of the voxels that Gaussians reach: first and last along i, j, k; what is no ellipsoid has none."""
    n = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    ours = n < count
    p = precisions + 9 * n
    ii, ij, ik = tl.load(p, ours, 1.0), tl.load(p + 1, ours, 0.0), tl.load(p + 2, ours, 0.0)
    jj, jk, kk = tl.load(p + 4, ours, 1.0), tl.load(p + 5, ours, 0.0), tl.load(p + 8, ours, 1.0)
    ii, ij, ik = ii.to(tl.float64), ij.to(tl.float64), ik.to(tl.float64)
    jj, jk, kk = jj.to(tl.float64), jk.to(tl.float64), kk.to(tl.float64)
    across_i, across_j, across_k = jj * kk - jk * jk, ii * kk - ik * ik, ii * jj - ij * ij
    determinant = ii * across_i - ij * (ij * kk - jk * ik) + ik * (ij * jk - jj * ik)
    c = centres + 3 * n
    i, j, k = tl.load(c, ours, 0.0), tl.load(c + 1, ours, 0.0), tl.load(c + 2, ours, 0.0)
    finite = tl.abs(i) + tl.abs(j) + tl.abs(k) + ii.to(tl.float32) + jj.to(tl.float32) + kk.to(tl.float32) < 1e30
    real = finite & (ii > 0.0) & (across_k > 0.0) & (determinant > 0.0)
    share = variance / tl.where(real, determinant, 1.0)
    none = tl.zeros([BLOCK], tl.int32)
    first, last = interval(i.to(tl.float64), tl.where(real, across_i * share, 0.0), columns)
    tl.store(boxes + n, tl.where(real, first, none), ours)
    tl.store(boxes + count + n, tl.where(real, last, none - 1), ours)
    first, last = interval(j.to(tl.float64), tl.where(real, across_j * share, 0.0), rows)
    tl.store(boxes + 2 * count + n, tl.where(real, first, none), ours)
    tl.store(boxes + 3 * count + n, tl.where(real, last, none - 1), ours)
    first, last = interval(k.to(tl.float64), tl.where(real, across_k * share, 0.0), slices)
    tl.store(boxes + 4 * count + n, tl.where(real, first, none), ours)
    tl.store(boxes + 5 * count + n, tl.where(real, last, none - 1), ours)


@triton.jit
def list_gaussians(
    boxes: tl.tensor,
    members: tl.tensor,
    lengths: tl.tensor,
    count: tl.tensor,
    across: tl.tensor,
    down: tl.tensor,
    layer: tl.tensor,
    SIDE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """The Gaussians (C, N) that reach each cube of SIDE voxels from a layer of them on, in order; how many (C,)."""
    cube = tl.program_id(0)
    i, j = (cube % across) * SIDE, (cube // across % down) * SIDE
    k = (layer + cube // (across * down)) * SIDE
    found = 0
    for first in range(0, count, BLOCK):
        n = first + tl.arange(0, BLOCK)
        ours = n < count
        at = boxes + n
        here = ours & (tl.load(at, ours, 0) < i + SIDE) & (tl.load(at + count, ours, -1) >= i)
        here &= (tl.load(at + 2 * count, ours, 0) < j + SIDE) & (tl.load(at + 3 * count, ours, -1) >= j)
        here &= (tl.load(at + 4 * count, ours, 0) < k + SIDE) & (tl.load(at + 5 * count, ours, -1) >= k)
        one = here.to(tl.int32)
        tl.store(members + cube.to(tl.int64) * count + found + tl.cumsum(one, 0) - 1, n, here)
        found += tl.sum(one, 0)
    tl.store(lengths + cube, found)


@triton.jit
def profile(
    centres: tl.tensor, precisions: tl.tensor, n: tl.tensor, x: tl.tensor, y: tl.tensor, z: tl.tensor, variance: float
) -> tl.tensor:
    """exp(-q / 2) of a Gaussian at voxels (x, y, z), zero beyond the cutoff, and their offsets from its centre."""
    c, p = centres + 3 * n, precisions + 9 * n
    di, dj, dk = x - tl.load(c), y - tl.load(c + 1), z - tl.load(c + 2)
    along = tl.load(p) * di + 2.0 * (tl.load(p + 1) * dj + tl.load(p + 2) * dk)
    q = along * di + (tl.load(p + 4) * dj + 2.0 * tl.load(p + 5) * dk) * dj + tl.load(p + 8) * dk * dk
    return tl.where(q <= variance, tl.exp(-0.5 * q), 0.0), di, dj, dk


@triton.jit
def add_profiles(
    centres: tl.tensor,
    precisions: tl.tensor,
    densities: tl.tensor,
    members: tl.tensor,
    lengths: tl.tensor,
    volume: tl.tensor,
    count: tl.tensor,
    columns: tl.tensor,
    rows: tl.tensor,
    slices: tl.tensor,
    across: tl.tensor,
    down: tl.tensor,
    layer: tl.tensor,
    variance: tl.tensor,
    SIDE: tl.constexpr,
) -> None:
    """Writes each cube of the volume (slices, rows, columns): the sum of the Gaussians listed for it."""
    cube = tl.program_id(0)
    v = tl.arange(0, SIDE * SIDE * SIDE)
    i, j = (cube % across) * SIDE + v % SIDE, (cube // across % down) * SIDE + v // SIDE % SIDE
    k = (layer + cube // (across * down)) * SIDE + v // (SIDE * SIDE)
    x, y, z = i.to(tl.float32), j.to(tl.float32), k.to(tl.float32)
    value = tl.zeros([SIDE * SIDE * SIDE], tl.float32)
    for number in range(tl.load(lengths + cube)):
        n = tl.load(members + cube.to(tl.int64) * count + number)
        one, _di, _dj, _dk = profile(centres, precisions, n, x, y, z, variance)
        value += one * tl.load(densities + n)
    ours = (i < columns) & (j < rows) & (k < slices)
    tl.store(volume + (k.to(tl.int64) * rows + j) * columns + i, value, ours)


@triton.jit
def sum_moments(
    centres: tl.tensor,
    precisions: tl.tensor,
    boxes: tl.tensor,
    weights: tl.tensor,
    moments: tl.tensor,
    count: tl.tensor,
    columns: tl.tensor,
    rows: tl.tensor,
    variance: tl.tensor,
    BLOCK: tl.constexpr,
) -> None:
    """Moments (N, 10) of every Gaussian's profile times the voxels' weights (slices, rows, columns)."""
    n = tl.program_id(0)
    box = boxes + n
    i0, j0, k0 = tl.load(box), tl.load(box + 2 * count), tl.load(box + 4 * count)
    wide, high = tl.load(box + count) - i0 + 1, tl.load(box + 3 * count) - j0 + 1
    deep = tl.load(box + 5 * count) - k0 + 1
    nowhere = (wide <= 0) | (high <= 0) | (deep <= 0)
    total = tl.where(nowhere, 0, wide * high * deep)
    wide, high = tl.maximum(wide, 1), tl.maximum(high, 1)
    m0 = tl.zeros([BLOCK], tl.float32)
    m1, m2, m3, m4, m5, m6, m7, m8, m9 = m0, m0, m0, m0, m0, m0, m0, m0, m0
    for first in range(0, total, BLOCK):
        v = first + tl.arange(0, BLOCK)
        i, j, k = i0 + v % wide, j0 + v // wide % high, k0 + v // (wide * high)
        x, y, z = i.to(tl.float32), j.to(tl.float32), k.to(tl.float32)
        one, di, dj, dk = profile(centres, precisions, n, x, y, z, variance)
        w = one * tl.load(weights + (k.to(tl.int64) * rows + j) * columns + i, v < total, 0.0)
        m0 += w
        m1 += w * di
        m2 += w * dj
        m3 += w * dk
        m4 += w * di * di
        m5 += w * di * dj
        m6 += w * di * dk
        m7 += w * dj * dj
        m8 += w * dj * dk
        m9 += w * dk * dk
    at = moments + n * MOMENTS
    tl.store(at, tl.sum(m0, 0))
    tl.store(at + 1, tl.sum(m1, 0))
    tl.store(at + 2, tl.sum(m2, 0))
    tl.store(at + 3, tl.sum(m3, 0))
    tl.store(at + 4, tl.sum(m4, 0))
    tl.store(at + 5, tl.sum(m5, 0))
    tl.store(at + 6, tl.sum(m6, 0))
    tl.store(at + 7, tl.sum(m7, 0))
    tl.store(at + 8, tl.sum(m8, 0))
    tl.store(at + 9, tl.sum(m9, 0))
