"""Runs: the pixels or voxels that Gaussians reach, as stretches along the fastest axis of an array.

Runs are sorted by length and worked through in chunks of equal work, so large and small Gaussians cost what they cover
and none is ever cut short. A run may be longer than the chord it covers: an exact test on the exponent decides what
counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

#: Elements evaluated at a time: on a CPU what its cache holds, on a GPU what keeps it busy.
CPU_CHUNK_ELEMENTS = 1 << 14
GPU_CHUNK_ELEMENTS = 1 << 22

#: Chords are computed in single precision; elements this close to their ends are evaluated and left to the exact test.
CHORD_MARGIN = 0.02


def enumerate_ranges(first: Tensor, stop: Tensor) -> tuple[Tensor, Tensor]:
    """All (index, value) pairs with first[index] <= value < stop[index]; integers (M,) in, integers (R,) out."""
    counts = (stop - first).clamp_min(0)
    index = torch.repeat_interleave(counts)
    shift = first - (counts.cumsum(0) - counts)
    return index, torch.arange(len(index), device=index.device) + shift.index_select(0, index)


def chord(c0: Tensor, c1: Tensor, c2: Tensor) -> tuple[Tensor, Tensor]:
    """Where c0 + 2 c1 x + c2 x^2 <= 0: between the roots, or everywhere where the parabola is not open upwards.

    Where a parabola has no root both ends are its vertex, so that rounding cannot lose a run that is just touched.
    """
    half = (c1**2 - c0 * c2).clamp_min(0).sqrt()
    bounded = c2 > 0
    low = torch.where(bounded, (-c1 - half) / c2, -math.inf)
    high = torch.where(bounded, (-c1 + half) / c2, math.inf)
    return low, high


def integer_range(low: Tensor, high: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """First and one past the last integer between two ends (M,), widened by a margin and clipped to 0..size."""
    first = (low - CHORD_MARGIN).ceil().clamp(0, size).long()
    stop = (high + CHORD_MARGIN).floor().add(1).clamp(0, size).long()
    return first, stop


def longest_first(lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Lengths (R,) in descending order without the empty ones, and where they came from."""
    ordered, order = lengths.to(torch.int16 if len(lengths) == 0 or int(lengths.max()) < 1 << 15 else torch.int32).sort(
        descending=True
    )
    kept = int((ordered > 0).sum())
    return ordered[:kept].long(), order[:kept]


def chunks(lengths: Tensor) -> Iterator[tuple[slice, int]]:
    """Slices of descending lengths (R,), each with its longest, of about equal work."""
    elements = CPU_CHUNK_ELEMENTS if lengths.device.type == "cpu" else GPU_CHUNK_ELEMENTS
    lengths = lengths.cpu()
    first = 0
    while first < len(lengths):
        longest = int(lengths[first])
        stop = min(len(lengths), first + max(1, elements // longest))
        yield slice(first, stop), longest
        first = stop


def polynomials(coefficients: Tensor, x: Tensor) -> Tensor:
    """c0 + c1 x + c2 x^2 for coefficients (3, R), or c0 + c1 x for (2, R), at x (L, R).

    Runs lie along the fast axis: they are thousands and their pixels a dozen, and PyTorch's loops go along that axis.
    """
    *lower, value = coefficients
    for coefficient in reversed(lower):
        value = torch.addcmul(coefficient, x, value)
    return value
