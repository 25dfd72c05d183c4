"""From banks of pairs to the tensors that a training step works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from radgs.anatomy import ROI_SIZE_MM
from radgs.recm import ViewBatch
from radgs.regm.loss import Pose
from radgs.roi import roi_index_to_ras
from radgs.training.augment import Exposure, exposed
from radgs.training.pairs import PairBank
from radgs.volume import Volume


class PosedVertebra:
    """A vertebra's excess that can be resampled to the ROI grid at any pose.

    Args:
        excess: 1/mm; index_to_ras leads to the anatomical frame.
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


@dataclass(frozen=True, eq=False)
class TrainingBatch:
    """B pairs with everything that is known about them.

    Attributes:
        views: What the networks see.
        images: (B, V, P, P) line integrals of the vertebra alone.
        volumes: (B, N, N, N) true excess on the ROI grid, 1/mm.
        pose: (B, 3, 3) and (B, 3) anatomical frame to ROI, mm.
        surface: (B, S, 3) surface points in the anatomical frame, mm.
        vertebrae: The CT vertebra of each pair.
    """

    views: ViewBatch
    images: Tensor
    volumes: Tensor
    pose: Pose
    surface: Tensor
    vertebrae: tuple[PosedVertebra, ...]

    def __len__(self) -> int:
        return len(self.views)

    def canonical(self, points: Tensor) -> Tensor:
        """(B, 3, D, H, W) points of the anatomical frame, mm, that lie at ROI points (D, H, W, 3)."""
        rotations, translations = self.pose
        offsets = points[None] - translations[:, None, None, None]
        return torch.einsum("bxyzi,bij->bjxyz", offsets, rotations)


class PairSource:
    """Draws batches at random from banks, or takes pairs in their order.

    Args:
        banks: At least one, none of them empty.
        voxels: Voxels along the side of the ROI grid.
        exposure: How X-rays vary.
        device: Where the tensors go.
    """

    def __init__(
        self, banks: Sequence[PairBank], voxels: int, exposure: Exposure, device: torch.device | str = "cpu"
    ) -> None:
        self._device, self._exposure, self._voxels = torch.device(device), exposure, voxels
        self._banks: list[PairBank] = []
        self._vertebrae: list[PosedVertebra] = []
        self._where: list[tuple[int, int]] = []
        for bank in banks:
            self.add(bank)

    def __len__(self) -> int:
        return len(self._where)

    def add(self, bank: PairBank) -> None:
        """More pairs to draw from."""
        number = len(self._banks)
        self._banks.append(bank)
        self._vertebrae.append(PosedVertebra(bank.excess, self._voxels, self._device))
        self._where += [(number, index) for index in range(len(bank))]

    def draw(self, count: int, rng: np.random.Generator, generator: torch.Generator | None = None) -> TrainingBatch:
        """Pairs at random, exposed anew."""
        return self.take(rng.integers(len(self), size=count).tolist(), generator)

    def take(self, chosen: Sequence[int], generator: torch.Generator | None = None) -> TrainingBatch:
        """The pairs of these numbers; the same generator state gives the same exposures."""
        places = [self._where[number] for number in chosen]
        picked = [(self._banks[bank], self._vertebrae[bank], index) for bank, index in places]
        images = self._stacked([bank.vertebra[index] for bank, _, index in picked])
        background = self._stacked([bank.background[index] for bank, _, index in picked])
        sources = self._stacked([bank.sources[index] for bank, _, index in picked])
        poses = self._stacked([bank.frame_to_roi[index] for bank, _, index in picked])
        rotations, translations = poses[:, :3, :3].contiguous(), poses[:, :3, 3].contiguous()
        xrays, valid = exposed(images + background, self._exposure, generator)
        vertebrae = tuple(vertebra for _, vertebra, _ in picked)
        volumes = [v.at(r, t) for v, r, t in zip(vertebrae, rotations, translations, strict=True)]
        return TrainingBatch(
            views=ViewBatch.of(xrays, valid, sources),
            images=images,
            volumes=torch.stack(volumes),
            pose=(rotations, translations),
            surface=self._stacked([bank.surface for bank, _, _ in picked]),
            vertebrae=vertebrae,
        )

    def _stacked(self, arrays: Sequence[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(arrays).astype(np.float32)).to(self._device)
