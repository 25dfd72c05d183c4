"""Adaptation to real X-rays (stage 3): a model goes on learning from X-rays as they are, most without a known pose.

Three kinds of pairs are drawn side by side: real X-rays without a pose, which pay for their re-projection; real X-rays
with one, which pay what simulated pairs pay; and simulated pairs of the same CTs, so that what was learned is not lost.
RegM's gradients reach RecM through the voxelizer for most of the budget (the synergistic phase).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from radgs.case import Level
from radgs.errors import InputFileError, RadgsError
from radgs.networks import Networks, ct_fingerprint, load_networks, save_networks
from radgs.pipeline import choose_device
from radgs.simulation import Exposure
from radgs.training.adaptation_cases import AdaptationCase, shown_vertebrae
from radgs.training.batches import MixedSource, PairSource
from radgs.training.pairs import make_pairs
from radgs.training.reprojection import reprojection_loss
from radgs.training.session import TrainingSession, told
from radgs.training.step import StepSettings
from radgs.training.trainer import TrainingProgress, TrainingSettings
from radgs.training.unfinished_work import remove_work, unfinished_work
from radgs.training.xray_source import VertebraOnXRays, XRaySource

#: The base knows its task: small steps, RegM from the start, both together soon, attention now and then.
SETTINGS = TrainingSettings(
    learning_rate=3e-4,
    warm_up_steps=20,
    register_from=0.0,
    together_from=0.25,
    validate_every_seconds=120.0,
    step=StepSettings(counterfactual_share=0.1),
)
#: Validations there are at least, however short the budget.
MIN_VALIDATIONS = 4
#: Share of the progress shown that making pairs takes.
PAIRS_SHARE = 0.1


@dataclass(frozen=True)
class AdaptationSettings:
    """What an adaptation draws.

    Attributes:
        simulated: Simulated pairs of each vertebra.
        held_out: Simulated pairs of each vertebra kept apart: the model is chosen on them.
        crops: Crops of each vertebra's real X-rays.
        shares: Of the steps, on simulated pairs, on real ones with a pose, and on real ones without.
        training: How to train.
    """

    simulated: int = 24
    held_out: int = 8
    crops: int = 12
    shares: tuple[float, float, float] = (0.5, 0.25, 0.25)
    training: TrainingSettings = SETTINGS


@dataclass(frozen=True)
class Adaptation:
    """What came of an adaptation.

    Attributes:
        networks: Of the model file.
        unexplained_before, unexplained_after: What re-projection leaves unexplained of the real X-rays, 0 to 1, mean.
        told: What could not be learned from and why, a sentence each.
    """

    networks: Networks
    unexplained_before: float
    unexplained_after: float
    told: tuple[str, ...]


def adapt(
    cases: Sequence[AdaptationCase],
    base: Networks,
    out: Path,
    *,
    minutes: float = 10.0,
    seed: int = 0,
    device: str = "auto",
    settings: AdaptationSettings | None = None,
    progress: Callable[[float, str], None] = lambda fraction, message: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Adaptation:
    """Goes on training a model on the X-rays of cases and writes it to ``out``.

    Args:
        cases: At least one.
        base: Networks to start from; trained in place.
        out: The model file; ``<out>.work`` holds checkpoints until the end.
        minutes: Budget of the training; pairs come on top.
        seed: Chooses pairs, crops and draws.
        device: "auto", "cpu" or "cuda".
        settings: What is drawn.
        progress: Told the fraction done and what is being done.
        cancelled: Asked before every step; true ends the training with the best so far.

    Raises:
        InputFileError: None of the cases' vertebrae can be learned from; a prepared base learns from its own alone.
        OutputError: ``out`` cannot be written, or another process trains it.
        RadgsError: Cancelled before there was anything to keep, or no such device.
    """
    if not 0.0 < minutes < math.inf:
        raise InputFileError(f"An adaptation of {minutes} minutes cannot be done.", "Give it some minutes.")
    settings = settings or AdaptationSettings()
    sentences: list[str] = []
    progress(0.0, "separating vertebrae from their CTs")
    shown = shown_vertebrae(cases, base, sentences)
    if not shown:
        raise InputFileError("No vertebra of these cases can be learned from.", " ".join(sentences))
    networks = base.to(choose_device(device))
    simulated, held_out = _simulated(shown, networks, seed, settings, progress)
    real = _real(shown, networks, seed, settings)
    before = unexplained(networks, real)
    labelled = sum(one.ct_to_world is not None for _, one in shown)
    record: dict[str, Any] = {
        "stage": "adapted",
        "vertebrae": len(shown),
        "labelled": labelled,
        "simulated": len(simulated),
        "base": base.provenance,
    }
    budget = minutes * 60.0
    training = replace(
        settings.training,
        validate_every_seconds=min(settings.training.validate_every_seconds, budget / MIN_VALIDATIONS),
    )
    with unfinished_work(out, _subject(cases, settings), seed) as work:
        session = TrainingSession(
            networks,
            MixedSource([(settings.shares[0], simulated), *real]),
            held_out,
            training,
            budget,
            seed,
            out=out,
            work=work,
            prepared_for=base.prepared_for,
            record=record,
        )
        if session.discarded is not None:
            progress(PAIRS_SHARE, session.discarded)

        def on_progress(at: TrainingProgress) -> None:
            progress(PAIRS_SHARE + (1.0 - PAIRS_SHARE) * at.fraction, told(at))

        whole = session.run(on_progress, cancelled)
        if not out.exists():
            raise RadgsError("Cancelled before there was a model to keep.", "The same command goes on from there.")
        adapted = load_networks(out).to(networks.recm.points.device)
        after = unexplained(adapted, real)
        if whole:
            kept = {**adapted.record, "unexplained": {"before": before, "after": after}}
            save_networks(replace(adapted, record=kept), out)
            remove_work(work)
        return Adaptation(load_networks(out), before, after, tuple(sentences))


@torch.no_grad()
def unexplained(networks: Networks, real: Sequence[tuple[float, XRaySource]]) -> float:
    """What re-projection leaves unexplained of the X-rays, mean over the vertebrae's centred crops."""
    networks.recm.eval()
    batches = [batch for _, source in real for batch in source.centred]
    left = [reprojection_loss(networks.recm, networks.recm(one.views), one.views) for one in batches]
    return float(torch.stack(left).mean())


