"""The X-ray of a set of Gaussians together with its derivative in their pose, in one analytic pass.

A line integral depends on its ray alone, so the pose enters through the ray: four numbers per pixel (a point on the ray
and its direction, each across the ray) hold all six derivatives. They are summed over the Gaussians; the twist comes
last. The point is taken at the object's depth: from the source, a turn of the object would be the small difference of
two large motions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from radgs.gaussians.footprint import Detectors, footprints, setup_dtype
from radgs.gaussians.model import RadiativeGaussians
from radgs.gaussians.splat import DEFAULT_CUTOFF_SIGMA
from radgs.gaussians.splat_compiled import CompiledSplatter
from radgs.gaussians.splat_derivatives import accumulate_with_derivatives
from radgs.gaussians.splat_fused import FUSED, splat_fused
from radgs.geometry import RigidTransform, ViewGeometry
from radgs.threads import one_thread

if TYPE_CHECKING:
    from jaxtyping import Float


@torch.no_grad()
@one_thread()
def splat_with_pose_jacobian(
    gaussians: RadiativeGaussians,
    geometry: ViewGeometry,
    centre: ArrayLike,
    pose: RigidTransform | None = None,
    cutoff_sigma: float = DEFAULT_CUTOFF_SIGMA,
    backend: Literal["auto", "windowed"] = "auto",
) -> tuple[Float[Tensor, "H W"], Float[Tensor, "6 H W"]]:
    """Line integrals and their exact derivative in a left-multiplied twist of the Gaussians.

    Args:
        gaussians: In the object's own frame.
        geometry: The view, in world.
        centre: (3,) fixed point of the rotation, world mm.
        pose: Object-to-world; None: the Gaussians are in world.
        cutoff_sigma: As in ``splat``.
        backend: As in ``splat``.

    Returns:
        (H, W) line integrals and (6, H, W) derivatives in (rotation vector about ``centre``, radians; translation, mm)
        of x -> R(omega) (x - centre) + centre + shift after ``pose``, at omega = shift = 0.
    """
    pose = pose or RigidTransform.identity()
    dtype, device = setup_dtype(gaussians.device), gaussians.device
    rotation = torch.as_tensor(pose.rotation, dtype=dtype, device=device)
    translation = torch.as_tensor(pose.translation, dtype=dtype, device=device)
    detectors = Detectors.of(geometry, rotation[None], translation[None])
    pivot = _Pivot.at(gaussians.means.to(dtype).mean(dim=0), detectors)
    if backend == "auto" and (compiled := CompiledSplatter.of(gaussians)):
        sums = compiled.splat_with_derivatives(gaussians, detectors, cutoff_sigma, float(pivot.depth_ratio))
    elif backend == "auto" and gaussians.dtype == torch.float32 and FUSED.usable(device):
        sums = _fused(gaussians, detectors, cutoff_sigma, pivot.depth_ratio)
    else:
        sums = _summed(gaussians, detectors, cutoff_sigma, pivot.depth_ratio)
    sums *= detectors.ray_lengths().to(gaussians.dtype)
    fixed = torch.as_tensor(centre, dtype=dtype, device=device)
    return sums[0], _twist_derivative(sums, pivot, rotation, rotation.T @ (fixed - translation))


def _fused(gaussians: RadiativeGaussians, detectors: Detectors, cutoff_sigma: float, depth_ratio: Tensor) -> Tensor:
    """The sums (5, H, W) by fused kernels, by PyTorch where they fail."""
    call = partial(splat_fused, gaussians, detectors, cutoff_sigma, float(depth_ratio))
    sums = FUSED.attempt(gaussians.device, call)
    return _summed(gaussians, detectors, cutoff_sigma, depth_ratio) if sums is None else sums[0]


def _summed(gaussians: RadiativeGaussians, detectors: Detectors, cutoff_sigma: float, depth_ratio: Tensor) -> Tensor:
    """The sums (5, H, W) by PyTorch."""
    prints = footprints(gaussians, detectors, cutoff_sigma)
    return accumulate_with_derivatives(prints, detectors.shape, cutoff_sigma, depth_ratio)


@dataclass(frozen=True, eq=False)
class _Pivot:
    """Where rays are held: the points at a fraction of their length, in the frame of the Gaussians.

    Attributes:
        depth_ratio: The fraction, 1 at the detector.
        point: (3,) the point on the ray through ``pixel``, mm.
        pixel: (2,) column and row.
        basis: (3, 3) columns: column step, row step, and the vector from the source to ``pixel``, mm.
    """

    depth_ratio: Float[Tensor, ""]
    point: Float[Tensor, " 3"]
    pixel: Float[Tensor, " 2"]
    basis: Float[Tensor, "3 3"]

    @classmethod
    def at(cls, point: Tensor, detectors: Detectors) -> _Pivot:
        """The pivot at a point (3,); at pixel (0, 0) itself if there are no Gaussians or the point is not in view."""
        source, basis = detectors.sources[0], detectors.bases[0]
        projected = torch.linalg.inv(basis) @ (point - source)
        if not bool(projected[2] > 0):
            point, projected = source + basis[:, 2], torch.eye(3).to(basis)[2]
        pixel = projected[:2] / projected[2]
        through = (point - source) / projected[2]
        return cls(projected[2], point, pixel, torch.stack([basis[:, 0], basis[:, 1], through], dim=1))


def _twist_derivative(sums: Tensor, pivot: _Pivot, rotation: Tensor, centre: Tensor) -> Tensor:
    """(6, H, W) derivatives in the object's twist: moving the object forwards moves every ray backwards.

    Args:
        sums: (5, H, W) from ``accumulate_with_derivatives``, times the ray lengths.
        pivot: Where the rays were held.
        rotation: (3, 3) object-to-world: twists are in world.
        centre: (3,) the twist's centre in the frame of the Gaussians, mm.
    """
    value, turn_column, turn_row, shift_column, shift_row = sums
    rows, columns = value.shape
    u = torch.arange(columns, device=sums.device)[None, :].sub(pivot.pixel[0]).to(sums.dtype)
    v = torch.arange(rows, device=sums.device)[:, None].sub(pivot.pixel[1]).to(sums.dtype)
    # A vector y0 B + y1 C + y2 (pivot's ray) is (y0 - u y2) B + (y1 - v y2) C + y2 d; a shift along d changes nothing,
    # and a longer d only rescales 1/|d|.
    shift = torch.stack([shift_column, shift_row, -u * shift_column - v * shift_row])
    turn = torch.stack([turn_column, turn_row, -u * turn_column - v * turn_row - value])
    channels = torch.cat([shift, shift * u, shift * v, turn, turn * u, turn * v])

    to_basis = torch.linalg.inv(pivot.basis)
    across, down, through = (to_basis @ _cross_matrix(vector) for vector in pivot.basis.unbind(dim=1))
    lever = to_basis @ _cross_matrix(pivot.point - centre)
    turns = torch.cat([lever, pivot.depth_ratio * across, pivot.depth_ratio * down, through, across, down])
    shifts = torch.cat([-to_basis, torch.zeros_like(turns[3:])])
    twist = torch.cat([turns @ rotation.T, shifts @ rotation.T], dim=1).to(sums.dtype)
    return (twist.T @ channels.reshape(18, -1)).view(6, rows, columns)


def _cross_matrix(vector: Tensor) -> Tensor:
    """(3, 3) matrix K with K x = vector cross x."""
    x, y, z = vector.unbind()
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero]).view(3, 3)
