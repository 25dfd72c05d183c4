"""Sharing work among cores: whole renderings side by side, each on one thread."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

#: More workers than views to render would idle.
MAX_WORKERS = 4


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch's CPU operations run on the calling thread; also a decorator.

    Splatting works through thousands of operations that fit a core's cache. Sharing them out gains nothing, and where
    another program holds one of the cores each of them waits for the scheduler: 600 ms instead of 11 ms was measured.
    """
    threads = torch.get_num_threads()
    if threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def map_concurrently(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """``[function(item) for item in items]``, items side by side, each on one thread.

    PyTorch releases the interpreter's lock while it computes. No gradients are recorded.
    """
    return list(_pool().map(function, items))


@cache
def _pool() -> ThreadPoolExecutor:
    def prepare() -> None:
        torch.set_num_threads(1)
        torch.set_grad_enabled(False)

    workers = min(MAX_WORKERS, os.cpu_count() or 1)
    return ThreadPoolExecutor(workers, thread_name_prefix="radgs", initializer=prepare)
