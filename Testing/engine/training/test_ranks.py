"""One training by several processes: they come to what one process comes to, and to the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from radgs.training.pairs import PairBank
from radgs.training.ranks import ALONE, own_device, started_ranks

SCRIPT = Path(__file__).with_name("train_by_ranks.py")
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


@pytest.mark.slow
def test_two_processes_come_to_what_one_comes_to_at_the_same_global_batch(pairs: PairBank, tmp_path: Path) -> None:
    """Two processes with a replica each, and one with two: gradients are the same up to the order of sums.

    Weights after a step need not be, for AdamW makes as much of a gradient that is mere rounding as of any other.
    """
    pairs.save(tmp_path / "pairs.npz")
    for launcher, replicas in (((), 2), (TORCHRUN, 1)):
        command = [sys.executable, *launcher, str(SCRIPT), str(tmp_path / "pairs.npz"), str(replicas), str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr
    alone, first, second = (np.load(tmp_path / f"gradient_{name}.npy") for name in ("0_of_1", "0_of_2", "1_of_2"))
    assert np.array_equal(first, second)
    assert np.linalg.norm(first - alone) < 2e-4 * np.linalg.norm(alone)
    weights = [np.load(tmp_path / f"weights_{name}.npy") for name in ("0_of_2", "1_of_2")]
    assert np.array_equal(*weights)


def test_a_process_that_nobody_else_was_started_with_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        monkeypatch.delenv(variable, raising=False)
    with started_ranks(torch.device("cpu")) as ranks:
        assert ranks is ALONE
        assert ranks.of_the_first([0.5]) == [0.5]
        weight = nn.Parameter(torch.ones(2))
        ranks.average([weight])
        assert weight.grad is None


def test_every_process_of_a_machine_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert own_device(torch.device("cuda")) == torch.device("cuda", 3)
    assert own_device(torch.device("cpu")) == torch.device("cpu")
