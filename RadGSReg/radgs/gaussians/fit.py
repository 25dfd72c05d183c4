"""Fitting radiative Gaussians to a volume: clusters to start from, Adam on shapes, least squares for densities."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, cg
from scipy.spatial import cKDTree

from radgs.errors import RadgsError
from radgs.gaussians.adam import Adam
from radgs.gaussians.model import RadiativeGaussians
from radgs.gaussians.voxelize import profile_matrix, voxelize
from radgs.geometry import FloatArray, Volume
from radgs.rotations import matrices_to_quaternions
from radgs.threads import one_thread

#: Voxels below this fraction of the largest magnitude place no Gaussians.
SIGNIFICANT_FRACTION = 0.02
#: Gaussians are placed by |excess| to this power: cortical bone gets most, spongy bone enough.
PLACEMENT_POWER = 0.7
CLUSTER_ITERATIONS = 4
#: Neighbouring Gaussians must overlap: a cluster's own spread, widened.
CLUSTER_WIDENING = 1.5
#: Standard deviations stay in this range, in voxels: thinner ones fall between voxel centres.
SCALE_RANGE_VOXELS = (0.45, 6.0)
#: The loss sees this much empty space around the object, so that nothing spills there unpunished.
MARGIN_MM = 4.0

#: Adam's first steps: means (voxels), log-scales, quaternions, densities (fraction of their RMS); a tenth at the end.
LEARNING_RATES = (0.2, 0.09, 0.09, 0.05)
FINAL_RATE = 0.1
#: Densities are solved for exactly every so many iterations.
SOLVE_INTERVAL = 25
#: Conjugate gradients end early only where the residual, relative to the target, is rounding.
ROUNDING = 1e-12
#: Shapes are found with a shorter reach, which is cheaper; the last solve makes the densities right for the full one.
FIT_CUTOFF_SIGMA = 3.0
FINAL_CUTOFF_SIGMA = 4.5


@one_thread()
def fit(
    excess: Volume,
    count: int = 2000,
    seed: int = 0,
    iterations: int = 100,
    progress: Callable[[float], None] | None = None,
) -> RadiativeGaussians:
    """Gaussians whose sum reproduces a volume in least squares.

    Args:
        excess: Signed attenuation, 1/mm, near zero away from the object; voxels of about equal sides.
        count: Number of Gaussians; never more than there are voxels to place them in.
        seed: Seeds the placement; the result is the same for the same seed.
        iterations: Adam steps.
        progress: Called with the fraction done, 0 to 1.

    Returns:
        Gaussians in the volume's RAS, float32 on the CPU; densities may be negative.

    Raises:
        RadgsError: The volume is zero everywhere or not finite.
    """
    values = np.asarray(excess.array, dtype=np.float32)
    if not np.isfinite(values).all() or not values.any():
        raise RadgsError(
            "The vertebra to fit has no attenuation above soft tissue, or values that are not numbers.",
            "Check that the labels lie on the vertebra in the CT and that the CT is in Hounsfield units.",
        )
    target = _box_around_object(Volume(values, excess.index_to_ras))
    gaussians = _clustered(target, count, np.random.default_rng(seed))
    gaussians = solve_densities(gaussians, target, FIT_CUTOFF_SIGMA, iterations=30)
    gaussians = _optimised(gaussians, target, iterations, progress)
    return solve_densities(gaussians, target, FINAL_CUTOFF_SIGMA, iterations=30)


def solve_densities(
    gaussians: RadiativeGaussians, target: Volume, cutoff_sigma: float, iterations: int, ridge: float = 1e-3
) -> RadiativeGaussians:
    """The same shapes with densities that fit the target in least squares, by preconditioned conjugate gradients.

    Args:
        gaussians: Shapes, and densities to start from.
        target: Attenuation, 1/mm.
        cutoff_sigma: Where Gaussians end.
        iterations: Conjugate gradient steps.
        ridge: Penalty on densities relative to each Gaussian's own energy; keeps overlapping ones from fighting.
    """
    profiles = profile_matrix(gaussians, target.index_to_ras, _shape(target), cutoff_sigma)
    energy = np.asarray(profiles.multiply(profiles).sum(axis=1)).ravel() + 1e-6
    count = len(energy)
    normal = LinearOperator(
        (count, count), lambda x: profiles @ (profiles.T @ x) + ridge * energy * x, dtype=energy.dtype
    )
    densities, _ = cg(
        LinearOperator((count, count), normal, dtype=energy.dtype),
        profiles @ np.ravel(target.array),
        x0=gaussians.densities.detach().numpy(),
        rtol=ROUNDING,
        maxiter=iterations,
        M=LinearOperator((count, count), lambda x: x / energy, dtype=energy.dtype),
    )
    solved = torch.from_numpy(densities.astype(np.float32))
    return RadiativeGaussians(gaussians.means, gaussians.log_scales, gaussians.quaternions, solved)


def _optimised(
    gaussians: RadiativeGaussians, target: Volume, iterations: int, progress: Callable[[float], None] | None
) -> RadiativeGaussians:
    """Adam on all parameters, with the densities solved for in between."""
    voxel_mm = float(target.spacing.max())
    wanted = torch.from_numpy(np.ascontiguousarray(target.array))
    lowest, highest = (math.log(scale * voxel_mm) for scale in SCALE_RANGE_VOXELS)
    parameters = [tensor.clone().requires_grad_() for tensor in gaussians.tensors()]
    units = (voxel_mm, 1.0, 1.0, float(gaussians.densities.square().mean().sqrt()))
    rates = [rate * unit for rate, unit in zip(LEARNING_RATES, units, strict=True)]
    adam = Adam(parameters, rates, betas=(0.9, 0.98))
    # Adam's epsilon must stay small against the gradients, whatever the attenuation's unit.
    weight = 1.0 / float(wanted.square().sum()) * len(gaussians)
    for iteration in range(iterations):
        fitted = voxelize(RadiativeGaussians(*parameters), target.index_to_ras, _shape(target), FIT_CUTOFF_SIGMA)
        adam.step(torch.autograd.grad((fitted - wanted).square().sum() * weight, parameters))
        with torch.no_grad():
            parameters[1].clamp_(lowest, highest)
            if (iteration + 1) % SOLVE_INTERVAL == 0:
                current = RadiativeGaussians(*parameters).detach()
                parameters[3].copy_(solve_densities(current, target, FIT_CUTOFF_SIGMA, iterations=10).densities)
        adam.rates = [rate * FINAL_RATE ** (1 / iterations) for rate in adam.rates]
        if progress is not None:
            progress((iteration + 1) / iterations)
    return RadiativeGaussians(*parameters).detach()


def _clustered(target: Volume, count: int, random: np.random.Generator) -> RadiativeGaussians:
    """One Gaussian per cluster of voxels, with the cluster's centre and covariance; densities zero."""
    magnitude = np.abs(target.array)
    kji = np.argwhere(magnitude > SIGNIFICANT_FRACTION * magnitude.max())
    weights = magnitude[tuple(kji.T)].astype(np.float64) ** PLACEMENT_POWER
    points = target.to_ras(kji[:, ::-1])
    count = min(count, len(points))
    centres = points[random.choice(len(points), count, replace=False, p=weights / weights.sum())]
    for _ in range(CLUSTER_ITERATIONS):
        member = cKDTree(centres).query(points)[1]
        centres = _cluster_means(points, weights, member, count)
    member = cKDTree(centres).query(points)[1]
    offsets = points - centres[member]
    products = (offsets[:, :, None] * offsets[:, None, :]).reshape(-1, 9)
    # A voxel is itself a box: its own variance keeps single-voxel clusters from vanishing.
    own = np.diag(target.spacing.max() ** 2 / 12 * np.ones(3))
    covariances = _cluster_means(products, weights, member, count).reshape(-1, 3, 3) + own
    return _from_covariances(centres, covariances * CLUSTER_WIDENING**2, float(target.spacing.max()))


