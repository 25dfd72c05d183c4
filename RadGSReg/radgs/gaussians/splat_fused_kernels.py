"""Splatting's Triton kernels: project, bin, add up. ``footprint`` and ``splat_jacobian`` say what the numbers mean.

Gaussians are projected in double precision and binned by the squares of pixels they reach; a tile of pixels then adds
up its square's Gaussians, in their own order: sums do not depend on which program ran first. This module imports
Triton: only ``splat_fused`` imports it, where a probe or a test asks for it.
"""

from __future__ import annotations

import triton
import triton.language as tl

#: Numbers of a Gaussian in the table; numbers of a view.
ROW, VIEW = tl.constexpr(20), tl.constexpr(24)


@triton.jit
def reach(q11: tl.tensor, q12: tl.tensor, q22: tl.tensor, q1: tl.tensor, q2: tl.tensor, q0: tl.tensor) -> tl.tensor:
    """How far the ellipse q reaches to both sides of the centre along its second axis; to infinity if it is none."""
    curve = q11 * q22 - q12 * q12
    slope = q11 * q2 - q12 * q1
    bounded = (q11 > 0.0) & (curve > 1e-9 * q11 * q22)
    divisor = tl.where(bounded, curve, 1.0)
    half = tl.sqrt(tl.maximum(slope * slope - (q11 * q0 - q1 * q1) * curve, 0.0))
    low = tl.where(bounded, (-slope - half) / divisor, -1e9)
    return low, tl.where(bounded, (-slope + half) / divisor, 1e9)


@triton.jit
def moved(
    whitening: tl.tensor, n: tl.tensor, ours: tl.tensor, count: tl.tensor, x: tl.tensor, y: tl.tensor, z: tl.tensor
) -> tl.tensor:
    """V times a vector, V from (3, 3, N)."""
    at = whitening + n
    u = tl.load(at, ours, 0.0) * x + tl.load(at + count, ours, 0.0) * y + tl.load(at + 2 * count, ours, 0.0) * z
    at += 3 * count
    v = tl.load(at, ours, 0.0) * x + tl.load(at + count, ours, 0.0) * y + tl.load(at + 2 * count, ours, 0.0) * z
    at += 3 * count
    w = tl.load(at, ours, 0.0) * x + tl.load(at + count, ours, 0.0) * y + tl.load(at + 2 * count, ours, 0.0) * z
    return u, v, w


@triton.jit
def cross(x: tl.tensor, y: tl.tensor, z: tl.tensor, u: tl.tensor, v: tl.tensor, w: tl.tensor) -> tl.tensor:
    """The cross product."""
    return y * w - z * v, z * u - x * w, x * v - y * u


