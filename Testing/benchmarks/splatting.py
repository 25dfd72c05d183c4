"""How long splatting, its pose derivative, voxelization and fitting take here, and how good fits are.

    python Testing/benchmarks/splatting.py            # synthetic Gaussians
    python Testing/benchmarks/splatting.py --fit      # fits a vertebra of the real CT too (see real_ct_data.py)

Times are medians in milliseconds of one process with --threads threads; Gaussians have standard deviations around sigma
(one third of a natural logarithm apart), fill a 60 mm cube, and are seen at 620 mm on a 128 mm crop.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

# Runs from a bare checkout too, before the package is installed.
sys.path.append(str(Path(__file__).resolve().parents[2] / "RadGSReg"))

import real_ct_data
from grids import isotropic_grid

from radgs.gaussians import RadiativeGaussians, fit, splat, splat_poses, splat_with_pose_jacobian, voxelize
from radgs.geometry import ViewGeometry, Volume
from radgs.vertebra.separation import resampled_isotropic, split_parts

CROP_MM = 128.0
DATA_RANGE_PER_MM = 0.04
LABEL_T12 = real_ct_data.LEVEL_LABELS["T12"]


def random_gaussians(count: int, sigma: float) -> RadiativeGaussians:
    """Gaussians of any orientation in a 60 mm cube around the origin."""
    generator = torch.Generator().manual_seed(0)
    means = (torch.rand(count, 3, generator=generator) - 0.5) * 60
    log_scales = math.log(sigma) + torch.randn(count, 3, generator=generator) / 3
    quaternions = torch.randn(count, 4, generator=generator)
    return RadiativeGaussians(means, log_scales, quaternions, torch.rand(count, generator=generator) * 0.01)


def crop(pixels: int) -> ViewGeometry:
    """A 128 mm crop around the origin, seen from 620 mm."""
    return ViewGeometry(np.array([0.0, -620.0, 0.0]), np.eye(4), (2, 2)).crop_geometry(np.zeros(3), CROP_MM, pixels)


def median_ms(function: Callable[[], object], repeats: int) -> float:
    """Median run time after one run to warm up."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


def time_splats(count: int, sigma: float, pixels: int, repeats: int) -> str:
    """One row: dense, windowed, forward and backward, derivative in one pass, the same by seven poses."""
    gaussians, view = random_gaussians(count, sigma), crop(pixels)
    leaves = RadiativeGaussians(*(tensor.clone().requires_grad_() for tensor in gaussians.tensors()))
    rotations, shifts = torch.eye(3).expand(7, 3, 3), torch.zeros(7, 3)
    with torch.no_grad():
        dense = median_ms(lambda: splat(gaussians, view, backend="dense"), 1)
        windowed = median_ms(lambda: splat(gaussians, view), repeats)
        seven = median_ms(lambda: splat_poses(gaussians, rotations, shifts, view), repeats)
    both = median_ms(lambda: splat(leaves, view).sum().backward(), repeats)
    jacobian = median_ms(lambda: splat_with_pose_jacobian(gaussians, view, np.zeros(3)), repeats)
    return (
        f"{count:6d} {sigma:6.1f} {pixels:5d}^2 {dense:9.0f} {windowed:9.1f} {dense / windowed:7.0f}x {both:9.1f}"
        f" {jacobian:9.1f} {seven:9.1f}"
    )


def time_voxels(count: int, sigma: float, voxels: int, repeats: int) -> str:
    """One row: forward, forward and backward, on a 128 mm cube."""
    gaussians = random_gaussians(count, sigma)
    grid = isotropic_grid(np.zeros(3), CROP_MM, CROP_MM / voxels)
    leaves = RadiativeGaussians(*(tensor.clone().requires_grad_() for tensor in gaussians.tensors()))

    def run(gaussians: RadiativeGaussians) -> torch.Tensor:
        return voxelize(gaussians, grid.index_to_ras, (voxels, voxels, voxels))

    forward = median_ms(lambda: run(gaussians), repeats)
    both = median_ms(lambda: run(leaves).sum().backward(), repeats)
    return f"{count:6d} {sigma:6.1f} {voxels:5d}^3 {forward:9.1f} {both:9.1f}"


def fit_vertebra(excess: Volume, count: int) -> str:
    """One row: seconds, PSNR over the box and inside the vertebra."""
    start = time.perf_counter()
    gaussians = fit(excess, count)
    seconds = time.perf_counter() - start
    depth, height, width = excess.array.shape
    error = voxelize(gaussians, excess.index_to_ras, (depth, height, width)).numpy() - excess.array
    inside = excess.array != 0

    def psnr(values: np.ndarray, data_range: float) -> float:
        return float(10 * np.log10(data_range**2 / np.mean(values**2)))

    peak = float(np.abs(excess.array).max())
    sigma = float(gaussians.log_scales.exp().median())
    return (
        f"{count:6d} {seconds:8.1f} {psnr(error, peak):10.1f} {psnr(error, DATA_RANGE_PER_MM):10.1f}"
        f" {psnr(error[inside], DATA_RANGE_PER_MM):10.1f} {sigma:9.2f}"
    )


def main() -> int:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--fit", action="store_true", help="fit T12 of the real CT")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    print("Splat, 4.5 sigma (ms)\n     n  sigma  image     dense  windowed   ratio   fwd+bwd  jacobian   7 poses")
    for count, sigma, pixels in ((2000, 1.6, 128), (2000, 1.6, 256), (5000, 1.2, 128), (10000, 1.0, 128)):
        print(time_splats(count, sigma, pixels, arguments.repeats), flush=True)
    print("\nVoxelize, 4.5 sigma (ms)\n     n  sigma   grid       fwd   fwd+bwd")
    for count, sigma, voxels in ((2000, 1.6, 64), (2000, 1.6, 128), (10000, 1.0, 128)):
        print(time_voxels(count, sigma, voxels, arguments.repeats), flush=True)

    if arguments.fit:
        folder = real_ct_data.real_ct_folder()
        if folder is None:
            print(f"\nFit skipped: {real_ct_data.HOW_TO_GET_IT}")
            return 0
        parts = split_parts(real_ct_data.read_ct(folder), real_ct_data.read_labels(folder), [LABEL_T12])
        excess = resampled_isotropic(parts.excess[LABEL_T12], 1.0)
        print(f"\nFit of T12, {excess.size[0]} x {excess.size[1]} x {excess.size[2]} mm: PSNR (dB)")
        print("     n  seconds  peak, box  0.04, box   0.04, in  sigma mm")
        for count in (1000, 2000, 4000):
            print(fit_vertebra(excess, count), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
