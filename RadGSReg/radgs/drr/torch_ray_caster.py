"""The ray caster's PyTorch form, on ``grid_sample``: it says what the faster forms compute, and runs on any device.

Rays are made on the device that samples them, in double precision; where a device has none (Apple's), on the CPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from radgs.geometry import FloatArray, ViewGeometry

if TYPE_CHECKING:
    from jaxtyping import Float


def render(
    bordered: Float[Tensor, "D H W"], world_to_index: FloatArray, step_mm: float, geometry: ViewGeometry
) -> Float[Tensor, "H W"]:
    """Line integrals (H, W).

    Args:
        bordered: The volume with a border of zeros one voxel wide: interpolation fades to zero there.
        world_to_index: (4, 4) from world mm to the indices of the volume without its border.
        step_mm: Longest distance between samples.
        geometry: The view, in world.
    """
    rays = Rays.of(bordered, world_to_index, step_mm, geometry)
    return rays.image(_sampled(bordered, rays.positions()).sum(dim=0, keepdim=True) * rays.step)[0]


def render_with_jacobian(
    bordered: Float[Tensor, "D H W"],
    world_to_index: FloatArray,
    step_mm: float,
    geometry: ViewGeometry,
    centre: FloatArray,
) -> tuple[Float[Tensor, "H W"], Float[Tensor, "6 H W"]]:
    """Line integrals (H, W) and derivative (6, H, W), as ``VolumeRenderer.render_with_jacobian`` says.

    Args:
        bordered: As in ``render``.
        world_to_index: As in ``render``.
        step_mm: As in ``render``.
        geometry: As in ``render``.
        centre: (3,) the twist's fixed point, world mm.
    """
    rays = Rays.of(bordered, world_to_index, step_mm, geometry)
    values, gradients = _sampled_with_gradient(bordered, rays.positions())
    # Of every component two sums along the ray: plain, and weighted by the sample's number.
    numbers = torch.arange(rays.count, dtype=values.dtype, device=values.device)
    sums = torch.stack([torch.ones_like(numbers), numbers]) @ gradients.flatten(1)
    to_world = _tensor(world_to_index[:3, :3].T * _normalised_per_voxel(bordered), values)
    force, weighted = (to_world @ total.view(-1, 3).T for total in sums)
    force = force - (force * rays.direction).sum(dim=0) * rays.direction
    moment = rays.first * force + rays.step * weighted
    lever = _tensor(geometry.source_ras - centre, values)
    torque = torch.linalg.cross(lever[:, None].expand_as(force), force, dim=0)
    torque = torque + torch.linalg.cross(rays.direction, moment, dim=0)
    image = rays.image(torch.cat([values.sum(dim=0, keepdim=True), -torque, -force]) * rays.step)
    return image[0], image[1:]


@dataclass(frozen=True, eq=False)
class Rays:
    """The R rays that meet a volume, cut into S equal steps between where they enter and leave it.

    Attributes:
        shape: Rows and columns of the image.
        hit: (R,) flat pixel indices.
        direction: (3, R) unit directions, world.
        start, advance: (R, 3) first sample and step, in grid_sample's normalised coordinates of the bordered volume:
            -1 and 1 are the border's voxel centres.
        first, step: (R,) distance of the first sample from the source, and between samples, mm.
        count: S.
    """

    shape: tuple[int, int]
    hit: Tensor
    direction: Tensor
    start: Tensor
    advance: Tensor
    first: Tensor
    step: Tensor
    count: int

    @classmethod
    def of(cls, bordered: Tensor, world_to_index: FloatArray, step_mm: float, geometry: ViewGeometry) -> Rays:
        """The rays of a view; arguments as in ``render``."""
        device = torch.device("cpu") if bordered.device.type == "mps" else bordered.device
        exact = torch.zeros((), dtype=torch.float64, device=device)
        directions = _directions(geometry, exact)
        origin = _tensor(world_to_index[:3, :3] @ geometry.source_ras + world_to_index[:3, 3] + 1.0, exact)[:, None]
        through = _tensor(world_to_index[:3, :3], exact) @ directions
        upper = _tensor(np.array(bordered.shape[::-1]) - 1.0, exact)[:, None]
        low, high = -origin / through, (upper - origin) / through
        # A ray along two faces is either between them, from infinity to infinity, or beside them: never NaN.
        near = torch.minimum(low, high).nan_to_num(nan=torch.inf, posinf=torch.inf, neginf=-torch.inf).amax(dim=0)
        near, far = near.clamp_min(0.0), torch.maximum(low, high).amin(dim=0)
        hit = torch.nonzero(far > near).squeeze(1)
        near, far = near[hit], far[hit]
        longest = float((far - near).max()) if len(hit) else 0.0
        count = max(1, int(np.ceil(longest / step_mm)))
        step = (far - near) / count
        first = near + step / 2
        scale = _tensor(_normalised_per_voxel(bordered), exact)
        through = through[:, hit].T
        start, advance = (origin.T + first[:, None] * through) * scale - 1.0, step[:, None] * through * scale
        made = (directions[:, hit], start, advance, first, step)
        direction, start, advance, first, step = (values.to(bordered).contiguous() for values in made)
        return cls(geometry.shape, hit.to(bordered.device), direction, start, advance, first, step, count)

    def positions(self) -> Tensor:
        """(S, R, 3) all samples, in grid_sample's normalised coordinates."""
        numbers = torch.arange(self.count, device=self.start.device, dtype=self.start.dtype)
        return torch.addcmul(self.start, numbers[:, None, None], self.advance)

    def image(self, values: Tensor) -> Tensor:
        """(C, H, W) image with the values (C, R) at their pixels, zero elsewhere."""
        flat = values.new_zeros(values.shape[0], self.shape[0] * self.shape[1])
        flat[:, self.hit] = values
        return flat.reshape(-1, *self.shape)


