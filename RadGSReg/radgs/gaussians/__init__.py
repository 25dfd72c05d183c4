"""Radiative Gaussians: splatting to X-rays, voxelization, fitting to a CT, files."""

from radgs.gaussians.fit import fit
from radgs.gaussians.model import RadiativeGaussians
from radgs.gaussians.ply import load_ply, save_ply
from radgs.gaussians.splat import DEFAULT_CUTOFF_SIGMA, splat, splat_poses
from radgs.gaussians.splat_jacobian import splat_with_pose_jacobian
from radgs.gaussians.voxelize import voxelize

__all__ = [
    "DEFAULT_CUTOFF_SIGMA",
    "RadiativeGaussians",
    "fit",
    "load_ply",
    "save_ply",
    "splat",
    "splat_poses",
    "splat_with_pose_jacobian",
    "voxelize",
]
