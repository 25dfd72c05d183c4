"""Where X-ray and DRR agree on the vertebra's edges, and where they do not: the eye shall go to the latter first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from radgs.colours import AGREEING, DOUBTFUL, rgb
from radgs.geometry import FloatArray
from radgs.overlay.arrays import FloatImage, ViewCrop
from radgs.overlay.contours import ProjectedLine

#: Edges are compared at this scale; finer is the X-ray's noise, coarser would hide a millimetre.
EDGE_SIGMA_MM = 1.0
#: What changes more slowly is the trunk's slope and no edge.
SLOPE_SIGMA_MM = 4.0
#: Size of the neighbourhood that one value is of (Gaussian sigma).
NEIGHBOURHOOD_MM = 2.5
#: How far to the side of a contour its edge reaches (Gaussian sigma).
CONTOUR_REACH_MM = 1.2
#: Points are drawn along a line at this distance, pixels.
LINE_STEP = 0.5
#: Values shown as wholly doubtful and as wholly agreeing.
SHOWN_RANGE = (0.4, 0.9)
#: Of the strongest edges, by the strength of which the rest is faded.
STRONG_PERCENTILE = 95.0
OPACITY = 0.85


@dataclass(frozen=True, eq=False)
class AgreementMap:
    """The local agreement of one view.

    Attributes:
        value: (H, W) correlation of the gradients of X-ray and DRR around each pixel, -1..1.
        weight: (H, W) how much of an edge of the vertebra there is, 0..1; 0 where nothing was measured.
    """

    value: FloatImage
    weight: FloatImage

    @property
    def mean(self) -> float:
        """The mean over the vertebra's edges; NaN where none of them was measured."""
        total = float(self.weight.sum())
        return float((self.value * self.weight).sum()) / total if total > 0 else float("nan")

    @property
    def share(self) -> FloatImage:
        """(H, W) from 0, wholly doubtful, to 1, wholly agreeing."""
        low, high = SHOWN_RANGE
        return np.clip((self.value - low) / (high - low), 0.0, 1.0).astype(np.float32)

    def picture(self) -> FloatImage:
        """(H, W, 4) RGBA 0..1: from ``colours.DOUBTFUL`` to ``colours.AGREEING``, clear where there is no edge."""
        share = self.share[..., None]
        colour = (1 - share) * np.array(rgb(DOUBTFUL)) + share * np.array(rgb(AGREEING))
        return np.concatenate([colour, OPACITY * np.sqrt(self.weight)[..., None]], axis=-1).astype(np.float32)


def local_agreement(crop: ViewCrop, drr: FloatImage, lines: Sequence[ProjectedLine]) -> AgreementMap:
    """Compares X-ray and DRR along the vertebra's contour.

    At each pixel, the gradients of both are correlated over a neighbourhood: 1 where edges have the same places and
    directions, whatever their contrast; lower where they are beside each other; about 0 where the X-ray shows none.

    Args:
        crop: The X-ray around the vertebra.
        drr: (H, W) line integrals of the CT at the pose, in the crop's pixels.
        lines: The contour at the same pose, in the crop's pixels; neighbours' lines do not count.
    """
    measured = (crop.valid > 0.5).astype(np.float32)
    seen, expected = (edge_gradient(image, measured, crop.pixel_mm) for image in (crop.image, drr))
    reach = NEIGHBOURHOOD_MM / crop.pixel_mm

    def around(image: FloatImage) -> FloatImage:
        return np.asarray(ndimage.gaussian_filter(image * measured, reach), dtype=np.float32)

    both, own, other = (around((a * b).sum(axis=0)) for a, b in ((seen, expected), (seen, seen), (expected, expected)))
    value = both / np.sqrt(np.maximum(own * other, 1e-20))
    edges = np.hypot(*expected)
    near = _near_lines(lines, measured.shape, CONTOUR_REACH_MM / crop.pixel_mm)
    strength = edges * near * measured
    strong = np.percentile(strength[near > 0.5], STRONG_PERCENTILE) if (near > 0.5).any() else 1.0
    return AgreementMap(value, np.clip(strength / max(float(strong), 1e-12), 0.0, 1.0).astype(np.float32))


def edge_gradient(image: FloatImage, measured: FloatImage, pixel_mm: float) -> NDArray[np.float32]:
    """(2, H, W) the gradient, down and across, less its local mean; the unmeasured is as if its neighbours went on."""
    sigma, slow = EDGE_SIGMA_MM / pixel_mm, SLOPE_SIGMA_MM / pixel_mm
    mean = ndimage.gaussian_filter(image * measured, slow) / np.maximum(ndimage.gaussian_filter(measured, slow), 1e-3)
    filled = np.where(measured > 0, image, mean)
    gradient = [ndimage.gaussian_filter(filled, sigma, order=order) for order in ((1, 0), (0, 1))]
    return np.stack([part - ndimage.gaussian_filter(part, slow) for part in gradient])


def _near_lines(lines: Sequence[ProjectedLine], shape: tuple[int, ...], reach: float) -> FloatImage:
    """(H, W) 1 on the vertebra's own lines, less with the distance from them."""
    away = np.ones(shape, dtype=bool)
    for line in lines:
        if line.kind != "neighbour" and len(line.points) > 1:
            columns, rows = np.rint(_densely(line.points)).astype(int).T
            inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
            away[rows[inside], columns[inside]] = False
    if away.all():
        return np.zeros(shape, dtype=np.float32)
    distance = ndimage.distance_transform_edt(away)
    return np.exp(-0.5 * (distance / reach) ** 2).astype(np.float32)


def _densely(points: FloatArray) -> FloatArray:
    """The same polyline (K, 2) with points no further apart than ``LINE_STEP``."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    wanted = np.arange(0.0, along[-1] + LINE_STEP, LINE_STEP)
    return np.stack([np.interp(wanted, along, axis) for axis in points.T], axis=1)
