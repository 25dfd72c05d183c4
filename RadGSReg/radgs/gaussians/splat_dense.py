"""X-ray splatting, specification: every Gaussian on every pixel, as the formula reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from radgs.gaussians.footprint import Footprints

if TYPE_CHECKING:
    from jaxtyping import Float

#: Elements evaluated at a time, to bound memory.
CHUNK_ELEMENTS = 1 << 22


def accumulate_dense(
    prints: Footprints, poses: int, shape: tuple[int, int], cutoff_sigma: float | None
) -> Float[Tensor, "B H W"]:
    """Sums the line integrals per unit of ray length.

    Args:
        prints: Coefficients of M Gaussians under ``poses`` poses.
        poses: Number of images B.
        shape: Rows and columns.
        cutoff_sigma: Contributions with exponent q > cutoff^2 are left out; None: all count.

    Returns:
        (B, H, W) sums of density sqrt(2 pi / A) exp(-q / 2); times |d| they are line integrals.
    """
    rows = torch.arange(shape[0], dtype=prints.row.dtype, device=prints.row.device)
    columns = torch.arange(shape[1], dtype=prints.row.dtype, device=prints.row.device)
    images = [torch.zeros(shape, dtype=prints.a0.dtype, device=prints.a0.device)] * poses
    step = max(1, CHUNK_ELEMENTS // (shape[0] * shape[1]))
    for pose in range(poses):
        members = torch.nonzero(prints.pose == pose).squeeze(1)
        for chunk in members.split(step):
            images[pose] = images[pose] + _contributions(prints, chunk, rows, columns, cutoff_sigma).sum(dim=0)
    return torch.stack(images)


def _contributions(
    prints: Footprints, index: Tensor, rows: Tensor, columns: Tensor, cutoff_sigma: float | None
) -> Tensor:
    """(n, H, W) contributions of the Gaussians ``index``."""

    def pick(values: Tensor) -> Tensor:
        return values[index, None, None]

    dtype = prints.a0.dtype
    du = (columns - pick(prints.column)).to(dtype) - pick(prints.column_offset)
    dv = (rows[:, None] - pick(prints.row)).to(dtype) - pick(prints.row_offset)
    numerator = pick(prints.n11) * du**2 + 2 * pick(prints.n12) * du * dv + pick(prints.n22) * dv**2
    linear = pick(prints.a0) + 2 * pick(prints.a1) * du + 2 * pick(prints.a2) * dv
    denominator = linear + pick(prints.a11) * du**2 + 2 * pick(prints.a12) * du * dv + pick(prints.a22) * dv**2
    exponent = -0.5 * numerator / denominator
    if cutoff_sigma is not None:
        exponent = functional.threshold(exponent, -0.5 * cutoff_sigma**2, -torch.inf)
    return pick(prints.amplitude) * torch.rsqrt(denominator) * torch.exp(exponent)
