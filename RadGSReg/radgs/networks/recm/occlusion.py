"""Importance by occlusion: how much the reconstruction changes where a part of an X-ray is covered.

An attention map shows what a network multiplies, not what it uses; this asks the network itself (Zeiler and Fergus,
ECCV 2014). A covered part counts as not measured, as behind a collimator's blades, which training knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from radgs.networks.recm.inputs import ViewBatch
from radgs.networks.recm.model import RecM

if TYPE_CHECKING:
    from jaxtyping import Float

#: Covered crops that go through the network together.
TOGETHER = 8


@torch.no_grad()
def occlusion_importance(recm: RecM, views: ViewBatch, cells: int = 8) -> Float[Tensor, "V g g"]:
    """How much covering each cell of each view changes the occupancy.

    Args:
        recm: In evaluation mode.
        views: A batch of one.
        cells: Cells along each side of a crop; crop pixels must be a multiple.

    Returns:
        (V, cells, cells) mean absolute change of the occupancy (0..1) over the voxels that are the vertebra's with
        and without cover, by more than one half in either.
    """
    count, pixels = views.images.shape[1], views.images.shape[-1]
    side = pixels // cells
    before = torch.sigmoid(recm(views).logits)[0]
    changes: list[Tensor] = []
    places = [(view, row, column) for view in range(count) for row in range(cells) for column in range(cells)]
    for start in range(0, len(places), TOGETHER):
        part = places[start : start + TOGETHER]
        valid = views.valid.repeat(len(part), 1, 1, 1)
        for covered, (view, row, column) in zip(valid, part, strict=True):
            covered[view, row * side : (row + 1) * side, column * side : (column + 1) * side] = 0.0
        images = views.images * valid
        twins = ViewBatch(
            images, valid, views.sources.repeat(len(part), 1, 1), views.projections.repeat(len(part), 1, 1, 1)
        )
        after = torch.sigmoid(recm(twins).logits)
        either = (torch.maximum(after, before) > 0.5).to(after)
        change = ((after - before).abs() * either).flatten(1).sum(dim=1) / either.flatten(1).sum(dim=1).clamp_min(1.0)
        changes.append(change)
    return torch.cat(changes).view(count, cells, cells)
