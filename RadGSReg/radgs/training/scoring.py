"""How good the networks are on pairs they were not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from radgs.drr import WATER
from radgs.evaluation.diagnosis import Signs, diagnose
from radgs.evaluation.metrics import VolumeSimilarity, volume_similarity
from radgs.geometry import RigidTransform, Volume, mean_distance
from radgs.geometry.roi import ROI_SIZE_MM, roi_index_to_ras
from radgs.networks import Accuracy, Networks
from radgs.networks.recm.loss import OCCUPIED
from radgs.networks.reconstruction import reconstruct
from radgs.threads import map_concurrently
from radgs.training.batches import PairSource, TrainingBatch

#: A pair in which no vertebra was seen counts with this error, mm.
NOTHING_SEEN_MM = ROI_SIZE_MM / 2
#: Seeds the exposures of held-out pairs, with their number: the same at every validation.
EXPOSURE_SEED = 20


@dataclass(frozen=True)
class PairScore:
    """One held-out pair; lengths in mm."""

    ssim_3d: float
    psnr_3d_db: float
    ssim_inside: float
    psnr_inside_db: float
    ghost_share: float
    correlation: float
    kabsch_mm: float
    regm_mm: float


def score(networks: Networks, held_out: PairSource, count: int | None = None) -> Accuracy:
    """Reconstructs held-out pairs, registers them, and compares with the truth.

    Args:
        networks: On the device of ``held_out``.
        held_out: Pairs.
        count: The first so many; all of them by default.
    """
    return summarised(score_pairs(networks, held_out, count))


def score_pairs(networks: Networks, held_out: PairSource, count: int | None = None) -> list[PairScore]:
    """``score``, pair by pair."""
    training = networks.recm.training
    networks.recm.eval()
    networks.regm.eval()
    device = networks.recm.points.device

    def score_number(number: int) -> PairScore:
        generator = torch.Generator(device).manual_seed(EXPOSURE_SEED + number)
        return _score_pair(networks, held_out.take([number], generator))

    scores = map_concurrently(score_number, range(min(count or len(held_out), len(held_out))))
    networks.recm.train(training)
    networks.regm.train(training)
    return scores


def summarised(scores: Sequence[PairScore]) -> Accuracy:
    """Means of similarities, medians and 95th percentiles of distances, and what ails the networks."""
    kabsch, regm = [one.kabsch_mm for one in scores], [one.regm_mm for one in scores]
    return Accuracy(
        pairs=len(scores),
        ssim_3d=float(np.mean([one.ssim_3d for one in scores])),
        psnr_3d_db=float(np.mean([one.psnr_3d_db for one in scores])),
        ssim_inside=float(np.mean([one.ssim_inside for one in scores])),
        psnr_inside_db=float(np.mean([one.psnr_inside_db for one in scores])),
        kabsch_median_mm=float(np.median(kabsch)),
        kabsch_p95_mm=float(np.percentile(kabsch, 95)),
        regm_median_mm=float(np.median(regm)),
        regm_p95_mm=float(np.percentile(regm, 95)),
        diagnoses=tuple(
            found.message for found in diagnose([Signs(s.ghost_share, s.correlation, s.regm_mm) for s in scores])
        ),
    )


def empty_scores(held_out: PairSource) -> dict[str, float]:
    """Mean similarities of a volume with nothing in it: what every score should be held against."""
    scores = []
    for number in range(len(held_out)):
        truth = held_out.take([number]).volumes[0].cpu().numpy()
        like = _similarity(np.zeros_like(truth), truth)
        scores.append((like.roi.ssim, like.roi.psnr_db, like.inside.ssim, like.inside.psnr_db))
    names = ("ssim_3d", "psnr_3d_db", "ssim_inside", "psnr_inside_db")
    return dict(zip(names, np.mean(scores, axis=0).tolist(), strict=True))


def _similarity(estimate: NDArray[np.float32], truth: NDArray[np.float32]) -> VolumeSimilarity:
    grid = roi_index_to_ras(truth.shape[0])
    return volume_similarity(Volume(estimate, grid), Volume(truth, grid), truth > OCCUPIED * WATER)


def _score_pair(networks: Networks, batch: TrainingBatch) -> PairScore:
    vertebra = batch.vertebrae[0]
    made = reconstruct(networks, batch.views, vertebra.posed)
    like = _similarity(made.volume.cpu().numpy(), batch.volumes[0].cpu().numpy())
    rotation, translation = (tensor[0].double().cpu().numpy() for tensor in batch.pose)
    goal = RigidTransform(rotation, translation)
    surface = batch.surface[0].cpu().numpy()

    def error(pose: RigidTransform | None) -> float:
        return NOTHING_SEEN_MM if pose is None else mean_distance(surface, goal, pose)

    return PairScore(
        ssim_3d=like.roi.ssim,
        psnr_3d_db=like.roi.psnr_db,
        ssim_inside=like.inside.ssim,
        psnr_inside_db=like.inside.psnr_db,
        ghost_share=like.ghost_share,
        correlation=like.correlation,
        kabsch_mm=error(made.kabsch),
        regm_mm=error(made.regm),
    )
