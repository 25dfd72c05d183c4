"""Simulated exposure of training images, drawn anew every time a pair is used."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from radgs.filters import gaussian_kernel, separable
from radgs.simulation.crop_worlds import TRAINING_WORLDS, CropWorlds
from radgs.simulation.worlds import World
from radgs.simulation.xray_physics import Detector, relative_noise

#: What varies slowly over a crop is interpolated between this many cells along each side.
SLOW_CELLS = 4
#: A blur reaches this many pixels: two of its largest standard deviations.
BLUR_RADIUS = 2


@dataclass(frozen=True)
class Exposure:
    """Ranges from which every view's exposure is drawn.

    Attributes:
        photons: Quanta per crop pixel in the open beam, log-uniform.
        scatter: Scattered over primary intensity, both averaged widely.
        scatter_unevenness: Standard deviation of the scatter's logarithm over the crop: much of it comes from what
            lies beside the crop, such as lungs, that let far more through than a spine.
        gain: Factor on the line integrals.
        field: Standard deviation of a slow additive field.
        blur: Standard deviation of the blur in pixels, at most.
        collimated: Share of views whose border is covered.
        with_tools: Share of views that show metal.
        worlds: How hospital images differ from clean ones: one drawn for every pair, each as likely as the others. A
            world's scatter replaces ``scatter``.
    """

    photons: tuple[float, float] = (8e4, 1.5e6)
    scatter: tuple[float, float] = (0.0, 1.2)
    scatter_unevenness: float = 0.5
    gain: tuple[float, float] = (0.85, 1.2)
    field: float = 0.12
    blur: float = 0.9
    collimated: float = 0.2
    with_tools: float = 0.2
    worlds: tuple[World, ...] = TRAINING_WORLDS


def exposed(
    vertebra: Tensor, background: Tensor, exposure: Exposure, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """X-rays as a detector would record them.

    Args:
        vertebra: (B, V, P, P) line integrals of the vertebra.
        background: (B, V, P, P) of everything else.
        exposure: What to draw from.
        generator: Source of chance.

    Returns:
        (B, V, P, P) images, line integrals as ``-log(I / I0)`` gives them, and (B, V, P, P) 1 where measured.
    """
    draw = _Draw(vertebra, generator)
    worlds = CropWorlds.drawn(exposure.worlds, len(vertebra), generator)
    images = worlds.anatomy(vertebra, background) * draw.uniform(*exposure.gain)
    images = images + draw.metal(exposure.with_tools)
    detector = _detector(exposure, draw, worlds)
    images = detector.picture(detector.intensity(images))
    valid = draw.open_field(exposure.collimated) * worlds.fields(images)
    images = worlds.displayed(images, valid) + exposure.field * draw.slow_field()
    return images * valid, valid


def _detector(exposure: Exposure, draw: _Draw, worlds: CropWorlds) -> Detector:
    """What crops are recorded with, on the device where they are; the order of the draws is the seeds' meaning."""
    uneven = torch.exp(exposure.scatter_unevenness * draw.slow_field())
    scatter_to_primary = worlds.scatter(draw.uniform(*exposure.scatter)) * uneven
    photons = torch.exp(draw.uniform(*torch.tensor(exposure.photons).log().tolist()))
    noise = relative_noise(photons, draw.normal())
    sigma = draw.uniform(0.0, exposure.blur)
    return Detector(
        open_beam=1.0,
        scatter_to_primary=scatter_to_primary,
        spread=_widely_spread,
        noise=noise,
        picture_blur=lambda images: _blurred(images, sigma),
    )


class _Draw:
    """Random numbers of the shape of a batch of views."""

    def __init__(self, like: Tensor, generator: torch.Generator | None) -> None:
        self.batch, self.views, self.pixels = like.shape[0], like.shape[1], like.shape[-1]
        self._like, self._generator = like, generator

    def rand(self, *shape: int) -> Tensor:
        """Uniform in 0..1."""
        return torch.rand(shape, generator=self._generator, dtype=self._like.dtype, device=self._like.device)

    def uniform(self, low: float, high: float) -> Tensor:
        """(B, V, 1, 1) one number a view."""
        return low + (high - low) * self.rand(self.batch, self.views, 1, 1)

    def normal(self) -> Tensor:
        """(B, V, P, P) of variance one."""
        shape = self._like.shape
        return torch.randn(shape, generator=self._generator, dtype=self._like.dtype, device=self._like.device)

    def slow_field(self) -> Tensor:
        """(B, V, P, P) smooth, of variance about one."""
        shape = (self.batch, self.views, SLOW_CELLS, SLOW_CELLS)
        coarse = torch.randn(shape, generator=self._generator, dtype=self._like.dtype, device=self._like.device)
        return _interpolated(coarse, self.pixels)

    def open_field(self, share: float) -> Tensor:
        """(B, V, P, P) 0 behind the collimator's blades, in some views; each blade covers up to a fifth."""
        covered = (self.rand(self.batch, self.views, 4) * 0.2 - 0.08).clamp_min(0.0) * self.pixels
        covered = covered * (self.rand(self.batch, self.views, 1) < share)
        left, right, top, bottom = (covered[..., n, None] for n in range(4))
        at = torch.arange(self.pixels, dtype=self._like.dtype, device=self._like.device)
        columns = (at >= left) & (at < self.pixels - right)
        rows = (at >= top) & (at < self.pixels - bottom)
        return (rows[..., :, None] & columns[..., None, :]).to(self._like)

    def metal(self, share: float) -> Tensor:
        """(B, V, P, P) line integrals of a rod: a straight band of random place, width and thickness, in some views."""
        angle, offset, half, metal = (self.rand(self.batch, self.views, 1, 1) for _ in range(4))
        angle = angle * torch.pi
        at = (torch.arange(self.pixels, dtype=self._like.dtype, device=self._like.device) + 0.5) / self.pixels - 0.5
        across = at[:, None] * torch.cos(angle) + at[None, :] * torch.sin(angle) - (offset - 0.5)
        along = at[:, None] * -torch.sin(angle) + at[None, :] * torch.cos(angle)
        band = ((across.abs() < 0.005 + 0.03 * half) & (along > metal - 0.6)).to(self._like)
        shown = (self.rand(self.batch, self.views, 1, 1) < share).to(self._like)
        return band * shown * (0.5 + 2.5 * metal)


def _widely_spread(images: Tensor) -> Tensor:
    """(B, V, P, P) smoothed over about a quarter of the crop, not negative."""
    return _interpolated(functional.adaptive_avg_pool2d(images, SLOW_CELLS), images.shape[-1]).clamp_min(0.0)


def _interpolated(coarse: Tensor, pixels: int) -> Tensor:
    """Cells (B, V, SLOW_CELLS, SLOW_CELLS) to (B, V, P, P), smoothly."""
    return functional.interpolate(coarse, size=(pixels, pixels), mode="bicubic", align_corners=False)


def _blurred(images: Tensor, sigma: Tensor) -> Tensor:
    """Every view smoothed by its own sigma (B, V, 1, 1) in pixels, at most about one."""
    flat = functional.pad(images.flatten(0, 1)[None], (BLUR_RADIUS,) * 4, mode="replicate")
    kernels = gaussian_kernel(sigma.flatten()[:, None].clamp_min(0.15), BLUR_RADIUS, images)
    return separable(flat, kernels, kernels).view(images.shape)
