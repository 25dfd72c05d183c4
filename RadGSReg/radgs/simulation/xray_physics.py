"""X-ray physics of simulated trials: exposure, noise, scatter, blur, collimation, display."""

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
        collimation: Fractions of the image hidden by the collimator's blades: left, right, top, bottom.
    """

    photons: float = 5.0e4
    scatter_to_primary: float = 0.3
    scatter_sigma_mm: float = 40.0
    blur_sigma_mm: float = 0.25
    electronic_noise: float = 3.0
    collimation: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


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
    expected = np.where(_open_field(line_integrals.shape, physics.collimation), primary + scatter, 0.0)
    if rng is None:
        return expected.astype(np.float32)
    noisy = rng.poisson(expected) + rng.normal(0.0, physics.electronic_noise, expected.shape)
    return np.maximum(noisy, 0.0).astype(np.float32)


def line_integrals_from_intensity(intensity: FloatImage, unattenuated: float) -> FloatImage:
    """-log(I / I0), (H, W), with dark pixels held at one quantum in ten thousand of the open beam."""
    return -np.log(np.maximum(intensity / unattenuated, 1e-4)).astype(np.float32)


def display(line_integrals: FloatImage, gamma: float = 1.0, bits: int = 12) -> NDArray[np.uint16]:
    """A bone-bright picture as a workstation stores it: windowed to the 1st-99th percentile, gamma, quantised."""
    low, high = np.percentile(line_integrals, [1.0, 99.0])
    scaled = np.clip((line_integrals - low) / max(high - low, 1e-6), 0.0, 1.0) ** gamma
    return np.round(scaled * (2**bits - 1)).astype(np.uint16)


def _open_field(shape: tuple[int, ...], collimation: tuple[float, float, float, float]) -> NDArray[np.bool_]:
    left, right, top, bottom = collimation
    rows, columns = shape
    open_field = np.zeros(shape, dtype=bool)
    open_field[int(top * rows) : rows - int(bottom * rows), int(left * columns) : columns - int(right * columns)] = True
    return open_field
