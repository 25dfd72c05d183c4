"""Whether there are compiled kernels at all."""

from __future__ import annotations

import os

#: "off" leaves everything to PyTorch.
VARIABLE = "RADGS_KERNELS"


def switched_off() -> bool:
    """Whether RADGS_KERNELS leaves everything to PyTorch."""
    return os.environ.get(VARIABLE, "").strip().lower() in ("off", "0", "no", "false")
