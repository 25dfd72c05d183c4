"""One step on several cores: replicas that share their weights each work on a part of the batch.

Splitting every operation among the cores gains little for networks this small, and where another program holds a core
all of them wait at every operation: 0.6 s a step became 5 s. Two halves of a batch only slow down as they must.
Threads, not processes: inside an application such as 3D Slicer a process of its own cannot be started for that.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor, nn

Result = TypeVar("Result")


class Replicas:
    """Copies of a module that share its weights and buffers but have gradients of their own.

    Args:
        module: The module whose weights an optimizer moves.
        count: How many work side by side, each on one thread; 1 works on the module itself, on the calling thread.
    """

    def __init__(self, module: nn.Module, count: int) -> None:
        self._module = module
        self._copies = [_sharing_copy(module) for _ in range(count)] if count > 1 else [module]
        self._pool = ThreadPoolExecutor(count, initializer=lambda: torch.set_num_threads(1)) if count > 1 else None

    def __len__(self) -> int:
        return len(self._copies)

    def run(self, work: Callable[[nn.Module, int], Result]) -> list[Result]:
        """``work(replica, number)`` for all replicas, side by side."""
        if self._pool is None:
            return [work(self._module, 0)]
        return list(self._pool.map(work, self._copies, range(len(self))))

    def gather_gradients(self) -> None:
        """The mean of the replicas' gradients becomes the module's; theirs are cleared."""
        if self._pool is None:
            return
        for parameter, *shared in zip(self._module.parameters(), *(c.parameters() for c in self._copies), strict=True):
            parameter.grad = _mean([one.grad for one in shared if one.grad is not None], len(self))
            for one in shared:
                one.grad = None

    def close(self) -> None:
        """Ends the threads."""
        if self._pool is not None:
            self._pool.shutdown()


def _sharing_copy(module: nn.Module) -> nn.Module:
    twin = copy.deepcopy(module)
    for mine, own in zip(twin.parameters(), module.parameters(), strict=True):
        mine.data = own.data
    for buffer, original in zip(twin.buffers(), module.buffers(), strict=True):
        buffer.data = original.data
    return twin


def _mean(gradients: Sequence[Tensor], count: int) -> Tensor | None:
    """The sum over ``count``, in the first one's memory: a replica without a gradient had one of zero."""
    if not gradients:
        return None
    total, *others = gradients
    for one in others:
        total += one
    return total.div_(count)
