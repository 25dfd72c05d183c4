"""One training by several processes, a GPU or some cores each: all take the same step, each computes its share.

``torchrun --nproc-per-node 4 -m radgs train ...`` starts them and says by the environment which is which. The first
one alone decides how far the training is, validates and writes; the others compute gradients. What a pair costs does
not depend on who computes it: draws belong to a replica's number among all, so that as many replicas in one process
come to the same weights, up to the order of sums.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn

State = TypeVar("State")

#: The others wait so long for the first: it may score hundreds of pairs, or make them.
PATIENCE = timedelta(hours=12)


@dataclass(frozen=True)
class Ranks:
    """Which of how many processes this one is.

    Attributes:
        number: 0 to count - 1.
        count: Of all processes.
        device: Where what they tell each other is; None for one process.
    """

    number: int = 0
    count: int = 1
    device: torch.device | None = None

    @property
    def first(self) -> bool:
        """Whether this is the one that decides and writes."""
        return self.number == 0

    def of_the_first(self, numbers: Sequence[float]) -> list[float]:
        """The first process's numbers, whatever the others have."""
        if self.count == 1:
            return list(numbers)
        told = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        distributed.broadcast(told, src=0)
        return told.tolist()

    def wait(self) -> None:
        """Until all have come this far."""
        self.of_the_first([0.0])

    def state_of_the_first(self, mine: State) -> State:
        """The first process's state of the training, tensors on the CPU; one's own if it is alone."""
        if self.count == 1:
            return mine
        told: list[Any] = [_on_cpu(mine)]
        distributed.broadcast_object_list(told, src=0, device=self.device)
        state: State = told[0]
        return state

    def average(self, parameters: Sequence[nn.Parameter]) -> None:
        """The mean of all processes' gradients becomes each one's; one that no process has stays none.

        A process without a gradient that another one has counts as one of zero, as a replica does.
        """
        if self.count == 1:
            return
        there = torch.tensor([float(one.grad is not None) for one in parameters], device=self.device)
        distributed.all_reduce(there)
        learning = [one for one, told in zip(parameters, there.tolist(), strict=True) if told > 0]
        for one in learning:
            if one.grad is None:
                one.grad = torch.zeros_like(one)
        together = torch.cat([one.grad.flatten() for one in learning if one.grad is not None])
        distributed.all_reduce(together)
        shares = (together / self.count).split([one.numel() for one in learning])
        for one, share in zip(learning, shares, strict=True):
            one.grad = share.view_as(one)


#: A training of one process.
ALONE = Ranks()


def _on_cpu(state: Any) -> Any:
    """The same, its tensors on the CPU: another process has another GPU."""
    if isinstance(state, Tensor):
        return state.cpu()
    if isinstance(state, Mapping):
        return {key: _on_cpu(value) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(_on_cpu(value) for value in state)
    return state


def is_first() -> bool:
    """Whether ``torchrun`` started this process as the first, or did not start it at all."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def started_ranks(device: torch.device) -> Iterator[Ranks]:
    """The processes that ``torchrun`` started, who can speak to each other within; ``ALONE`` where it did not.

    Args:
        device: Where this process computes.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count < 2 or "RANK" not in os.environ:
        yield ALONE
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)  # where kernels of ours are launched, too
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield Ranks(distributed.get_rank(), count, device)
    finally:
        distributed.destroy_process_group()


def own_device(device: torch.device) -> torch.device:
    """The GPU of this process among those that ``torchrun`` started on this machine; any other device as it is."""
    if device.type != "cuda" or "LOCAL_RANK" not in os.environ:
        return device
    return torch.device("cuda", int(os.environ["LOCAL_RANK"]))
