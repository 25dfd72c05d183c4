"""CT to line integrals: a differentiable ray caster on ``grid_sample``, with the exact derivative in the pose.

Rays run from the source through each pixel centre and on through the whole volume; where the detector stands along the ray
does not matter, so virtual detectors (``ViewGeometry.crop_geometry``) are rendered like real ones.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from radgs.geometry import FloatArray, RigidTransform
from radgs.volume import Volume
from radgs.xray import ViewGeometry

#: Linear attenuation of water in 1/mm at diagnostic energies, the scale on which all densities are expressed.
WATER = 0.02
#: Muscle and discs attenuate slightly more than water; the vertebra is modelled as excess over this.
SOFT_TISSUE = 1.04 * WATER


def attenuation_from_hu(hu: ArrayLike) -> NDArray[np.float32]:
    """Linear attenuation in 1/mm from Hounsfield units; never below that of vacuum."""
    return np.maximum(WATER * (1.0 + np.asarray(hu, dtype=np.float32) / 1000.0), 0.0).astype(np.float32)


class VolumeRenderer:
    """Integrates a volume, placed in the world by a rigid pose, along the rays of a view.

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
        self._channels = torch.stack(channels)[None]
        self._step_mm = float(volume.spacing.min())

    def render(self, pose: RigidTransform, geometry: ViewGeometry, step_mm: float | None = None) -> Tensor:
        """Line integrals (H, W), dimensionless.

        Args:
            pose: Volume frame to world.
            geometry: The view.
            step_mm: Distance between samples along a ray; by default the finest voxel spacing.
        """
        samples, steps, _ = self._sample(pose, geometry, step_mm or self._step_mm, channels=1)
        return samples[0].sum(dim=0) * steps

    def render_with_jacobian(
        self, pose: RigidTransform, geometry: ViewGeometry, centre: ArrayLike, step_mm: float | None = None
    ) -> tuple[Tensor, Tensor]:
        """Line integrals (H, W) and their derivative (6, H, W) in a left-multiplied twist of the pose.

        The twist is a rotation about ``centre`` (world mm; 3 radians) and a translation (3 mm). With g the gradient of the
        attenuation in world axes and x the sample, d/dv = -int g and d/dw = -int (x - centre) x g: one pass over the
        volume instead of one per parameter.
        """
        samples, steps, points = self._sample(pose, geometry, step_mm or self._step_mm, channels=4)
        rotation = torch.as_tensor(pose.rotation, dtype=torch.float32, device=samples.device)
        gradient = torch.einsum("ab,bshw->ashw", rotation, samples[1:])
        origin, direction, first, step = points
        lever = torch.as_tensor(geometry.source_ras - np.asarray(centre), dtype=torch.float32, device=samples.device)
        count = samples.shape[1]
        distance = first + step * torch.arange(count, device=samples.device)[:, None, None]
        force = gradient.sum(dim=1)
        moment_arm = (gradient * distance).sum(dim=1)
        torque = torch.linalg.cross(lever[:, None, None].expand_as(force), force, dim=0) + torch.linalg.cross(
            direction, moment_arm, dim=0
        )
        return samples[0].sum(dim=0) * steps, -torch.cat([torque, force]) * steps

    def _sample(self, pose: RigidTransform, geometry: ViewGeometry, step_mm: float, channels: int):
        """Samples the channels along every ray, between its entry into and exit from the volume.

        Returns:
            Samples (C, S, H, W); step length per ray (H, W) in mm; the rays in the world: origin (3,), unit direction
            (3, H, W), distance of the first sample (H, W) and between samples (H, W), mm.
        """
        device = self._channels.device
        rows, columns = np.meshgrid(*(np.arange(n) for n in geometry.shape), indexing="ij")
        directions = geometry.back_project(np.stack([columns, rows], axis=-1))
        world_to_index = self._ras_to_index @ pose.inverse().matrix
        origin_index = world_to_index[:3, :3] @ geometry.source_ras + world_to_index[:3, 3]
        direction_index = directions @ world_to_index[:3, :3].T

        # Beyond the outermost voxel centres the interpolation fades to zero within one voxel.
        with np.errstate(divide="ignore", invalid="ignore"):
            low = (-1.0 - origin_index) / direction_index
            high = (self._extent + 1.0 - origin_index) / direction_index
        near = np.maximum(np.nanmax(np.minimum(low, high), axis=-1), 0.0)
        far = np.maximum(np.nanmin(np.maximum(low, high), axis=-1), near)
        count = max(1, int(np.ceil((far - near).max() / step_mm)))
        step = (far - near) / count
        first = near + step / 2

        def tensor(values: FloatArray) -> Tensor:
            return torch.as_tensor(np.ascontiguousarray(values), dtype=torch.float32, device=device)

        # In normalised coordinates of grid_sample (align_corners=True): -1 and 1 are the outermost voxel centres.
        scale = 2.0 / np.maximum(self._extent, 1e-9)
        start = tensor((origin_index + first[..., None] * direction_index) * scale - 1.0)
        advance = tensor(step[..., None] * direction_index * scale)
        grid = torch.addcmul(start, torch.arange(count, device=device, dtype=torch.float32)[:, None, None, None], advance)
        samples = grid_sample(self._channels[:, :channels], grid[None], align_corners=True)[0]
        rays = (tensor(geometry.source_ras), tensor(np.moveaxis(directions, -1, 0)), tensor(first), tensor(step))
        return samples, rays[3], rays


def render(volume: Volume, pose: RigidTransform, geometry: ViewGeometry, step_mm: float | None = None) -> Tensor:
    """Line integrals (H, W) of an attenuation volume at a pose; see ``VolumeRenderer.render``."""
    return VolumeRenderer(volume).render(pose, geometry, step_mm)


def _gradient_in_ras(array: Tensor, index_to_ras: FloatArray) -> list[Tensor]:
    """Central differences of (D, H, W) along R, A, S, per mm."""
    along_k, along_j, along_i = torch.gradient(array)
    index_gradient = torch.stack([along_i, along_j, along_k])
    ras_from_index = torch.as_tensor(np.linalg.inv(index_to_ras[:3, :3]).T, dtype=array.dtype, device=array.device)
    return list(torch.einsum("ab,bdhw->adhw", ras_from_index, index_gradient))
