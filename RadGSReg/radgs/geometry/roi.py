"""The region of interest: a cube along the world's axes around the vertebra, and how the views see it.

The networks work in the *ROI frame*: the cube's centre is the origin, the axes are the world's. A view's crop then
depends on nothing but where its source stands.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from radgs.geometry.rigid_transform import FloatArray, RigidTransform
from radgs.geometry.views import ViewGeometry
from radgs.geometry.volume import Volume

#: Edge of the region of interest around a vertebral body, mm.
ROI_SIZE_MM = 128.0
#: Pixels along the side of a crop: one millimetre each at the cube's centre.
CROP_PIXELS = 128


def roi_to_world(centre: ArrayLike) -> RigidTransform:
    """The ROI frame's place in the world, for a cube centred on a point (3,), RAS mm."""
    return RigidTransform(np.eye(3), np.asarray(centre, dtype=np.float64))


def roi_index_to_ras(voxels: int) -> FloatArray:
    """(4, 4) index_to_ras, in the ROI frame, of the cube cut into ``voxels`` along each side."""
    spacing = ROI_SIZE_MM / voxels
    index_to_ras = np.diag([spacing, spacing, spacing, 1.0])
    index_to_ras[:3, 3] = -(voxels - 1) / 2 * spacing
    return index_to_ras


def roi_grid(voxels: int) -> Volume:
    """An empty volume over the cube, in the ROI frame."""
    return Volume(np.zeros((voxels, voxels, voxels), dtype=np.float32), roi_index_to_ras(voxels))


def crop_geometry(source_roi: ArrayLike, pixels: int = CROP_PIXELS) -> ViewGeometry:
    """The virtual detector through the cube's centre, in the ROI frame, for a source (3,) at ``source_roi``."""
    source = np.asarray(source_roi, dtype=np.float64)
    return ViewGeometry(source, np.eye(4), (1, 1)).crop_geometry(np.zeros(3), ROI_SIZE_MM, pixels)
