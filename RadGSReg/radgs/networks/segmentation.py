"""Which of a reconstruction's Gaussians are the vertebra's, and which stand for its neighbours or for anything else.

RecM reconstructs one vertebra; what it puts elsewhere are ghosts. Nothing but RecM's own prediction is asked: how
surely a place is bone of the vertebra, and which point of the vertebra's anatomical frame it shows. Where that point is
not where the common pose (Kabsch) says it should be, the place belongs to something that only looks like the vertebra;
above and below the body those are its neighbours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from radgs.gaussians import RadiativeGaussians
from radgs.geometry import RigidTransform
from radgs.geometry.roi import ROI_SIZE_MM

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


class Part(IntEnum):
    """What a Gaussian stands for."""

    vertebra = 0
    neighbour = 1
    other = 2


@dataclass(frozen=True)
class SegmentationLimits:
    """Where the vertebra ends; chosen on phantoms that no figure is of.

    Attributes:
        occupancy: A Gaussian of the vertebra lies where bone is at least so likely...
        residual_mm: ...and shows a point of it that is at most so far from where the pose says.
        half_height_mm: Further than this above or below the body's centre, other bone is a neighbour's...
        reach_mm: ...if it is no further than this from the superior axis through the body's centre.
    """

    occupancy: float = 0.5
    residual_mm: float = 6.0
    half_height_mm: float = 18.0
    reach_mm: float = 28.0


@dataclass(frozen=True, eq=False)
class SegmentedGaussians:
    """Gaussians with what each stands for.

    Attributes:
        gaussians: In the ROI frame.
        parts: (N,) numbers of ``Part``.
    """

    gaussians: RadiativeGaussians
    parts: Int[Tensor, " N"]

    def of(self, part: Part) -> RadiativeGaussians:
        """Those of one part."""
        return _chosen(self.gaussians, self.parts == part)

    def mass(self) -> Float[Tensor, " N"]:
        """(N,) attenuation of each, integrated over space, mm^2."""
        return gaussian_mass(self.gaussians)


def segmented(
    gaussians: RadiativeGaussians,
    logits: Float[Tensor, "D H W"],
    canonical: Float[Tensor, "3 D H W"],
    pose: RigidTransform | None,
    limits: SegmentationLimits | None = None,
) -> SegmentedGaussians:
    """Labels every Gaussian of one reconstruction.

    Args:
        gaussians: In the ROI frame, mm.
        logits: (D, H, W) occupancy on the lifted grid.
        canonical: (3, D, H, W) points of the anatomical frame, mm.
        pose: frame_to_roi, of Kabsch; without one everything is "other".
        limits: Where the vertebra ends.
    """
    limits = limits or SegmentationLimits()
    if pose is None:
        return SegmentedGaussians(gaussians, torch.full((len(gaussians),), Part.other, device=gaussians.device))
    means = gaussians.means.detach()
    occupancy = torch.sigmoid(at_points(logits[None], means))[0]
    shown = at_points(canonical, means).T
    to_frame = pose.inverse()
    rotation, translation = (torch.as_tensor(part).to(means) for part in (to_frame.rotation, to_frame.translation))
    placed = means @ rotation.T + translation
    residual = (shown - placed).norm(dim=1)
    vertebra = (occupancy >= limits.occupancy) & (residual <= limits.residual_mm)
    beyond = (placed[:, 2].abs() > limits.half_height_mm) & (placed[:, :2].norm(dim=1) <= limits.reach_mm)
    parts = torch.where(vertebra, Part.vertebra, torch.where(beyond, Part.neighbour, Part.other))
    return SegmentedGaussians(gaussians, parts)


def gaussian_mass(gaussians: RadiativeGaussians) -> Float[Tensor, " N"]:
    """(N,) the integral of each Gaussian over space: attenuation times volume, mm^2."""
    return gaussians.densities * torch.exp(gaussians.log_scales.sum(dim=1)) * (2.0 * math.pi) ** 1.5


def at_points(values: Float[Tensor, "C D H W"], points: Float[Tensor, "N 3"]) -> Float[Tensor, "C N"]:
    """(C, N) values on a grid over the ROI, interpolated at points (N, 3), mm."""
    places = (points * (2.0 / ROI_SIZE_MM))[None, None, None]
    found = functional.grid_sample(
        values.detach()[None], places.to(values), mode="bilinear", padding_mode="border", align_corners=False
    )
    return found[0, :, 0, 0]


def _chosen(gaussians: RadiativeGaussians, mask: Bool[Tensor, " N"]) -> RadiativeGaussians:
    return RadiativeGaussians(*(tensor[mask] for tensor in gaussians.tensors()))
