"""Preparation for one patient's vertebra (stage 2): the generic networks learn this CT, within a time budget.

Everything lives in ``<model>.work`` until the budget is spent: cached pairs and a checkpoint, so that the same call
takes up where a killed one stopped. The model file itself is the best so far, from the first validation on. Another
seed's work lies in a folder of its own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from radgs.case import Level
from radgs.errors import InputFileError, RadgsError
from radgs.geometry import Volume
from radgs.networks import Accuracy, Networks, PreparedFor, ct_fingerprint, load_networks
from radgs.pipeline import choose_device
from radgs.simulation import Exposure
from radgs.training.batches import PairSource
from radgs.training.pairs import PairBank, make_pairs
from radgs.training.session import TrainingSession, told
from radgs.training.step import StepSettings
from radgs.training.trainer import TrainingProgress, TrainingSettings
from radgs.training.training_vertebra import TrainingVertebra
from radgs.training.unfinished_work import remove_work, unfinished_work

#: Share of the budget that may go into pairs; pairs at most, and made at a time.
PAIRS_SHARE, MAX_PAIRS, PAIRS_AT_A_TIME = 0.2, 2000, 8
#: Pairs held out, at most, and the share of the budget they may take: for validation, and for the score at the end.
HELD_OUT, HELD_OUT_SHARE = 40, 0.1
#: Share of the budget kept for scoring at the end.
SCORING_SHARE = 0.03
#: The base knows most of it already, where to attend above all: RegM learns from the start, attention now and then.
SETTINGS = TrainingSettings(
    warm_up_steps=30,
    register_from=0.0,
    validate_every_seconds=120.0,
    step=StepSettings(counterfactual_share=0.1),
)
#: Validations there are at least, however short the budget.
MIN_VALIDATIONS = 8


@dataclass(frozen=True)
class PreparationSettings:
    """What a preparation does within its budget.

    Attributes:
        most_pairs: Pairs to train on, at most.
        pairs_at_a_time: Made before the clock is looked at, and cancelling heard, again.
        held_out: Pairs kept apart, at most.
        training: How to train.
    """

    most_pairs: int = MAX_PAIRS
    pairs_at_a_time: int = PAIRS_AT_A_TIME
    held_out: int = HELD_OUT
    training: TrainingSettings = SETTINGS


@dataclass(frozen=True)
class PreparationProgress:
    """Where a preparation stands.

    Attributes:
        stage: "pairs", "train" or "score".
        fraction: Of the whole budget, 0 to 1.
        seconds_left: Until it is spent.
        message: For people.
        accuracy: Of the last validation; None before the first.
    """

    stage: str
    fraction: float
    seconds_left: float
    message: str
    accuracy: Accuracy | None = None


def prepare(
    ct: Volume,
    labels: Volume,
    level: Level,
    base: Networks,
    out: Path,
    *,
    minutes: float = 20.0,
    seed: int = 0,
    device: str = "auto",
    settings: PreparationSettings | None = None,
    progress: Callable[[PreparationProgress], None] = lambda progress: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Networks:
    """Trains networks for one vertebra of one CT and writes them to ``out``.

    Args:
        ct: Hounsfield units.
        labels: Label map, on any grid.
        level: The vertebra.
        base: Networks to start from (``training.base`` finds the best); they are trained in place.
        out: The model file.
        minutes: Time budget, all in all.
        seed: Chooses pairs and exposures.
        device: "auto", "cpu" or "cuda".
        settings: What is done within the budget.
        progress: Told where things stand.
        cancelled: Asked often; true ends the preparation with the best so far.

    Returns:
        The networks of the model file.

    Raises:
        CaseError: The label map has no such vertebra, or not the whole of one.
        InputFileError: ``out`` is there and holds something else than a model of this vertebra in this CT.
        OutputError: ``out`` cannot be written, or another process prepares it.
        RadgsError: Cancelled before there was anything to keep, or no such device.
    """
    if not 0.0 < minutes < math.inf:
        raise InputFileError(f"A preparation of {minutes} minutes cannot be done.", "Give it some minutes.")
    began, budget = time.monotonic(), minutes * 60.0
    settings = settings or PreparationSettings()
    fingerprint = ct_fingerprint(ct)
    best_before = _accuracy_so_far(out, level, fingerprint)
    about = f"{fingerprint} {ct_fingerprint(labels)} {level.name} {level.label}"
    with unfinished_work(out, about, seed) as work:

        def tell(stage: str, fraction: float, message: str, accuracy: Accuracy | None = None) -> None:
            progress(PreparationProgress(stage, fraction, budget * (1.0 - fraction), message, accuracy))

        tell("pairs", 0.0, f"separating {level.name} from the CT")
        on = choose_device(device)
        vertebra = TrainingVertebra.of(ct, labels, level, on)

        def spent() -> float:
            return (time.monotonic() - began) / budget

        pairs = _Pairs(vertebra, level, seed, work, settings, spent, cancelled, tell)
        held_out, training = pairs.held_out(), pairs.training()
        if training is None or held_out is None:
            return _kept(out)

        networks = base.to(on)
        voxels = networks.recm.config.voxels
        session = TrainingSession(
            networks,
            PairSource([training], voxels, Exposure(), on),
            PairSource([held_out], voxels, Exposure(), on),
            _with_enough_validations(settings.training, budget),
            max(budget * (1.0 - SCORING_SHARE) - (time.monotonic() - began), 1.0),
            seed,
            out=out,
            work=work,
            prepared_for=PreparedFor(level.name, _point(vertebra), fingerprint),
            record={"stage": "patient", "level": level.name, "pairs": len(training), "base": base.provenance},
            best_before=best_before,
        )

        def on_progress(at: TrainingProgress) -> None:
            done = 1.0 - SCORING_SHARE - at.seconds_left / budget
            tell("train", done, told(at), at.accuracy)

        if session.discarded is not None:
            tell("train", PAIRS_SHARE, session.discarded)
        if session.run(on_progress, cancelled):
            remove_work(work)
        prepared = _kept(out)
        tell("score", 1.0, "done" if not work.exists() else "cancelled; the best so far is kept", prepared.accuracy)
        return prepared


def _accuracy_so_far(out: Path, level: Level, fingerprint: str) -> Accuracy | None:
    """That of the model that ``out`` holds already; somebody else's model is not written over."""
    if not out.exists():
        return None
    there = load_networks(out)
    if there.prepared_for is None or (there.prepared_for.level, there.prepared_for.ct_fingerprint) != (
        level.name,
        fingerprint,
    ):
        raise InputFileError(
            f"{out} holds a model of another vertebra or CT.", "Name another file, or remove this one."
        )
    return there.accuracy


