"""The training loop: it learns, it validates, and it goes on where it stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from radgs.networks import Accuracy, Networks, new_networks
from radgs.simulation import Exposure
from radgs.training.batches import PairSource
from radgs.training.checkpoint import load_checkpoint, save_checkpoint
from radgs.training.pairs import PairBank
from radgs.training.trainer import Trainer, TrainingProgress, TrainingSettings

pytestmark = pytest.mark.slow

SETTINGS = TrainingSettings(batch=2, warm_up_steps=3, validate_every_seconds=1e9, validation_pairs=2)


def trainer(pairs: PairBank, budget_seconds: float = 1e6, settings: TrainingSettings = SETTINGS) -> Trainer:
    torch.manual_seed(0)
    source = PairSource([pairs], 64, Exposure())
    return Trainer(new_networks("compact"), source, source, settings, budget_seconds, seed=3)


def run_steps(one: Trainer, count: int) -> list[TrainingProgress]:
    """A few steps; what was told after each."""
    told: list[TrainingProgress] = []
    one.run_steps(told.append, lambda accuracy: None, lambda: len(told) >= count)
    return told


def weights_of(networks: Networks) -> torch.Tensor:
    return torch.cat([w.detach().flatten() for w in (*networks.recm.parameters(), *networks.regm.parameters())])


def test_a_few_steps_lower_the_losses(pairs: PairBank) -> None:
    told = run_steps(trainer(pairs), 12)
    first, last = told[0].losses, told[-1].losses
    assert last["occupancy"] < first["occupancy"]
    assert last["canonical"] < first["canonical"]
    assert [one.steps for one in told] == list(range(1, 13))


def test_the_budget_ends_it_with_a_look(pairs: PairBank) -> None:
    validations: list[Accuracy] = []
    one = trainer(pairs, budget_seconds=0.5)
    one.run_steps(lambda progress: None, validations.append)
    assert one.seconds >= 0.5
    assert [validation.pairs for validation in validations] == [2]
    assert one.history[-1]["steps"] == one.steps


def test_a_step_that_is_not_finite_changes_nothing(pairs: PairBank) -> None:
    one = trainer(replace(pairs, background=np.full_like(pairs.background, np.nan)))
    before = weights_of(one.networks)
    run_steps(one, 1)
    assert torch.equal(weights_of(one.networks), before)


def test_a_checkpoint_brings_everything_back(pairs: PairBank, tmp_path: Path) -> None:
    one, other = trainer(pairs), trainer(pairs)
    run_steps(one, 3)
    save_checkpoint(one, tmp_path / "checkpoint.safetensors")
    load_checkpoint(other, tmp_path / "checkpoint.safetensors")
    assert torch.equal(weights_of(other.networks), weights_of(one.networks))
    assert (other.steps, other.history, other.accuracy) == (one.steps, one.history, one.accuracy)
    assert other.seconds == pytest.approx(one.seconds)
    mine, its = (t.optimizer.state_dict()["state"] for t in (one, other))
    assert mine.keys() == its.keys()
    assert all(torch.equal(mine[n][kind], its[n][kind]) for n in mine for kind in mine[n])
    assert run_steps(other, 1)[0].steps == 4


def test_another_budget_keeps_the_share_that_was_done(pairs: PairBank, tmp_path: Path) -> None:
    one = trainer(pairs, budget_seconds=100.0)
    one.seconds = 40.0
    save_checkpoint(one, tmp_path / "checkpoint.safetensors")
    other = trainer(pairs, budget_seconds=50.0)
    load_checkpoint(other, tmp_path / "checkpoint.safetensors")
    assert other.seconds == pytest.approx(20.0)
