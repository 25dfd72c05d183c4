"""Exponential and square root that stay on the calling thread while tensors are small.

PyTorch shares ``torch.exp`` and ``torch.sqrt`` between threads from about two thousand numbers on (they go through a
vector library with a threshold of its own), far earlier than other operations. Where another program holds one of the
cores, every such call waits for the scheduler: 8 ms instead of 0.01 ms. ``exp2`` and ``pow`` wait for nobody.
"""

from __future__ import annotations

import math

from torch import Tensor

LOG2_E = math.log2(math.e)


def exp(values: Tensor) -> Tensor:
    """Natural exponential."""
    return (values * LOG2_E).exp2()


def exp_(values: Tensor) -> Tensor:
    """Natural exponential, in place."""
    return values.mul_(LOG2_E).exp2_()


def sqrt(values: Tensor) -> Tensor:
    """Square root."""
    return values.pow(0.5)