def _cluster_means(values: FloatArray, weights: FloatArray, member: NDArray[np.intp], count: int) -> FloatArray:
    """(count, C) weighted means of the (P, C) values of each cluster's members."""
    total = np.bincount(member, weights, count) + 1e-12
    return np.stack([np.bincount(member, weights * column, count) / total for column in values.T], axis=1)


def _from_covariances(means: FloatArray, covariances: FloatArray, voxel_mm: float) -> RadiativeGaussians:
    variances, axes = np.linalg.eigh(covariances)
    axes[np.linalg.det(axes) < 0, :, 0] *= -1
    lowest, highest = SCALE_RANGE_VOXELS
    scales = np.clip(np.sqrt(variances), lowest * voxel_mm, highest * voxel_mm)
    quaternions = matrices_to_quaternions(torch.from_numpy(axes))
    tensors = (torch.from_numpy(means), torch.from_numpy(np.log(scales)), quaternions, torch.zeros(len(means)))
    return RadiativeGaussians(*(tensor.to(torch.float32) for tensor in tensors))


def _box_around_object(volume: Volume) -> Volume:
    """The voxels that are not zero, with a margin of zeros (beyond the volume too, where it is tight)."""
    filled = np.argwhere(volume.array != 0)
    low, high = filled.min(axis=0), filled.max(axis=0) + 1
    tight = volume.box(low[::-1], high[::-1])
    margin = np.ceil(MARGIN_MM / volume.spacing).astype(int)
    padded = np.pad(tight.array, [(n, n) for n in margin[::-1]])
    index_to_ras = tight.index_to_ras.copy()
    index_to_ras[:3, 3] = tight.to_ras(-margin)
    return Volume(padded, index_to_ras)


def _shape(volume: Volume) -> tuple[int, int, int]:
    depth, height, width = volume.array.shape
    return depth, height, width
