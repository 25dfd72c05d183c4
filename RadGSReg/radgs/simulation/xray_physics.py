"""X-ray physics of simulated trials: exposure, noise, scatter, blur."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FloatImage = NDArray[np.float32]


@dataclass(frozen=True)
class XRayPhysics:
    """How an image is taken.

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


def expose(
    line_integrals: FloatImage, physics: XRayPhysics, pixel_mm: float, rng: np.random.Generator | None = None
) -> FloatImage:
    """Detector intensity in quanta, (H, W), from line integrals (H, W).

    Scatter is the primary image spread widely and scaled (the usual low-frequency approximation); noise is Poisson in
    the quanta plus Gaussian read-out noise. Without ``rng`` the expected image is returned.

    Args:
        line_integrals: (H, W), dimensionless.
        physics: How the image is taken.
        pixel_mm: Detector pixel spacing, mm.
        rng: Source of noise.
    """
    primary = physics.photons * np.exp(-np.maximum(line_integrals, 0.0))
    primary = ndimage.gaussian_filter(primary, physics.blur_sigma_mm / pixel_mm)
    scatter = physics.scatter_to_primary * ndimage.gaussian_filter(primary, physics.scatter_sigma_mm / pixel_mm)
    expected = primary + scatter
    if rng is None:
        return expected.astype(np.float32)
    noisy = rng.poisson(expected) + rng.normal(0.0, physics.electronic_noise, expected.shape)
    return np.maximum(noisy, 0.0).astype(np.float32)


def line_integrals_from_intensity(intensity: FloatImage, unattenuated: float) -> FloatImage:
    """-log(I / I0), (H, W), with dark pixels held at one quantum in ten thousand of the open beam."""
    return -np.log(np.maximum(intensity / unattenuated, 1e-4)).astype(np.float32)
