"""Training draws from the worlds that trials come from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from radgs.simulation import Exposure
from radgs.simulation.crop_worlds import TRAINING_WORLDS, CropWorlds
from radgs.simulation.exposure import exposed
from radgs.simulation.worlds import CLEAN, WORLDS, hardened


@pytest.fixture
def vertebra() -> Tensor:
    """(16, 2, 128, 128): a block with edges."""
    images = torch.zeros(16, 2, 128, 128)
    images[..., 48:80, 44:84] = 1.5
    return images


@pytest.fixture
def background() -> Tensor:
    """(16, 2, 128, 128): soft tissue with an edge, thicker to the right."""
    images = torch.linspace(1.0, 3.0, 128).expand(16, 2, 128, 128).clone()
    images[..., 100:, :] += 1.0
    return images


def taken(vertebra: Tensor, background: Tensor, clean: Exposure, world: str) -> tuple[Tensor, Tensor]:
    return exposed(vertebra, background, replace(clean, worlds=(WORLDS[world],)), torch.Generator().manual_seed(3))


def test_a_hardened_beam_is_that_of_the_trials(vertebra: Tensor, background: Tensor, clean: Exposure) -> None:
    images, _ = taken(vertebra, background, clean, "polychromatic")
    expected = hardened((vertebra + background)[0, 0].numpy())
    np.testing.assert_allclose(images[0, 0].numpy(), expected, atol=3e-3)


def test_warped_tissue_moves_and_the_vertebra_does_not(vertebra: Tensor, background: Tensor, clean: Exposure) -> None:
    without, _ = taken(torch.zeros_like(vertebra), background, clean, "warped")
    images, _ = taken(vertebra, background, clean, "warped")
    torch.testing.assert_close(images - without, vertebra, atol=3e-3, rtol=0.0)
    assert float((without - background).abs().max()) > 0.3


@pytest.mark.parametrize("world", ["round", "rotated-blades"])
def test_a_field_is_seen_in_the_mask_of_most_crops(
    world: str, vertebra: Tensor, background: Tensor, clean: Exposure
) -> None:
    images, valid = taken(vertebra, background, clean, world)
    assert bool((images[valid == 0] == 0).all())
    assert int((valid.amin(dim=(2, 3)) == 0).sum()) > 8
    assert float(valid.mean()) > 0.7


def test_what_a_c_arm_shows_has_few_greys(vertebra: Tensor, background: Tensor, clean: Exposure) -> None:
    images, _ = taken(vertebra, background, clean, "display")
    assert len(images[0, 0].unique()) <= 256
    assert (
        float(torch.corrcoef(torch.stack([images[0, 0].flatten(), (vertebra + background)[0, 0].flatten()]))[0, 1])
        > 0.9
    )


def test_scatter_replaces_the_usual_one(vertebra: Tensor, background: Tensor, clean: Exposure) -> None:
    images, _ = taken(vertebra, background, clean, "scatter-3")
    added = torch.exp(-images) / torch.exp(-(vertebra + background)) - 1
    assert 1.0 < float(added.mean()) < 30.0


def test_a_pairs_world_is_drawn_anew_and_from_the_generator() -> None:
    first = CropWorlds.drawn(TRAINING_WORLDS, 64, torch.Generator().manual_seed(0))
    again = CropWorlds.drawn(TRAINING_WORLDS, 64, torch.Generator().manual_seed(0))
    assert first.worlds == again.worlds
    assert len(set(first.worlds)) > 5
    assert 16 < sum(world == CLEAN for world in first.worlds) < 48


def test_crops_without_any_field_left_stay_as_they_are(vertebra: Tensor, background: Tensor, clean: Exposure) -> None:
    worlds = CropWorlds.drawn((WORLDS["display"],), 16, torch.Generator().manual_seed(0))
    nothing = worlds.displayed(vertebra, torch.zeros_like(vertebra))
    torch.testing.assert_close(nothing, vertebra)
