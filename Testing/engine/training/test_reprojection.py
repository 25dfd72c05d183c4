"""What re-projection pays for, and what it is blind to."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from radgs.networks import load_generic
from radgs.simulation import Exposure
from radgs.training.batches import MixedSource, PairSource, UnlabelledBatch
from radgs.training.pairs import PairBank
from radgs.training.reprojection import unexplained_share
from radgs.training.step import Phase, StepSettings, losses


def shadow_of(pairs: PairBank, view: int = 0) -> Tensor:
    """A vertebra's own image."""
    return torch.from_numpy(pairs.vertebra[0, view].astype(np.float32))


def slow_field() -> Tensor:
    """Everything else: smooth, and stronger than the vertebra."""
    rows, columns = torch.meshgrid(*(torch.linspace(-1, 1, 128),) * 2, indexing="ij")
    return 3.0 + 1.5 * rows + columns * rows - columns.square()


def test_gain_and_what_is_smooth_do_not_matter_and_where_the_vertebra_is_does(pairs: PairBank) -> None:
    projection, everywhere = shadow_of(pairs), torch.ones(128, 128)
    xray = 0.4 * projection * (1.0 + 0.2 * slow_field() / 4.0) + slow_field()
    right = float(unexplained_share(projection, xray, everywhere))
    assert right < 0.02
    shares = [float(unexplained_share(projection.roll(by, 1), xray, everywhere)) for by in (2, 5, 10)]
    assert 0.05 < shares[0] < shares[1]
    assert min(shares[1:]) > 0.5
    assert float(unexplained_share(torch.zeros_like(projection), xray, everywhere)) == 1.0


def test_what_was_not_measured_does_not_matter(pairs: PairBank) -> None:
    projection, measured = shadow_of(pairs), torch.ones(128, 128)
    measured[:, :55] = 0.0
    xray = projection + slow_field()
    spoilt = torch.where(measured > 0, xray, 40.0 * torch.rand(128, 128, generator=torch.Generator().manual_seed(0)))
    assert float(unexplained_share(projection, spoilt, measured)) == pytest.approx(
        float(unexplained_share(projection, torch.where(measured > 0, xray, 0.0), measured)), abs=1e-5
    )


def test_descending_it_brings_a_projection_to_the_vertebra(pairs: PairBank) -> None:
    """The shadow, gain and weights are held while it descends: the gradient still leads the right way."""
    truth = shadow_of(pairs)
    xray, everywhere = truth + slow_field(), torch.ones(128, 128)
    projection = truth.roll(3, 1).clone().requires_grad_()
    first = unexplained_share(projection, xray, everywhere)
    optimizer = torch.optim.Adam([projection], lr=5e-4)
    for _ in range(100):
        optimizer.zero_grad()
        unexplained_share(projection, xray, everywhere).backward()
        optimizer.step()
    assert unexplained_share(projection, xray, everywhere).item() < 0.5 * first.item()


def test_pairs_without_a_pose_pay_for_re_projection_alone(pairs: PairBank) -> None:
    known = PairSource([pairs], 64, Exposure()).take([0], torch.Generator().manual_seed(0))
    networks = load_generic()
    networks.recm.train()
    terms = losses(
        networks.recm,
        networks.regm,
        UnlabelledBatch(known.views),
        StepSettings(reprojection=2.0),
        Phase(True, True),
        np.random.default_rng(0),
    )
    assert set(terms) == {"reprojection"}
    assert 0.0 < terms["reprojection"].item() < 2.0
    terms["reprojection"].backward()
    assert all(weight.grad is None for weight in networks.regm.parameters())
    pulled = [float(weight.grad.abs().sum()) for weight in networks.recm.parameters() if weight.grad is not None]
    assert max(pulled) > 0
    assert all(np.isfinite(pulled))


def test_a_mixture_draws_from_each_source_its_share(pairs: PairBank) -> None:
    many, one = PairSource([pairs], 64, Exposure()), PairSource([pairs.part(slice(1))], 64, Exposure())
    mixed = MixedSource([(3.0, many), (1.0, one)])
    assert len(mixed) == len(pairs) + 1
    drawn: list[str] = []
    many.draw = lambda *given: drawn.append("many")  # type: ignore[assignment,method-assign,misc,return-value]
    one.draw = lambda *given: drawn.append("one")  # type: ignore[assignment,method-assign,misc,return-value]
    rng = np.random.default_rng(0)
    for _ in range(400):
        mixed.draw(1, rng)
    assert drawn.count("many") == pytest.approx(300, abs=30)
