"""The sums that a splat's derivative in the pose is made of, in plain PyTorch: what the faster forms compute."""

from __future__ import annotations

import torch
from torch import Tensor

from radgs.gaussians.footprint import Footprints
from radgs.gaussians.runs import chunks, polynomials
from radgs.gaussians.splat_windowed import PixelRuns


def accumulate_with_derivatives(
    prints: Footprints, shape: tuple[int, int], cutoff_sigma: float, depth_ratio: Tensor
) -> Tensor:
    """(5, H, W) sums per unit ray length: the value and its derivatives.

    Along column and row steps, first of the direction with the ray held at ``depth_ratio``, then of the ray as a whole.
    """
    runs = PixelRuns.of(prints, shape, cutoff_sigma)
    amplitude = prints.amplitude.index_select(0, runs.gaussian)
    derivatives = _derivative_polynomials(prints, runs, depth_ratio)
    stored = prints.a0.new_zeros(5, shape[0] * runs.stride)
    for part, longest in chunks(runs.length):
        steps = torch.arange(longest, device=stored.device)[:, None]
        index = (runs.start[part] + steps).view(-1)
        du = runs.offsets[0, part] + steps.to(stored.dtype)
        inverse_root = polynomials(runs.denominator[:, part], du).rsqrt_()
        inverse = inverse_root.square()
        exponent = polynomials(runs.exponent[:, part], du).mul_(inverse)
        spread = 1 + 2 * exponent  # 1 - q
        values = torch.threshold_(exponent, -0.5 * cutoff_sigma**2, -torch.inf).exp_()
        values *= inverse_root.mul_(amplitude[part])
        stored[0].index_add_(0, index, values.view(-1))
        weights = inverse.mul_(values).neg_()
        turn_column, turn_row, shift_column, shift_row, length_column, length_row = (
            polynomials(coefficients[:, part], du) for coefficients in derivatives
        )
        turn_column.addcmul_(spread, length_column)
        turn_row.addcmul_(spread, length_row)
        for channel, factor in enumerate((turn_column, turn_row, shift_column, shift_row), start=1):
            stored[channel].index_add_(0, index, factor.mul_(weights).view(-1))
    return stored.view(5, shape[0], runs.stride)[:, :, : shape[1]]


def _derivative_polynomials(prints: Footprints, runs: PixelRuns, depth_ratio: Tensor) -> list[Tensor]:
    """Six polynomials in du, (2, R) or (3, R) coefficients, that the logarithmic derivatives are made of.

    With half derivatives N_u, N_v, A_u, A_v of N and A, e = skew1 du + skew2 dv, s each Gaussian's own depth ratio and
    h the one where rays are held: (1 - h/s) N_u + h dv e; (1 - h/s) N_v - h du e; N_u/s - dv e; N_v/s + du e; A_u; A_v.
    """
    relative = torch.stack([1 / prints.depth_ratio, 1 - depth_ratio / prints.depth_ratio]).to(prints.a0.dtype)
    names = ("n12", "n22", "a2", "a12", "a22", "skew1", "skew2")
    table = torch.stack([getattr(prints, name) for name in names] + list(relative))
    n12, n22, a2, a12, a22, skew1, skew2, inverse, lag = table.index_select(1, runs.gaussian)
    held = depth_ratio.to(table.dtype)
    dv, n1, n2 = runs.offsets[1], -runs.exponent[1], -2 * runs.exponent[2]
    coefficients = [
        (n1 * lag + held * skew2 * dv**2, n2 * lag + held * skew1 * dv),
        (n22 * dv * lag, n12 * lag - held * skew2 * dv, -held * skew1),
        (n1 * inverse - skew2 * dv**2, n2 * inverse - skew1 * dv),
        (n22 * dv * inverse, n12 * inverse + skew2 * dv, skew1),
        (0.5 * runs.denominator[1], runs.denominator[2]),
        (a2 + a22 * dv, a12),
    ]
    return [torch.stack(polynomial) for polynomial in coefficients]
