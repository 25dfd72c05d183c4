"""Training the generic networks (stage 1) on synthetic patients, or on VerSe's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from radgs.errors import InputFileError, RadgsError
from radgs.networks import Networks, load_networks, new_networks, with_attention
from radgs.networks.recm.attention import AttentionKind, kind_of
from radgs.pipeline import choose_device
from radgs.simulation import Exposure
from radgs.training.batches import PairSource
from radgs.training.pairs import StoredPairs
from radgs.training.phantom_pairs import FIRST_SEED, make_phantom_pairs
from radgs.training.ranks import Ranks, own_device, started_ranks
from radgs.training.session import TrainingSession, told
from radgs.training.trainer import Trainer, TrainingProgress, TrainingSettings
from radgs.training.unfinished_work import unfinished_work
from radgs.training.verse_pairs import VerseSettings, make_verse_pairs

#: Vertebrae of every so-manieth patient are held out...
HELD_OUT_EVERY = 12
#: ...with so many pairs each.
HELD_OUT_PAIRS = 2
FROM_RANDOM = TrainingSettings()
#: A base knows most of it already: a lower peak, and RegM from the start.
GOING_ON = TrainingSettings(learning_rate=1.5e-3, register_from=0.0)
#: Where the budget is one of steps, held-out pairs are looked at so often.
VALIDATE_EVERY_STEPS = 250
#: Share of the progress shown that making pairs takes.
PAIRS_SHARE = 0.2


def train_generic(
    out: Path,
    pairs: Path,
    *,
    minutes: float,
    steps: int | None = None,
    spines: int = 40,
    pairs_per_vertebra: int = 10,
    verse: VerseSettings | None = None,
    config: str = "compact",
    base: Networks | None = None,
    attention: AttentionKind | None = None,
    with_cal: bool = True,
    seed: int = 0,
    device: str = "auto",
    progress: Callable[[float, str], None] = lambda fraction, message: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Networks:
    """Makes pairs of synthetic spines or of VerSe's, unless they are there, and trains networks on them.

    By several processes where ``torchrun`` started them; each returns the networks that the first one wrote.

    Args:
        out: The model file; ``<out>.work`` holds checkpoints until the end.
        pairs: Folder of the pairs, kept for other runs.
        minutes: Budget of the training; pairs come on top.
        steps: Trains for so many steps instead, however long they take.
        spines: How many synthetic patients.
        pairs_per_vertebra: Pairs of each of their whole vertebrae.
        verse: Trains on VerSe's patients instead of synthetic ones.
        config: "compact" or "paper"; a base has its own.
        base: Networks to go on with instead of random weights; they are trained in place, but for an attention of
            another kind.
        attention: Its kind; by default the base's, or one of fixed mass.
        with_cal: False trains attention without the counterfactual loss (for the ablation).
        seed: Of weights, draws and exposures; the spines are always the same.
        device: "auto", "cpu" or "cuda".
        progress: Told the fraction done and what is being done.
        cancelled: Asked before every step; true ends the training with the best so far.

    Raises:
        InputFileError: There are too few patients to hold any out, or VerSe's folder cannot be used.
        RadgsError: Cancelled while pairs were made.
    """
    on = own_device(choose_device(device))
    with started_ranks(on) as ranks:

        def tell(done: float, what: str) -> None:
            progress(PAIRS_SHARE * done, f"simulated pairs: {what}")

        if verse is None:
            made = _of_phantoms(pairs, spines, pairs_per_vertebra, ranks, on, tell, cancelled)
        else:
            made = _of_verse(pairs, verse, ranks, on, tell, cancelled)
        torch.manual_seed(seed)
        networks = new_networks(config, attention=attention or "mass") if base is None else base
        networks = with_attention(networks, attention or kind_of(networks.recm.attention)).to(on)
        training, held_out = _sources([StoredPairs.checked(path) for path in made.files], made.held_out, networks, on)
        settings = _settings(base is not None, steps, with_cal)
        if not ranks.first:
            trainer = Trainer(networks, training, held_out, settings, minutes * 60.0, seed, steps, ranks)
            trainer.run_steps(lambda at: None, lambda accuracy: None)
            ranks.wait()  # until the first one has written the model
            return load_networks(out)
        kind = kind_of(networks.recm.attention)
        record = {
            "stage": "generic",
            **made.record,
            "pairs": len(training),
            "attention": kind,
            "cal": kind != "none" and with_cal,
            **({} if base is None else {"base": base.provenance}),
        }
        subject = f"generic {networks.recm.config.name} {made.subject} attention {kind} cal {with_cal}"
        with unfinished_work(out, subject, seed) as work:
            session = TrainingSession(
                networks,
                training,
                held_out,
                settings,
                minutes * 60.0,
                seed,
                out=out,
                work=work,
                prepared_for=None,
                record=record,
                steps=steps,
                ranks=ranks,
            )

            def on_progress(at: TrainingProgress) -> None:
                progress(PAIRS_SHARE + (1.0 - PAIRS_SHARE) * at.fraction, told(at))

            if session.discarded is not None:
                progress(PAIRS_SHARE, session.discarded)
            session.run(on_progress, cancelled)
            ranks.wait()
            return load_networks(out)


def _settings(going_on: bool, steps: int | None, with_cal: bool) -> TrainingSettings:
    settings = GOING_ON if going_on else FROM_RANDOM
    if steps is not None:
        settings = replace(settings, validate_every_steps=min(VALIDATE_EVERY_STEPS, max(1, steps // 8)))
    counterfactual = settings.step.counterfactual if with_cal else 0.0
    return replace(settings, step=replace(settings.step, counterfactual=counterfactual))


@dataclass(frozen=True)
class _PairFiles:
    """Pairs to train on.

    Attributes:
        files: A file per vertebra.
        subject: What they are, in a line.
        record: The same, for the model file.
        held_out: Patients kept apart; none where nobody said which.
    """

    files: Sequence[Path]
    subject: str
    record: dict[str, Any]
    held_out: frozenset[str] = field(default_factory=frozenset)


def _of_phantoms(
    pairs: Path,
    spines: int,
    pairs_per_vertebra: int,
    ranks: Ranks,
    device: torch.device,
    tell: Callable[[float, str], None],
    cancelled: Callable[[], bool],
) -> _PairFiles:
    if spines < 2:
        raise InputFileError("One spine cannot be trained on and held out.", "Ask for two spines or more.")
    own = range(ranks.number, spines, ranks.count)
    make_phantom_pairs(pairs, own, pairs_per_vertebra, device=device, progress=tell, cancelled=cancelled)
    if cancelled():
        raise RadgsError("Stopped while pairs were made.", "The same command goes on from here.")
    ranks.wait()
    files = make_phantom_pairs(pairs, range(spines), pairs_per_vertebra)  # all are there
    record = {"spines": spines, "first_seed": FIRST_SEED}
    return _PairFiles(files, f"{spines} x {pairs_per_vertebra}", record)


def _of_verse(
    pairs: Path,
    verse: VerseSettings,
    ranks: Ranks,
    device: torch.device,
    tell: Callable[[float, str], None],
    cancelled: Callable[[], bool],
) -> _PairFiles:
    if not ranks.first:
        ranks.wait()  # until the first one has made them
    made = make_verse_pairs(pairs, verse, device=device, progress=tell, cancelled=cancelled)
    if ranks.first:
        ranks.wait()
    record = {"verse": {"cts": made.cts, "vertebrae": len(made.files), "left_out": list(made.left_out)}}
    subject = f"VerSe {made.cts} CTs, {len(made.files)} x {verse.pairs_per_vertebra}"
    return _PairFiles(made.files, subject, record, made.held_out)


def _sources(
    banks: Sequence[StoredPairs], held_out_by_others: frozenset[str], networks: Networks, device: torch.device
) -> tuple[PairSource, PairSource]:
    """Training and held-out pairs, no patient in both."""
    voxels = networks.recm.config.voxels
    patients = sorted({_patient(bank) for bank in banks})
    apart = held_out_by_others or set(patients[::HELD_OUT_EVERY])
    if len(patients) < 2 or apart >= set(patients):
        raise InputFileError(
            f"Pairs of {len(patients)} patients cannot be trained on and held out.",
            "Give more patients; what was left out, and why, stands in the notes (.json) beside the pairs.",
        )
    training, held_out = PairSource([], voxels, Exposure(), device), PairSource([], voxels, Exposure(), device)
    for bank in banks:
        if _patient(bank) in apart:
            held_out.add(bank.part(slice(HELD_OUT_PAIRS)))
        else:
            training.add(bank)
    return training, held_out


def _patient(bank: StoredPairs) -> str:
    """Whose vertebra it is: what stands before the level."""
    return bank.name.rsplit(" ", 1)[0]
