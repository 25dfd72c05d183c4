"""An image as its file holds it, and how far its geometry is trusted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radgs.errors import InputFileError
from radgs.geometry import FloatArray

#: Flips the first two axes: LPS to RAS and back.
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

#: Two statements about where a voxel lies may differ by this, mm.
PLACE_TOLERANCE_MM = 0.1


@dataclass(frozen=True, eq=False)
class Raster:
    """Values and place of an image.

    Attributes:
        array: Last image axis first; the components of a colour or vector image last.
        components: Values per voxel.
        index_to_ras: (4, 4) map of (i, j, k, 1) to RAS mm; None where the file does not say where the image lies.
        unplaced: Why, as the end of the sentence "FILE ...".
        ceiling: The largest value where larger values are shown darker (TIFF's "min is white"); None otherwise.
    """

    array: NDArray
    components: int = 1
    index_to_ras: FloatArray | None = None
    unplaced: str = "does not say where it lies in the patient"
    ceiling: float | None = None

    @property
    def size(self) -> tuple[int, ...]:
        """Numbers of voxels, the fastest axis first."""
        shape = self.array.shape[:-1] if self.components > 1 else self.array.shape
        return tuple(reversed(shape))


def corners_of(size: tuple[int, ...]) -> FloatArray:
    """(8, 4) homogeneous indices of the outermost voxels of a 3D image."""
    ends = [(0.0, float(count - 1)) for count in size]
    return np.stack(np.meshgrid(*ends, [1.0], indexing="ij"), axis=-1).reshape(-1, 4)


def farthest_apart(first: FloatArray, second: FloatArray, size: tuple[int, ...]) -> float:
    """How far apart two (4, 4) maps of indices place one voxel, at most, mm."""
    return float(np.linalg.norm((corners_of(size) @ (first - second).T)[:, :3], axis=1).max())


def perpendicular(path: Path, index_to_ras: FloatArray, size: tuple[int, ...]) -> FloatArray:
    """The map with its axes perpendicular to the last digit, where they are to within ``PLACE_TOLERANCE_MM``.

    Raises:
        InputFileError: Not finite, not invertible, or slanted.
    """
    steps = index_to_ras[:3, :3]
    lengths = np.linalg.norm(steps, axis=0)
    if not np.isfinite(index_to_ras).all() or not (lengths > 1e-6).all() or np.abs(index_to_ras).max() > 1e6:
        raise InputFileError(
            f"{path} has voxel axes that cannot be: their steps are {', '.join(f'{length:g}' for length in lengths)} "
            "mm.",
            "Export the volume again with its geometry.",
        )
    left, stretch, right = np.linalg.svd(steps / lengths)
    if stretch.min() < 0.1:
        raise InputFileError(f"{path} has voxel axes that span no space.", "Export the volume again with its geometry.")
    straight = index_to_ras.copy()
    straight[:3, :3] = left @ right * lengths
    if farthest_apart(straight, index_to_ras, size) > PLACE_TOLERANCE_MM:
        raise InputFileError(
            f"{path} has slanted voxel axes, which cannot be read.",
            "Resample it to perpendicular axes, as 3D Slicer does.",
        )
    return index_to_ras if np.abs(stretch - 1.0).max() < 1e-7 else straight