@triton.jit
def project(
    means: tl.tensor,
    whitening: tl.tensor,
    densities: tl.tensor,
    views: tl.tensor,
    table: tl.tensor,
    boxes: tl.tensor,
    count: tl.tensor,
    BLOCK: tl.constexpr,
) -> None:
    """Coefficients (B, N, 20) of every Gaussian's line integral, and its box (B, 4, N): rows and columns it reaches."""
    pose = tl.program_id(1)
    view = views + pose * VIEW
    n = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    ours = n < count
    x = tl.load(means + 3 * n, ours, 0.0) - tl.load(view)
    y = tl.load(means + 3 * n + 1, ours, 0.0) - tl.load(view + 1)
    z = tl.load(means + 3 * n + 2, ours, 0.0) - tl.load(view + 2)
    b = view + 3  # (3, 3) columns: column step, row step, source to pixel (0, 0); then its inverse
    across = tl.load(b + 9) * x + tl.load(b + 10) * y + tl.load(b + 11) * z
    down = tl.load(b + 12) * x + tl.load(b + 13) * y + tl.load(b + 14) * z
    depth = tl.load(b + 15) * x + tl.load(b + 16) * y + tl.load(b + 17) * z
    variance = tl.load(view + 22)
    seen = ours & (depth > tl.load(view + 21))
    depth = tl.where(seen, depth, 1.0)
    across, down = across / depth, down / depth
    u0, u1, u2 = moved(whitening, n, ours, count, tl.load(b), tl.load(b + 3), tl.load(b + 6))
    v0, v1, v2 = moved(whitening, n, ours, count, tl.load(b + 1), tl.load(b + 4), tl.load(b + 7))
    w0, w1, w2 = moved(whitening, n, ours, count, x, y, z)
    e0, e1, e2 = cross(u0, u1, u2, w0, w1, w2)
    f0, f1, f2 = cross(v0, v1, v2, w0, w1, w2)
    s0, s1, s2 = cross(v0, v1, v2, u0, u1, u2)
    w0, w1, w2 = w0 / depth, w1 / depth, w2 / depth
    n11, n12, n22 = e0 * e0 + e1 * e1 + e2 * e2, e0 * f0 + e1 * f1 + e2 * f2, f0 * f0 + f1 * f1 + f2 * f2
    a0, a1, a2 = w0 * w0 + w1 * w1 + w2 * w2, w0 * u0 + w1 * u1 + w2 * u2, w0 * v0 + w1 * v1 + w2 * v2
    a11, a12, a22 = u0 * u0 + u1 * u1 + u2 * u2, u0 * v0 + u1 * v1 + u2 * v2, v0 * v0 + v1 * v1 + v2 * v2
    q11, q12, q22 = n11 - variance * a11, n12 - variance * a12, n22 - variance * a22
    q1, q2, q0 = -variance * a1, -variance * a2, -variance * a0
    up, low = reach(q11, q12, q22, q1, q2, q0)
    left, right = reach(q22, q12, q11, q2, q1, q0)
    margin = tl.load(view + 23)
    box = boxes + pose * 4 * count + n
    limit = 1e6
    first = tl.floor(tl.minimum(tl.maximum(down + up - margin, -limit), limit))
    tl.store(box, tl.where(seen, first, limit).to(tl.int32), ours)
    tl.store(box + count, tl.ceil(tl.minimum(tl.maximum(down + low + margin, -limit), limit)).to(tl.int32), ours)
    first = tl.floor(tl.minimum(tl.maximum(across + left - margin, -limit), limit))
    tl.store(box + 2 * count, first.to(tl.int32), ours)
    tl.store(
        box + 3 * count, tl.ceil(tl.minimum(tl.maximum(across + right + margin, -limit), limit)).to(tl.int32), ours
    )
    column, row = tl.floor(across + 0.5), tl.floor(down + 0.5)  # single precision holds what is left of a pixel
    at = table + (pose * count + n) * ROW
    tl.store(at, column.to(tl.float32), ours)
    tl.store(at + 1, row.to(tl.float32), ours)
    tl.store(at + 2, (across - column).to(tl.float32), ours)
    tl.store(at + 3, (down - row).to(tl.float32), ours)
    amplitude = tl.load(densities + n, ours, 0.0) * 2.5066282746310002
    tl.store(at + 4, tl.where(seen, amplitude, 0.0), ours)
    tl.store(at + 5, (1.0 / depth).to(tl.float32), ours)
    tl.store(at + 6, n11.to(tl.float32), ours)
    tl.store(at + 7, n12.to(tl.float32), ours)
    tl.store(at + 8, n22.to(tl.float32), ours)
    tl.store(at + 9, a0.to(tl.float32), ours)
    tl.store(at + 10, a1.to(tl.float32), ours)
    tl.store(at + 11, a2.to(tl.float32), ours)
    tl.store(at + 12, a11.to(tl.float32), ours)
    tl.store(at + 13, a12.to(tl.float32), ours)
    tl.store(at + 14, a22.to(tl.float32), ours)
    tl.store(at + 15, (e0 * s0 + e1 * s1 + e2 * s2).to(tl.float32), ours)
    tl.store(at + 16, (f0 * s0 + f1 * s1 + f2 * s2).to(tl.float32), ours)


