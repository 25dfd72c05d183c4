"""What a training step pays for, and who learns from what."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from radgs.networks import Networks, new_networks
from radgs.networks.recm.loss import volume_loss
from radgs.simulation import Exposure
from radgs.training.batches import PairSource, TrainingBatch
from radgs.training.pairs import PairBank
from radgs.training.step import Phase, StepSettings, losses

pytestmark = pytest.mark.slow

EVERYTHING = StepSettings(counterfactual_share=1.0, projection_share=1.0, registration_share=1.0)


@pytest.fixture
def networks() -> Networks:
    torch.manual_seed(0)
    return new_networks("compact")


@pytest.fixture(scope="module")
def batch(pairs: PairBank) -> TrainingBatch:
    return PairSource([pairs], 64, Exposure()).take([0, 1], torch.Generator().manual_seed(0))


def terms_of(networks: Networks, batch: TrainingBatch, together: bool, settings: StepSettings = EVERYTHING) -> dict:
    networks.recm.train()
    return losses(networks.recm, networks.regm, batch, settings, Phase(True, together), np.random.default_rng(0))


def learners(networks: Networks, loss: torch.Tensor) -> set[str]:
    """The parts of the networks that a loss's gradient reaches."""
    for weights in (*networks.recm.parameters(), *networks.regm.parameters()):
        weights.grad = None
    loss.backward(retain_graph=True)
    named = [*networks.recm.named_parameters(), *((f"regm.{n}", w) for n, w in networks.regm.named_parameters())]
    return {name.split(".")[0] for name, w in named if w.grad is not None and bool(w.grad.abs().sum() > 0)}


def test_every_loss_is_there_and_finite(networks: Networks, batch: TrainingBatch) -> None:
    terms = terms_of(networks, batch, together=False)
    assert set(terms) == {"occupancy", "canonical", "cal", "volume", "projection", "registration"}
    assert all(bool(torch.isfinite(term)) for term in terms.values())


def test_the_counterfactual_loss_teaches_the_attention_alone(networks: Networks, batch: TrainingBatch) -> None:
    assert learners(networks, terms_of(networks, batch, together=False)["cal"]) == {"attention"}


def test_the_encoder_learns_from_it_beside_the_other_losses_and_within_limits(
    networks: Networks, batch: TrainingBatch
) -> None:
    """Its gradient is as that of the attention alone, and at the encoder's output at most a tenth of all else."""
    assert networks.recm.attention is not None
    torch.nn.init.normal_(networks.recm.attention.score[-1].linear.weight, std=0.3)
    strong = replace(EVERYTHING, counterfactual=100.0)
    gradients = []
    for settings in (replace(strong, counterfactual_reaches="encoder"), strong):
        torch.manual_seed(1)
        learners(networks, torch.stack(list(terms_of(networks, batch, False, settings).values())).sum())
        gradients.append([weights.grad.clone() for weights in networks.recm.encoder.last.parameters()])
    beside = torch.cat([(both - alone).flatten() for both, alone in zip(*gradients, strict=True)]).norm()
    others = torch.cat([alone.flatten() for alone in gradients[1]]).norm()
    assert 1e-4 * others < beside < 0.5 * others


def test_descending_it_brings_the_counterfactual_loss_down(networks: Networks, batch: TrainingBatch) -> None:
    """The surrogate whose gradient is followed is one of the loss itself."""
    assert networks.recm.attention is not None
    optimizer = torch.optim.Adam(networks.recm.attention.parameters(), lr=3e-3)
    seen = []
    for _ in range(12):
        torch.manual_seed(1)  # the same random attention every time
        loss = terms_of(networks, batch, together=False)["cal"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen.append(float(loss.detach()))
    assert seen[-1] < seen[0]


def test_regm_reaches_recm_through_the_voxelizer_only_together(networks: Networks, batch: TrainingBatch) -> None:
    assert learners(networks, terms_of(networks, batch, together=False)["registration"]) == {"regm"}
    assert "encoder" in learners(networks, terms_of(networks, batch, together=True)["registration"])


def test_without_attention_there_is_no_counterfactual(batch: TrainingBatch) -> None:
    plain = new_networks("compact", attention="none")
    assert "cal" not in terms_of(plain, batch, together=False)
    assert "cal" not in terms_of(new_networks("compact"), batch, False, StepSettings(counterfactual=0.0))


def test_every_pair_that_is_rendered_pays_its_share(networks: Networks, batch: TrainingBatch) -> None:
    """As many as asked for are voxelized and registered at once; losses are their means."""
    seen: list[int] = []

    def noted(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        seen.append(len(inputs[0]))

    with networks.regm.register_forward_pre_hook(noted):
        terms = terms_of(networks, batch, together=False, settings=replace(EVERYTHING, rendered=2, starts=3, rounds=2))
    assert seen == [6, 6]
    with torch.no_grad():
        prediction = networks.recm(batch.views)
        alone = [
            volume_loss(networks.recm.voxelized(networks.recm.gaussians(prediction, index)), batch.volumes[index])
            for index in range(2)
        ]
    assert float(terms["volume"].detach()) == pytest.approx(float(torch.stack(alone).mean()), rel=1e-4)
    assert float((alone[0] - alone[1]).abs()) > 5e-4
