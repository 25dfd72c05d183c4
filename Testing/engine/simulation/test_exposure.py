"""Exposures in training vary as those of real X-rays do."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from radgs.simulation import Exposure
from radgs.simulation.exposure import exposed


@pytest.fixture
def spine() -> Tensor:
    """(32, 2, 128, 128): a dark band, and lungs beside it that let a hundred times as much through."""
    images = torch.full((32, 2, 128, 128), 1.4)
    images[..., 44:84] = 6.0
    return images


def scatter(images: Tensor, exposure: Exposure) -> Tensor:
    """What reaches the detector besides the primary rays."""
    taken, _ = exposed(images, torch.zeros_like(images), exposure, torch.Generator().manual_seed(0))
    return torch.exp(-taken) - torch.exp(-images)


def test_a_clean_exposure_shows_the_line_integrals(spine: Tensor, clean: Exposure) -> None:
    taken, valid = exposed(spine, torch.zeros_like(spine), clean, torch.Generator().manual_seed(0))
    torch.testing.assert_close(taken, spine, atol=2e-3, rtol=0.0)
    assert bool((valid == 1).all())


def test_scatter_spreads_from_bright_lungs_over_a_dark_spine(spine: Tensor, clean: Exposure) -> None:
    scattered = scatter(spine, replace(clean, scatter=(0.5, 0.5), scatter_unevenness=0.0))
    primary = torch.exp(-spine)
    assert float(scattered.min()) > -1e-5
    # Half the primary altogether, and many times the primary of the spine itself.
    assert float(scattered.mean() / primary.mean()) == pytest.approx(0.5, rel=0.15)
    assert float((scattered / primary)[..., 44:84].mean()) > 3.0
    # It has no edges of its own.
    assert float(scattered.diff(dim=-1).abs().max()) < 0.05 * float(primary.max())


def test_scatter_differs_from_view_to_view_and_place_to_place(spine: Tensor, clean: Exposure) -> None:
    even = scatter(spine, replace(clean, scatter=(0.5, 0.5), scatter_unevenness=0.0))
    uneven = scatter(spine, replace(clean, scatter=(0.5, 0.5), scatter_unevenness=0.5))
    change = (uneven[..., 64, 64] / even[..., 64, 64]).log()
    assert 0.3 < float(change.std()) < 0.8
