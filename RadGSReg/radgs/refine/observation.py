"""The X-rays around a vertebra, resampled to what refinement looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from radgs.geometry import FloatArray, ViewGeometry, XRayView


@dataclass(frozen=True, eq=False)
class Observation:
    """The X-rays around the vertebra at one resolution.

    Attributes:
        images: (V, n, n) line integrals on virtual detectors through the ROI centre.
        valid: (V, n, n) 1 where the image was measured, 0 outside it.
        geometries: The virtual detectors.
        pixel_mm: Pixel size at the ROI's depth.
    """

    images: Tensor
    valid: Tensor
    geometries: tuple[ViewGeometry, ...]
    pixel_mm: float

    @classmethod
    def around(
        cls,
        views: Sequence[XRayView],
        centre: FloatArray,
        size_mm: float,
        pixels: int,
        device: torch.device | str = "cpu",
    ) -> Observation:
        """Crops the views around a world point."""
        crops = [view.crop(centre, size_mm, pixels) for view in views]
        return cls(
            torch.stack([torch.from_numpy(view.image) for view, _ in crops]).to(device),
            torch.stack([torch.from_numpy(valid) for _, valid in crops]).to(device),
            tuple(view.geometry for view, _ in crops),
            size_mm / pixels,
        )

    def binned(self, factor: int) -> Observation:
        """The same views with ``factor`` x ``factor`` pixels taken together; sides must divide by ``factor``."""
        return Observation(
            functional.avg_pool2d(self.images, factor),
            functional.avg_pool2d(self.valid, factor),
            tuple(geometry.binned(factor) for geometry in self.geometries),
            self.pixel_mm * factor,
        )
