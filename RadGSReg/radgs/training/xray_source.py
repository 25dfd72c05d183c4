"""Real X-rays as training draws them: crops around a vertebra, with its pose where one is known, without where not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from radgs.geometry import FloatArray, RigidTransform, XRayView, unit
from radgs.geometry.roi import crop_geometry, roi_to_world
from radgs.networks.recm import crop_views
from radgs.training.batches import TrainingBatch, UnlabelledBatch
from radgs.training.training_vertebra import TrainingVertebra
from radgs.vertebra import PosedVertebra

#: The region is cut out around points this far from the one that was marked, at most, mm: marks are off as well.
SHIFT_MM = 8.0
#: Crops of a vertebra that are kept; the first is centred on the mark.
CROPS = 12


@dataclass(frozen=True, eq=False)
class VertebraOnXRays:
    """One vertebra on the X-rays of one patient.

    Attributes:
        name: Whose, and which.
        views: Two X-rays or more.
        centre: (3,) where its body was marked, world mm.
        vertebra: The CT's.
        ct_to_world: Its pose, where it is known.
    """

    name: str
    views: tuple[XRayView, ...]
    centre: FloatArray
    vertebra: TrainingVertebra
    ct_to_world: RigidTransform | None = None


class XRaySource:
    """Draws crops of real X-rays, one at a time: what is known of them differs.

    Args:
        shown: At least one vertebra on X-rays.
        voxels: Voxels along the side of the ROI grid.
        seed: Chooses how crops are shifted.
        device: Where the tensors go.
        crops: How many of each vertebra.
    """

    def __init__(
        self,
        shown: Sequence[VertebraOnXRays],
        voxels: int,
        seed: int = 0,
        device: torch.device | str = "cpu",
        crops: int = CROPS,
    ) -> None:
        self._device, self._voxels = torch.device(device), voxels
        self._batches: list[UnlabelledBatch] = []
        self._each = crops
        for number, one in enumerate(shown):
            rng = np.random.default_rng([seed, number])
            posed = PosedVertebra(one.vertebra.excess, voxels, self._device)
            for crop in range(crops):
                shift = unit(rng.normal(size=3)) * SHIFT_MM * rng.uniform() ** (1 / 3)
                self._batches.append(self._cropped(one, posed, one.centre + (shift if crop else 0.0)))

    def __len__(self) -> int:
        return len(self._batches)

    @property
    def centred(self) -> list[UnlabelledBatch]:
        """One crop of every vertebra, around its mark."""
        return self._batches[:: self._each]

    def draw(self, count: int, rng: np.random.Generator, generator: torch.Generator | None = None) -> UnlabelledBatch:
        """One crop, of whatever count is asked for."""
        return self._batches[int(rng.integers(len(self)))]

    def _cropped(self, one: VertebraOnXRays, posed: PosedVertebra, centre: FloatArray) -> UnlabelledBatch:
        views = crop_views(one.views, centre, self._device)
        if one.ct_to_world is None:
            return UnlabelledBatch(views)
        ct_to_roi = roi_to_world(centre).inverse() @ one.ct_to_world
        frame_to_roi = ct_to_roi @ one.vertebra.frame_to_ct
        images = [
            one.vertebra.vertebra_image(ct_to_roi, crop_geometry(view.geometry.source_ras - centre))
            for view in one.views
        ]
        rotation, translation = (
            torch.as_tensor(part, dtype=torch.float32, device=self._device)[None]
            for part in (frame_to_roi.rotation, frame_to_roi.translation)
        )
        surface = torch.as_tensor(one.vertebra.surface, dtype=torch.float32, device=self._device)
        return TrainingBatch(
            views=views,
            images=torch.from_numpy(np.stack(images))[None].to(self._device),
            volumes=posed.at(rotation[0], translation[0])[None],
            pose=(rotation, translation),
            surface=surface[None],
            vertebrae=(posed,),
        )
