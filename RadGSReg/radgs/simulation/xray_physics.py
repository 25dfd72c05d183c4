"""X-ray physics, one copy for training and trials: what a detector records of line integrals."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float

FloatImage = NDArray[np.float32]
Step = Callable[[Tensor], Tensor]

#: Darker than this share of the open beam, a trial's pixel says nothing more.
DARKEST = 1e-4


def unchanged(images: Tensor) -> Tensor:
    """The step that does nothing."""
    return images


@dataclass(frozen=True, eq=False)
class Detector:
    """From the open beam to the picture, step by step; images are (..., H, W).

    ``XRayPhysics.detector`` makes that of trials, ``exposure.exposed`` that of training: they differ in how scatter
    spreads, how noise is drawn and where blur is added, and in nothing else.

    Attributes:
        open_beam: Intensity where nothing is in the beam: quanta, or 1.
        scatter_to_primary: Scattered over primary intensity, averaged widely; a number, or one that images broadcast
            with.
        spread: The scatter that a primary image makes, before that factor.
        focal_blur: Blur of the primary intensity.
        noise: Expected intensity to the recorded one.
        picture_blur: Blur of the picture, which is the logarithm.
        darkest: The share of the open beam at which a picture is black.
    """

    open_beam: float
    scatter_to_primary: float | Tensor
    spread: Step
    focal_blur: Step = unchanged
    noise: Step = unchanged
    picture_blur: Step = unchanged
    darkest: float = 0.0

    def intensity(self, line_integrals: Float[Tensor, "... H W"]) -> Float[Tensor, "... H W"]:
        """What is recorded, in units of the open beam's intensity."""
        primary = self.focal_blur(self.open_beam * _transmitted(line_integrals))
        return self.noise(primary + self.scatter_to_primary * self.spread(primary))

    def picture(self, intensity: Float[Tensor, "... H W"]) -> Float[Tensor, "... H W"]:
        """Line integrals as ``-log(I / I0)`` gives them."""
        return self.picture_blur(-torch.log((intensity / self.open_beam).clamp_min(self.darkest)))


@dataclass(frozen=True)
class XRayPhysics:
    """How an image of a trial is taken.

    Attributes:
        photons: Quanta per detector pixel in the unattenuated beam; Poisson noise follows from it.
        scatter_to_primary: Scattered over primary intensity, averaged over the image.
        scatter_sigma_mm: Width of the scatter's spread on the detector, mm.
        blur_sigma_mm: Focal spot and detector blur on the detector, mm (standard deviation).
        electronic_noise: Read-out noise in quanta (standard deviation).
    """

    photons: float = 5.0e4
    scatter_to_primary: float = 0.3
    scatter_sigma_mm: float = 40.0
    blur_sigma_mm: float = 0.25
    electronic_noise: float = 3.0

    def detector(self, pixel_mm: float, rng: np.random.Generator | None = None) -> Detector:
        """A whole detector: scatter spread widely (the usual low-frequency approximation), noise of single quanta.

        Args:
            pixel_mm: Detector pixel spacing, mm.
            rng: Source of noise; without it, intensities are the expected ones.
        """
        return Detector(
            open_beam=self.photons,
            scatter_to_primary=self.scatter_to_primary,
            spread=_gaussian(self.scatter_sigma_mm / pixel_mm),
            focal_blur=_gaussian(self.blur_sigma_mm / pixel_mm),
            noise=unchanged if rng is None else _quanta(self.electronic_noise, rng),
            darkest=DARKEST,
        )


def expose(
    line_integrals: FloatImage, physics: XRayPhysics, pixel_mm: float, rng: np.random.Generator | None = None
) -> FloatImage:
    """Detector intensity in quanta, (H, W), from line integrals (H, W); see ``XRayPhysics.detector``."""
    images = torch.from_numpy(np.ascontiguousarray(line_integrals, dtype=np.float32))
    return np.asarray(physics.detector(pixel_mm, rng).intensity(images).numpy())


def line_integrals_from_intensity(intensity: FloatImage, unattenuated: float) -> FloatImage:
    """-log(I / I0), (H, W), with dark pixels held at one quantum in ten thousand of the open beam."""
    return -np.log(np.maximum(intensity / unattenuated, DARKEST)).astype(np.float32)


def relative_noise(photons: Tensor, normal: Tensor) -> Step:
    """Noise of the size that counting quanta gives, as a factor: smooth, and as quick on a GPU.

    Args:
        photons: Quanta per pixel in the open beam, whose intensity is 1.
        normal: (..., H, W) of variance one.
    """

    def noise(expected: Tensor) -> Tensor:
        return expected * torch.exp(-normal / (photons * expected.clamp_min(math.exp(-9.0))).sqrt())

    return noise


def _transmitted(line_integrals: Tensor) -> Tensor:
    """The share of the beam that comes through, by Beer and Lambert."""
    through = -line_integrals.clamp_min(0.0)
    # Of a pixel's Poisson noise the last digit decides: a trial's seed has meant NumPy's exponential from the start.
    return torch.exp(through) if through.is_cuda else torch.from_numpy(np.exp(through.numpy()))


def _gaussian(sigma: float) -> Step:
    """Average over the neighbourhood (H, W), the image mirrored at its border; sigma in pixels."""
    return lambda images: torch.from_numpy(ndimage.gaussian_filter(images.numpy(), sigma))


def _quanta(electronic: float, rng: np.random.Generator) -> Step:
    """Poisson noise in the quanta plus Gaussian read-out noise."""

    def noise(expected: Tensor) -> Tensor:
        noisy = rng.poisson(expected.numpy()) + rng.normal(0.0, electronic, tuple(expected.shape))
        return torch.from_numpy(np.maximum(noisy, 0.0).astype(np.float32))

    return noise
