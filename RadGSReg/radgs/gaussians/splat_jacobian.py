"""The X-ray of a set of Gaussians together with its derivative in their pose, in one analytic pass.

A line integral depends on its ray alone, so the pose enters through the ray: four numbers per pixel (source and
direction, each across the ray) hold all six derivatives. They are summed over the Gaussians; the twist follows per pixel.
"""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from radgs.gaussians.footprint import Detectors, Footprints, footprints, setup_dtype
from radgs.gaussians.model import RadiativeGaussians
from radgs.gaussians.runs import chunks
from radgs.gaussians.splat import DEFAULT_CUTOFF_SIGMA
from radgs.gaussians.splat_windowed import PixelRuns, parabola
from radgs.geometry import RigidTransform
from radgs.xray import ViewGeometry


@torch.no_grad()
def splat_with_pose_jacobian(
    gaussians: RadiativeGaussians,
    geometry: ViewGeometry,
    centre: ArrayLike,
    pose: RigidTransform | None = None,
    cutoff_sigma: float = DEFAULT_CUTOFF_SIGMA,
) -> tuple[Tensor, Tensor]:
    """Line integrals and their exact derivative in a left-multiplied twist of the Gaussians.

    Args:
        gaussians: In the object's own frame.
        geometry: The view, in world.
        centre: (3,) fixed point of the rotation, world mm.
        pose: Object-to-world; None: the Gaussians are in world.
        cutoff_sigma: As in ``splat``.

    Returns:
        (H, W) line integrals and (6, H, W) derivatives in (rotation vector about ``centre``, radians; translation, mm)
        of x -> R(omega) (x - centre) + centre + shift after ``pose``, at omega = shift = 0.
    """
    pose = pose or RigidTransform.identity()
    dtype, device = setup_dtype(gaussians.device), gaussians.device
    rotation = torch.as_tensor(pose.rotation, dtype=dtype, device=device)
    translation = torch.as_tensor(pose.translation, dtype=dtype, device=device)
    detectors = Detectors.of(geometry, rotation[None], translation[None])
    prints = footprints(gaussians, detectors, cutoff_sigma)
    sums = _accumulate(prints, geometry.shape, cutoff_sigma) * detectors.ray_lengths().to(gaussians.dtype)
    identity = torch.eye(3, dtype=dtype, device=device)
    world = Detectors.of(geometry, identity[None], torch.zeros_like(identity[:1]))
    fixed = torch.as_tensor(centre, dtype=dtype, device=device)
    return sums[0], _twist_derivative(sums, world.bases[0], world.sources[0] - fixed)


def _accumulate(prints: Footprints, shape: tuple[int, int], cutoff_sigma: float) -> Tensor:
    """(5, H, W) sums per unit ray length: value, derivatives in direction and in source, along column and row steps."""
    runs = PixelRuns.of(prints, shape, cutoff_sigma)
    amplitude = prints.amplitude.index_select(0, runs.gaussian)
    lines = _derivative_lines(prints, runs)
    stored = prints.a0.new_zeros(5, shape[0] * runs.stride)
    for part, longest in chunks(runs.length):
        steps = torch.arange(longest, device=stored.device)
        index = (runs.start[part, None] + steps).view(-1)
        du = runs.offsets[part, :1] + steps.to(stored.dtype)
        inverse = parabola(runs.denominator[part], du).reciprocal_()
        exponent = parabola(-0.5 * runs.numerator[part], du).mul_(inverse)
        spread = 1 + 2 * exponent  # 1 - q
        values = torch.threshold_(exponent, -0.5 * cutoff_sigma**2, -torch.inf).exp_()
        values *= inverse.sqrt().mul_(amplitude[part, None])
        stored[0].index_add_(0, index, values.view(-1))
        weights = inverse.mul_(values).neg_()

        column, column_a, row, row_a, source_column, constant, slope = (
            torch.addcmul(values_and_slopes[:, :1], values_and_slopes[:, 1:], du)
            for values_and_slopes in lines[part].unbind(1)
        )
        factors = (
            column.addcmul_(spread, column_a),
            row.addcmul_(spread, row_a),
            source_column,
            constant.addcmul_(slope, du),
        )
        for channel, factor in enumerate(factors, start=1):
            stored[channel].index_add_(0, index, factor.mul_(weights).view(-1))
    return stored.view(5, shape[0], runs.stride)[:, :, : shape[1]]


def _derivative_lines(prints: Footprints, runs: PixelRuns) -> Tensor:
    """(R, 7, 2) straight lines (constant, slope) in du that the logarithmic derivatives are made of.

    With half derivatives N_u, N_v, A_u, A_v of N and A and e = skew1 du + skew2 dv, in order:
    N_u; A_u; N_v; A_v; N_u / s - dv e; the constant of N_v / s + du e; and that one's remainder divided by du.
    """
    names = ("n12", "n22", "a2", "a12", "a22", "depth_ratio", "skew1", "skew2")
    table = torch.stack([getattr(prints, name) for name in names], dim=1).index_select(0, runs.gaussian)
    n12, n22, a2, a12, a22, depth_ratio, skew1, skew2 = table.unbind(1)
    dv, n1, n2 = runs.offsets[:, 1], runs.numerator[:, 1], runs.numerator[:, 2]
    zero = torch.zeros_like(dv)
    lines = [
        (n1, n2),
        (runs.denominator[:, 1], runs.denominator[:, 2]),
        (n22 * dv, n12),
        (a2 + a22 * dv, a12),
        (n1 / depth_ratio - skew2 * dv**2, n2 / depth_ratio - skew1 * dv),
        (n22 * dv / depth_ratio, zero),
        (n12 / depth_ratio + skew2 * dv, skew1),
    ]
    return torch.stack([torch.stack(pair, dim=1) for pair in lines], dim=1)


def _twist_derivative(sums: Tensor, basis: Tensor, lever: Tensor) -> Tensor:
    """(6, H, W) derivatives in the object's twist: moving the object forwards moves every ray backwards.

    Args:
        sums: (5, H, W) from ``_accumulate``, times the ray lengths.
        basis: (3, 3) columns: column step, row step, source to pixel (0, 0), world mm.
        lever: (3,) source minus the twist's centre, mm.
    """
    value, toward_column, toward_row, source_column, source_row = sums
    row, column = (torch.arange(n, dtype=sums.dtype, device=sums.device) for n in value.shape)
    u, v = column[None, :], row[:, None]
    # A vector y0 B + y1 C + y2 (corner) is (y0 - u y2) B + (y1 - v y2) C + y2 d; along d the source's motion changes
    # nothing and the direction's only rescales 1/|d|.
    source = torch.stack([source_column, source_row, -u * source_column - v * source_row])
    direction = torch.stack([toward_column, toward_row, -u * toward_column - v * toward_row - value])
    channels = torch.cat([source, direction, direction * u, direction * v])

    to_basis = torch.linalg.inv(basis)
    across, down, corner = (to_basis @ _cross_matrix(vector) for vector in basis.unbind(dim=1))
    turns = torch.cat([to_basis @ _cross_matrix(lever), corner, across, down])
    shifts = torch.cat([-to_basis, torch.zeros_like(turns[:9])])
    twist = torch.cat([turns, shifts], dim=1).to(sums.dtype)
    return (twist.T @ channels.reshape(12, -1)).view(6, *value.shape)


def _cross_matrix(vector: Tensor) -> Tensor:
    """(3, 3) matrix K with K x = vector cross x."""
    x, y, z = vector.unbind()
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero]).view(3, 3)
