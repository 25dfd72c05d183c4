"""A vertebra's Gaussians, fitted once: the same vertebra of the same CT is not fitted again by the next process."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import torch

import radgs.gaussians
from radgs.gaussians import RadiativeGaussians, fit
from radgs.geometry import Volume
from radgs.io.cache_folder import CacheFolder

#: In the cache folder.
KIND = "gaussians"
#: Centre, logarithms of scales, quaternion, density.
NUMBERS = 3 + 3 + 4 + 1


def remembered_fit(
    excess: Volume, count: int, remembered: CacheFolder, progress: Callable[[float], None] | None = None
) -> RadiativeGaussians:
    """What ``fit`` makes of a volume, from the cache where it was made before, bit for bit.

    Args:
        excess: Signed attenuation, 1/mm.
        count: Number of Gaussians.
        remembered: Where fits are kept, by the voxels, their place, the count and the code that fitted them.
        progress: Called with the fraction done, 0 to 1.

    Raises:
        RadgsError: The volume is zero everywhere or not finite.
    """
    key = _key(excess, count)
    kept = remembered.get(KIND, key)
    if kept is not None:
        if progress is not None:
            progress(1.0)
        return _unpacked(kept)
    fitted = fit(excess, count, progress=progress)
    remembered.put(KIND, key, _packed(fitted))
    return fitted


def _key(excess: Volume, count: int) -> str:
    digest = hashlib.sha256(repr((count, excess.array.shape, excess.array.dtype.str, _code())).encode())
    digest.update(np.ascontiguousarray(excess.index_to_ras).tobytes())
    digest.update(np.ascontiguousarray(excess.array).data)
    return digest.hexdigest()


@cache
def _code() -> str:
    """What fits: this package's files as they are, and PyTorch's version."""
    digest = hashlib.sha256(torch.__version__.encode())
    for file in sorted(Path(radgs.gaussians.__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _packed(gaussians: RadiativeGaussians) -> bytes:
    means, log_scales, quaternions, densities = gaussians.tensors()
    table: np.ndarray = torch.cat([means, log_scales, quaternions, densities[:, None]], dim=1).numpy()
    return table.astype("<f4").tobytes()


def _unpacked(content: bytes) -> RadiativeGaussians:
    table = torch.from_numpy(np.frombuffer(content, dtype="<f4").astype(np.float32).reshape(-1, NUMBERS))
    means, log_scales, quaternions, densities = (part.contiguous() for part in table.split([3, 3, 4, 1], dim=1))
    return RadiativeGaussians(means, log_scales, quaternions, densities[:, 0])
