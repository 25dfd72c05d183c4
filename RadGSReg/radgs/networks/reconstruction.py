"""From X-rays to a reconstructed vertebra and its pose: RecM, the voxelizer, Kabsch and RegM in a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from radgs.gaussians import RadiativeGaussians, voxelize
from radgs.geometry import FloatArray, RigidTransform, Volume, XRayView
from radgs.geometry.roi import roi_index_to_ras, roi_to_world
from radgs.networks.bundle import Networks
from radgs.networks.recm import ViewBatch, crop_views
from radgs.networks.recm.model import VOXELIZE_CUTOFF_SIGMA
from radgs.networks.regm import kabsch, moved
from radgs.threads import one_thread
from radgs.vertebra import VertebraAnatomy

#: How often RegM's motion is applied.
REGM_ROUNDS = 3

#: Gives the CT vertebra's excess (N, N, N) on the ROI grid at a pose frame_to_roi, 1/mm.
VertebraAt = Callable[[RigidTransform], Tensor]


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """What the networks make of the X-rays; Gaussians, volume and poses are in the ROI frame.

    Attributes:
        views: The crops they saw.
        gaussians: The vertebra.
        volume: (N, N, N) the Gaussians voxelized, 1/mm.
        attention: (V, h, w) where RecM looked, about 1 in the mean; None without attention.
        kabsch: frame_to_roi from canonical coordinates; None where no vertebra was seen.
        regm: frame_to_roi after RegM; None where it had nothing to start from.
        roi_centre: (3,) where the ROI lies in the world, mm.
    """

    views: ViewBatch
    gaussians: RadiativeGaussians
    volume: Tensor
    attention: Tensor | None
    kabsch: RigidTransform | None
    regm: RigidTransform | None
    roi_centre: FloatArray = field(default_factory=lambda: np.zeros(3))

    def world_gaussians(self) -> RadiativeGaussians:
        """The Gaussians in the world, on the CPU."""
        return self.gaussians.to("cpu").transformed(torch.eye(3), torch.from_numpy(self.roi_centre))

    def world_volume(self) -> Volume:
        """The reconstructed excess attenuation in the world, 1/mm."""
        index_to_ras = roi_to_world(self.roi_centre).matrix @ roi_index_to_ras(self.volume.shape[0])
        return Volume(self.volume.cpu().numpy(), index_to_ras)

    def ct_to_world(self, frame_to_roi: RigidTransform | None, frame_to_ct: RigidTransform) -> RigidTransform | None:
        """A pose of the anatomical frame as the CT's pose in the world."""
        if frame_to_roi is None:
            return None
        return roi_to_world(self.roi_centre) @ frame_to_roi @ frame_to_ct.inverse()


def reconstruct_level(
    networks: Networks, views: Sequence[XRayView], vertebra: VertebraAnatomy, centre: FloatArray
) -> Reconstruction | None:
    """Reconstructs a vertebra from a case's X-rays and registers the CT's to it.

    Args:
        networks: On the model's device.
        views: Two views or more.
        vertebra: The CT's vertebra.
        centre: (3,) where the user says its body is, world mm.

    Returns:
        None where the label map shows no posterior elements, without which the vertebra has no anatomical frame.
    """
    if vertebra.frame_to_ct is None:
        return None
    ct_to_frame = vertebra.frame_to_ct.inverse()
    gaussians, voxels = vertebra.gaussians.to(vertebra.device), networks.recm.config.voxels

    def vertebra_at(pose: RigidTransform) -> Tensor:
        ct_to_roi = pose @ ct_to_frame
        rotation, translation = torch.from_numpy(ct_to_roi.rotation), torch.from_numpy(ct_to_roi.translation)
        placed = gaussians.transformed(rotation, translation)
        return voxelize(placed, roi_index_to_ras(voxels), (voxels, voxels, voxels), VOXELIZE_CUTOFF_SIGMA)

    return reconstruct(networks, crop_views(views, centre, vertebra.device), vertebra_at, centre)


@torch.no_grad()
@one_thread()
def reconstruct(
    networks: Networks, views: ViewBatch, vertebra_at: VertebraAt, roi_centre: FloatArray | None = None
) -> Reconstruction:
    """Reconstructs one pair and registers the CT's vertebra to it.

    Args:
        networks: RecM and RegM.
        views: A batch of one.
        vertebra_at: The CT's vertebra at a pose.
        roi_centre: (3,) where the ROI lies in the world, mm; its origin by default.
    """
    recm = networks.recm
    prediction = recm(views)
    gaussians = recm.gaussians(prediction)
    volume = recm.voxelized(gaussians)
    implied = kabsch(prediction.logits[0], prediction.canonical[0], recm.points)
    registered = None if implied is None else register_volume(networks, volume, implied, vertebra_at)
    attention = None if prediction.attention is None else prediction.attention[0, :, 0]
    centre = np.zeros(3) if roi_centre is None else np.asarray(roi_centre, dtype=np.float64)
    return Reconstruction(views, gaussians, volume, attention, implied, registered, centre)


def register_volume(
    networks: Networks, volume: Tensor, start: RigidTransform, vertebra_at: VertebraAt, rounds: int = REGM_ROUNDS
) -> RigidTransform:
    """RegM, applied several times: each time the CT's vertebra is put where the last motion brought it.

    Args:
        networks: RegM is used.
        volume: (N, N, N) reconstruction, 1/mm.
        start: frame_to_roi.
        vertebra_at: The CT's vertebra at a pose.
        rounds: How often.
    """
    pose = start
    for _ in range(rounds):
        motion = networks.regm(volume[None], vertebra_at(pose)[None]).double().cpu()
        rotation, translation = moved(
            torch.from_numpy(pose.rotation)[None], torch.from_numpy(pose.translation)[None], motion
        )
        pose = RigidTransform(rotation[0].numpy(), translation[0].numpy())
    return pose
