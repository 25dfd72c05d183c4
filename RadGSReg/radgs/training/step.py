"""The losses of one training step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from radgs.geometry import FloatArray, RigidTransform, unit
from radgs.networks.recm import Prediction, RecM
from radgs.networks.recm.loss import (
    canonical_loss,
    counterfactual_loss,
    occupancy_loss,
    occupancy_target,
    projection_loss,
    volume_loss,
)
from radgs.networks.regm import RegM, kabsch, moved
from radgs.networks.regm.loss import pose_loss
from radgs.training.batches import TrainingBatch, UnlabelledBatch
from radgs.training.reprojection import reprojection_loss


@dataclass(frozen=True)
class StepSettings:
    """Weights and proportions of a step.

    Attributes:
        counterfactual: Weight of L_cal; 0 leaves the counterfactual pass out.
        counterfactual_reaches: What learns from it beside the attention's own weights: the encoder, limited to a tenth
            of what the other losses ask of it, or nothing.
        volume, projection: Weights of the Gaussians' losses.
        registration: Weight of RegM's loss, 1/mm.
        reprojection: Weight of what pairs without a known pose pay.
        counterfactual_share, projection_share, registration_share: Shares of the steps that pay for these losses.
        rendered: How many of a batch's pairs are voxelized and splatted, and so seen by RegM.
        starts: Poses from which RegM starts for each of them.
        rounds: How often RegM is applied in a row.
        start_rotation_deg, start_shift_mm: How far off those starts are, at most.
    """

    counterfactual: float = 0.25
    counterfactual_reaches: Literal["encoder", "attention"] = "attention"
    volume: float = 1.0
    projection: float = 1.0
    registration: float = 0.05
    reprojection: float = 0.5
    counterfactual_share: float = 0.25
    projection_share: float = 0.5
    registration_share: float = 0.5
    rendered: int = 1
    starts: int = 3
    rounds: int = 2
    start_rotation_deg: float = 10.0
    start_shift_mm: float = 6.0


@dataclass(frozen=True)
class Phase:
    """What is trained at the moment.

    Attributes:
        registering: RegM learns too, on RecM's output.
        together: RegM's gradients reach RecM through the voxelizer (the synergistic phase).
    """

    registering: bool
    together: bool


def losses(
    recm: RecM,
    regm: RegM | None,
    batch: UnlabelledBatch,
    settings: StepSettings,
    phase: Phase,
    rng: np.random.Generator,
) -> dict[str, Tensor]:
    """Weighted loss terms by name; their sum is what a step descends.

    A batch of which nothing is known pays for its re-projection alone.
    """
    prediction = recm(batch.views)
    if not isinstance(batch, TrainingBatch):
        pays = [reprojection_loss(recm, prediction, batch.views, index) for index in range(len(batch))]
        return {"reprojection": settings.reprojection * torch.stack(pays).mean()}
    occupied = occupancy_target(batch.volumes, recm.config.lifted_voxels)
    terms = {
        "occupancy": occupancy_loss(prediction.logits, occupied),
        "canonical": canonical_loss(prediction.canonical, batch.canonical(recm.points), occupied),
    }
    cal, project, register = rng.uniform(size=3) < (
        settings.counterfactual_share,
        settings.projection_share,
        settings.registration_share,
    )
    if prediction.attention is not None and settings.counterfactual > 0 and cal:
        terms["cal"] = settings.counterfactual * _counterfactual(
            recm, batch, prediction, occupied, into_encoder=settings.counterfactual_reaches == "encoder"
        )
    rendered = range(min(settings.rendered, len(batch)))
    gaussians = [recm.gaussians(prediction, index) for index in rendered]
    volumes = torch.stack([recm.voxelized(one) for one in gaussians])
    terms["volume"] = settings.volume * _mean(volume_loss(volumes[index], batch.volumes[index]) for index in rendered)
    if project:
        sources, images = batch.views.sources, batch.images
        terms["projection"] = settings.projection * _mean(
            projection_loss(gaussians[index], sources[index], images[index]) for index in rendered
        )
    if regm is not None and phase.registering and register:
        seen = volumes if phase.together else volumes.detach()
        implied = [kabsch(prediction.logits[index], prediction.canonical[index], recm.points) for index in rendered]
        terms["registration"] = settings.registration * _registration(regm, seen, batch, implied, settings, rng)
    return terms


def _counterfactual(
    recm: RecM, batch: TrainingBatch, prediction: Prediction, occupied: Tensor, *, into_encoder: bool
) -> Tensor:
    """L_cal, whose gradient reaches the weights of the attention, and the encoder within limits.

    The 3D network must not learn from it. Given the counterfactual's gradient it learns wrong answers under random
    attention (measured: the effect was perfect after a minute, the attention no better). Given the factual one's the
    loss diverges, because both passes share the weights. The encoder may, through the attention, but the gradient that
    reached it was larger than that of all the other losses together: RecM limits it (``forked``).
    """
    assert recm.attention is not None
    assert prediction.attention is not None
    attention, maps = prediction.attention, prediction.view_features
    random = recm.attention.random(attention.flatten(0, 1)).view_as(attention)
    other = recm.counterfactual_logits(batch.views, maps.detach(), random)
    effect = counterfactual_loss(prediction.logits, other, occupied)
    (pull,) = torch.autograd.grad(effect, attention, retain_graph=True)
    maps = maps if into_encoder else maps.detach()
    learning = recm.attention(maps.flatten(0, 1)).view_as(attention)
    return effect.detach() + ((learning - learning.detach()) * pull).sum()


def _registration(
    regm: RegM,
    volumes: Tensor,
    batch: TrainingBatch,
    implied: Sequence[RigidTransform | None],
    settings: StepSettings,
    rng: np.random.Generator,
) -> Tensor:
    """RegM's loss, mm, over several starts of each of the batch's first pairs, all at once.

    Args:
        regm: The network.
        volumes: (R, N, N, N) reconstructions of these pairs.
        batch: They are its first.
        implied: (R,) Kabsch's poses, where there are some: starts, unless they are far off; the others lie around the
            truth.
        settings: How many starts, and how far off.
        rng: Chooses them.
    """
    starts: list[RigidTransform] = []
    for pose, rotation, translation in zip(implied, *batch.pose, strict=False):
        starts += _starts(RigidTransform(_exact(rotation), _exact(translation)), pose, settings, rng)
    pair = torch.arange(len(volumes), device=volumes.device).repeat_interleave(settings.starts)
    rotations = torch.as_tensor(np.stack([start.rotation for start in starts])).to(volumes)
    translations = torch.as_tensor(np.stack([start.translation for start in starts])).to(volumes)
    goal = batch.pose[0][pair], batch.pose[1][pair]
    total = volumes.new_zeros(())
    for _ in range(settings.rounds):
        placed = zip(pair.tolist(), rotations, translations, strict=True)
        vertebrae = torch.stack([batch.vertebrae[index].at(r, t) for index, r, t in placed])
        motion = regm(volumes[pair], vertebrae)
        rotations, translations = moved(rotations, translations, motion)
        total = total + pose_loss((rotations, translations), goal, batch.surface[pair]) / settings.rounds
        rotations, translations = rotations.detach(), translations.detach()
    return total


def _starts(
    truth: RigidTransform, implied: RigidTransform | None, settings: StepSettings, rng: np.random.Generator
) -> list[RigidTransform]:
    """Poses around the truth, the first one Kabsch's where that is not far off."""
    starts = [disturbed(truth, settings, rng) for _ in range(settings.starts)]
    if implied is not None and np.linalg.norm(implied.translation - truth.translation) < 2 * settings.start_shift_mm:
        starts[0] = implied
    return starts


def _exact(tensor: Tensor) -> FloatArray:
    return tensor.double().cpu().numpy()


def disturbed(pose: RigidTransform, settings: StepSettings, rng: np.random.Generator) -> RigidTransform:
    """A pose turned about the body's centre and shifted, by less more often than by more."""
    turn = unit(rng.normal(size=3)) * np.radians(settings.start_rotation_deg) * rng.uniform()
    shift = unit(rng.normal(size=3)) * settings.start_shift_mm * rng.uniform()
    return pose.rotated_about(pose.translation, turn, shift)


def _mean(terms: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(terms)).mean()
