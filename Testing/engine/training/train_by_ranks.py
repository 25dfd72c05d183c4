"""What each process of ``test_ranks`` runs: three steps on stored pairs, of which it writes what it came to."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from radgs.networks import new_networks
from radgs.simulation import Exposure
from radgs.training.batches import PairSource
from radgs.training.pairs import PairBank
from radgs.training.ranks import started_ranks
from radgs.training.trainer import Trainer, TrainingProgress, TrainingSettings

STEPS = 3


def main(pairs: Path, replicas: int, out: Path) -> None:
    """Trains from weights that only the first process has; writes the first step's gradient and the last weights."""
    with started_ranks(torch.device("cpu")) as ranks:
        torch.manual_seed(7 + ranks.number)
        source = PairSource([PairBank.load(pairs)], 64, Exposure())
        settings = replace(
            TrainingSettings(), batch=2, replicas=replicas, warm_up_steps=2, register_from=0.0, validation_pairs=1
        )
        trainer = Trainer(new_networks("compact"), source, source, settings, 0.0, 5, STEPS, ranks)
        gradients: list[torch.Tensor] = []

        def look(at: TrainingProgress) -> None:
            gradients.append(together([one.grad for one in trainer.modules.parameters() if one.grad is not None]))

        trainer.run_steps(look, lambda accuracy: None)
        ranks.wait()
        name = f"{ranks.number}_of_{ranks.count}"
        np.save(out / f"gradient_{name}.npy", gradients[0].numpy())
        np.save(out / f"weights_{name}.npy", together(list(trainer.modules.parameters())).numpy())


def together(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """All their numbers in a row."""
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
