"""Counterfactual attention: what the effect rewards, and that nothing is learnt from the counterfactual."""

from __future__ import annotations

import pytest
import torch

from radgs.networks.recm import RecM, ViewBatch
from radgs.networks.recm.attention import MassAttention, forked, random_attention
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


@pytest.fixture
def attention() -> MassAttention:
    """An attention that has learned something."""
    torch.manual_seed(3)
    made = MassAttention(8)
    torch.nn.init.normal_(made.score[-1].linear.weight, std=0.5)
    return made


def test_attention_keeps_its_mass(attention: MassAttention) -> None:
    """Turned up everywhere it stays the same: what one place gains another loses."""
    features = torch.randn(3, 8, 16, 16)
    seen = attention(features)
    assert float(seen.std()) > 0.1
    assert torch.allclose(seen.mean(dim=(1, 2, 3)), torch.ones(3), atol=1e-5)
    last = attention.score[-1].linear
    with torch.no_grad():
        last.bias += 5.0
    assert torch.allclose(attention(features), seen, atol=1e-4)


def test_attention_tells_places_apart_that_look_the_same(attention: MassAttention) -> None:
    blank = torch.zeros(1, 8, 16, 16)
    inner = attention(blank)[0, 0, 2:-2, 2:-2]
    assert float(inner.std()) > 0.01
    assert not torch.allclose(inner, inner.flip(1), atol=1e-3)


def test_random_attention_has_the_same_mass(attention: MassAttention) -> None:
    drawn = attention.random(torch.zeros(5, 1, 64, 64), torch.Generator().manual_seed(0))
    assert torch.allclose(drawn.mean(dim=(1, 2, 3)), torch.ones(5), atol=1e-5)
    assert float(drawn.std()) > 0.2


@pytest.mark.parametrize(("weight", "share"), [(0.001, None), (1000.0, 0.1)])
def test_what_is_learned_beside_is_limited_to_a_share(weight: float, share: float | None) -> None:
    maps = torch.randn(4, 5, requires_grad=True)
    first, second = forked(maps, 0.1)
    pull = torch.randn(4, 5)
    ((first * pull).sum() + weight * second.sum()).backward()
    assert maps.grad is not None
    beside = maps.grad - pull
    expected = weight * torch.ones(4, 5)
    if share is not None:
        expected *= share * pull.norm() / expected.norm()
    assert torch.allclose(beside, expected, rtol=1e-3, atol=1e-5)


def test_nothing_is_learned_beside_nothing() -> None:
    maps = torch.randn(4, 5, requires_grad=True)
    forked(maps, 0.1)[1].sum().backward()
    assert maps.grad is None or float(maps.grad.abs().max()) == 0.0


def test_a_pass_under_a_given_attention_is_the_factual_one_under_its_own(recm: RecM, noise_batch: ViewBatch) -> None:
    factual = recm(noise_batch)
    assert factual.attention is not None
    again = recm.under(noise_batch, factual.attention)
    assert torch.allclose(again.logits, factual.logits, atol=1e-4)
    drawn = random_attention(torch.zeros(4, 1, 64, 64), torch.Generator().manual_seed(0)).view(2, 2, 1, 64, 64)
    assert float((recm.under(noise_batch, drawn).logits - factual.logits).abs().max()) > 1e-3
