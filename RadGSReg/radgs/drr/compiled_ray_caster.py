"""The ray caster's compiled form: the same rays and samples as on ``grid_sample``, sums within single precision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from radgs.drr.ray_kernels import cut_rays, integrate, integrate_with_derivatives
from radgs.geometry import FloatArray, ViewGeometry

if TYPE_CHECKING:
    from jaxtyping import Float

#: A source this many voxels away sees nothing of a volume.
FARTHEST_VOXELS = 1e7


@dataclass(frozen=True, eq=False)
class CompiledRayCaster:
    """The kernels of ``ray_kernels``, compiled, for volumes in memory with a border of zeros one voxel wide."""

    cut_rays: Callable[..., int]
    integrate: Callable[..., None]
    integrate_with_derivatives: Callable[..., None]

    @classmethod
    def get(cls) -> CompiledRayCaster | None:
        """The compiled kernels, or None where PyTorch is to do their work."""
        compiled = cut_rays.compiled(), integrate.compiled(), integrate_with_derivatives.compiled()
        cut, lines, derivatives = compiled
        if cut is None or lines is None or derivatives is None:
            return None
        return cls(cut, lines, derivatives)

    def render(
        self,
        bordered: Float[Tensor, "D H W"],
        world_to_index: FloatArray,
        step_mm: float,
        geometry: ViewGeometry,
    ) -> Float[Tensor, "H W"]:
        """Line integrals (H, W), of what ``torch_ray_caster.render`` takes; the volume is contiguous."""
        shape, to_index, directions, source, spans, samples = self._cut(bordered, world_to_index, step_mm, geometry)
        image = np.empty(len(directions), dtype=np.float32)
        self.integrate(bordered.view(-1).numpy(), shape, directions, to_index, source, spans, samples, image)
        return torch.from_numpy(image).view(geometry.shape)

    def render_with_jacobian(
        self,
        bordered: Float[Tensor, "D H W"],
        world_to_index: FloatArray,
        step_mm: float,
        geometry: ViewGeometry,
        centre: FloatArray,
    ) -> tuple[Float[Tensor, "H W"], Float[Tensor, "6 H W"]]:
        """Line integrals (H, W) and derivative (6, H, W), of what ``torch_ray_caster.render_with_jacobian`` takes."""
        shape, to_index, directions, source, spans, samples = self._cut(bordered, world_to_index, step_mm, geometry)
        images = np.empty((7, len(directions)), dtype=np.float32)
        volume = bordered.view(-1).numpy()
        self.integrate_with_derivatives(volume, shape, directions, to_index, source, spans, samples, centre, images)
        stack = torch.from_numpy(images).view(7, *geometry.shape)
        return stack[0], stack[1:]

    def _cut(
        self, bordered: Tensor, world_to_index: FloatArray, step_mm: float, geometry: ViewGeometry
    ) -> tuple[NDArray[np.int64], FloatArray, FloatArray, FloatArray, FloatArray, int]:
        """What both kernels take: shape, world to index, directions, source, where rays enter and leave, samples."""
        shape = np.array(bordered.shape, dtype=np.int64)
        to_index = np.ascontiguousarray(world_to_index[:3], dtype=np.float64)
        to_index[:, 3] += 1.0  # the border
        directions = np.ascontiguousarray(geometry.pixel_directions, dtype=np.float64)
        source = np.ascontiguousarray(geometry.source_ras, dtype=np.float64)
        spans = np.empty((len(directions), 2))
        if np.abs(to_index[:, :3] @ source + to_index[:, 3]).max() < FARTHEST_VOXELS:
            samples = self.cut_rays(directions, to_index, source, shape[::-1] - 1.0, step_mm, spans)
        else:  # or no number at all
            samples, spans[:] = 1, 0.0
        return shape, to_index, directions, source, spans, samples
