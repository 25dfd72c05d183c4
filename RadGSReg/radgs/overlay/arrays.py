"""DRRs, shadows and mixtures of two images, as plain arrays in the pixels of a view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from radgs.drr import VolumeRenderer
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, XRayView

FloatImage = NDArray[np.float32]

#: A pixel lies in the vertebra's shadow when its ray passes through this much bone, mm: the mask reaches beyond it.
SHADOW_THICKNESS_MM = 2.0
#: Space around the vertebra in a crop, mm.
CROP_MARGIN_MM = 18.0
#: What a display window cuts off at its dark and at its bright end, per cent, and the room left below, in windows.
WINDOW_PERCENTILES = (1.0, 99.5)
SHADOW_ROOM = 0.25
#: Changes slower than this across the trunk are dimmed to the rest of this share for display.
TRUNK_SCALE_MM = 8.0
TRUNK_SHARE = 0.92


class Pictured(Protocol):
    """What pictures need of a vertebra; ``radgs.vertebra.VertebraAnatomy`` has it."""

    @property
    def frame_to_ct(self) -> RigidTransform | None:
        """The anatomical frame; None where there are no posterior elements to orient one by."""

    @property
    def surface(self) -> FloatArray:
        """(N, 3) surface points, the CT's RAS, mm."""

    @property
    def whole_part(self) -> VolumeRenderer:
        """The CT as it was scanned."""

    @property
    def mask_part(self) -> VolumeRenderer:
        """The vertebra's thickness along a ray, mm."""


@dataclass(frozen=True, eq=False)
class ViewCrop:
    """An X-ray around a vertebra, upright, as it lies in the view: not mirrored against it.

    Attributes:
        image: (n, n) line integrals, bone bright.
        valid: (n, n) the fraction of each pixel that lies on the X-ray.
        geometry: The virtual detector of the crop.
        pixel_mm: Pixel size at the vertebra's depth, mm.
    """

    image: FloatImage
    valid: FloatImage
    geometry: ViewGeometry
    pixel_mm: float


def crop_size_mm(vertebra: Pictured) -> float:
    """Side of a square, mm, that holds the vertebra at any rotation about its middle, with a margin."""
    return 2.0 * float(np.linalg.norm(vertebra.surface - _middle(vertebra), axis=1).max() + CROP_MARGIN_MM)


def crop_view(view: XRayView, vertebra: Pictured, ct_to_world: RigidTransform, pixels: int = 256) -> ViewCrop:
    """The X-ray around the vertebra at a pose.

    Args:
        view: The X-ray.
        vertebra: The vertebra.
        ct_to_world: Where it is.
        pixels: Pixels along the side of the crop.
    """
    size_mm = crop_size_mm(vertebra)
    cropped, valid = view.crop(ct_to_world.apply(_middle(vertebra)), size_mm, pixels)
    image, geometry = cropped.image, cropped.geometry
    if geometry.column_step @ view.geometry.column_step < 0:
        image, valid, geometry = image[:, ::-1], valid[:, ::-1], _mirrored(geometry)
    return ViewCrop(image, valid, geometry, size_mm / pixels)


def in_view(view: ViewGeometry, vertebra: Pictured, ct_to_world: RigidTransform) -> bool:
    """Whether a pose places the vertebra where a view could show it: between source and detector, not along the spine.

    Only there have crops, DRRs and outlines a meaning.
    """
    towards = ct_to_world.apply(_middle(vertebra)) - view.source_ras
    depth, distance = float(view.normal @ towards), float(np.linalg.norm(towards))
    if not crop_size_mm(vertebra) / 2 < depth < view.source_to_detector_mm or distance > 2.0 * depth:
        return False
    return bool(np.linalg.norm(towards[:2]) > 0.1 * distance)  # as ``ViewGeometry.crop_geometry`` asks


def in_the_middle(view: ViewGeometry, vertebra: Pictured) -> RigidTransform:
    """A pose that every view can show: unturned, half way from the source to the detector's centre."""
    half_way = (view.source_ras + view.centre_ras) / 2
    return RigidTransform(np.eye(3), half_way - _middle(vertebra))


