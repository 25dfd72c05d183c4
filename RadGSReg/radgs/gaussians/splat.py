"""X-ray splatting: exact line integrals through radiative Gaussians; no affine approximation, no compositing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from radgs.gaussians.footprint import Detectors, footprints, setup_dtype
from radgs.gaussians.model import RadiativeGaussians
from radgs.gaussians.splat_compiled import CompiledSplatter
from radgs.gaussians.splat_dense import accumulate_dense
from radgs.gaussians.splat_fused import FUSED, splat_fused
from radgs.gaussians.splat_windowed import accumulate_windowed
from radgs.geometry import ViewGeometry
from radgs.threads import one_thread

if TYPE_CHECKING:
    from jaxtyping import Float

Backend = Literal["auto", "dense", "windowed"]

#: Contributions end at this many standard deviations: 0.005 % of a Gaussian's image lies beyond.
DEFAULT_CUTOFF_SIGMA = 4.5


def splat(
    gaussians: RadiativeGaussians,
    geometry: ViewGeometry,
    cutoff_sigma: float | None = DEFAULT_CUTOFF_SIGMA,
    backend: Backend = "auto",
) -> Float[Tensor, "H W"]:
    """Line integrals through the Gaussians along the ray of every pixel.

    Differentiable in every parameter of the Gaussians, and so in their pose (``RadiativeGaussians.transformed``).
    Gaussians whose centre is not in front of the source are not seen; one that contains the source counts with its
    whole line.

    Args:
        gaussians: In the frame of ``geometry``; their dtype and device are the image's.
        geometry: The view.
        cutoff_sigma: Contributions beyond this many standard deviations are left out (exponent q > cutoff^2);
            None, with the dense backend, leaves out nothing and is the specification.
        backend: "dense" evaluates every Gaussian on every pixel; "windowed" only where it reaches; "auto" is windowed
            whenever there is a cutoff, by compiled kernels where there are some and no gradient is asked for.

    Returns:
        (H, W) line integrals, dimensionless.
    """
    rotation = torch.eye(3, dtype=setup_dtype(gaussians.device), device=gaussians.device)
    return splat_poses(gaussians, rotation[None], rotation.new_zeros(1, 3), geometry, cutoff_sigma, backend)[0]


@one_thread()
def splat_poses(
    gaussians: RadiativeGaussians,
    rotations: Float[Tensor, "B 3 3"],
    translations: Float[Tensor, "B 3"],
    geometry: ViewGeometry,
    cutoff_sigma: float | None = DEFAULT_CUTOFF_SIGMA,
    backend: Backend = "auto",
) -> Float[Tensor, "B H W"]:
    """``splat`` of one set of Gaussians under many poses, in one pass; differentiable in the poses too.

    Args:
        gaussians: In the object's own frame.
        rotations: (B, 3, 3) object-to-world rotations.
        translations: (B, 3) object-to-world translations, mm.
        geometry: The view, in world.
        cutoff_sigma: As in ``splat``.
        backend: As in ``splat``.

    Returns:
        (B, H, W) line integrals.
    """
    exact = setup_dtype(gaussians.device)
    rotations = torch.as_tensor(rotations, dtype=exact, device=gaussians.device)
    translations = torch.as_tensor(translations, dtype=exact, device=gaussians.device)
    detectors = Detectors.of(geometry, rotations, translations)
    sums = _compiled(gaussians, detectors, cutoff_sigma) if backend == "auto" else None
    if sums is None:
        sums = _summed(gaussians, detectors, cutoff_sigma, backend)
    return sums * detectors.ray_lengths().to(sums.dtype)


def _compiled(gaussians: RadiativeGaussians, detectors: Detectors, cutoff_sigma: float | None) -> Tensor | None:
    """The sums (B, H, W) by compiled or fused kernels, where there are some for this."""
    leaves = (*gaussians.tensors(), detectors.sources, detectors.bases)
    if cutoff_sigma is None or (torch.is_grad_enabled() and any(tensor.requires_grad for tensor in leaves)):
        return None
    if compiled := CompiledSplatter.of(gaussians):
        return compiled.splat(gaussians, detectors, cutoff_sigma)
    if gaussians.dtype != torch.float32:
        return None
    fused = FUSED.attempt(gaussians.device, partial(splat_fused, gaussians, detectors, cutoff_sigma))
    return None if fused is None else fused[:, 0]


def _summed(
    gaussians: RadiativeGaussians, detectors: Detectors, cutoff_sigma: float | None, backend: Backend
) -> Tensor:
    """The sums (B, H, W) by PyTorch."""
    prints, poses = footprints(gaussians, detectors, cutoff_sigma), len(detectors.sources)
    if backend == "dense" or (backend == "auto" and cutoff_sigma is None):
        return accumulate_dense(prints, poses, detectors.shape, cutoff_sigma)
    if cutoff_sigma is None:
        raise ValueError("The windowed backend needs a cutoff; use the dense one without.")
    return accumulate_windowed(prints, poses, detectors.shape, cutoff_sigma)
