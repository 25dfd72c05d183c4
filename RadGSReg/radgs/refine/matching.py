"""Robust comparison of rendered image gradients with the X-ray's, and the least-squares system of it.

The gain between the two is free and varies smoothly over the image, because scatter and beam hardening flatten contrast
more where the patient is thick; pixels that the rendered image does not explain get Cauchy weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from radgs.filters import CACHED_MATRICES, Beyond, blurred, filtered, gaussian_matrix

if TYPE_CHECKING:
    from jaxtyping import Float

#: The gain may vary over the image on this scale, mm at the ROI's depth.
GAIN_REACH_MM = 13.0
#: Residuals are mostly what the rendered image lacks, not noise: so many times fewer of them are independent.
MISFIT_INFLATION = 4.0
#: A gradient with less of its filter's weight than this on measured pixels says nothing.
MIN_SUPPORT = 0.2


@dataclass(frozen=True, eq=False)
class GradientFilter:
    """Gaussian-derivative gradients of one view, X-ray and rendered image alike under one mask.

    Where pixels were not measured a gradient is the derivative of the measured neighbours' weighted mean (normalised
    convolution). It is linear in the image and zero for a constant one; what it is off by near the mask's edge is the
    same for the X-ray and for the rendered image that is compared with it.

    Attributes:
        sigma: Scale in pixels.
        valid: (H, W) share of each pixel that was measured; None where all of all were.
    """

    sigma: float
    valid: Tensor | None = None

    def __call__(self, images: Tensor) -> Tensor:
        """Gradients (K, 2, H, W) of images (K, H, W)."""
        if self.valid is None:
            return image_gradient(images, self.sigma)
        smooth, across, down = _masked_filters(images * self.valid, self.sigma)
        norm, norm_across, norm_down = self._norms
        share = norm.clamp_min(MIN_SUPPORT)
        mean = smooth / share
        gradient = torch.stack([across - mean * norm_across, down - mean * norm_down], dim=1) / share
        return gradient * (norm > MIN_SUPPORT)

    @cached_property
    def support(self) -> Tensor:
        """(H, W) share of the filter's weight that lies on measured pixels; for a mask only."""
        return self._norms[0]

    @cached_property
    def _norms(self) -> tuple[Tensor, Tensor, Tensor]:
        assert self.valid is not None
        smooth, across, down = _masked_filters(self.valid[None], self.sigma)
        return smooth[0], across[0], down[0]


@dataclass
class LinearisedImages:
    """Filtered rendered image (V, 2, n, n) and its Jacobian (V, P, 2, n, n) in scaled twists."""

    rendered: Float[Tensor, "V 2 n n"]
    jacobian: Float[Tensor, "V P 2 n n"]


@dataclass(frozen=True, eq=False)
class NormalEquations:
    """Gauss-Newton system: J'J (P, P), J'r (P,), r'r, and the variance that one independent sample of r has."""

    normal: NDArray[np.float64]
    gradient: NDArray[np.float64]
    cost: float
    noise: float


