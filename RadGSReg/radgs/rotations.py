"""Rotations as PyTorch tensors, differentiable: quaternions (w, x, y, z), matrices and rotation vectors.

Closed forms of a few lines each. roma has them too, and is their oracle in the tests; its import loads
``torch._dynamo``, a third of all that a process waits for before it begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float

#: Below this angle a rotation vector's matrix is its first order, whose error is beyond single and double precision.
SMALL_RAD = 1e-8


def quaternions_to_matrices(quaternions: Float[Tensor, "... 4"]) -> Float[Tensor, "... 3 3"]:
    """(..., 3, 3) rotations of quaternions (..., 4) of any length but zero."""
    w, x, y, z = (quaternions / quaternions.norm(dim=-1, keepdim=True)).unbind(-1)
    rows = [
        torch.stack([w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)], dim=-1),
        torch.stack([2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)], dim=-1),
        torch.stack([2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z], dim=-1),
    ]
    return torch.stack(rows, dim=-2)


def matrices_to_quaternions(matrices: Float[Tensor, "... 3 3"]) -> Float[Tensor, "... 4"]:
    """(..., 4) unit quaternions of rotations (..., 3, 3), of either sign.

    Of the four columns of 4 q q^T, which are linear in the matrix, the one with the largest diagonal is scaled to
    length one (F. L. Markley, Journal of Guidance, Control, and Dynamics 31 (2008) 440).
    """
    (a, b, c), (d, e, f), (g, h, i) = (row.unbind(-1) for row in matrices.unbind(-2))
    products = torch.stack(
        [
            torch.stack([1 + a + e + i, h - f, c - g, d - b], dim=-1),
            torch.stack([h - f, 1 + a - e - i, b + d, c + g], dim=-1),
            torch.stack([c - g, b + d, 1 - a + e - i, f + h], dim=-1),
            torch.stack([d - b, c + g, f + h, 1 - a - e + i], dim=-1),
        ],
        dim=-2,
    )
    best = products.diagonal(dim1=-2, dim2=-1).argmax(dim=-1)
    chosen = products.gather(-2, best[..., None, None].expand(*best.shape, 1, 4)).squeeze(-2)
    return chosen / chosen.norm(dim=-1, keepdim=True)


def quaternion_products(first: Float[Tensor, "... 4"], second: Float[Tensor, "... 4"]) -> Float[Tensor, "... 4"]:
    """(..., 4) the rotations ``second`` followed by ``first``."""
    a, b = first[..., :1], first[..., 1:]
    c, d = second[..., :1], second[..., 1:]
    b, d = torch.broadcast_tensors(b, d)
    return torch.cat([a * c - (b * d).sum(dim=-1, keepdim=True), a * d + c * b + torch.linalg.cross(b, d)], dim=-1)


def vectors_to_matrices(vectors: Float[Tensor, "... 3"]) -> Float[Tensor, "... 3 3"]:
    """(..., 3, 3) rotations about vectors (..., 3) by their lengths in radians (Rodrigues); differentiable at zero."""
    angle = vectors.norm(dim=-1)[..., None, None]
    none, (x, y, z) = torch.zeros_like(vectors[..., 0]), vectors.unbind(-1)
    cross = torch.stack([none, -z, y, z, none, -x, -y, x, none], dim=-1).unflatten(-1, (3, 3))
    small = angle < SMALL_RAD
    safe = torch.where(small, 1.0, angle)
    first = torch.where(small, 1.0, safe.sin() / safe)
    second = torch.where(small, 0.5, 2 * (safe / 2).sin() ** 2 / safe**2)
    return torch.eye(3, dtype=vectors.dtype, device=vectors.device) + first * cross + second * (cross @ cross)
