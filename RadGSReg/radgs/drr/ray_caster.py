"""Volumes to line integrals, with their analytic derivative in the pose: by whichever form is fastest on the device.

Rays run from the source through each pixel centre and on through the whole volume; where the detector stands along the
ray does not matter, so virtual detectors (``ViewGeometry.crop_geometry``) are rendered like real ones.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn.functional import pad

from radgs.drr import torch_ray_caster
from radgs.drr.compiled_ray_caster import CompiledRayCaster
from radgs.drr.fused_ray_caster import FUSED, RayCast, cast_rays
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
        asked = self._bordered, self._world_to_index(pose), self._step_mm, geometry
        if self._bordered.device.type == "cpu" and (compiled := CompiledRayCaster.get()):
            return compiled.render(*asked)
        fused = FUSED.attempt(
            self._bordered.device, lambda: cast_rays([RayCast(*asked, np.zeros(3))], derivatives=False)
        )
        return torch_ray_caster.render(*asked) if fused is None else fused[0][0]

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
        asked = self._bordered, self._world_to_index(pose), self._step_mm, geometry, centre
        if self._bordered.device.type == "cpu" and (compiled := CompiledRayCaster.get()):
            return compiled.render_with_jacobian(*asked)
        fused = FUSED.attempt(self._bordered.device, lambda: cast_rays([RayCast(*asked)], derivatives=True))
        return torch_ray_caster.render_with_jacobian(*asked) if fused is None else (fused[0][0], fused[0][1:])

    def _world_to_index(self, pose: RigidTransform) -> FloatArray:
        return self._ras_to_index @ pose.inverse().matrix