def _directions(geometry: ViewGeometry, like: Tensor) -> Float[Tensor, "3 R"]:
    """(3, H * W) unit directions from the source through every pixel, row by row."""
    rows, columns = (torch.arange(size).to(like) for size in geometry.shape)
    detector, source = _tensor(geometry.detector_to_ras, like), _tensor(geometry.source_ras, like)
    corner, across, down = detector[:3, 3] - source, detector[:3, 0], detector[:3, 1]
    offsets = corner[:, None, None] + down[:, None, None] * rows[:, None] + across[:, None, None] * columns
    return (offsets / offsets.norm(dim=0)).flatten(1)


def _sampled(bordered: Tensor, positions: Tensor) -> Tensor:
    """(S, R) values at positions (S, R, 3) in grid_sample's coordinates."""
    return grid_sample(bordered[None, None], positions[None, :, :, None], align_corners=True)[0, 0, ..., 0]


def _sampled_with_gradient(bordered: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    """(S, R) values and their derivative (S, R, 3) in the positions, without a slope beyond the outermost voxels."""
    positions.requires_grad_()
    with torch.enable_grad():
        values = _sampled(bordered, positions)
    (gradients,) = torch.autograd.grad(values, positions, torch.ones_like(values))
    outermost = _tensor(1.0 - _normalised_per_voxel(bordered), values)
    return values.detach(), gradients.masked_fill_(positions.detach().abs() > outermost, 0.0)


def _normalised_per_voxel(bordered: Tensor) -> FloatArray:
    """(3,) of grid_sample's coordinates along i, j, k."""
    return 2.0 / (np.array(bordered.shape[::-1], dtype=np.float64) - 1.0)


def _tensor(values: FloatArray, like: Tensor) -> Tensor:
    return torch.as_tensor(np.ascontiguousarray(values), dtype=like.dtype, device=like.device)
