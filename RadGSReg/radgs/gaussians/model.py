"""Radiative Gaussians: attenuation as a sum of anisotropic Gaussian blobs."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from radgs.rotations import matrices_to_quaternions, quaternion_products, quaternions_to_matrices

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class RadiativeGaussians:
    """Attenuation f(x) = sum_i density_i exp(-(x - mean_i)^T P_i (x - mean_i) / 2), P_i = R_i diag(scale_i^-2) R_i^T.

    Attributes:
        means: (N, 3) centres, mm, in the frame the object lives in.
        log_scales: (N, 3) logarithms of the standard deviations along the Gaussian's own axes, mm.
        quaternions: (N, 4) rotation from the Gaussian's own axes to the frame, (w, x, y, z), of any length but zero.
        densities: (N,) attenuation at the centre, 1/mm; negative where the object attenuates less than around it.
    """

    means: Float[Tensor, "N 3"]
    log_scales: Float[Tensor, "N 3"]
    quaternions: Float[Tensor, "N 4"]
    densities: Float[Tensor, " N"]

    def __post_init__(self) -> None:
        count = self.means.shape[0]
        shapes = [tuple(getattr(self, field.name).shape) for field in fields(self)]
        if shapes != [(count, 3), (count, 3), (count, 4), (count,)]:
            raise ValueError(
                f"Gaussians need means (N, 3), log_scales (N, 3), quaternions (N, 4), densities (N,); got {shapes}."
            )

    def __len__(self) -> int:
        return self.means.shape[0]

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of all tensors."""
        return self.means.dtype

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.means.device

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> RadiativeGaussians:
        """The same Gaussians on another device or in another floating-point type."""
        return RadiativeGaussians(*(tensor.to(device=device, dtype=dtype) for tensor in self.tensors()))

    def detach(self) -> RadiativeGaussians:
        """The same Gaussians outside the autograd graph."""
        return RadiativeGaussians(*(tensor.detach() for tensor in self.tensors()))

    def tensors(self) -> tuple[Float[Tensor, "N 3"], Float[Tensor, "N 3"], Float[Tensor, "N 4"], Float[Tensor, " N"]]:
        """Means, log-scales, quaternions and densities."""
        return self.means, self.log_scales, self.quaternions, self.densities

    def __add__(self, other: RadiativeGaussians) -> RadiativeGaussians:
        """Both sets together: attenuations add."""
        return RadiativeGaussians(*(torch.cat(pair) for pair in zip(self.tensors(), other.tensors(), strict=True)))

    def rotations(self) -> Float[Tensor, "N 3 3"]:
        """(N, 3, 3) rotations from each Gaussian's own axes to the frame."""
        return quaternions_to_matrices(self.quaternions)

    def whitening(self) -> Float[Tensor, "N 3 3"]:
        """(N, 3, 3) maps V with P = V^T V: V (x - mean) measures offsets in standard deviations."""
        return torch.exp(-self.log_scales)[:, :, None] * self.rotations().transpose(1, 2)

    def precisions(self) -> Float[Tensor, "N 3 3"]:
        """(N, 3, 3) inverse covariances P, 1/mm^2."""
        whitening = self.whitening()
        return whitening.transpose(1, 2) @ whitening

    def covariances(self) -> Float[Tensor, "N 3 3"]:
        """(N, 3, 3) covariances, mm^2."""
        axes = self.rotations() * torch.exp(self.log_scales)[:, None, :]
        return axes @ axes.transpose(1, 2)

    def transformed(self, rotation: Float[Tensor, "3 3"], translation: Float[Tensor, " 3"]) -> RadiativeGaussians:
        """The Gaussians after the rigid motion x -> R x + t; differentiable in everything.

        Args:
            rotation: (3, 3) proper rotation.
            translation: (3,) mm.
        """
        rotation = torch.as_tensor(rotation, dtype=self.dtype, device=self.device)
        translation = torch.as_tensor(translation, dtype=self.dtype, device=self.device)
        quaternions = quaternion_products(matrices_to_quaternions(rotation), self.quaternions)
        means = self.means @ rotation.transpose(0, 1) + translation
        return RadiativeGaussians(means, self.log_scales, quaternions, self.densities)
