"""Do the edges fit, or the shape alone? How much likeness a pose loses from a coarse scale to a fine one.

Of another patient's vertebra the coarse shape can fit, its edges do not. What a CT does not know (it is cut, there is
scatter, tissue has moved) is as unlike at every scale. Two things take a right pose's fine edges too, and are allowed
for: noise in the X-ray, and voxels of the CT that are coarser than the X-ray's pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from radgs.filters import filtered, gaussian_matrix
from radgs.geometry import FloatArray, ViewGeometry, unit
from radgs.refine import Observation
from radgs.refine.matching import GAIN_REACH_MM, Match
from radgs.refine.solver import SILHOUETTE_THRESHOLD

#: Scales of the gradients whose likeness is compared, mm.
COARSE_MM, FINE_MM = 2.0, 1.0
#: Where noise leaves less than this of a likeness, nothing is said.
MIN_CEILING = 0.7
#: A CT's image is as blurred as by a Gaussian of this many voxels: what a voxel averages over, and interpolation
#: between voxels. Of right poses with voxels of 1.5 to 5 mm it leaves the least lost.
VOXELS_OF_BLUR = 0.4
#: Half of a normal deviate's absolute values lie below so many standard deviations.
MEDIAN_OF_NORMAL = 0.6745
#: Kernels end at so many standard deviations.
KERNEL_SIGMAS = 3.5


@dataclass(frozen=True)
class Likeness:
    """Robust gradient correlation on the vertebra, at a coarse and a fine scale, as a share of what noise leaves."""

    coarse: float = 1.0
    fine: float = 1.0

    @property
    def lost(self) -> float:
        """What is lost from the one to the other; negative where fine edges are the more alike, as under scatter."""
        return self.coarse - self.fine


def likeness(one: Observation, drawn: Tensor, vertebra: Tensor, blur: FloatArray) -> Likeness:
    """How alike a drawn image and an X-ray are on the vertebra.

    Args:
        one: A single view.
        drawn: (n, n) the CT's image at the pose, line integrals.
        vertebra: (n, n) the vertebra's part of it.
        blur: (2,) how blurred the CT's image is along rows and along columns, ``ct_blur``; the X-ray is blurred alike.
    """
    on_vertebra = (one.valid[0] > 0.99) & (vertebra.abs() > SILHOUETTE_THRESHOLD)
    if not bool(on_vertebra.any()):
        return Likeness()
    noise = noise_like(one.images[0] - drawn, on_vertebra)
    seen, noisy = (_blurred(image, one.valid[0], blur)[None] for image in (one.images[0], one.images[0] + noise))
    found = []
    for sigma_mm in (COARSE_MM, FINE_MM):
        (kernel,) = one.gradient_filters(sigma_mm / one.pixel_mm)
        target, rendered = one.gradients(seen, (kernel,)), one.compared(drawn[None], kernel)
        match = Match(target, on_vertebra[None].to(target), GAIN_REACH_MM / one.pixel_mm, shared_samples=1.0)
        weight = match.robust_weight(rendered)
        alike = float(replace(match, pixel_weight=weight).correlation(rendered)[0])
        by_noise = one.gradients(noisy, (kernel,)) - target
        share = float((weight[:, None] * by_noise**2).sum() / (weight[:, None] * target**2).sum().clamp_min(1e-12))
        ceiling = math.sqrt(max(1.0 - share, 0.0))
        if ceiling < MIN_CEILING:
            return Likeness()
        found.append(min(alike / ceiling, 1.0))
    return Likeness(*found)


def ct_blur(geometry: ViewGeometry, voxel: FloatArray, pixel_mm: float) -> FloatArray:
    """(2,) how far a CT's voxels blur its image along rows and along columns of a detector, pixels.

    Args:
        geometry: The detector.
        voxel: (3, 3) steps from voxel to voxel in the world, one a column, mm.
        pixel_mm: A pixel's size where the voxels are.
    """
    along = [unit(geometry.detector_to_ras[:3, axis]) for axis in (0, 1)]
    return VOXELS_OF_BLUR * np.array([np.linalg.norm(axis @ voxel) for axis in along]) / pixel_mm


def noise_like(unexplained: Tensor, where: Tensor) -> Tensor:
    """(n, n) an example of noise as strong as that of an image.

    By the mask that neither edges nor ramps pass (Immerkaer 1996), robustly; the edges that are left hardly count.

    Args:
        unexplained: (n, n) an image, without what is known of its structure.
        where: (n, n) True on pixels that are looked at.
    """
    mask = torch.tensor([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]]).to(unexplained) / 6.0
    passed = functional.conv2d(unexplained[None, None], mask[None, None], padding=1)[0, 0]
    deviation = passed[where].abs().median() / MEDIAN_OF_NORMAL
    drawn = torch.randn(unexplained.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return deviation * drawn.to(unexplained)


def _blurred(image: Tensor, valid: Tensor, sigma: FloatArray) -> Tensor:
    """(n, n) an image blurred by (2,) pixels along rows and along columns, from measured pixels alone."""
    along_rows, along_columns = (
        gaussian_matrix(len(image), max(float(one), 1e-3), int(np.ceil(KERNEL_SIGMAS * one)), image, beyond="repeat")
        for one in sigma
    )
    smooth = filtered(image * valid, along_columns, along_rows)
    share = filtered(valid.to(image), along_columns, along_rows).clamp_min(1e-3)
    return torch.where(valid > 0.5, smooth / share, image)
