"""A vertebra's voxels resampled at a pose, on the grid of the region of interest."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from radgs.geometry import RigidTransform, Volume
from radgs.geometry.roi import ROI_SIZE_MM, roi_index_to_ras


class PosedVertebra:
    """A vertebra's excess that can be resampled to the ROI grid at any pose.

    Args:
        excess: 1/mm; index_to_ras leads to the frame that is posed, usually the anatomical one.
        voxels: Voxels along the side of the ROI grid; the excess is smoothed to its resolution first.
        device: Where to compute.
    """

    def __init__(self, excess: Volume, voxels: int, device: torch.device | str = "cpu") -> None:
        spacing = ROI_SIZE_MM / voxels
        sigma = np.sqrt(np.maximum(spacing**2 - excess.spacing**2, 0.0)) / 2 / excess.spacing
        smooth = ndimage.gaussian_filter(np.asarray(excess.array, np.float32), sigma[::-1])
        self._values = torch.from_numpy(smooth)[None, None].to(device)
        self._voxels, self.device = voxels, torch.device(device)
        # grid_sample (align_corners=True) counts from -1 to 1 between the outermost voxel centres.
        to_index = np.linalg.inv(excess.index_to_ras)
        scale = 2.0 / (np.array(excess.size) - 1.0)
        self._turn = torch.as_tensor(to_index[:3, :3] * scale[:, None], dtype=torch.float32, device=device)
        self._shift = torch.as_tensor(to_index[:3, 3] * scale - 1.0, dtype=torch.float32, device=device)

    def posed(self, pose: RigidTransform) -> Tensor:
        """(N, N, N) excess on the ROI grid, 1/mm, for a pose frame to ROI."""
        rotation, translation = (
            torch.as_tensor(part, dtype=torch.float32, device=self.device) for part in (pose.rotation, pose.translation)
        )
        return self.at(rotation, translation)

    @torch.no_grad()
    def at(self, rotation: Tensor, translation: Tensor) -> Tensor:
        """(N, N, N) excess on the ROI grid, 1/mm, for a pose frame to ROI: (3, 3) and (3,) mm."""
        turn = self._turn @ rotation.T
        shift = self._shift - turn @ translation
        affine = roi_index_to_ras(self._voxels)
        spacing, corner = float(affine[0, 0]), torch.as_tensor(affine[:3, 3]).to(turn)
        along = torch.arange(self._voxels, dtype=turn.dtype, device=turn.device) * spacing
        x, y, z = (turn[:, axis, None] * along for axis in range(3))
        places = z.T[:, None, None] + y.T[None, :, None] + x.T[None, None, :] + (shift + turn @ corner)
        return functional.grid_sample(self._values, places[None], align_corners=True)[0, 0]
