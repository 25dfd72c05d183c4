"""Linear attenuation from Hounsfield units, and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Linear attenuation of water in 1/mm at diagnostic energies, the scale on which all densities are expressed.
WATER = 0.02
#: Muscle and discs attenuate slightly more than water; the vertebra is modelled as excess over this.
SOFT_TISSUE = 1.04 * WATER


def attenuation_from_hu(hu: ArrayLike) -> NDArray[np.float32]:
    """Linear attenuation in 1/mm from Hounsfield units; not below that of vacuum, nor of the unknown (NaN)."""
    values = np.array(hu, dtype=np.float32)  # of a large CT there is no second copy
    values /= 1000.0
    values += 1.0
    values *= WATER
    return np.fmax(values, np.float32(0.0), out=values)


def hu_from_attenuation(attenuation: ArrayLike) -> NDArray[np.float32]:
    """Hounsfield units from linear attenuation in 1/mm."""
    return ((np.asarray(attenuation, dtype=np.float32) / WATER - 1.0) * 1000.0).astype(np.float32)
