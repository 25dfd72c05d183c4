"""The generic networks (stage 1): synthetic lumbar spines of many patients, none of them anyone's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from radgs.errors import InputFileError
from radgs.networks import Networks, load_networks, new_networks
from radgs.pipeline import choose_device
from radgs.simulation import Exposure
from radgs.training.batches import PairSource
from radgs.training.pairs import PairBank
from radgs.training.phantom_pairs import FIRST_SEED, load_pairs, make_phantom_pairs
from radgs.training.session import TrainingSession, told
from radgs.training.trainer import TrainingProgress, TrainingSettings
from radgs.training.unfinished_work import unfinished_work

#: Vertebrae of every so-manieth spine are held out...
HELD_OUT_EVERY = 12
#: ...with so many pairs each.
HELD_OUT_PAIRS = 2
FROM_RANDOM = TrainingSettings()
#: A base knows most of it already: a lower peak, and RegM from the start.
GOING_ON = TrainingSettings(learning_rate=1.5e-3, register_from=0.0)
#: Share of the progress shown that making pairs takes.
PAIRS_SHARE = 0.2


def train_generic(
    out: Path,
    pairs: Path,
    *,
    minutes: float,
    spines: int = 40,
    pairs_per_vertebra: int = 10,
    config: str = "compact",
    base: Networks | None = None,
    with_attention: bool = True,
    with_cal: bool = True,
    seed: int = 0,
    device: str = "auto",
    progress: Callable[[float, str], None] = lambda fraction, message: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Networks:
    """Makes pairs of synthetic spines, unless they are there, and trains networks on them.

    Args:
        out: The model file; ``<out>.work`` holds checkpoints until the end.
        pairs: Folder of the pairs, kept for other runs.
        minutes: Budget of the training; pairs come on top.
        spines: How many patients.
        pairs_per_vertebra: Pairs of each of their lumbar vertebrae.
        config: "compact" or "paper"; a base has its own.
        base: Networks to go on with instead of random weights; they are trained in place.
        with_attention: False leaves RecM's attention out (for the ablation).
        with_cal: False trains attention without the counterfactual loss (for the ablation).
        seed: Of weights, draws and exposures; the spines are always the same.
        device: "auto", "cpu" or "cuda".
        progress: Told the fraction done and what is being done.
        cancelled: Asked before every step; true ends the training with the best so far.

    Raises:
        InputFileError: There are too few spines to hold any out.
    """
    if spines < 2:
        raise InputFileError("One spine cannot be trained on and held out.", "Ask for two spines or more.")
    on = choose_device(device)
    files = make_phantom_pairs(
        pairs,
        range(spines),
        pairs_per_vertebra,
        progress=lambda done, what: progress(PAIRS_SHARE * done, f"simulated pairs: {what}"),
    )
    torch.manual_seed(seed)
    networks = (base or new_networks(config, with_attention=with_attention)).to(on)
    training, held_out = _sources(load_pairs(files), networks, on)
    attentive = networks.recm.attention is not None
    record = {
        "stage": "generic",
        "spines": spines,
        "first_seed": FIRST_SEED,
        "pairs": len(training),
        "attention": attentive,
        "cal": attentive and with_cal,
    }
    settings = FROM_RANDOM
    if base is not None:
        settings, record["base"] = GOING_ON, base.provenance
    step = replace(settings.step, counterfactual=settings.step.counterfactual if with_cal else 0.0)
    subject = (
        f"generic {networks.recm.config.name} {spines} x {pairs_per_vertebra} attention {attentive} cal {with_cal}"
    )
    with unfinished_work(out, subject, seed) as work:
        session = TrainingSession(
            networks,
            training,
            held_out,
            replace(settings, step=step),
            minutes * 60.0,
            seed,
            out=out,
            work=work,
            prepared_for=None,
            record=record,
        )

        def on_progress(at: TrainingProgress) -> None:
            progress(PAIRS_SHARE + (1.0 - PAIRS_SHARE) * at.fraction, told(at))

        if session.discarded is not None:
            progress(PAIRS_SHARE, session.discarded)
        session.run(on_progress, cancelled)
        return load_networks(out)


def _sources(banks: list[PairBank], networks: Networks, device: torch.device) -> tuple[PairSource, PairSource]:
    """Training and held-out pairs, no spine in both."""
    voxels = networks.recm.config.voxels
    spines = sorted({bank.name.rsplit(" ", 1)[0] for bank in banks})
    apart = set(spines[::HELD_OUT_EVERY])
    training, held_out = PairSource([], voxels, Exposure(), device), PairSource([], voxels, Exposure(), device)
    for bank in banks:
        if bank.name.rsplit(" ", 1)[0] in apart:
            held_out.add(bank.part(slice(HELD_OUT_PAIRS)))
        else:
            training.add(bank)
    return training, held_out