def _kept(out: Path) -> Networks:
    if not out.exists():
        raise RadgsError("Cancelled before there was a model to keep.", "Prepare with the same file again to go on.")
    return load_networks(out)


def _with_enough_validations(settings: TrainingSettings, budget: float) -> TrainingSettings:
    return replace(settings, validate_every_seconds=min(settings.validate_every_seconds, budget / MIN_VALIDATIONS))


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Makes the pairs of a preparation, or finds them where an interrupted one left them; None once cancelled."""

    vertebra: TrainingVertebra
    level: Level
    seed: int
    work: Path
    settings: PreparationSettings
    spent: Callable[[], float]
    cancelled: Callable[[], bool]
    tell: Callable[[str, float, str], None]

    def held_out(self) -> PairBank | None:
        return self._found_or_made("held_out", 0, self.settings.held_out, HELD_OUT_SHARE)

    def training(self) -> PairBank | None:
        return self._found_or_made("training", 1, self.settings.most_pairs, PAIRS_SHARE)

    def _found_or_made(self, name: str, stream: int, most: int, share: float) -> PairBank | None:
        path = self.work / f"{name}.npz"
        if path.exists():
            try:
                return PairBank.load(path)
            except InputFileError:
                self.tell("pairs", 0.0, "unfinished work is damaged: its pairs are made again")
        parts: list[PairBank] = []
        made = 0
        while not parts or (made < most and self.spent() < share):
            if self.cancelled():
                return None
            rng = np.random.default_rng([self.seed, self.level.label, stream, len(parts)])
            parts.append(
                make_pairs(self.vertebra, self.level.name, min(self.settings.pairs_at_a_time, most - made), rng)
            )
            made += len(parts[-1])
            self.tell("pairs", min(self.spent(), PAIRS_SHARE), f"{made} simulated pairs of X-rays")
        bank = parts[0].joined(*parts[1:])
        bank.save(path)
        return bank


def _point(vertebra: TrainingVertebra) -> tuple[float, float, float]:
    x, y, z = vertebra.frame_to_ct.translation
    return float(x), float(y), float(z)
