"""Counterfactual attention: what the effect rewards, and that nothing is learnt from the counterfactual."""

from __future__ import annotations

import pytest
import torch

from radgs.networks.recm import RecM, ViewBatch
from radgs.networks.recm.attention import random_attention
from radgs.networks.recm.loss import counterfactual_loss


def test_untrained_attention_lets_everything_through(recm: RecM, noise_batch: ViewBatch) -> None:
    attention = recm(noise_batch).attention
    assert attention is not None
    assert attention.shape == (2, 2, 1, 64, 64)
    assert torch.allclose(attention, torch.ones_like(attention))


def test_random_attention_is_one_on_average_and_smooth() -> None:
    drawn = random_attention(torch.zeros(50, 1, 64, 64), torch.Generator().manual_seed(0))
    assert drawn.shape == (50, 1, 64, 64)
    assert float(drawn.mean()) == pytest.approx(1.0, abs=0.05)
    assert 0.0 <= float(drawn.min()) < 0.3
    assert 1.7 < float(drawn.max()) <= 2.0
    assert float((drawn[..., 1:] - drawn[..., :-1]).abs().max()) < 0.3


def test_the_effect_rewards_being_right_where_random_attention_is_not() -> None:
    occupied = torch.tensor([1.0, 1.0, 0.0, 0.0])
    right, lost = torch.tensor([3.0, 3.0, -3.0, -3.0]), torch.zeros(4)
    assert counterfactual_loss(right, lost, occupied) < counterfactual_loss(right, right, occupied)
    assert counterfactual_loss(right, right, occupied) == pytest.approx(torch.log(torch.tensor(2.0)).item())


def test_the_counterfactual_pass_differs_and_teaches_nothing(recm: RecM, noise_batch: ViewBatch) -> None:
    prediction = recm(noise_batch)
    drawn = random_attention(torch.zeros(4, 1, 64, 64), torch.Generator().manual_seed(0)).view(2, 2, 1, 64, 64)
    other = recm.counterfactual_logits(noise_batch, prediction.view_features, drawn)
    assert other.shape == prediction.logits.shape
    assert not other.requires_grad
    assert float((other - prediction.logits).detach().abs().max()) > 1e-3
