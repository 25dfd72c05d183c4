"""Volumes to line integrals: a ray caster on ``grid_sample``, with its analytic derivative in the pose.

Rays run from the source through each pixel centre and on through the whole volume; where the detector stands along the
ray does not matter, so virtual detectors (``ViewGeometry.crop_geometry``) are rendered like real ones.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn.functional import grid_sample, pad

from radgs.drr.compiled_ray_caster import CompiledRayCaster
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, Volume

if TYPE_CHECKING:
    from jaxtyping import Float


class VolumeRenderer:
    """Integrates a volume, placed in the world by a rigid pose, along the rays of a view.

    Samples lie one finest voxel spacing apart along a ray, unless ``sampled_every`` says otherwise.

    Args:
        volume: Attenuation in 1/mm; array (D, H, W), index_to_ras of the volume's own frame.
        device: Where to compute.
    """

    def __init__(self, volume: Volume, *, device: torch.device | str = "cpu") -> None:
        array = torch.as_tensor(np.ascontiguousarray(volume.array), dtype=torch.float32, device=device)
        self._ras_to_index = np.linalg.inv(volume.index_to_ras)
        self._size = np.array(volume.size, dtype=np.float64)
        # Beyond the outermost voxel centres the interpolation fades to zero within one voxel.
        self._bordered = pad(array, (1,) * 6)
        self._step_mm = float(volume.spacing.min())

    def sampled_every(self, step_mm: float) -> VolumeRenderer:
        """The same volume with another distance between samples along a ray."""
        other = copy(self)
        other._step_mm = step_mm
        return other

    def mirrored(self, point: ArrayLike, normal: ArrayLike) -> VolumeRenderer:
        """The volume mirrored in a plane of its own frame.

        Args:
            point: (3,) of the plane, mm.
            normal: (3,) of length 1.
        """
        point, normal = np.asarray(point, dtype=np.float64), np.asarray(normal, dtype=np.float64)
        mirror = np.eye(4)
        mirror[:3, :3] -= 2.0 * np.outer(normal, normal)
        mirror[:3, 3] = 2.0 * normal * (normal @ point)
        other = copy(self)
        other._ras_to_index = self._ras_to_index @ mirror
        return other

    def render(self, pose: RigidTransform, geometry: ViewGeometry) -> Float[Tensor, "H W"]:
        """Line integrals (H, W), dimensionless.

        Args:
            pose: Volume frame to world.
            geometry: The view.
        """
        if compiled := self._compiled():
            return compiled.render(self._bordered, self._world_to_index(pose), self._step_mm, geometry)
        rays = self._rays(pose, geometry)
        return rays.image(self._sample(rays.positions()).sum(dim=0, keepdim=True) * rays.step)[0]

    def render_with_jacobian(
        self, pose: RigidTransform, geometry: ViewGeometry, centre: ArrayLike
    ) -> tuple[Float[Tensor, "H W"], Float[Tensor, "6 H W"]]:
        """Line integrals (H, W) and their derivative (6, H, W) in a left-multiplied twist of the pose.

        The twist is a rotation about ``centre`` (world mm; 3 radians) and a translation (3 mm). With g the gradient of
        the attenuation in world axes and x the sample, d/dv = -int g and d/dw = -int (x - centre) x g: one pass over
        the volume instead of one per parameter. g is the exact gradient of what is interpolated between voxel centres;
        the fade to zero beyond the outermost ones is where the CT ends, not the patient, and has no slope. Of int g the
        part along the ray is zero, for a ray that slides along itself stays what it is; a sum over samples, each on its
        own side of a step of g, would only come near that, and is set right.
        """
        centre = np.asarray(centre, dtype=np.float64)
        if compiled := self._compiled():
            world_to_index = self._world_to_index(pose)
            return compiled.render_with_jacobian(self._bordered, world_to_index, self._step_mm, geometry, centre)
        rays = self._rays(pose, geometry)
        values, gradients = self._sample_with_gradient(rays.positions())
        # Of every component two sums along the ray: plain, and weighted by the sample's number.
        numbers = torch.arange(rays.count, dtype=values.dtype, device=values.device)
        sums = torch.stack([torch.ones_like(numbers), numbers]) @ gradients.flatten(1)
        to_world = torch.as_tensor(self._gradient_to_world(pose), dtype=values.dtype, device=values.device)
        force, weighted = (to_world @ total.view(-1, 3).T for total in sums)
        force = force - (force * rays.direction).sum(dim=0) * rays.direction
        moment = rays.first * force + rays.step * weighted
        lever = torch.as_tensor(geometry.source_ras - centre, dtype=values.dtype, device=values.device)
        torque = torch.linalg.cross(lever[:, None].expand_as(force), force, dim=0)
        torque = torque + torch.linalg.cross(rays.direction, moment, dim=0)
        image = rays.image(torch.cat([values.sum(dim=0, keepdim=True), -torque, -force]) * rays.step)
        return image[0], image[1:]

    def _compiled(self) -> CompiledRayCaster | None:
        """The compiled form, where there is one for the device."""
        return CompiledRayCaster.get() if self._bordered.device.type == "cpu" else None

    def _world_to_index(self, pose: RigidTransform) -> FloatArray:
        return self._ras_to_index @ pose.inverse().matrix

    def _rays(self, pose: RigidTransform, geometry: ViewGeometry) -> _Rays:
        """The rays that meet the volume, cut to equal steps between where they enter and leave it."""
        world_to_index = self._world_to_index(pose)
        directions = geometry.pixel_directions
        origin = world_to_index[:3, :3] @ geometry.source_ras + world_to_index[:3, 3]
        direction_index = world_to_index[:3, :3] @ directions.T  # (3, H * W): NumPy is slow on arrays that end in 3

        # The border of zeros is part of what is sampled.
        with np.errstate(divide="ignore", invalid="ignore"):
            low, high = ((end - origin)[:, None] / direction_index for end in (-np.ones(3), self._size))
        near = np.maximum(np.minimum(low, high).max(axis=0), 0.0)
        far = np.maximum(low, high).min(axis=0)
        hit = np.flatnonzero(far > near)
        near, far = near[hit], far[hit]
        count = max(1, int(np.ceil((far - near).max(initial=0.0) / self._step_mm)))
        step = (far - near) / count
        first = near + step / 2

        # In normalised coordinates of grid_sample (align_corners=True): -1 and 1 are the border's voxel centres.
        through = direction_index[:, hit].T
        start = (origin + 1.0 + first[:, None] * through) * self._normalised_per_voxel - 1.0
        advance = step[:, None] * through * self._normalised_per_voxel
        device = self._bordered.device

        def tensor(values: NDArray) -> Tensor:
            return torch.as_tensor(np.ascontiguousarray(values, dtype=np.float32), device=device)

        return _Rays(
            shape=geometry.shape,
            hit=torch.as_tensor(hit, device=device),
            direction=tensor(directions[hit].T),
            start=tensor(start),
            advance=tensor(advance),
            first=tensor(first),
            step=tensor(step),
            count=count,
        )

    @property
    def _normalised_per_voxel(self) -> FloatArray:
        """(3,) of grid_sample's coordinates, which go from -1 to 1 between the border's voxel centres."""
        return 2.0 / (self._size + 1.0)

    def _gradient_to_world(self, pose: RigidTransform) -> FloatArray:
        """(3, 3) from derivatives in grid_sample's coordinates to those in world mm."""
        return self._world_to_index(pose)[:3, :3].T * self._normalised_per_voxel

    def _sample(self, positions: Tensor) -> Tensor:
        """(S, R) values at positions (S, R, 3) in grid_sample's coordinates."""
        volume, grid = self._bordered[None, None], positions[None, :, :, None]
        return grid_sample(volume, grid, align_corners=True)[0, 0, ..., 0]

    def _sample_with_gradient(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """(S, R) values and their derivative (S, R, 3) in the positions."""
        positions.requires_grad_()
        with torch.enable_grad():
            values = self._sample(positions)
        (gradients,) = torch.autograd.grad(values, positions, torch.ones_like(values))
        outermost = torch.as_tensor(1.0 - self._normalised_per_voxel, dtype=values.dtype, device=values.device)
        return values.detach(), gradients.masked_fill_(positions.detach().abs() > outermost, 0.0)


@dataclass(frozen=True, eq=False)
class _Rays:
    """R rays cut into S equal steps.

    Attributes:
        shape: Rows and columns of the image.
        hit: (R,) flat pixel indices.
        direction: (3, R) unit directions, world.
        start, advance: (R, 3) first sample and step, in grid_sample's normalised coordinates.
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

    def positions(self) -> Tensor:
        """(S, R, 3) all samples, in grid_sample's normalised coordinates."""
        numbers = torch.arange(self.count, device=self.start.device, dtype=self.start.dtype)
        return torch.addcmul(self.start, numbers[:, None, None], self.advance)

    def image(self, values: Tensor) -> Tensor:
        """(C, H, W) image with the values (C, R) at their pixels, zero elsewhere."""
        flat = values.new_zeros(values.shape[0], self.shape[0] * self.shape[1])
        flat[:, self.hit] = values
        return flat.reshape(-1, *self.shape)