def drr(vertebra: Pictured, ct_to_world: RigidTransform, geometry: ViewGeometry) -> FloatImage:
    """(H, W) line integrals of the whole CT, placed by the vertebra's pose, in the pixels of a view."""
    with torch.no_grad():
        return vertebra.whole_part.render(ct_to_world, geometry).cpu().numpy()


def shadow(vertebra: Pictured, ct_to_world: RigidTransform, geometry: ViewGeometry) -> NDArray[np.bool_]:
    """(H, W) where the vertebra falls in a view."""
    with torch.no_grad():
        thickness = vertebra.mask_part.render(ct_to_world, geometry).cpu().numpy()
    return np.asarray(thickness > SHADOW_THICKNESS_MM)


def for_display(image: ArrayLike, pixel_mm: float, where: NDArray[np.bool_] | None = None) -> FloatImage:
    """(H, W) a crop's line integrals as grey levels 0..1, so that X-ray and DRR can be compared by eye.

    As on a workstation, most of the slow change across the trunk is taken out first: otherwise air and thick tissue use
    up the greys and a lateral view shows no bone. Then robust percentiles in the middle, where the vertebra is, become
    black and white.

    Args:
        image: (H, W) line integrals.
        pixel_mm: Pixel size at the vertebra, mm.
        where: (H, W) the pixels that were measured; elsewhere is black.
    """
    values = np.asarray(image, dtype=np.float32)
    measured = np.ones(values.shape, dtype=bool) if where is None else np.asarray(where)
    weight = measured.astype(np.float32)
    sigma = TRUNK_SCALE_MM / pixel_mm
    slow = ndimage.gaussian_filter(values * weight, sigma) / np.maximum(ndimage.gaussian_filter(weight, sigma), 1e-3)
    flat = values - TRUNK_SHARE * slow
    counted = middle_square(values.shape) & measured
    return windowed(flat, display_window(flat, counted)) * weight


def display_window(image: ArrayLike, where: NDArray[np.bool_] | None = None) -> tuple[float, float]:
    """The values to show as black and white, whatever their units: robust percentiles.

    Args:
        image: (H, W) values.
        where: (H, W) the pixels that count; all of them when it is empty.
    """
    values = np.asarray(image)
    if where is not None and where.any():
        values = values[where]
    low, high = np.percentile(values, WINDOW_PERCENTILES)
    return float(low - SHADOW_ROOM * (high - low)), float(max(high, low + 1e-6))


def windowed(image: ArrayLike, window: tuple[float, float]) -> FloatImage:
    """Values scaled so that the window spans 0 to 1, cut off beyond it."""
    low, high = window
    return np.clip((np.asarray(image, dtype=np.float32) - low) / (high - low), 0.0, 1.0)


def blend(first: FloatImage, second: FloatImage, share: float = 0.5) -> FloatImage:
    """(H, W) mixture of two windowed images; ``share`` is the second's."""
    return (1.0 - share) * first + share * second


def _middle(vertebra: Pictured) -> FloatArray:
    """(3,) middle of the vertebra's extent, body and processes, in the CT's RAS."""
    return (vertebra.surface.min(axis=0) + vertebra.surface.max(axis=0)) / 2


def _mirrored(geometry: ViewGeometry) -> ViewGeometry:
    """The same detector with its columns counted from the other side."""
    detector_to_ras = geometry.detector_to_ras.copy()
    detector_to_ras[:3, 0] *= -1
    detector_to_ras[:3, 3] = geometry.pixel_to_ras([geometry.shape[1] - 1, 0])
    return ViewGeometry(geometry.source_ras, detector_to_ras, geometry.shape)


def middle_square(shape: tuple[int, ...], share: float = 0.6) -> NDArray[np.bool_]:
    """(H, W) true in the middle of a crop."""
    inside = np.zeros(shape, dtype=bool)
    row, column = (round((1 - share) / 2 * count) for count in shape)
    inside[row : shape[0] - row, column : shape[1] - column] = True
    return inside
