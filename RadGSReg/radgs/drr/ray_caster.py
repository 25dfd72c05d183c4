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
from torch.nn.functional import grid_sample

from radgs.drr.compiled_ray_caster import CompiledRayCaster
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, Volume

if TYPE_CHECKING:
    from jaxtyping import Float


class VolumeRenderer:
    """Integrates a volume, placed in the world by a rigid pose, along the rays of a view.

    Samples lie one finest voxel spacing apart along a ray, unless ``sampled_every`` says otherwise.

    Args:
        volume: Attenuation in 1/mm; array (D, H, W), index_to_ras of the volume's own frame.
        with_gradient: Keep the spatial gradient too, as ``render_with_jacobian`` needs it.
        device: Where to compute.
    """

    def __init__(self, volume: Volume, *, with_gradient: bool = False, device: torch.device | str = "cpu") -> None:
        array = torch.as_tensor(np.ascontiguousarray(volume.array), dtype=torch.float32, device=device)
        self._ras_to_index = np.linalg.inv(volume.index_to_ras)
        self._extent = np.array(volume.size, dtype=np.float64) - 1.0
        channels = [array]
        if with_gradient:
            channels += _gradient_in_ras(array, volume.index_to_ras)
        # Value and gradient of a voxel lie side by side: a sample then touches a quarter of the cache lines.
        self._bordered = array.new_zeros(*(size + 2 for size in array.shape), len(channels))
        inner = self._bordered[1:-1, 1:-1, 1:-1]
        for channel, values in enumerate(channels):
            inner[..., channel] = values
        self._channels = inner.permute(3, 0, 1, 2)[None]
        self._step_mm = float(volume.spacing.min())

    def sampled_every(self, step_mm: float) -> VolumeRenderer:
        """The same volume with another distance between samples along a ray."""
        other = copy(self)
        other._step_mm = step_mm
        return other

    def mirrored(self, point: ArrayLike, normal: ArrayLike) -> VolumeRenderer:
        """The volume mirrored in a plane of its own frame; for ``render`` only, its gradient is not turned over.

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
        samples = self._sample(rays, channels=1)
        return rays.image(samples.sum(dim=1) * rays.step)[0]

    def render_with_jacobian(
        self, pose: RigidTransform, geometry: ViewGeometry, centre: ArrayLike
    ) -> tuple[Float[Tensor, "H W"], Float[Tensor, "6 H W"]]:
        """Line integrals (H, W) and their derivative (6, H, W) in a left-multiplied twist of the pose.

        The twist is a rotation about ``centre`` (world mm; 3 radians) and a translation (3 mm). With g the gradient of
        the attenuation in world axes and x the sample, d/dv = -int g and d/dw = -int (x - centre) x g: one pass over
        the volume instead of one per parameter.
        """
        centre = np.asarray(centre, dtype=np.float64)
        if compiled := self._compiled():
            world_to_index = self._world_to_index(pose)
            return compiled.render_with_jacobian(
                self._bordered, world_to_index, self._step_mm, geometry, pose.rotation, centre
            )
        rays = self._rays(pose, geometry)
        samples = self._sample(rays, channels=4)
        device = samples.device
        rotation = torch.as_tensor(pose.rotation, dtype=torch.float32, device=device)
        lever = torch.as_tensor(geometry.source_ras - centre, dtype=torch.float32, device=device)
        force = rotation @ samples[1:].sum(dim=1)
        moment = rotation @ (samples[1:] * rays.distances).sum(dim=1)
        torque = torch.linalg.cross(lever[:, None].expand_as(force), force, dim=0)
        torque = torque + torch.linalg.cross(rays.direction, moment, dim=0)
        image = rays.image(torch.cat([samples[:1].sum(dim=1), -torque, -force]) * rays.step)
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

        # Beyond the outermost voxel centres the interpolation fades to zero within one voxel.
        with np.errstate(divide="ignore", invalid="ignore"):
            low, high = ((end - origin)[:, None] / direction_index for end in (-np.ones(3), self._extent + 1.0))
        near = np.maximum(np.minimum(low, high).max(axis=0), 0.0)
        far = np.maximum(low, high).min(axis=0)
        hit = np.flatnonzero(far > near)
        near, far = near[hit], far[hit]
        count = max(1, int(np.ceil((far - near).max(initial=0.0) / self._step_mm)))
        step = (far - near) / count
        first = near + step / 2

        # In normalised coordinates of grid_sample (align_corners=True): -1 and 1 are the outermost voxel centres.
        scale = 2.0 / np.maximum(self._extent, 1e-9)
        through = direction_index[:, hit].T
        start = (origin + first[:, None] * through) * scale - 1.0
        advance = step[:, None] * through * scale
        device = self._channels.device

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

    def _sample(self, rays: _Rays, channels: int) -> Tensor:
        """(C, S, R) samples of the first channels along the rays."""
        steps = torch.arange(rays.count, device=rays.start.device, dtype=torch.float32)[:, None, None]
        grid = torch.addcmul(rays.start, steps, rays.advance)
        return grid_sample(self._channels[:, :channels], grid[None, :, :, None], align_corners=True)[0, ..., 0]


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

    @property
    def distances(self) -> Tensor:
        """(S, R) distance of every sample from the source, mm."""
        return self.first + self.step * torch.arange(self.count, device=self.step.device)[:, None]

    def image(self, values: Tensor) -> Tensor:
        """(C, H, W) image with the values (C, R) at their pixels, zero elsewhere."""
        flat = values.new_zeros(values.shape[0], self.shape[0] * self.shape[1])
        flat[:, self.hit] = values
        return flat.reshape(-1, *self.shape)


def _gradient_in_ras(array: Float[Tensor, "D H W"], index_to_ras: FloatArray) -> list[Float[Tensor, "D H W"]]:
    """Central differences of (D, H, W) along R, A, S, per mm."""
    along_k, along_j, along_i = torch.gradient(array)
    index_gradient = torch.stack([along_i, along_j, along_k])
    ras_from_index = torch.as_tensor(np.linalg.inv(index_to_ras[:3, :3]).T, dtype=array.dtype, device=array.device)
    return list(torch.einsum("ab,bdhw->adhw", ras_from_index, index_gradient))
