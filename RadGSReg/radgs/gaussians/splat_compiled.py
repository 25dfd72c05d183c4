"""X-ray splatting within the cutoff by compiled kernels: what ``splat_windowed`` sums, single precision apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from radgs.gaussians.footprint import NEAREST_MM, Detectors, fixed_whitening, source_to_plane
from radgs.gaussians.model import RadiativeGaussians
from radgs.gaussians.runs import CHORD_MARGIN
from radgs.gaussians.splat_kernels import COEFFICIENTS, accumulate, accumulate_with_derivatives, project

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class CompiledSplatter:
    """The kernels of ``splat_kernels``, compiled, for Gaussians in memory and in single precision."""

    project: Callable[..., None]
    accumulate: Callable[..., None]
    accumulate_with_derivatives: Callable[..., None]

    @classmethod
    def of(cls, gaussians: RadiativeGaussians) -> CompiledSplatter | None:
        """The compiled kernels, or None where PyTorch is to do their work on these Gaussians."""
        if gaussians.device.type != "cpu" or gaussians.dtype != torch.float32:
            return None
        projector, values, derivatives = (one.compiled() for one in (project, accumulate, accumulate_with_derivatives))
        if projector is None or values is None or derivatives is None:
            return None
        return cls(projector, values, derivatives)

    def splat(self, gaussians: RadiativeGaussians, detectors: Detectors, cutoff_sigma: float) -> Float[Tensor, "B H W"]:
        """(B, H, W) sums of density sqrt(2 pi / A) exp(-q / 2), as ``accumulate_windowed`` returns them."""
        poses = len(detectors.sources)
        images = np.zeros((poses, *detectors.shape), dtype=np.float32)
        for pose in range(poses):
            table = self._table(gaussians, detectors, pose, cutoff_sigma)
            self.accumulate(table, cutoff_sigma, CHORD_MARGIN, *detectors.shape, images[pose].reshape(-1))
        return torch.from_numpy(images)

    def splat_with_derivatives(
        self, gaussians: RadiativeGaussians, detectors: Detectors, cutoff_sigma: float, depth_ratio: float
    ) -> Float[Tensor, "5 H W"]:
        """(5, H, W) the same under the first pose, and the sums that its derivatives are made of."""
        sums = np.zeros((5, *detectors.shape), dtype=np.float32)
        table = self._table(gaussians, detectors, 0, cutoff_sigma)
        self.accumulate_with_derivatives(
            table, cutoff_sigma, CHORD_MARGIN, depth_ratio, *detectors.shape, sums.reshape(-1)
        )
        return torch.from_numpy(sums)

    def _table(
        self, gaussians: RadiativeGaussians, detectors: Detectors, pose: int, cutoff_sigma: float
    ) -> NDArray[np.float64]:
        """(N, 17) what the Gaussians look like under one pose."""
        basis = np.ascontiguousarray(detectors.bases[pose].numpy())
        nearest = NEAREST_MM / float(source_to_plane(detectors)[pose])
        table = np.empty((len(gaussians), COEFFICIENTS))
        self.project(
            gaussians.means.to(torch.float64).contiguous().numpy(),
            fixed_whitening(gaussians, torch.float64).numpy(),
            gaussians.densities.contiguous().numpy(),
            np.ascontiguousarray(detectors.sources[pose].numpy()),
            basis,
            np.ascontiguousarray(np.linalg.inv(basis)),
            nearest,
            cutoff_sigma,
            CHORD_MARGIN,
            table,
        )
        return table
