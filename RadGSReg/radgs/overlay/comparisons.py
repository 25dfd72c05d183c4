"""Pictures that compare an X-ray with a DRR: signed difference, the DRR's edges; and what the X-ray does not show."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from radgs.colours import UNMEASURED, rgb
from radgs.overlay.agreement import STRONG_PERCENTILE, edge_gradient
from radgs.overlay.arrays import FloatImage, ViewCrop, middle_square

#: Contrast and brightness of the DRR are matched to the X-ray's over this distance (Gaussian sigma).
MATCH_SIGMA_MM = 12.0
#: A difference of so many standard deviations of the X-ray around it is white, or black.
FULL_DIFFERENCE = 2.0
#: Edges weaker than this share of a strong one are not drawn.
WEAKEST_EDGE = 0.15
#: Shading of what was not measured: stripes of this width, and their strength.
STRIPE_PIXELS, SHADE = 6, 0.55


def matched(drr: FloatImage, crop: ViewCrop) -> tuple[FloatImage, FloatImage]:
    """A DRR brought to the X-ray's local brightness and contrast, and the X-ray's local standard deviation.

    Gain and offset are those of least squares in a Gaussian neighbourhood of measured pixels; the gain is not negative.

    Args:
        drr: (H, W) line integrals in the crop's pixels.
        crop: The X-ray around the vertebra.
    """
    measured = (crop.valid > 0.5).astype(np.float32)
    sigma = MATCH_SIGMA_MM / crop.pixel_mm
    share = np.maximum(wide_gaussian(measured, sigma), 1e-3)

    def mean(image: FloatImage) -> NDArray[np.float32]:
        return np.asarray(wide_gaussian(image * measured, sigma) / share)

    xray = crop.image
    xray_mean, drr_mean = mean(xray), mean(drr)
    variance = np.maximum(mean(drr * drr) - drr_mean**2, 1e-8)
    gain = np.maximum((mean(xray * drr) - xray_mean * drr_mean) / variance, 0.0)
    spread = np.sqrt(np.maximum(mean(xray * xray) - xray_mean**2, 1e-8))
    return (xray_mean + gain * (drr - drr_mean)).astype(np.float32), spread.astype(np.float32)


def difference_picture(crop: ViewCrop, drr: FloatImage) -> FloatImage:
    """(H, W) greys 0..1: middle grey where both agree, brighter where the X-ray has more, darker where the DRR has."""
    expected, spread = matched(drr, crop)
    grey = 0.5 + 0.5 * (crop.image - expected) / (FULL_DIFFERENCE * spread)
    return np.where(crop.valid > 0.5, np.clip(grey, 0.0, 1.0), 0.5).astype(np.float32)


def edge_picture(crop: ViewCrop, drr: FloatImage, colour: str) -> FloatImage:
    """(H, W, 4) RGBA 0..1: the DRR's edges in one colour, clear elsewhere."""
    strength = np.hypot(*edge_gradient(drr, np.ones_like(drr), crop.pixel_mm))
    return _in_colour(colour, edge_alpha(strength, middle_square(drr.shape)))


def edge_alpha(strength: FloatImage, counted: NDArray[np.bool_]) -> FloatImage:
    """(H, W) how much of an edge a DRR has, 0..1.

    Args:
        strength: (H, W) of its gradient.
        counted: (H, W) where the vertebra is, whose edges are strong: the skin's is stronger than any bone's.
    """
    strong = max(float(np.percentile(strength[counted], STRONG_PERCENTILE)), 1e-12)
    return np.clip((strength / strong - WEAKEST_EDGE) / (1 - WEAKEST_EDGE), 0.0, 1.0).astype(np.float32)


def unmeasured_picture(crop: ViewCrop) -> FloatImage:
    """(H, W, 4) RGBA 0..1: stripes over what the X-ray does not show, blades and all beyond the film."""
    rows, columns = np.indices(crop.image.shape)
    striped = (rows + columns) // STRIPE_PIXELS % 2 == 0
    shade = np.where(striped, SHADE, SHADE / 2)
    return _in_colour(UNMEASURED, np.where(crop.valid > 0.5, 0.0, shade))


def wide_gaussian(image: FloatImage, sigma: float) -> FloatImage:
    """Three running means, which are a Gaussian's within a few per cent, and as quick however wide it is."""
    width = max(round(float(np.sqrt(4.0 * sigma**2 + 1.0))), 1)
    smooth = np.asarray(image, dtype=np.float32)
    for _time in range(3):
        smooth = ndimage.uniform_filter(smooth, width)
    return smooth


def _in_colour(colour: str, alpha: NDArray) -> FloatImage:
    picture = np.empty((*alpha.shape, 4), dtype=np.float32)
    picture[..., :3], picture[..., 3] = rgb(colour), alpha
    return picture
