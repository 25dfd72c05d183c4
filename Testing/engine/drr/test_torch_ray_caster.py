"""The rays that PyTorch's form makes on a device: those that NumPy makes of the same view, and the shape of nothing."""

from __future__ import annotations

import numpy as np
import torch

from radgs.drr.torch_ray_caster import Rays, render_with_jacobian
from radgs.geometry import RigidTransform, ViewGeometry

BORDERED = torch.ones(14, 20, 26)
WORLD_TO_INDEX = RigidTransform.from_rotation_vector([0.4, -0.3, 0.5], [12.0, 9.0, 6.0]).matrix @ np.diag(
    [1.2, 1, 0.8, 1]
)
VIEW = ViewGeometry(np.array([30.0, -500.0, 20.0]), np.eye(4), (1, 1)).crop_geometry(np.zeros(3), 60.0, 24)


def test_rays_are_cut_where_they_enter_and_leave() -> None:
    """Slab by slab, with NumPy in double precision; positions in single, to a millionth of the volume."""
    rays = Rays.of(BORDERED, WORLD_TO_INDEX, 0.9, VIEW)
    size = np.array(BORDERED.shape[::-1]) - 1.0
    origin = WORLD_TO_INDEX[:3, :3] @ VIEW.source_ras + WORLD_TO_INDEX[:3, 3] + 1.0
    slopes = VIEW.pixel_directions @ WORLD_TO_INDEX[:3, :3].T
    ends = -origin / slopes, (size - origin) / slopes
    near, far = np.minimum(*ends).max(axis=1), np.maximum(*ends).min(axis=1)
    hit = np.flatnonzero(far > near)
    assert 50 < len(hit) < len(near)
    np.testing.assert_array_equal(rays.hit.numpy(), hit)
    near, far = near[hit], far[hit]
    assert rays.count == int(np.ceil((far - near).max() / 0.9))
    distances = near + (far - near) * (np.arange(rays.count)[:, None] + 0.5) / rays.count
    positions = (origin + distances[..., None] * slopes[hit]) * 2.0 / size - 1.0
    np.testing.assert_allclose(rays.positions().numpy(), positions, rtol=0, atol=1e-6)
    np.testing.assert_allclose(rays.direction.numpy().T, VIEW.pixel_directions[hit], rtol=0, atol=1e-6)
    np.testing.assert_allclose(rays.step.numpy(), (far - near) / rays.count, rtol=1e-6)


def test_a_view_beside_the_volume_has_no_rays_and_a_black_image() -> None:
    beside = ViewGeometry(VIEW.source_ras + [900.0, 0, 0], VIEW.detector_to_ras, VIEW.shape)
    shifted = beside.crop_geometry(np.array([900.0, 0.0, 0.0]), 60.0, 24)
    assert len(Rays.of(BORDERED, WORLD_TO_INDEX, 0.9, shifted).hit) == 0
    image, derivatives = render_with_jacobian(BORDERED, WORLD_TO_INDEX, 0.9, shifted, np.zeros(3))
    assert image.shape == (24, 24)
    assert not image.any()
    assert not derivatives.any()