@triton.jit
def bin_gaussians(
    boxes: tl.tensor,
    members: tl.tensor,
    lengths: tl.tensor,
    count: tl.tensor,
    across: tl.tensor,
    SIDE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """The Gaussians (B, T, N) that reach each square of SIDE pixels, in their order, and how many (B, T)."""
    square, pose = tl.program_id(0), tl.program_id(1)
    slot = pose * tl.num_programs(0) + square
    top, left = (square // across) * SIDE, (square % across) * SIDE
    box = boxes + pose * 4 * count
    found = 0
    for first in range(0, count, BLOCK):
        n = first + tl.arange(0, BLOCK)
        ours = n < count
        here = ours & (tl.load(box + n, ours, 0) < top + SIDE) & (tl.load(box + count + n, ours, 0) >= top)
        here &= tl.load(box + 2 * count + n, ours, 0) < left + SIDE
        here &= tl.load(box + 3 * count + n, ours, 0) >= left
        one = here.to(tl.int32)
        tl.store(members + slot.to(tl.int64) * count + found + tl.cumsum(one, 0) - 1, n, here)
        found += tl.sum(one, 0)
    tl.store(lengths + slot, found)


@triton.jit
def accumulate(
    table: tl.tensor,
    boxes: tl.tensor,
    members: tl.tensor,
    lengths: tl.tensor,
    sums: tl.tensor,
    count: tl.tensor,
    rows: tl.tensor,
    columns: tl.tensor,
    squares: tl.tensor,
    across: tl.tensor,
    held: tl.tensor,
    variance: tl.tensor,
    DERIVATIVES: tl.constexpr,
    SIDE: tl.constexpr,
    TILE: tl.constexpr,
    SHARES: tl.constexpr,
) -> None:
    """Adds up a share of each tile's Gaussians: (SHARES, B, 5 or 1, rows, columns) sums."""
    tiles = tl.cdiv(columns, TILE)
    top, left = (tl.program_id(0) // tiles) * TILE, (tl.program_id(0) % tiles) * TILE
    share, pose = tl.program_id(1), tl.program_id(2)
    slot = pose * squares + (top // SIDE) * across + left // SIDE
    length = tl.load(lengths + slot)
    each = tl.cdiv(length, SHARES)
    i = tl.arange(0, TILE * TILE)
    row, column = top + i // TILE, left + i % TILE
    ours = (row < rows) & (column < columns)
    y, x = row.to(tl.float32), column.to(tl.float32)
    value = tl.zeros([TILE * TILE], tl.float32)
    k1, k2, k3, k4 = value, value, value, value
    box = boxes + pose * 4 * count
    for number in range(share * each, tl.minimum(length, (share + 1) * each)):
        n = tl.load(members + slot.to(tl.int64) * count + number)
        near = (tl.load(box + n) < top + TILE) & (tl.load(box + count + n) >= top)
        near = near & (tl.load(box + 2 * count + n) < left + TILE) & (tl.load(box + 3 * count + n) >= left)
        if near:
            p = table + (pose * count + n).to(tl.int64) * ROW
            du, dv = (x - tl.load(p)) - tl.load(p + 2), (y - tl.load(p + 1)) - tl.load(p + 3)
            n11, n12, n22 = tl.load(p + 6), tl.load(p + 7), tl.load(p + 8)
            a1, a2, a11 = tl.load(p + 10), tl.load(p + 11), tl.load(p + 12)
            a12, a22 = tl.load(p + 13), tl.load(p + 14)
            au, av = a1 + a11 * du + a12 * dv, a2 + a12 * du + a22 * dv
            inverse = 1.0 / (tl.load(p + 9) + a1 * du + a2 * dv + au * du + av * dv)
            nu, nv = n11 * du + n12 * dv, n12 * du + n22 * dv
            q = (nu * du + nv * dv) * inverse
            one = tl.where(q <= variance, tl.exp(-0.5 * q), 0.0) * tl.sqrt(inverse) * tl.load(p + 4)
            value += one
            if DERIVATIVES:
                shallow = tl.load(p + 5)
                swirl = tl.load(p + 15) * du + tl.load(p + 16) * dv
                weight, lag, spread = -inverse * one, 1.0 - held * shallow, 1.0 - q
                k1 += weight * (lag * nu + held * dv * swirl + spread * au)
                k2 += weight * (lag * nv - held * du * swirl + spread * av)
                k3 += weight * (shallow * nu - dv * swirl)
                k4 += weight * (shallow * nv + du * swirl)
    plane = rows * columns
    if DERIVATIVES:
        at = sums + ((share * tl.num_programs(2) + pose) * 5).to(tl.int64) * plane + row * columns + column
        tl.store(at, value, ours)
        tl.store(at + plane, k1, ours)
        tl.store(at + 2 * plane, k2, ours)
        tl.store(at + 3 * plane, k3, ours)
        tl.store(at + 4 * plane, k4, ours)
    else:
        at = sums + (share * tl.num_programs(2) + pose).to(tl.int64) * plane + row * columns + column
        tl.store(at, value, ours)
