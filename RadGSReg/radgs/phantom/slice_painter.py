"""Painting soft-edged ellipses into axial slices."""

from __future__ import annotations

import numpy as np

from radgs.geometry import FloatArray
from radgs.phantom.bone import Hounsfield, coverage
from radgs.phantom.shapes import Grid


class SlicePainter:
    """Paints soft-edged ellipses into one axial slice, each in its own small window."""

    def __init__(self, image: Hounsfield, grid: Grid) -> None:
        self.image = image
        self.origin, self.spacing = grid.origin[:2], grid.spacing[:2]

    def ellipse(self, centre: FloatArray, radii: tuple[float, float], hu: float, power: float = 2.0) -> None:
        """A superellipse of the given centre (right, anterior) and radii in mm, filled with ``hu``."""
        part = np.asarray(radii)
        low = np.maximum(np.floor((centre - part - self.origin) / self.spacing).astype(int), 0)
        high = np.ceil((centre + part - self.origin) / self.spacing).astype(int) + 1
        window = self.image[low[1] : max(high[1], 0), low[0] : max(high[0], 0)]
        if window.size == 0:
            return
        x = (self.origin[0] + (low[0] + np.arange(window.shape[1])) * self.spacing[0] - centre[0]) / part[0]
        y = (self.origin[1] + (low[1] + np.arange(window.shape[0])) * self.spacing[1] - centre[1]) / part[1]
        radius = (np.abs(x)[None, :] ** power + np.abs(y)[:, None] ** power).astype(np.float32) ** np.float32(1 / power)
        share = coverage((radius - 1) * np.float32(part.min()), float(self.spacing.mean()))
        window += share * (np.float32(hu) - window)
