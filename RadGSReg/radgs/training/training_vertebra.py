"""A vertebra separated from its CT, ready to be posed in the region of interest and projected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from radgs.case import Level
from radgs.drr import VolumeRenderer
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, Volume
from radgs.refine.parts import HalfResolution
from radgs.simulation import SimulationSettings
from radgs.simulation.articulated import small_motion
from radgs.vertebra.build import VERTEBRA_VOXEL_MM, WHOLE_VOXEL_MM
from radgs.vertebra.separated_ct import SeparatedCT
from radgs.vertebra.separation import resampled_isotropic

#: Distances between samples along a ray, mm: training images need no finer ones.
VERTEBRA_STEP_MM, NEIGHBOUR_STEP_MM, REST_STEP_MM = 1.5, 2.0, 3.0
#: Surface points on which training measures mTRE.
SURFACE_POINTS = 500


@dataclass(frozen=True, eq=False)
class TrainingVertebra:
    """One vertebra with its neighbours and everything else, each a part of its own.

    Attributes:
        frame_to_ct: Its anatomical frame.
        excess: Its attenuation above soft tissue, 1/mm; index_to_ras leads to the anatomical frame.
        surface: (S, 3) surface points in the anatomical frame, mm.
        joints: (3,) per neighbour, the point halfway between the two vertebral bodies, in the CT's RAS.
    """

    frame_to_ct: RigidTransform
    excess: Volume
    surface: FloatArray
    joints: tuple[FloatArray, ...]
    _vertebra: VolumeRenderer
    _neighbours: tuple[VolumeRenderer, ...]
    _rest: HalfResolution

    @classmethod
    def of(cls, ct: Volume, labels: Volume, level: Level, device: torch.device | str = "cpu") -> TrainingVertebra:
        """Separates a vertebra from its CT.

        Args:
            ct: Hounsfield units.
            labels: Label map, on any grid.
            level: The vertebra.
            device: Where its images are computed.

        Raises:
            CaseError: The label map has no such vertebra, or not the whole of one.
        """
        separated = SeparatedCT.around(ct, labels, level.label)
        frame_to_ct = separated.frames.frame_to_ct(level.label)
        ct_to_frame = frame_to_ct.inverse()
        excess = separated.sampled_excess(level.label, VERTEBRA_VOXEL_MM)
        neighbours = [separated.sampled_excess(other, WHOLE_VOXEL_MM) for other in separated.neighbours]
        rest = VolumeRenderer(resampled_isotropic(separated.remainder, WHOLE_VOXEL_MM), device=device)
        return cls(
            frame_to_ct=frame_to_ct,
            excess=Volume(excess.array, ct_to_frame.matrix @ excess.index_to_ras),
            surface=ct_to_frame.apply(separated.surface(level.label, SURFACE_POINTS)),
            joints=tuple(separated.joint(level.label, other) for other in separated.neighbours),
            _vertebra=VolumeRenderer(excess, device=device).sampled_every(VERTEBRA_STEP_MM),
            _neighbours=tuple(
                VolumeRenderer(volume, device=device).sampled_every(NEIGHBOUR_STEP_MM) for volume in neighbours
            ),
            _rest=HalfResolution(rest.sampled_every(REST_STEP_MM)),
        )

    @property
    def spacing_mm(self) -> float:
        """Distance to the nearest neighbouring body, mm; infinite where there is none."""
        halves = [float(np.linalg.norm(joint - self.frame_to_ct.translation)) for joint in self.joints]
        return 2.0 * min(halves, default=np.inf)

    def vertebra_image(self, ct_to_roi: RigidTransform, geometry: ViewGeometry) -> NDArray[np.float32]:
        """(H, W) line integrals of the vertebra's excess."""
        with torch.no_grad():
            return self._vertebra.render(ct_to_roi, geometry).cpu().numpy()

    def background_image(self, poses: tuple[RigidTransform, ...], geometry: ViewGeometry) -> NDArray[np.float32]:
        """(H, W) line integrals of everything but the vertebra, at the poses of ``random_background``."""
        rest, *neighbours = poses
        with torch.no_grad():
            image = self._rest.render(rest, geometry)
            for part, pose in zip(self._neighbours, neighbours, strict=True):
                image = image + part.render(pose, geometry)
        return image.cpu().numpy()

    def random_background(
        self, ct_to_roi: RigidTransform, settings: SimulationSettings, rng: np.random.Generator, slide_mm: float = 0.0
    ) -> tuple[RigidTransform, ...]:
        """Poses of the rest and of every neighbour, each moved a little against the vertebra's.

        Args:
            ct_to_roi: The vertebra's pose.
            settings: How far they move.
            rng: Chooses it.
            slide_mm: How far up the spine the rest stands besides.
        """
        places = (self.frame_to_ct.translation, *self.joints)
        rest, *neighbours = (small_motion(ct_to_roi, place, settings, rng) for place in places)
        up = (ct_to_roi @ self.frame_to_ct).rotation[:, 2]
        return RigidTransform(rest.rotation, rest.translation + slide_mm * up), *neighbours
