"""Splatting's inner loops, compiled: what ``footprints`` and ``accumulate_windowed`` compute, a Gaussian at a time.

``footprint`` and ``runs`` say what the coefficients mean and where a Gaussian's rows and runs end.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from radgs.kernels import kernel

#: What ``project`` writes of a Gaussian, all about its centre's projection; amplitude 0: not seen.
(
    ACROSS, DOWN, AMPLITUDE, DEPTH_RATIO, N11, N12, N22, A0, A1, A2, A11, A12, A22, SKEW1, SKEW2, FIRST_ROW, LAST_ROW,
) = range(17)  # fmt: skip
COEFFICIENTS = 17


@kernel(
    "void(float64[:,::1], float64[:,:,::1], float32[::1], float64[::1], float64[:,::1], float64[:,::1], float64,"
    " float64, float64, float64[:,::1])"
)
def project(
    means: NDArray[np.float64],
    whitening: NDArray[np.float64],
    densities: NDArray[np.float32],
    source: NDArray[np.float64],
    basis: NDArray[np.float64],
    to_pixel: NDArray[np.float64],
    nearest: float,
    cutoff_sigma: float,
    margin: float,
    table: NDArray[np.float64],
) -> None:
    """Coefficients of every Gaussian's line integral, and the rows it reaches.

    Args:
        means: (N, 3) centres, mm.
        whitening: (3, 3, N) the maps V.
        densities: (N,) attenuation at the centres, 1/mm.
        source: (3,) focal spot, in the frame of the Gaussians.
        basis: (3, 3) columns: column step, row step, and the vector from the source to pixel (0, 0), mm.
        to_pixel: (3, 3) the basis' inverse.
        nearest: Gaussians at a smaller share of the detector's depth are not seen.
        cutoff_sigma: Where Gaussians end.
        margin: What is added to the rows' ends, pixels.
        table: (N, 17) receives the coefficients.
    """
    variance = cutoff_sigma * cutoff_sigma
    for n in range(means.shape[0]):
        x, y, z = means[n, 0] - source[0], means[n, 1] - source[1], means[n, 2] - source[2]
        depth = to_pixel[2, 0] * x + to_pixel[2, 1] * y + to_pixel[2, 2] * z
        if not depth > nearest:
            table[n, AMPLITUDE] = 0.0
            continue
        u0, u1, u2 = 0.0, 0.0, 0.0  # V times the column step, the row step and the centre
        v0, v1, v2 = 0.0, 0.0, 0.0
        w0, w1, w2 = 0.0, 0.0, 0.0
        for c in range(3):
            centre = x if c == 0 else (y if c == 1 else z)
            u0 += whitening[0, c, n] * basis[c, 0]
            u1 += whitening[1, c, n] * basis[c, 0]
            u2 += whitening[2, c, n] * basis[c, 0]
            v0 += whitening[0, c, n] * basis[c, 1]
            v1 += whitening[1, c, n] * basis[c, 1]
            v2 += whitening[2, c, n] * basis[c, 1]
            w0 += whitening[0, c, n] * centre
            w1 += whitening[1, c, n] * centre
            w2 += whitening[2, c, n] * centre
        e0, e1, e2 = u1 * w2 - u2 * w1, u2 * w0 - u0 * w2, u0 * w1 - u1 * w0
        f0, f1, f2 = v1 * w2 - v2 * w1, v2 * w0 - v0 * w2, v0 * w1 - v1 * w0
        s0, s1, s2 = v1 * u2 - v2 * u1, v2 * u0 - v0 * u2, v0 * u1 - v1 * u0
        w0, w1, w2 = w0 / depth, w1 / depth, w2 / depth
        n11, n12, n22 = e0 * e0 + e1 * e1 + e2 * e2, e0 * f0 + e1 * f1 + e2 * f2, f0 * f0 + f1 * f1 + f2 * f2
        a0, a1, a2 = w0 * w0 + w1 * w1 + w2 * w2, w0 * u0 + w1 * u1 + w2 * u2, w0 * v0 + w1 * v1 + w2 * v2
        a11, a12, a22 = u0 * u0 + u1 * u1 + u2 * u2, u0 * v0 + u1 * v1 + u2 * v2, v0 * v0 + v1 * v1 + v2 * v2

        across = (to_pixel[0, 0] * x + to_pixel[0, 1] * y + to_pixel[0, 2] * z) / depth
        down = (to_pixel[1, 0] * x + to_pixel[1, 1] * y + to_pixel[1, 2] * z) / depth
        if not abs(across) + abs(down) < np.inf:
            table[n, AMPLITUDE] = 0.0
            continue
        first, last = -np.inf, np.inf
        q11, q12, q22 = n11 - variance * a11, n12 - variance * a12, n22 - variance * a22
        q1, q2 = -variance * a1, -variance * a2
        curve = q11 * q22 - q12 * q12
        if q11 > 0.0 and curve > 1e-9 * q11 * q22:
            slope = q11 * q2 - q12 * q1
            half = math.sqrt(max(slope * slope + (variance * q11 * a0 + q1 * q1) * curve, 0.0))
            first, last = down + (-slope - half) / curve - margin, down + (-slope + half) / curve + margin
        table[n, ACROSS], table[n, DOWN] = across, down
        table[n, AMPLITUDE] = densities[n] * math.sqrt(2.0 * math.pi)
        table[n, DEPTH_RATIO] = depth
        table[n, N11], table[n, N12], table[n, N22] = n11, n12, n22
        table[n, A0], table[n, A1], table[n, A2] = a0, a1, a2
        table[n, A11], table[n, A12], table[n, A22] = a11, a12, a22
        table[n, SKEW1] = e0 * s0 + e1 * s1 + e2 * s2
        table[n, SKEW2] = f0 * s0 + f1 * s1 + f2 * s2
        table[n, FIRST_ROW], table[n, LAST_ROW] = first, last


@kernel("void(float64[:,::1], float64, float64, int64, int64, float32[::1])")
def accumulate(
    table: NDArray[np.float64], cutoff_sigma: float, margin: float, rows: int, columns: int, image: NDArray[np.float32]
) -> None:
    """Adds up the Gaussians' line integrals per unit of ray length.

    Args:
        table: (N, 17) from ``project``.
        cutoff_sigma: Where Gaussians end.
        margin: What is added to the ends of runs, pixels.
        rows: Of the image.
        columns: Of the image.
        image: (rows * columns,) that they are added to.
    """
    variance = cutoff_sigma * cutoff_sigma
    end, one = np.float32(-0.5 * variance), np.float32(1.0)
    for n in range(table.shape[0]):
        amplitude = np.float32(table[n, AMPLITUDE])
        if amplitude == np.float32(0.0):
            continue
        across, down = table[n, ACROSS], table[n, DOWN]
        n11, n12, n22 = table[n, N11], table[n, N12], table[n, N22]
        a0, a1, a2, a11, a12, a22 = (
            table[n, A0],
            table[n, A1],
            table[n, A2],
            table[n, A11],
            table[n, A12],
            table[n, A22],
        )
        first_row = int(min(max(np.ceil(table[n, FIRST_ROW]), 0.0), float(rows)))
        last_row = int(max(min(np.floor(table[n, LAST_ROW]), rows - 1.0), -1.0))
        for row in range(first_row, last_row + 1):
            dv = row - down
            p0, p1, p2 = n22 * dv * dv, n12 * dv, n11
            d0, d1, d2 = a0 + (2.0 * a2 + a22 * dv) * dv, a1 + a12 * dv, a11
            c0, c1, c2 = p0 - variance * d0, p1 - variance * d1, p2 - variance * d2
            low, high = 0.0, columns - 1.0
            if c2 > 0.0:
                half = math.sqrt(max(c1 * c1 - c0 * c2, 0.0))
                low = min(max(low, np.ceil(across + (-c1 - half) / c2 - margin)), float(columns))
                high = max(min(high, np.floor(across + (-c1 + half) / c2 + margin)), -1.0)
            e0, e1, e2 = np.float32(-0.5 * p0), np.float32(-p1), np.float32(-0.5 * p2)
            b0, b1, b2 = np.float32(d0), np.float32(2.0 * d1), np.float32(d2)
            row_start = row * columns
            for column in range(int(low), int(high) + 1):
                du = np.float32(column - across)
                inverse = one / (b0 + du * (b1 + du * b2))
                exponent = (e0 + du * (e1 + du * e2)) * inverse
                if exponent > end:
                    image[np.uint64(row_start + column)] += math.exp(exponent) * math.sqrt(inverse) * amplitude


@kernel("void(float64[:,::1], float64, float64, float64, int64, int64, float32[::1])")
def accumulate_with_derivatives(
    table: NDArray[np.float64],
    cutoff_sigma: float,
    margin: float,
    held: float,
    rows: int,
    columns: int,
    sums: NDArray[np.float32],
) -> None:
    """Adds up what ``splat_jacobian`` makes derivatives in the pose of: ``accumulate``, and along the ray's four ways.

    Args:
        table: (N, 17) from ``project``.
        cutoff_sigma: Where Gaussians end.
        margin: What is added to the ends of runs, pixels.
        held: Where rays are held, as a share of their length.
        rows: Of the image.
        columns: Of the image.
        sums: (5 * rows * columns,) that values and derivatives are added to.
    """
    variance = cutoff_sigma * cutoff_sigma
    end = np.float32(-0.5 * variance)
    one, two = np.float32(1.0), np.float32(2.0)
    plane = rows * columns  # signed, numba would ask whether an index is below zero
    k1, k2, k3, k4 = np.uint64(plane), np.uint64(2 * plane), np.uint64(3 * plane), np.uint64(4 * plane)
    for n in range(table.shape[0]):
        amplitude = np.float32(table[n, AMPLITUDE])
        if amplitude == np.float32(0.0):
            continue
        across, down = table[n, ACROSS], table[n, DOWN]
        inverse_depth = 1.0 / table[n, DEPTH_RATIO]
        lag = 1.0 - held * inverse_depth
        n11, n12, n22 = table[n, N11], table[n, N12], table[n, N22]
        a0, a1, a2, a11, a12, a22 = (
            table[n, A0],
            table[n, A1],
            table[n, A2],
            table[n, A11],
            table[n, A12],
            table[n, A22],
        )
        skew1, skew2 = table[n, SKEW1], table[n, SKEW2]
        first_row = int(min(max(np.ceil(table[n, FIRST_ROW]), 0.0), float(rows)))
        last_row = int(max(min(np.floor(table[n, LAST_ROW]), rows - 1.0), -1.0))
        for row in range(first_row, last_row + 1):
            dv = row - down
            p0, p1, p2 = n22 * dv * dv, n12 * dv, n11
            d0, d1, d2 = a0 + (2.0 * a2 + a22 * dv) * dv, a1 + a12 * dv, a11
            c0, c1, c2 = p0 - variance * d0, p1 - variance * d1, p2 - variance * d2
            low, high = 0.0, columns - 1.0
            if c2 > 0.0:
                half = math.sqrt(max(c1 * c1 - c0 * c2, 0.0))
                low = min(max(low, np.ceil(across + (-c1 - half) / c2 - margin)), float(columns))
                high = max(min(high, np.floor(across + (-c1 + half) / c2 + margin)), -1.0)
            e0, e1, e2 = np.float32(-0.5 * p0), np.float32(-p1), np.float32(-0.5 * p2)
            b0, b1, b2 = np.float32(d0), np.float32(2.0 * d1), np.float32(d2)
            # Polynomials in du: see _derivative_polynomials.
            tc0, tc1 = np.float32(p1 * lag + held * skew2 * dv * dv), np.float32(n11 * lag + held * skew1 * dv)
            tr0, tr1 = np.float32(n22 * dv * lag), np.float32(n12 * lag - held * skew2 * dv)
            tr2 = np.float32(-held * skew1)
            sc0 = np.float32(p1 * inverse_depth - skew2 * dv * dv)
            sc1 = np.float32(n11 * inverse_depth - skew1 * dv)
            sr0, sr1 = np.float32(n22 * dv * inverse_depth), np.float32(n12 * inverse_depth + skew2 * dv)
            sr2 = np.float32(skew1)
            lc0, lc1 = np.float32(d1), np.float32(d2)
            lr0, lr1 = np.float32(a2 + a22 * dv), np.float32(a12)
            row_start = row * columns
            for column in range(int(low), int(high) + 1):
                du = np.float32(column - across)
                inverse = one / (b0 + du * (b1 + du * b2))
                exponent = (e0 + du * (e1 + du * e2)) * inverse
                if exponent > end:
                    value = math.exp(exponent) * math.sqrt(inverse) * amplitude
                    spread = one + two * exponent
                    weight = -inverse * value
                    at = np.uint64(row_start + column)
                    sums[at] += value
                    sums[at + k1] += weight * (tc0 + du * tc1 + spread * (lc0 + du * lc1))
                    sums[at + k2] += weight * (tr0 + du * (tr1 + du * tr2) + spread * (lr0 + du * lr1))
                    sums[at + k3] += weight * (sc0 + du * sc1)
                    sums[at + k4] += weight * (sr0 + du * (sr1 + du * sr2))
