"""Gaussian filters of images: one kernel, applied along the rows and then along the columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from jaxtyping import Float


def gaussian_kernel(sigma: float | Tensor, radius: int, like: Tensor) -> Tensor:
    """Weights of a Gaussian at whole pixels; their sum is 1.

    Args:
        sigma: Standard deviation in pixels; (N, 1) for a kernel per image.
        radius: The kernel reaches this many pixels to either side.
        like: Gives the kernel's type and device.

    Returns:
        (2 radius + 1), or (N, 2 radius + 1).
    """
    kernel = torch.exp(-0.5 * (_offsets(radius, like) / sigma) ** 2)
    return kernel / kernel.sum(dim=-1, keepdim=True)


def gaussian_derivative_kernel(sigma: float, radius: int, like: Tensor) -> Tensor:
    """(2 radius + 1) weights of a Gaussian's scale-normalised derivative, as ``separable`` takes them."""
    # conv2d correlates: no sign to flip.
    return _offsets(radius, like) * gaussian_kernel(sigma, radius, like) / sigma


def separable(
    images: Float[Tensor, "K C H W"], row_kernel: Float[Tensor, "... L"], column_kernel: Float[Tensor, "... L"]
) -> Float[Tensor, "K C h w"]:
    """Filters images with one kernel along the rows, then with another along the columns; the border is cut off.

    Args:
        images: (K, 1, H, W), or (1, N, H, W) where each image has kernels of its own.
        row_kernel: (L) weights along a row, or (N, L).
        column_kernel: (L) weights along a column, or (N, L).

    Returns:
        The images, L - 1 pixels smaller in both directions.
    """
    return along_columns(along_rows(images, row_kernel), column_kernel)


def blurred(images: Float[Tensor, "K 1 H W"], sigma: float, radius: int) -> Float[Tensor, "K 1 H W"]:
    """Gaussian average of images (K, 1, H, W), zeros beyond the border; sigma and radius in pixels."""
    kernel = gaussian_kernel(sigma, radius, images)
    return separable(functional.pad(images, (radius,) * 4), kernel, kernel)


def along_rows(images: Float[Tensor, "K C H W"], kernel: Float[Tensor, "... L"]) -> Float[Tensor, "K C H w"]:
    """The first half of ``separable``: columns are lost, rows are not."""
    kernels = kernel.reshape(-1, 1, 1, kernel.shape[-1])
    return functional.conv2d(images, kernels, groups=len(kernels))


def along_columns(images: Float[Tensor, "K C H W"], kernel: Float[Tensor, "... L"]) -> Float[Tensor, "K C h W"]:
    """The second half of ``separable``."""
    kernels = kernel.reshape(-1, 1, kernel.shape[-1], 1)
    return functional.conv2d(images, kernels, groups=len(kernels))


def _offsets(radius: int, like: Tensor) -> Tensor:
    return torch.arange(-radius, radius + 1, dtype=like.dtype, device=like.device)