@dataclass(frozen=True, eq=False)
class Match:
    """Compares the rendered gradients with the X-ray's.

    Attributes:
        target: (V, 2, H, W) gradients of the X-rays.
        pixel_weight: (V, H, W) where to look.
        reach: Scale on which the gain may vary, pixels.
        shared_samples: Pixels per independent residual.
    """

    target: Tensor
    pixel_weight: Tensor
    reach: float
    shared_samples: float

    def robust_weight(self, rendered: Float[Tensor, "V 2 H W"]) -> Float[Tensor, "V H W"]:
        """(V, H, W) pixel weights, less where the rendered image does not explain the X-ray."""
        gain = local_gain(self.target, rendered, self.pixel_weight, self.reach)
        return self.pixel_weight * cauchy_weight(self.target - gain * rendered, self.pixel_weight)

    def cost(self, rendered: Float[Tensor, "V 2 H W"], weight: Float[Tensor, "V H W"]) -> float:
        """Weighted residual energy of a rendered image (V, 2, H, W), in units of the image's energy."""
        residual, _ = self._residual(rendered, weight)
        return float((weight[:, None] * residual.square()).sum())

    def correlation(self, rendered: Float[Tensor, "V 2 H W"]) -> NDArray[np.float64]:
        """(V,) weighted correlation of the gradient fields after the local gain, -1..1: the one score of a pose."""
        gain = local_gain(self.target, rendered, self.pixel_weight, self.reach)
        return gradient_correlation(self.target, gain * rendered, self.pixel_weight)

    def normal_equations(self, state: LinearisedImages, weight: Float[Tensor, "V H W"]) -> NormalEquations:
        """The linearised least-squares problem, each view's mean gain projected out (Kaufman's variable projection)."""
        columns = self._columns(state, weight)
        # Every product of the system from one matrix product a view; what lies along the gain then comes off them.
        products = (columns @ columns.transpose(1, 2)).cpu().double().numpy()
        along = products[:, :-1, -1]
        normal = (products[:, :-2, :-2] - along[:, :-1, None] * along[:, None, :-1]).sum(axis=0)
        gradient = (products[:, :-2, -2] - along[:, :-1] * along[:, -1:]).sum(axis=0)
        cost = float(products[:, -2, -2].sum())
        noise = cost / max(2.0 * float(weight.sum()) - len(normal), 1.0) * self.shared_samples
        return NormalEquations(normal, gradient, cost, noise)

    def scores(self, state: LinearisedImages, weight: Float[Tensor, "V H W"]) -> Float[Tensor, "V P H W"]:
        """(V, P, H, W) what each pixel adds to the gradient of ``normal_equations``."""
        columns = self._columns(state, weight)
        direction = columns[:, -1:]
        free = columns[:, :-1] - (columns[:, :-1] @ direction.transpose(1, 2)) @ direction
        products = free[:, :-1] * free[:, -1:]
        return products.unflatten(2, state.rendered.shape[1:]).sum(dim=2)

    def _columns(self, state: LinearisedImages, weight: Tensor) -> Tensor:
        """(V, P + 2, 2HW) weighted Jacobian, residual, and the unit vector along the view's gain."""
        residual, gain = self._residual(state.rendered, weight)
        root = weight.sqrt()[:, None]
        scale = (gain * root)[:, None]
        direction = functional.normalize((state.rendered[:, None] * scale).flatten(2), dim=2)
        return torch.cat([(state.jacobian * scale).flatten(2), (residual * root)[:, None].flatten(2), direction], 1)

    def _residual(self, rendered: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Residual (V, 2, H, W) in units of each view's image energy, and the gain over that unit (V, 1, H, W)."""
        energy = (weight[:, None] * self.target.square()).sum(dim=(1, 2, 3), keepdim=True).sqrt() + 1e-12
        gain = local_gain(self.target, rendered, weight, self.reach)
        return (self.target - gain * rendered) / energy, gain / energy


def gradient_reach(sigma: float) -> int:
    """How many pixels away ``image_gradient`` looks."""
    return max(2, int(3 * sigma + 0.5))


def image_gradient(images: Float[Tensor, "K H W"], sigma: float) -> Float[Tensor, "K 2 H W"]:
    """Scale-normalised Gaussian-derivative gradients (K, 2, H, W) of images (K, H, W); sigma in pixels."""
    (smooth_columns, derive_columns), (smooth_rows, derive_rows) = _gradient_matrices(images, sigma, "repeat")
    across, down = filtered(images, smooth_columns, derive_rows), filtered(images, derive_columns, smooth_rows)
    return torch.stack([across, down], dim=1)


def _masked_filters(images: Tensor, sigma: float) -> tuple[Tensor, Tensor, Tensor]:
    """Gaussian mean and its two derivatives, each (K, H, W), zeros beyond the border; scale-normalised."""
    (smooth_columns, derive_columns), (smooth_rows, derive_rows) = _gradient_matrices(images, sigma, "zero")
    smoothed = images @ smooth_rows.T
    return smooth_columns @ smoothed, filtered(images, smooth_columns, derive_rows), derive_columns @ smoothed


def _gradient_matrices(images: Tensor, sigma: float, beyond: Beyond) -> list[tuple[Tensor, Tensor]]:
    """Gaussian average and derivative along the columns, and the same along the rows."""

    def both(size: int) -> tuple[Tensor, Tensor]:
        smooth, derive = (
            gaussian_matrix(size, sigma, gradient_reach(sigma), images, derivative=derivative, beyond=beyond)
            for derivative in (False, True)
        )
        return smooth, derive

    return [both(size) for size in images.shape[-2:]]


def local_gain(
    target: Float[Tensor, "V 2 H W"], rendered: Float[Tensor, "V 2 H W"], weight: Float[Tensor, "V H W"], reach: float
) -> Float[Tensor, "V 1 H W"]:
    """(V, 1, H, W) least-squares gain of the rendered gradients onto the X-ray's, varying over ``reach`` pixels.

    Where the rendered image has little gradient the gain falls back to the view's mean.
    """
    w = weight[:, None]
    cross = (w * target * rendered).sum(dim=1, keepdim=True)
    energy = (w * rendered * rendered).sum(dim=1, keepdim=True)
    mean_energy = energy.mean(dim=(2, 3), keepdim=True) + 1e-12
    mean_gain = cross.mean(dim=(2, 3), keepdim=True) / mean_energy
    numerator, denominator = _smooth(torch.stack([cross, energy]), reach)
    return ((numerator + mean_gain * mean_energy) / (denominator + mean_energy)).clamp_min(1e-3)


def cauchy_weight(residual: Float[Tensor, "V 2 H W"], weight: Float[Tensor, "V H W"]) -> Float[Tensor, "V H W"]:
    """(V, H, W) down-weighting of pixels whose residual (V, 2, H, W) is large against the view's mean residual."""
    size = residual.square().sum(dim=1).sqrt()
    scale = 1.5 * (size * weight).sum(dim=(1, 2), keepdim=True) / (weight.sum(dim=(1, 2), keepdim=True) + 1e-9)
    return 1.0 / (1.0 + (size / (scale + 1e-9)) ** 2)


def gradient_correlation(
    target: Float[Tensor, "V 2 H W"], rendered: Float[Tensor, "V 2 H W"], weight: Float[Tensor, "V H W"]
) -> NDArray[np.float64]:
    """(V,) weighted correlation of gradient fields, -1..1."""
    w = weight[:, None]
    cross = (w * target * rendered).sum(dim=(1, 2, 3))
    return (
        (cross / ((w * target**2).sum(dim=(1, 2, 3)) * (w * rendered**2).sum(dim=(1, 2, 3)) + 1e-12).sqrt())
        .cpu()
        .double()
        .numpy()
    )


def local_mean(
    images: Float[Tensor, "K H W"], valid: Float[Tensor, "H W"] | None, reach: float
) -> Float[Tensor, "K H W"]:
    """(K, H, W) Gaussian average of images over ``reach`` pixels, of valid pixels (H, W) inside the image."""
    mask = torch.ones_like(images[:1]) if valid is None else valid[None]
    mean, share = _smooth(images * mask, reach), _smooth(mask, reach)
    return mean / share.clamp_min(1e-3)


def slow_part(
    images: Float[Tensor, "K C H W"], valid: Float[Tensor, "H W"] | None, reach: float
) -> Float[Tensor, "K C H W"]:
    """(K, C, H, W) Gaussian average over ``reach`` pixels of valid pixels (H, W), by way of a coarser grid."""
    factor = max(1, min(4, int(reach / 3)))
    while images.shape[-1] % factor or images.shape[-2] % factor:
        factor -= 1
    (coarser_columns, finer_columns), (coarser_rows, finer_rows) = (
        _by_way_of_coarser(size, factor, reach, images.dtype, images.device) for size in images.shape[-2:]
    )
    mask = torch.ones_like(images[0, 0]) if valid is None else valid
    seen = images if valid is None else images * valid
    slow, share = (
        filtered(filtered(stack, coarser_columns, coarser_rows), finer_columns, finer_rows) for stack in (seen, mask)
    )
    return slow / share.clamp_min(1e-2)


@lru_cache(CACHED_MATRICES)
def _by_way_of_coarser(
    size: int, factor: int, reach: float, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor]:
    """(size / factor, size) averages of ``factor`` pixels, blurred; and (size, size / factor) the way back.

    A matrix is what its filter makes of each single pixel.
    """
    pixels = torch.eye(size, dtype=dtype, device=device)
    coarser = functional.avg_pool1d(pixels[None], factor)[0].T
    blur = gaussian_matrix(len(coarser), reach / factor, _blur_radius(reach / factor), pixels)
    coarse_pixels = torch.eye(len(coarser), dtype=dtype, device=device)
    finer = functional.interpolate(coarse_pixels[None], size=size, mode="linear", align_corners=False)[0].T
    return blur @ coarser, finer.contiguous()


def _smooth(images: Float[Tensor, "... H W"], sigma: float) -> Float[Tensor, "... H W"]:
    """Gaussian average, zeros beyond the border."""
    return blurred(images, sigma, _blur_radius(sigma))


def _blur_radius(sigma: float) -> int:
    return int(2.5 * sigma)
