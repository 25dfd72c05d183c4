"""A RecM that has learnt nothing yet, and a pair of X-rays of the phantom for it."""

from __future__ import annotations

import pytest
import torch

from radgs.networks.recm import COMPACT, RecM, ViewBatch


@pytest.fixture(scope="session")
def recm() -> RecM:
    """Compact, seeded, in evaluation mode."""
    torch.manual_seed(0)
    return RecM(COMPACT).eval()


@pytest.fixture(scope="session")
def noise_batch() -> ViewBatch:
    """Two pairs of smooth noise seen from the front and from the side."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(4, 1, 16, 16, generator=generator)
    images = 2.0 + 3.0 * torch.nn.functional.interpolate(coarse, size=(128, 128), mode="bilinear").view(2, 2, 128, 128)
    sources = torch.tensor([[[0.0, 620.0, 0.0], [-620.0, 0.0, 0.0]]]).expand(2, 2, 3)
    return ViewBatch.of(images, torch.ones_like(images), sources)
