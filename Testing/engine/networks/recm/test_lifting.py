"""What a view shows at a pixel reaches the voxels that project there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from radgs.gaussians import RadiativeGaussians, splat
from radgs.geometry.roi import CROP_PIXELS, crop_geometry
from radgs.networks.recm import COMPACT, RecM, ViewBatch
from radgs.networks.recm.lifting import lift

SOURCES = np.array([[40.0, 610.0, -30.0], [-640.0, 20.0, 50.0]])


def blob(place: list[float]) -> RadiativeGaussians:
    """A small round Gaussian."""
    return RadiativeGaussians(
        torch.tensor([place]), torch.full((1, 3), 1.0), torch.tensor([[1.0, 0.0, 0.0, 0.0]]), torch.tensor([0.02])
    )


def batch_showing(gaussians: RadiativeGaussians, sources: np.ndarray) -> ViewBatch:
    images = torch.stack([splat(gaussians, crop_geometry(source)) for source in sources])
    return ViewBatch.of(
        images[None], torch.ones_like(images)[None], torch.as_tensor(sources[None], dtype=torch.float32)
    )


@pytest.mark.parametrize("place", [[0.0, 0.0, 0.0], [22.0, -14.0, 30.0], [-31.0, 25.0, -18.0]])
def test_two_views_of_a_point_meet_where_it_is(place: list[float]) -> None:
    points = RecM(COMPACT).points
    batch = batch_showing(blob(place), SOURCES)
    maps = torch.nn.functional.avg_pool2d(batch.images[0][:, None], 2)[None]
    lifted = lift(maps, batch.projections, batch.directions, points, CROP_PIXELS)[0].sum(dim=0)
    brightest = points.reshape(-1, 3)[lifted.argmax()].numpy()
    assert np.linalg.norm(brightest - place) < 4.0


def test_the_order_of_the_views_does_not_matter() -> None:
    points = RecM(COMPACT).points
    batch = batch_showing(blob([10.0, 5.0, -8.0]), SOURCES)
    maps = torch.rand(1, 2, 5, 64, 64, generator=torch.Generator().manual_seed(0))
    once = lift(maps, batch.projections, batch.directions, points, CROP_PIXELS)
    again = lift(maps.flip(1), batch.projections.flip(1), batch.directions.flip(1), points, CROP_PIXELS)
    assert torch.allclose(once, again, atol=1e-6)


def test_a_voxel_that_no_view_shows_gathers_nothing() -> None:
    points = torch.tensor([[[[0.0, 0.0, 500.0]]]])
    batch = batch_showing(blob([0.0, 0.0, 0.0]), SOURCES)
    assert (
        float(lift(torch.ones(1, 2, 3, 64, 64), batch.projections, batch.directions, points, CROP_PIXELS).abs().max())
        == 0.0
    )
