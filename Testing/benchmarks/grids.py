"""Empty volumes for tests and benchmarks to draw into."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from radgs.geometry import Volume


def isotropic_grid(centre: ArrayLike, size_mm: ArrayLike, spacing_mm: float) -> Volume:
    """An empty float32 volume with axes along RAS, centred on a point.

    Args:
        centre: (3,) RAS mm of the grid's centre.
        size_mm: Extent along R, A, S in mm (a scalar for a cube).
        spacing_mm: Voxel size in mm.
    """
    counts = np.maximum(1, np.round(np.broadcast_to(np.asarray(size_mm, dtype=float), 3) / spacing_mm).astype(int))
    index_to_ras = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
    index_to_ras[:3, 3] = np.asarray(centre, dtype=float) - (counts - 1) / 2 * spacing_mm
    return Volume(np.zeros(tuple(counts[::-1]), dtype=np.float32), index_to_ras)