def _simulated(
    shown: Sequence[tuple[Level, VertebraOnXRays]],
    networks: Networks,
    seed: int,
    settings: AdaptationSettings,
    progress: Callable[[float, str], None],
) -> tuple[PairSource, PairSource]:
    """Pairs to learn from and pairs held out, of every vertebra."""
    voxels, on = networks.recm.config.voxels, networks.recm.points.device
    learned, held_out = PairSource([], voxels, Exposure(), on), PairSource([], voxels, Exposure(), on)
    for number, (level, one) in enumerate(shown):
        progress(PAIRS_SHARE * number / len(shown), f"simulated pairs: {one.name}")
        for stream, source, count in ((0, held_out, settings.held_out), (1, learned, settings.simulated)):
            rng = np.random.default_rng([seed, number, level.label, stream])
            source.add(make_pairs(one.vertebra, one.name, count, rng))
    return learned, held_out


def _real(
    shown: Sequence[tuple[Level, VertebraOnXRays]], networks: Networks, seed: int, settings: AdaptationSettings
) -> list[tuple[float, XRaySource]]:
    """Real X-rays with a pose, and without one, where there are such; each with its share of the steps."""
    voxels, on = networks.recm.config.voxels, networks.recm.points.device
    known = [one for _, one in shown if one.ct_to_world is not None]
    unknown = [one for _, one in shown if one.ct_to_world is None]
    return [
        (share, XRaySource(some, voxels, seed, on, settings.crops))
        for share, some in zip(settings.shares[1:], (known, unknown), strict=True)
        if some
    ]


def _subject(cases: Sequence[AdaptationCase], settings: AdaptationSettings) -> str:
    """What is learned from, in a line."""
    known = [
        f"{ct_fingerprint(one.case.ct)[:16]} {one.case.sha256} "
        + " ".join(f"{name} {pose.matrix.round(4).tolist()}" for name, pose in sorted(one.poses.items()))
        for one in cases
    ]
    return f"adapted {settings.simulated} {settings.crops} {settings.shares} {known}"
