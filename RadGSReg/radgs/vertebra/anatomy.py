"""What the engine knows of a vertebra before any X-ray: its Gaussians, its surface, and the anatomy around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from radgs.anatomy import VertebraFrames
from radgs.case import Level
from radgs.drr import SOFT_TISSUE, VolumeRenderer, attenuation_from_hu, hu_from_attenuation
from radgs.errors import CaseError
from radgs.gaussians import RadiativeGaussians, splat_poses, splat_with_pose_jacobian
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, Volume
from radgs.io.cache_folder import CacheFolder, no_cache
from radgs.vertebra.completion import completed, unknown_voxels
from radgs.vertebra.remembered_fit import remembered_fit
from radgs.vertebra.separated_ct import SeparatedCT
from radgs.vertebra.separation import label_box

if TYPE_CHECKING:
    from jaxtyping import Float

GAUSSIAN_COUNT = 2000
#: Voxel sizes, mm: the vertebra (for the fit) and its neighbours, everything else, and the CT as it was scanned.
VERTEBRA_VOXEL_MM = 1.0
SURROUNDINGS_VOXEL_MM = 1.5
WHOLE_VOXEL_MM = 2.0
#: How far around a vertebra its CT is looked at, mm: obliquely through the trunk, 45 degrees off its axial plane.
REACH_MM = 250.0
#: Distance between lumbar bodies where the labels hold no neighbour.
TYPICAL_LEVEL_SPACING_MM = 35.0


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


def build_vertebra_anatomy(
    ct: Volume,
    labels: Volume,
    level: Level,
    progress: Callable[[float], None] | None = None,
    remembered: CacheFolder | None = None,
) -> VertebraAnatomy:
    """Separates a vertebra from its CT and fits radiative Gaussians to it.

    Args:
        ct: Hounsfield units.
        labels: Label map, on any grid.
        level: The vertebra.
        progress: Called with the fraction done, 0 to 1.
        remembered: Where Gaussians fitted to a vertebra are kept for other processes; None: nowhere.

    Raises:
        CaseError: The label map has no such vertebra, or it is too small to have a body.
    """
    # No ray through the vertebra's region leaves this box inside the patient.
    ct, labels = label_box(labels, level.label, ct, REACH_MM), label_box(labels, level.label, labels, REACH_MM)
    unknown, alone = unknown_voxels(ct, labels)
    if unknown.any():  # soft tissue leaves no excess
        ct = Volume(np.where(unknown, hu_from_attenuation(SOFT_TISSUE), ct.array), ct.index_to_ras)
    # One after the other: either takes a copy of the CT in 4 bytes a voxel.
    attenuation = Volume(attenuation_from_hu(ct.array), ct.index_to_ras)
    whole = completed(attenuation, unknown, WHOLE_VOXEL_MM, alone=alone).excess
    del attenuation
    separated = SeparatedCT.around(ct, labels, level.label)
    surroundings = completed(separated.remainder, unknown, SURROUNDINGS_VOXEL_MM, alone=alone)
    excess = separated.sampled_excess(level.label, VERTEBRA_VOXEL_MM)
    spacing = separated.frames.level_spacing_mm(level.label) or TYPICAL_LEVEL_SPACING_MM
    return VertebraAnatomy(
        level=level,
        centre=separated.frames.body_centre(level.label),
        frame_to_ct=_frame_or_none(separated.frames, level.label),
        surface=separated.surface(level.label),
        level_spacing_mm=spacing,
        level_offsets=_level_offsets(separated, level.label, spacing),
        gaussians=remembered_fit(excess, GAUSSIAN_COUNT, no_cache() if remembered is None else remembered, progress),
        mask=separated.sampled_mask(level.label, VERTEBRA_VOXEL_MM),
        neighbours=tuple(separated.sampled_excess(n, VERTEBRA_VOXEL_MM) for n in separated.neighbours),
        surroundings=surroundings.excess,
        whole=whole,
        doubt=surroundings.doubt,
    )


def _frame_or_none(frames: VertebraFrames, label: int) -> RigidTransform | None:
    try:
        return frames.frame_to_ct(label)
    except CaseError:
        return None


def _level_offsets(separated: SeparatedCT, label: int, spacing_mm: float) -> tuple[FloatArray, FloatArray]:
    """From a body's centre to those above and below: as labelled, else the other's opposite, else along the CT."""
    centres = separated.frames.body_centre
    found = [centres(neighbour) - centres(label) for neighbour in separated.neighbours]
    above = next((offset for offset in found if offset[2] > 0), None)
    below = next((offset for offset in found if offset[2] < 0), None)
    if above is None:
        above = -below if below is not None else np.array([0.0, 0.0, spacing_mm])
    return above, below if below is not None else -above
