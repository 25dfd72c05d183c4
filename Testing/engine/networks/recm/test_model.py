"""RecM: what goes in, what comes out, and what must not matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from radgs.geometry.roi import ROI_SIZE_MM
from radgs.networks.recm import COMPACT, PAPER, RecM, ViewBatch
from radgs.networks.recm.head import LOG_SCALE_REACH, MIDDLE_SCALE_VOXELS, OFFSET_REACH_VOXELS
from radgs.networks.recm.inputs import prepared


def test_a_pair_becomes_gaussians_and_the_gaussians_a_volume(recm: RecM, noise_batch: ViewBatch) -> None:
    prediction = recm(noise_batch)
    assert prediction.logits.shape == (2, 32, 32, 32)
    assert prediction.canonical.shape == (2, 3, 32, 32, 32)
    gaussians = recm.gaussians(prediction, 1)
    assert len(gaussians) == COMPACT.anchors * COMPACT.gaussians_per_anchor
    assert recm.voxelized(gaussians).shape == (64, 64, 64)


def test_gaussians_stay_near_their_anchors_and_attenuate(recm: RecM, noise_batch: ViewBatch) -> None:
    gaussians = recm.gaussians(recm(noise_batch))
    voxel_mm = ROI_SIZE_MM / COMPACT.lifted_voxels
    anchors = recm.points.reshape(-1, 3)
    nearest = torch.cdist(gaussians.means, anchors).min(dim=1).values
    assert float(nearest.max()) <= np.sqrt(3) * OFFSET_REACH_VOXELS * voxel_mm
    scales = torch.exp(gaussians.log_scales) / (MIDDLE_SCALE_VOXELS * voxel_mm)
    assert float(scales.log().abs().max()) <= LOG_SCALE_REACH + 1e-5
    assert bool((gaussians.densities >= 0).all())


def test_gain_and_offset_of_the_xrays_do_not_matter(recm: RecM, noise_batch: ViewBatch) -> None:
    changed = replace(noise_batch, images=1.7 * noise_batch.images - 0.8)
    assert torch.allclose(recm(changed).logits, recm(noise_batch).logits, atol=2e-2)


def test_what_was_not_measured_does_not_matter(noise_batch: ViewBatch) -> None:
    valid = noise_batch.valid.clone()
    valid[..., :20] = 0.0
    covered = replace(noise_batch, valid=valid)
    junk = covered.images.clone()
    junk[..., :20] = 50.0
    assert torch.allclose(prepared(covered), prepared(replace(covered, images=junk)), atol=1e-4)


def test_the_order_of_the_views_does_not_matter(recm: RecM, noise_batch: ViewBatch) -> None:
    turned = ViewBatch.of(noise_batch.images.flip(1), noise_batch.valid.flip(1), noise_batch.sources.flip(1))
    assert torch.allclose(recm(turned).logits, recm(noise_batch).logits, atol=1e-3)


def test_three_views_are_taken_too(recm: RecM, noise_batch: ViewBatch) -> None:
    oblique = torch.tensor([[[-440.0, 440.0, 0.0]]]).expand(2, 1, 3)
    images = torch.cat([noise_batch.images, noise_batch.images[:, :1]], dim=1)
    sources = torch.cat([noise_batch.sources, oblique], dim=1)
    assert recm(ViewBatch.of(images, torch.ones_like(images), sources)).logits.shape == (2, 32, 32, 32)


def test_one_pair_alone_is_what_it_is_in_a_batch(recm: RecM, noise_batch: ViewBatch) -> None:
    """A batch of one takes another path through the 3D convolutions."""
    alone = recm(noise_batch.part(slice(1, 2)))
    assert torch.allclose(alone.logits[0], recm(noise_batch).logits[1], atol=1e-3)


def test_gradients_reach_the_encoder_through_the_voxelizer(noise_batch: ViewBatch) -> None:
    torch.manual_seed(0)
    recm = RecM(COMPACT)
    recm.voxelized(recm.gaussians(recm(noise_batch))).square().sum().backward()
    first = next(recm.encoder.parameters())
    assert first.grad is not None
    assert float(first.grad.abs().sum()) > 0


def test_without_attention_there_is_none(noise_batch: ViewBatch) -> None:
    assert RecM(COMPACT, attention="none")(noise_batch).attention is None


@pytest.mark.slow
def test_the_papers_sizes_work_too(noise_batch: ViewBatch) -> None:
    pytest.importorskip("monai", reason="the paper's encoder is monai's ResNet-50")
    torch.manual_seed(0)
    recm = RecM(PAPER).eval()
    with torch.no_grad():
        prediction = recm(noise_batch.part(slice(0, 1)))
        gaussians = recm.gaussians(prediction)
        assert len(gaussians) == 10_000
        assert recm.voxelized(gaussians).shape == (128, 128, 128)
    assert sum(weight.numel() for weight in recm.encoder.parameters()) > 23e6
