"""Gradients under a mask: what was not measured has no part in them, and a haze has none either."""

from __future__ import annotations

import torch
from torch import Tensor

from radgs.geometry import ViewGeometry
from radgs.refine import Observation
from radgs.refine.matching import GradientFilter, image_gradient, local_gain


def structure(pixels: int = 64) -> Tensor:
    at = torch.arange(pixels, dtype=torch.float32)
    return (torch.sin(at / 5)[:, None] * torch.cos(at / 7)[None] + at[None] / 40)[None]


def mask(pixels: int = 64) -> Tensor:
    valid = torch.ones(pixels, pixels)
    valid[:, 44:] = 0.0
    return valid


def test_without_a_mask_the_gradient_is_the_plain_one() -> None:
    torch.testing.assert_close(GradientFilter(2.0)(structure()), image_gradient(structure(), 2.0))


def test_a_constant_image_has_no_gradient_up_to_the_masks_edge() -> None:
    assert GradientFilter(3.0, mask())(torch.full((1, 64, 64), 7.0)).abs().max() < 1e-4


def test_what_was_not_measured_has_no_part() -> None:
    junk = structure() + 100.0 * (1 - mask()) * torch.rand(64, 64, generator=torch.Generator().manual_seed(0))
    inside = mask()[None, None] > 0
    found, clean = (GradientFilter(3.0, mask())(image) * inside for image in (junk, structure()))
    torch.testing.assert_close(found, clean, atol=1e-4, rtol=0)


def test_far_from_the_mask_it_is_the_plain_one() -> None:
    plain = image_gradient(structure(), 2.0)
    torch.testing.assert_close(
        GradientFilter(2.0, mask())(structure())[..., 10:-10, 10:36], plain[..., 10:-10, 10:36], atol=1e-5, rtol=0
    )


def observation(images: Tensor, in_intensity: bool) -> Observation:
    return Observation(images, torch.ones_like(images), tuple[ViewGeometry, ...](), 2.0, in_intensity)


def explained(observed: Observation, clean: Observation) -> float:
    """Correlation of what is compared, after the local gain."""
    target, model = (one.compared(one.images, GradientFilter(1.5)) for one in (observed, clean))
    fitted = local_gain(target, model, torch.ones(1, 64, 64), 6.5) * model
    return float((target * fitted).sum() / (target.square().sum() * fitted.square().sum()).sqrt())


def test_under_a_heavy_haze_intensity_still_shows_the_same_structure() -> None:
    at = torch.arange(64, dtype=torch.float32)
    clean = 3.0 + structure()
    primary = torch.exp(-clean)
    haze = 3.0 * primary.mean() * (1.0 + 0.5 * torch.cos(at / 20)[:, None])
    seen = -torch.log(primary + haze)
    in_lines = explained(observation(seen, False), observation(clean, False))
    in_intensity = explained(observation(seen, True), observation(clean, True))
    assert in_intensity > 0.95
    assert in_intensity > in_lines
