"""The X-rays around a vertebra, resampled to what refinement looks at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from radgs.geometry import FloatArray, ViewGeometry, XRayView
from radgs.refine.matching import GAIN_REACH_MM, GradientFilter, local_mean, slow_part

if TYPE_CHECKING:
    from jaxtyping import Float

#: Gradients whose filter is wider keep their local mean: little else is left of them.
FINEST_WITH_SLOPES_MM = 5.5
#: What of the gradients varies on this scale and slower is not compared, mm at the ROI's depth.
SLOPE_REACH_MM = 16.0
#: A pixel of which less was measured says nothing.
MIN_VALID = 0.5
#: Line integrals further than this from their median count as that far, where intensities are compared.
MAX_CONTRAST = 4.0


@dataclass(frozen=True, eq=False)
class Observation:
    """The X-rays around the vertebra at one resolution.

    Attributes:
        images: (V, n, n) line integrals on virtual detectors through the ROI centre.
        valid: (V, n, n) 1 where the image was measured, 0 outside it.
        geometries: The virtual detectors.
        pixel_mm: Pixel size at the ROI's depth.
        in_intensity: Whether X-ray and rendered image are compared in intensity, where a smooth haze of scatter has no
            gradient, instead of in line integrals.
    """

    images: Tensor
    valid: Tensor
    geometries: tuple[ViewGeometry, ...]
    pixel_mm: float
    in_intensity: bool = False

    @classmethod
    def around(
        cls,
        views: Sequence[XRayView],
        centre: FloatArray,
        size_mm: float,
        pixels: int,
        device: torch.device | str = "cpu",
    ) -> Observation:
        """Crops the views around a world point."""
        crops = [view.crop(centre, size_mm, pixels) for view in views]
        return cls(
            torch.stack([torch.from_numpy(view.image) for view, _ in crops]).to(device),
            torch.stack([torch.from_numpy(valid) for _, valid in crops]).to(device),
            tuple(view.geometry for view, _ in crops),
            size_mm / pixels,
        )

    def gradient_filters(self, sigma: float) -> tuple[GradientFilter, ...]:
        """One filter a view, under its mask where it has one; ``sigma`` in pixels."""
        masks = self.valid * (self.valid >= MIN_VALID)
        return tuple(GradientFilter(sigma, None if bool((mask > 0.99).all()) else mask) for mask in masks)

    def gradients(self, images: Float[Tensor, "V n n"], filters: Sequence[GradientFilter]) -> Float[Tensor, "V 2 n n"]:
        """(V, 2, n, n) gradients of an image of each view (V, n, n), line integrals."""
        return torch.cat([self.compared(image[None], one) for image, one in zip(images, filters, strict=True)])

    def compared(
        self, image_and_derivatives: Float[Tensor, "K n n"], gradient_filter: GradientFilter
    ) -> Float[Tensor, "K 2 n n"]:
        """Gradients of what is compared, (K, 2, n, n), and their derivatives.

        In intensity I = exp(-L) these are those of -I over the local mean of I: where contrast is low, the same as of
        the line integrals L.

        Args:
            image_and_derivatives: (K, n, n) line integrals, then their derivatives.
            gradient_filter: The view's.
        """
        if not self.in_intensity:
            return self._without_slopes(gradient_filter(image_and_derivatives), gradient_filter)
        image = image_and_derivatives[:1]
        through = torch.exp((image.median() - image).clamp(-MAX_CONTRAST, MAX_CONTRAST))
        mean = local_mean(through, gradient_filter.valid, GAIN_REACH_MM / self.pixel_mm).clamp_min(
            math.exp(-MAX_CONTRAST)
        )
        gradients = gradient_filter(torch.cat([-through, through * image_and_derivatives[1:]])) / mean[:, None]
        return self._without_slopes(gradients, gradient_filter)

    def _without_slopes(self, gradients: Tensor, gradient_filter: GradientFilter) -> Tensor:
        """Gradients less their local mean: a haze of scatter has a slope where it has no structure."""
        if gradient_filter.sigma * self.pixel_mm > FINEST_WITH_SLOPES_MM:
            return gradients
        return gradients - slow_part(gradients, gradient_filter.valid, SLOPE_REACH_MM / self.pixel_mm)

    def seen_in_intensity(self, in_intensity: bool) -> Observation:
        """The same views, compared otherwise."""
        return replace(self, in_intensity=in_intensity)

    def view(self, number: int) -> Observation:
        """One of the views alone."""
        only = slice(number, number + 1)
        return replace(self, images=self.images[only], valid=self.valid[only], geometries=self.geometries[only])

    def binned(self, factor: int) -> Observation:
        """The same views with ``factor`` x ``factor`` pixels taken together; sides must divide by ``factor``."""
        valid = functional.avg_pool2d(self.valid[:, None], factor)[:, 0]
        images = functional.avg_pool2d((self.images * self.valid)[:, None], factor)[:, 0] / valid.clamp_min(1e-6)
        return Observation(
            images,
            valid,
            tuple(geometry.binned(factor) for geometry in self.geometries),
            self.pixel_mm * factor,
            self.in_intensity,
        )
