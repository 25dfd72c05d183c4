"""Importance by occlusion: where the reconstruction comes from."""

from __future__ import annotations

import torch

from radgs.networks.recm import RecM, ViewBatch
from radgs.networks.recm.occlusion import occlusion_importance


class Looking(torch.nn.Module):
    """Sees a vertebra everywhere for as long as one corner of the second view is measured."""

    def forward(self, views: ViewBatch) -> object:
        seen = views.valid[:, 1, :32, :32].mean(dim=(1, 2))
        return type("Said", (), {"logits": (20.0 * seen - 10.0)[:, None, None, None].expand(-1, 4, 4, 4)})


def test_what_the_network_looks_at_is_important_and_nothing_else(noise_batch: ViewBatch) -> None:
    found = occlusion_importance(Looking(), noise_batch.part(slice(1)), cells=4)  # type: ignore[arg-type]
    assert found.shape == (2, 4, 4)
    assert float(found[1, 0, 0]) > 0.9
    found[1, 0, 0] = 0.0
    assert float(found.abs().max()) == 0.0


def test_an_untrained_network_has_some_everywhere_it_looks(recm: RecM, noise_batch: ViewBatch) -> None:
    """Its logits start below one half; lifted above it, every part of the crop counts a little."""
    with torch.no_grad():
        recm.dense_head.linear.bias[0] += 2.5
    found = occlusion_importance(recm.eval(), noise_batch.part(slice(1)), cells=4)
    assert bool((found > 0).all())
    assert float(found.max()) < 1.0
