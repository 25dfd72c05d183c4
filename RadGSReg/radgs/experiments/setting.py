"""What the training experiments share: one synthetic vertebra's pairs, and a training of so many steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radgs.case import Level
from radgs.networks import Accuracy, Networks
from radgs.phantom import make_spine
from radgs.pipeline import choose_device
from radgs.simulation import Exposure
from radgs.training.batches import PairSource
from radgs.training.checkpoint import load_checkpoint, save_checkpoint
from radgs.training.pairs import PairBank, make_pairs
from radgs.training.trainer import Trainer, TrainingProgress, TrainingSettings
from radgs.training.training_vertebra import TrainingVertebra

#: Spines of experiments have seeds from here on: none that other commands use.
FIRST_SEED = 600_000
LEVEL = "L3"
#: RegM never learns.
RECM_ALONE = TrainingSettings(
    register_from=math.inf, together_from=math.inf, validate_every_seconds=20.0, validation_pairs=8
)

Progress = Callable[[float, str], None]


@dataclass(frozen=True, eq=False)
class Setting:
    """One vertebra's pairs.

    Attributes:
        training, held_out: Pairs to learn from, and to be scored on.
        seed: Of the spine, the pairs and the training.
        device: "auto", "cpu" or "cuda".
    """

    training: PairBank
    held_out: PairBank
    seed: int
    device: str

    @classmethod
    def make(cls, folder: Path, seed: int, pairs: int, held_out: int, device: str, progress: Progress) -> Setting:
        """Simulates the pairs of a synthetic spine's L3, or takes them from the folder where an earlier run left them.

        Args:
            folder: Where pairs are kept; it must exist.
            seed: Which spine.
            pairs: Pairs to learn from.
            held_out: Pairs to be scored on.
            device: "auto", "cpu" or "cuda".
            progress: Told the fraction done and what is being done.
        """
        path = folder / f"pairs_{seed}_{pairs}_{held_out}.npz"
        if path.exists():
            bank = PairBank.load(path)
        else:
            progress(0.0, "making a synthetic spine")
            spine = make_spine(FIRST_SEED + seed, spacing_mm=1.5)
            vertebra = TrainingVertebra.of(spine.ct, spine.labels, Level(LEVEL, spine.levels[LEVEL]))
            rng = np.random.default_rng([FIRST_SEED, seed])
            bank = make_pairs(
                vertebra,
                LEVEL,
                held_out + pairs,
                rng,
                progress=lambda done: progress(done, "simulated pairs of X-rays"),
            )
            bank.save(path)
        return cls(bank.part(slice(held_out, None)), bank.part(slice(held_out)), seed, device)

    def sources(self, networks: Networks) -> tuple[PairSource, PairSource]:
        """Pairs to learn from and to be scored on, as these networks take them."""
        voxels, on = networks.recm.config.voxels, networks.recm.points.device
        return (
            PairSource([self.training], voxels, Exposure(), on),
            PairSource([self.held_out], voxels, Exposure(), on),
        )

    def held_out_source(self, networks: Networks, exposure: Exposure) -> PairSource:
        """The pairs to be scored on, exposed in another way."""
        return PairSource([self.held_out], networks.recm.config.voxels, exposure, networks.recm.points.device)

    def train(
        self,
        networks: Networks,
        steps: int,
        settings: TrainingSettings,
        what: str,
        progress: Progress,
        *,
        checkpoint: Path | None = None,
        seed: int | None = None,
        until: Callable[[Accuracy], bool] = lambda accuracy: False,
    ) -> list[dict[str, float]]:
        """Trains networks in place for so many steps; returns what was seen at every look.

        Args:
            networks: On any device.
            steps: Of the schedule.
            settings: How to train.
            what: For the progress.
            progress: Told the fraction done and what is being done.
            checkpoint: Written at every look, and gone on from where it is there.
            seed: Of the draws; the setting's by default.
            until: Asked of every look: true ends the training.
        """
        training, held_out = self.sources(networks.to(choose_device(self.device)))
        # The schedule counts steps; the budget in seconds means nothing.
        trainer = Trainer(
            networks, training, held_out, settings, 1.0, self.seed if seed is None else seed, budget_steps=steps
        )
        if checkpoint is not None and checkpoint.exists():
            load_checkpoint(trainer, checkpoint)

        def show(at: TrainingProgress) -> None:
            progress(at.fraction, f"{what}: step {at.steps} of {steps}")

        def keep(accuracy: Accuracy) -> None:
            if checkpoint is not None:
                save_checkpoint(trainer, checkpoint)

        trainer.run_steps(show, keep, lambda: trainer.accuracy is not None and until(trainer.accuracy))
        return trainer.history
