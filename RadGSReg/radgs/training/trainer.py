"""The training loop: batches, losses, AdamW, a schedule that fits a time budget, and validation on held-out pairs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import cast

import numpy as np
import torch
from torch import nn

from radgs.networks import Accuracy, Networks
from radgs.networks.layers import put_channels_last
from radgs.networks.recm import RecM
from radgs.networks.regm import RegM
from radgs.training.batches import BatchSource, PairSource
from radgs.training.ranks import ALONE, Ranks
from radgs.training.replicas import Replicas
from radgs.training.scoring import score
from radgs.training.step import Phase, StepSettings, losses


@dataclass(frozen=True)
class TrainingSettings:
    """How to train.

    Attributes:
        batch: Pairs a step, shared out among the replicas of all processes; each takes one at least...
        gpu_batch: ...and on GPUs, which are hardly busy with few: a preparation came to 2.50 mm by 4 and to 1.95 by 32.
        gpu_rendered: Of a GPU's pairs so many are voxelized, splatted and seen by RegM (a CPU's: ``step.rendered``).
        replicas: Copies of the networks that work side by side, on a CPU; a GPU works on the whole batch.
        learning_rate: Peak of a schedule that warms up and falls to nothing as a cosine.
        warm_up_steps: Steps until the peak.
        weight_decay: AdamW's.
        clip: Largest norm of a step's gradient.
        register_from: RegM learns from this share of the budget on.
        together_from: And RecM with it, through the voxelizer, from this share on.
        validate_every_seconds: Time between validations on held-out pairs...
        validate_every_steps: ...or steps, where the budget is one of steps: on a busy machine time says little.
        validation_pairs: Held-out pairs that a validation takes.
        step: Losses.
    """

    batch: int = 4
    gpu_batch: int = 32
    gpu_rendered: int = 8
    replicas: int = 2
    learning_rate: float = 2e-3
    warm_up_steps: int = 50
    weight_decay: float = 1e-4
    clip: float = 1.0
    register_from: float = 0.15
    together_from: float = 0.7
    validate_every_seconds: float = 150.0
    validate_every_steps: int | None = None
    validation_pairs: int = 12
    step: StepSettings = field(default_factory=StepSettings)


@dataclass(frozen=True)
class TrainingProgress:
    """Where training stands.

    Attributes:
        fraction: Of the budget, 0 to 1.
        seconds_left: Until the budget is spent.
        steps: Done so far.
        losses: Means over the last steps, by name.
        accuracy: Of the last validation; None before the first.
    """

    fraction: float
    seconds_left: float
    steps: int
    losses: dict[str, float]
    accuracy: Accuracy | None


class Trainer:
    """Trains networks in place.

    Args:
        networks: RecM and RegM, on the device of the sources.
        training: Pairs to learn from.
        held_out: Pairs to validate on.
        settings: How.
        budget_seconds: What the schedule is made for.
        seed: Chooses pairs, exposures and starts.
        budget_steps: Makes the schedule for so many steps instead, however long they take: two such runs can be
            compared.
        ranks: The processes that train together.
    """

    def __init__(
        self,
        networks: Networks,
        training: BatchSource,
        held_out: PairSource,
        settings: TrainingSettings,
        budget_seconds: float,
        seed: int = 0,
        budget_steps: int | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        self.budget_steps, self._ranks = budget_steps, ranks
        self.networks, self.training, self.held_out = networks, training, held_out
        self.settings, self.budget_seconds, self.seed = settings, budget_seconds, seed
        self.modules = nn.ModuleDict({"recm": networks.recm, "regm": networks.regm})
        put_channels_last(self.modules)
        self.optimizer = torch.optim.AdamW(
            self.modules.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            betas=(0.9, 0.98),
            fused=True,
        )
        on_cpu = networks.recm.points.device.type == "cpu"
        self._replicas = Replicas(self.modules, settings.replicas if on_cpu else 1)
        batch = settings.batch if on_cpu else settings.gpu_batch
        self._share = max(1, batch // (len(self._replicas) * ranks.count))
        self._how = settings.step if on_cpu else replace(settings.step, rendered=settings.gpu_rendered)
        self.steps, self.seconds = 0, 0.0
        self.history: list[dict[str, float]] = []
        self._recent: list[dict[str, float]] = []
        self.last_validation = 0.0
        self.accuracy: Accuracy | None = None

    @property
    def done(self) -> float:
        """Share of the budget that is spent; 1 and more when it is used up."""
        if self.budget_steps is not None:
            return self.steps / self.budget_steps
        return self.seconds / self.budget_seconds

    def run_steps(
        self,
        progress: Callable[[TrainingProgress], None],
        on_validation: Callable[[Accuracy], None],
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """Trains until the budget is spent or someone cancels.

        Args:
            progress: Told after every step where things stand.
            on_validation: Told after every validation: the moment to save.
            cancelled: Asked before every step.
        """
        self.modules.train()
        self._begin_together()
        draws = [_Draws(rng, self.networks) for rng in self._own_generators()]
        began = time.monotonic() - self.seconds
        while (done := self._agreed(cancelled)) < 1.0:
            self._recent.append(self._step(draws, done))
            self._recent = self._recent[-25:]
            self.seconds = time.monotonic() - began
            progress(self._progress())
            if self._ranks.first and self._due():
                self._validate(on_validation)
                self.seconds = time.monotonic() - began
        if self._ranks.first:
            self._validate(on_validation)

    def _begin_together(self) -> None:
        """All processes from where the first one is: it may have taken up a checkpoint."""
        if self._ranks.count > 1:
            mine = self.steps, self.modules.state_dict(), self.optimizer.state_dict()
            self.steps, weights, moments = self._ranks.state_of_the_first(mine)
            self.modules.load_state_dict(weights)
            self.optimizer.load_state_dict(moments)

    def _agreed(self, cancelled: Callable[[], bool]) -> float:
        """How much of the budget is spent, as the first process says; 1 once it is asked to stop."""
        (done,) = self._ranks.of_the_first([1.0 if cancelled() else self.done])
        return done

    def _own_generators(self) -> list[np.random.Generator]:
        """Of this process's replicas: a replica's draws are those of its number among all."""
        each = len(self._replicas)
        everyone = np.random.default_rng([self.seed, self.steps]).spawn(each * self._ranks.count)
        return everyone[each * self._ranks.number : each * (self._ranks.number + 1)]

    def _due(self) -> bool:
        """Whether it is time for a validation."""
        if self.settings.validate_every_steps is not None:
            return self.steps % self.settings.validate_every_steps == 0
        return self.seconds - self.last_validation > self.settings.validate_every_seconds

    def _step(self, draws: Sequence[_Draws], done: float) -> dict[str, float]:
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * self._rate(done)
        phase = Phase(done >= self.settings.register_from, done >= self.settings.together_from)

        def descend(modules: nn.Module, number: int) -> dict[str, float]:
            draw = draws[number]
            batch = self.training.draw(self._share, draw.rng, draw.generator)
            recm, regm = modules.get_submodule("recm"), modules.get_submodule("regm")
            terms = losses(cast(RecM, recm), cast(RegM, regm), batch, self._how, phase, draw.rng)
            torch.stack(list(terms.values())).sum().backward()
            return {name: float(term.detach()) for name, term in terms.items()}

        self.optimizer.zero_grad()
        told = self._replicas.run(descend)
        self._replicas.gather_gradients()
        self._ranks.average(list(self.modules.parameters()))
        norm = nn.utils.clip_grad_norm_(self.modules.parameters(), self.settings.clip)
        # A step that is not finite would poison the weights for good.
        if bool(torch.isfinite(norm)):
            self.optimizer.step()
        self.steps += 1
        return _means(told)

    def _rate(self, done: float) -> float:
        warm = min(1.0, (self.steps + 1) / self.settings.warm_up_steps)
        return warm * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * min(1.0, done))))

    def _validate(self, on_validation: Callable[[Accuracy], None]) -> None:
        self.accuracy = score(self.networks, self.held_out, self.settings.validation_pairs)
        self.last_validation = self.seconds
        measured = {name: value for name, value in asdict(self.accuracy).items() if name != "diagnoses"}
        self.history.append({"seconds": self.seconds, "steps": self.steps, **_means(self._recent), **measured})
        on_validation(self.accuracy)

    def _progress(self) -> TrainingProgress:
        left = self.budget_seconds - self.seconds
        if self.budget_steps is not None:
            left = (self.budget_steps - self.steps) * self.seconds / self.steps
        return TrainingProgress(min(1.0, self.done), max(0.0, left), self.steps, _means(self._recent), self.accuracy)


class _Draws:
    """A replica's own sources of chance."""

    def __init__(self, rng: np.random.Generator, networks: Networks) -> None:
        self.rng = rng
        self.generator = torch.Generator(networks.recm.points.device).manual_seed(int(rng.integers(2**31)))


def _means(terms: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of every term, over those that have it."""
    names = sorted({name for one in terms for name in one})
    return {name: float(np.mean([one[name] for one in terms if name in one])) for name in names}
