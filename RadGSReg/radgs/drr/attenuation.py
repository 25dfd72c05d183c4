"""Linear attenuation from Hounsfield units, and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Linear attenuation of water in 1/mm at diagnostic energies, the scale on which all densities are expressed.
WATER = 0.02
#: Muscle and discs attenuate slightly more than water; the vertebra is modelled as excess over this.
SOFT_TISSUE = 1.04 * WATER


def attenuation_from_hu(hu: ArrayLike) -> NDArray[np.float32]:
    """Linear attenuation in 1/mm from Hounsfield units; never below that of vacuum."""
    return np.maximum(WATER * (1.0 + np.asarray(hu, dtype=np.float32) / 1000.0), 0.0).astype(np.float32)


def hu_from_attenuation(attenuation: ArrayLike) -> NDArray[np.float32]:
    """Hounsfield units from linear attenuation in 1/mm."""
    return ((np.asarray(attenuation, dtype=np.float32) / WATER - 1.0) * 1000.0).astype(np.float32)
