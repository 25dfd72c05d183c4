"""Radiative Gaussians: splatting to X-rays, voxelization, fitting to a CT."""

from radgs.gaussians.model import RadiativeGaussians
from radgs.gaussians.splat import DEFAULT_CUTOFF_SIGMA, splat, splat_poses
from radgs.gaussians.splat_jacobian import splat_with_pose_jacobian
from radgs.gaussians.voxelize import voxelize

__all__ = [
    "DEFAULT_CUTOFF_SIGMA",
    "RadiativeGaussians",
    "splat",
    "splat_poses",
    "splat_with_pose_jacobian",
    "voxelize",
]
