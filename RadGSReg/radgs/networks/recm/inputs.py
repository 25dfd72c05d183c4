"""What RecM sees of a view: normalized channels of its crop, and its geometry in the ROI frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from radgs.filters import along_columns, along_rows, gaussian_kernel
from radgs.geometry import FloatArray, XRayView
from radgs.geometry.roi import CROP_PIXELS, ROI_SIZE_MM, crop_geometry

if TYPE_CHECKING:
    from jaxtyping import Float

#: Channels of a prepared crop: brightness, detail, and where the X-ray was measured.
CHANNELS = 3
#: What changes slower than this, in pixels, is no detail.
DETAIL_SIGMA = 12.0


@dataclass(frozen=True, eq=False)
class ViewBatch:
    """B pairs (or more views than two) as RecM takes them.

    Attributes:
        images: (B, V, P, P) line integrals around the vertebra.
        valid: (B, V, P, P) 1 where the X-ray was measured.
        sources: (B, V, 3) focal spots in the ROI frame, mm.
        projections: (B, V, 3, 4) maps from (x, y, z, 1) in the ROI frame to w (column, row, 1) in the crop.
    """

    images: Float[Tensor, "B V P P"]
    valid: Float[Tensor, "B V P P"]
    sources: Float[Tensor, "B V 3"]
    projections: Float[Tensor, "B V 3 4"]

    @classmethod
    def of(
        cls, images: Float[Tensor, "B V P P"], valid: Float[Tensor, "B V P P"], sources: Float[Tensor, "B V 3"]
    ) -> ViewBatch:
        """A batch whose projections follow from where the sources stand."""
        pixels = images.shape[-1]
        places = sources.detach().cpu().numpy().astype(np.float64).reshape(-1, 3)
        matrices = np.stack([crop_geometry(place, pixels).ras_to_homogeneous_pixel for place in places])
        projections = torch.as_tensor(matrices, dtype=images.dtype, device=images.device)
        return cls(images, valid, sources.to(images), projections.view(*sources.shape[:2], 3, 4))

    def __len__(self) -> int:
        return self.images.shape[0]

    @property
    def directions(self) -> Float[Tensor, "B V 3"]:
        """(B, V, 3) unit directions from the sources to the ROI's centre."""
        return functional.normalize(-self.sources, dim=2)

    def part(self, chosen: slice) -> ViewBatch:
        """Some of the batch's pairs."""
        return ViewBatch(self.images[chosen], self.valid[chosen], self.sources[chosen], self.projections[chosen])


def crop_views(views: Sequence[XRayView], centre: FloatArray, device: torch.device | str = "cpu") -> ViewBatch:
    """The X-rays around a world point (3,), as a batch of one."""
    crops = [view.crop(centre, ROI_SIZE_MM, CROP_PIXELS) for view in views]
    images = torch.from_numpy(np.stack([crop.image for crop, _ in crops]))
    valid = torch.from_numpy(np.stack([valid for _, valid in crops]))
    sources = torch.from_numpy(np.stack([view.geometry.source_ras - centre for view in views]).astype(np.float32))
    return ViewBatch.of(images[None].to(device), valid[None].to(device), sources[None].to(device))


def prepared(batch: ViewBatch) -> Float[Tensor, "BV 3 P P"]:
    """(B * V, 3, P, P) channels of every view.

    Gain and offset of an X-ray do not matter: brightness is measured from its mean in standard deviations, detail
    against its own spread; both are zero where nothing was measured.
    """
    images = batch.images.flatten(0, 1)[:, None]
    valid = (batch.valid.flatten(0, 1)[:, None] > 0.5).to(images)
    brightness = _standardized(images, valid)
    slow = _smoothed(brightness * valid) / _smoothed(valid).clamp_min(1e-3)
    detail = _standardized(brightness - slow, valid)
    return torch.cat([brightness * valid, detail * valid, valid], dim=1)


def _standardized(images: Tensor, valid: Tensor) -> Tensor:
    count = valid.sum(dim=(2, 3), keepdim=True).clamp_min(1.0)
    centred = images - (images * valid).sum(dim=(2, 3), keepdim=True) / count
    variance = (centred.square() * valid).sum(dim=(2, 3), keepdim=True) / count
    return centred / (variance.sqrt() + 1e-3)


def _smoothed(images: Float[Tensor, "B 1 P P"]) -> Float[Tensor, "B 1 P P"]:
    """(B, 1, P, P) smoothed by ``DETAIL_SIGMA``, zeros beyond the border; at a quarter of the resolution."""
    sigma = DETAIL_SIGMA / 4
    radius = int(3 * sigma)
    coarse = functional.pad(functional.avg_pool2d(images, 4), (radius,) * 4)
    kernel = gaussian_kernel(sigma, radius, coarse)
    # Columns first, as the networks' weights were trained: the sums are rounded in the same order.
    coarse = along_rows(along_columns(coarse, kernel), kernel)
    return functional.interpolate(coarse, size=images.shape[2:], mode="bilinear", align_corners=False)
