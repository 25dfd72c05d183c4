"""X-ray splatting within the cutoff, fast in plain PyTorch: only the pixels each Gaussian reaches.

A Gaussian's outline at the cutoff is a conic; each image row it crosses becomes a run of pixels. Runs may leave the
image on the right: images are stored with a margin that is thrown away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from radgs.gaussians.footprint import Footprints
from radgs.gaussians.runs import chord, chunks, enumerate_ranges, integer_range, longest_first, polynomials

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class PixelRuns:
    """Runs of pixels along image rows, longest first.

    Along a run -N/2 and A are polynomials in the column offset du.

    Attributes:
        gaussian: (R,) index into the footprints.
        start: (R,) index of the first pixel in the stored images.
        length: (R,) pixels.
        stride: Pixels from one stored row to the next.
        offsets: (2, R) column and row offset of the first pixel from the Gaussian's centre.
        exponent: (3, R) coefficients of -N/2, constant first.
        denominator: (3, R) coefficients of A.
    """

    gaussian: Tensor
    start: Tensor
    length: Tensor
    stride: int
    offsets: Tensor
    exponent: Tensor
    denominator: Tensor

    @classmethod
    def of(cls, prints: Footprints, shape: tuple[int, int], cutoff_sigma: float) -> PixelRuns:
        """The runs of all Gaussians, clipped to the image on every side but the right."""
        rows, columns = shape
        gaussian, row = enumerate_ranges(*integer_range(prints.first_row, prints.last_row, rows))
        names = ("n11", "n12", "n22", "a0", "a1", "a2", "a11", "a12", "a22", "column_offset", "row_offset")
        packed = torch.stack(
            [getattr(prints, name) for name in names] + [prints.column.to(prints.a0), prints.row.to(prints.a0)]
        )
        n11, n12, n22, a0, a1, a2, a11, a12, a22, column_offset, row_offset, column, nearest_row = packed.index_select(
            1, gaussian
        )
        dv = row.to(packed.dtype) - nearest_row - row_offset
        numerator = [n22 * dv**2, n12 * dv, n11]
        denominator = [a0 + (2 * a2 + a22 * dv) * dv, a1 + a12 * dv, a11]
        with torch.no_grad():
            low, high = chord(*(n - cutoff_sigma**2 * a for n, a in zip(numerator, denominator, strict=True)))
            middle = column + column_offset
            first, stop = integer_range(middle + low, middle + high, columns)
            length, order = longest_first(stop - first)
            stride = columns + (int(length[0]) if len(length) else 0)
            pose = prints.pose.index_select(0, gaussian)
            start = ((pose * rows + row) * stride + first).index_select(0, order)
        du = first.to(packed.dtype) - column - column_offset
        table = torch.stack([du, dv, *_doubled(numerator, -0.5), *_doubled(denominator, 1.0)]).index_select(1, order)
        return cls(gaussian.index_select(0, order), start, length, stride, table[:2], table[2:5], table[5:])


def accumulate_windowed(
    prints: Footprints, poses: int, shape: tuple[int, int], cutoff_sigma: float
) -> Float[Tensor, "B H W"]:
    """Sums the line integrals per unit of ray length; same result as ``accumulate_dense`` at the same cutoff.

    Args:
        prints: Coefficients of M Gaussians under ``poses`` poses, made with the same cutoff.
        poses: Number of images B.
        shape: Rows and columns.
        cutoff_sigma: Contributions with exponent q > cutoff^2 are left out.

    Returns:
        (B, H, W) sums of density sqrt(2 pi / A) exp(-q / 2); times |d| they are line integrals.
    """
    runs = PixelRuns.of(prints, shape, cutoff_sigma)
    amplitude = prints.amplitude.index_select(0, runs.gaussian)
    stored = prints.a0.new_zeros(poses * shape[0] * runs.stride)
    for part, longest in chunks(runs.length):
        steps = torch.arange(longest, device=stored.device)[:, None]
        du = runs.offsets[0, part] + steps.to(stored.dtype)
        inverse_root = torch.rsqrt(polynomials(runs.denominator[:, part], du))
        exponent = polynomials(runs.exponent[:, part], du) * inverse_root * inverse_root
        inside = functional.threshold(exponent, -0.5 * cutoff_sigma**2, -torch.inf)
        values = torch.exp(inside) * inverse_root * amplitude[part]
        stored.index_add_(0, (runs.start[part] + steps).reshape(-1), values.reshape(-1))
    return stored.view(poses, shape[0], runs.stride)[:, :, : shape[1]]


def _doubled(half: list[Tensor], factor: float) -> tuple[Tensor, Tensor, Tensor]:
    """Coefficients of factor (c0 + 2 c1 x + c2 x^2)."""
    c0, c1, c2 = half
    return factor * c0, 2 * factor * c1, factor * c2
