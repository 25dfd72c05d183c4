"""What the engine knows of a vertebra before any X-ray: its Gaussians, its surface, and the anatomy around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from radgs.case import Level
from radgs.drr import VolumeRenderer
from radgs.gaussians import RadiativeGaussians, splat_poses, splat_with_pose_jacobian
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, Volume

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class GaussianPart:
    """The vertebra's Gaussians as a part that refinement can move."""

    gaussians: RadiativeGaussians

    def render(self, pose: RigidTransform, geometry: ViewGeometry) -> Float[Tensor, "H W"]:
        """Line integrals (H, W) at a part-to-world pose."""
        return self.render_poses([pose], geometry)[0]

    def render_poses(self, poses: Sequence[RigidTransform], geometry: ViewGeometry) -> Float[Tensor, "B H W"]:
        """Line integrals (B, H, W) at several part-to-world poses, in one pass."""
        rotations, translations = (
            torch.as_tensor(np.stack(stack), device=self.gaussians.device)
            for stack in zip(*((pose.rotation, pose.translation) for pose in poses), strict=True)
        )
        return splat_poses(self.gaussians, rotations, translations, geometry)

    def render_with_jacobian(
        self, pose: RigidTransform, geometry: ViewGeometry, centre: FloatArray
    ) -> tuple[Float[Tensor, "H W"], Float[Tensor, "6 H W"]]:
        """Line integrals (H, W) and derivative (6, H, W) in a left twist about ``centre``."""
        return splat_with_pose_jacobian(self.gaussians, geometry, centre, pose)


@dataclass(frozen=True, eq=False)
class VertebraAnatomy:
    """One vertebra of one CT, ready to be registered; every frame is the CT's RAS, mm.

    Attributes:
        level: Name and label.
        centre: (3,) centre of the vertebral body.
        frame_to_ct: The anatomical frame; None where the label has no posterior elements to orient one by.
        surface: (N, 3) area-uniform surface points.
        voxel: (3, 3) steps of the CT from one voxel to the next, along its columns, rows and slices, one in each column
            of the matrix, mm: as fine as this the CT shows anything.
        level_spacing_mm: Distance to the neighbouring body; typical where the labels hold no neighbour.
        level_offsets: (3,) from this body's centre to those of the levels above and below, mm.
        gaussians: The vertebra's excess over soft tissue.
        mask: Membership 0..1, for silhouettes.
        neighbours: Excess of the vertebrae above and below, 1/mm.
        surroundings: The CT without the vertebra and its neighbours, and what is taken to lie beyond it; 1/mm, as
            excess over soft tissue where the CT was cut out of the patient.
        whole: All of the CT, likewise.
        doubt: How much of both was invented, 1/mm; None where nothing was.
        device: Where the parts are rendered.
    """

    level: Level
    centre: FloatArray
    frame_to_ct: RigidTransform | None
    surface: FloatArray
    voxel: FloatArray
    level_spacing_mm: float
    level_offsets: tuple[FloatArray, FloatArray]
    gaussians: RadiativeGaussians
    mask: Volume
    neighbours: tuple[Volume, ...]
    surroundings: Volume
    whole: Volume
    doubt: Volume | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def to(self, device: torch.device) -> VertebraAnatomy:
        """The same anatomy, rendered on another device."""
        return self if device == self.device else replace(self, device=device)

    @cached_property
    def vertebra_part(self) -> GaussianPart:
        """The vertebra sought."""
        return GaussianPart(self.gaussians.to(self.device))

    @cached_property
    def neighbour_parts(self) -> tuple[VolumeRenderer, ...]:
        """The vertebrae above and below."""
        return tuple(VolumeRenderer(volume, device=self.device) for volume in self.neighbours)

    @cached_property
    def surroundings_part(self) -> VolumeRenderer:
        """Everything else."""
        return VolumeRenderer(self.surroundings, device=self.device)

    @cached_property
    def whole_part(self) -> VolumeRenderer:
        """The CT as it was scanned."""
        return VolumeRenderer(self.whole, device=self.device)

    @cached_property
    def doubt_part(self) -> VolumeRenderer | None:
        """What the CT does not show."""
        return None if self.doubt is None else VolumeRenderer(self.doubt, device=self.device)

    @cached_property
    def mask_part(self) -> VolumeRenderer:
        """The vertebra's thickness along a ray, mm."""
        return VolumeRenderer(self.mask, device=self.device)
