"""How far a registration is from the truth, and how like the truth a reconstruction or a projection looks.

Poses are scored where they matter, on the vertebra's surface; images as the field scores them, by SSIM and PSNR with a
data range fixed beforehand, so that the scores of two volumes can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from skimage.metrics import structural_similarity

from radgs.geometry import FloatArray, RigidTransform, Volume, mean_distance

if TYPE_CHECKING:
    from radgs.case import RegistrationCase
    from radgs.pipeline import Registration

#: Data range of excess attenuation in 1/mm for SSIM and PSNR: dense cortical bone over soft tissue.
ATTENUATION_RANGE = 0.04

#: Width of SSIM's Gaussian window, in voxels or pixels (Wang et al., IEEE TIP 13, 2004).
SSIM_SIGMA = 1.5

#: How far around the vertebra the masked scores reach, mm.
MASK_DILATION_MM = 3.0
#: Attenuation further than this from the vertebra is a ghost, mm; nearer it may be mere blur.
GHOST_MM = 6.0


@dataclass(frozen=True)
class TargetErrors:
    """Distances between true and registered positions of the surface points, mm."""

    mean: float
    p95: float
    maximum: float


@dataclass(frozen=True)
class Similarity:
    """SSIM (1 for identical images) and PSNR in dB (infinite for identical images)."""

    ssim: float
    psnr_db: float


@dataclass(frozen=True)
class VolumeSimilarity:
    """A reconstruction against the truth.

    Attributes:
        roi, inside: Over the whole region of interest, and near the vertebra alone.
        ghost_share: Share of the reconstructed attenuation, 0 to 1, that lies where there is none for 6 mm around.
        correlation: Of the two near the vertebra; NaN where one of them is constant.
    """

    roi: Similarity
    inside: Similarity
    ghost_share: float
    correlation: float


def mtre(points: ArrayLike, truth: RigidTransform, estimate: RigidTransform) -> float:
    """Mean target registration error in mm over points (N, 3), usually ``anatomy.surface_points``."""
    return mean_distance(points, truth, estimate)


def target_errors(points: ArrayLike, truth: RigidTransform, estimate: RigidTransform) -> TargetErrors:
    """Mean, 95th percentile and maximum of the distances of points (N, 3) under the two transforms, mm."""
    distances = np.linalg.norm(truth.apply(points) - estimate.apply(points), axis=-1)
    return TargetErrors(float(distances.mean()), float(np.percentile(distances, 95)), float(distances.max()))


def rotation_error(truth: RigidTransform, estimate: RigidTransform) -> float:
    """Angle of the rotation between the two transforms, radians."""
    return truth.geodesic_angle_to(estimate)


def psnr(estimate: NDArray, truth: NDArray, data_range: float, mask: NDArray[np.bool_] | None = None) -> float:
    """Peak signal-to-noise ratio in dB of two arrays of one shape, within a mask if given; infinite when equal."""
    squared = (np.asarray(estimate, dtype=np.float64) - np.asarray(truth, dtype=np.float64)) ** 2
    error = float((squared if mask is None else squared[mask]).mean())
    return float("inf") if error == 0.0 else 10.0 * float(np.log10(data_range**2 / error))


def ssim(estimate: NDArray, truth: NDArray, data_range: float, mask: NDArray[np.bool_] | None = None) -> float:
    """Structural similarity of two arrays of one shape (2D or 3D), Gaussian window of sigma 1.5, in a mask if given.

    Without a mask the mean leaves out the outermost five samples, where the window would reach beyond the array.

    Raises:
        ValueError: The arrays differ in shape or are narrower than the window (11 samples).
    """
    mean, local = structural_similarity(
        np.asarray(estimate, dtype=np.float64),
        np.asarray(truth, dtype=np.float64),
        data_range=data_range,
        gaussian_weights=True,
        sigma=SSIM_SIGMA,
        use_sample_covariance=False,
        full=True,
    )
    return float(mean if mask is None else local[mask].mean())


def similarity(
    estimate: NDArray, truth: NDArray, data_range: float, mask: NDArray[np.bool_] | None = None
) -> Similarity:
    """SSIM and PSNR of two images or volumes of one shape, within a mask if given."""
    return Similarity(ssim(estimate, truth, data_range, mask), psnr(estimate, truth, data_range, mask))


def volume_similarity(estimate: Volume, truth: Volume, vertebra: NDArray[np.bool_]) -> VolumeSimilarity:
    """A reconstruction scored on excess attenuation with the data range 0.04/mm.

    Args:
        estimate: Reconstructed excess attenuation, 1/mm.
        truth: True excess attenuation on the same grid, 1/mm.
        vertebra: (D, H, W) mask of the vertebra on that grid.

    Returns:
        Similarities over the whole region of interest and inside the mask dilated by 3 mm, and how ghosted it is.

    Raises:
        ValueError: The three do not share one shape, or the mask is empty.
    """
    if not estimate.array.shape == truth.array.shape == vertebra.shape:
        raise ValueError(f"Shapes differ: {estimate.array.shape}, {truth.array.shape}, {vertebra.shape}.")
    if not vertebra.any():
        raise ValueError("The vertebra's mask is empty.")
    near = dilated(vertebra, truth.spacing, MASK_DILATION_MM)
    return VolumeSimilarity(
        similarity(estimate.array, truth.array, ATTENUATION_RANGE),
        similarity(estimate.array, truth.array, ATTENUATION_RANGE, near),
        ghost_share(estimate, vertebra),
        correlation(estimate.array[near], truth.array[near]),
    )


def ghost_share(estimate: Volume, vertebra: NDArray[np.bool_]) -> float:
    """Share of a reconstruction's attenuation, 0 to 1, outside the vertebra's mask dilated by 6 mm; 0 when empty."""
    seen = np.clip(estimate.array, 0.0, None)
    total = float(seen.sum())
    return float(seen[~dilated(vertebra, estimate.spacing, GHOST_MM)].sum()) / total if total > 0 else 0.0


def correlation(first: NDArray, second: NDArray) -> float:
    """Pearson's correlation of two arrays of one shape; NaN where one of them is constant."""
    centred = [np.asarray(values, np.float64).ravel() - float(np.mean(values)) for values in (first, second)]
    lengths = np.linalg.norm(centred[0]) * np.linalg.norm(centred[1])
    return float(centred[0] @ centred[1] / lengths) if lengths > 0 else float("nan")


def dilated(mask: NDArray[np.bool_], spacing: FloatArray, distance_mm: float) -> NDArray[np.bool_]:
    """A mask (D, H, W) grown by a distance in mm; ``spacing`` is along i, j, k as ``Volume.spacing`` gives it."""
    return np.asarray(ndimage.distance_transform_edt(~mask, sampling=spacing[::-1]) <= distance_mm)


def true_errors(case: RegistrationCase, registration: Registration) -> dict[str, float]:
    """Per level with a known truth and a pose, the mTRE in mm.

    Args:
        case: With its truths.
        registration: Of that case.
    """
    errors = {}
    for name, level in registration.result.levels.items():
        truth, vertebra = case.truth.get(name), registration.vertebrae.get(name)
        if truth is not None and vertebra is not None and level.ct_to_world is not None:
            errors[name] = mtre(vertebra.surface, truth, level.ct_to_world)
    return errors
