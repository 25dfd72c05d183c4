"""Plain functions of numbers and NumPy arrays, compiled by numba beside other work, once per process.

A kernel's function reads like any other and runs as it stands; numba is imported where the first one is compiled. What
was compiled is kept in the user's cache for the next process. Whoever asks for a kernel waits until it is there: which
form of a computation runs never depends on how fast a machine compiles. The environment variable RADGS_KERNELS says
"off" to have none compiled; then, and where numba is missing or fails, there are none, and PyTorch's forms run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from threading import Lock
from typing import Any

from radgs.kernels.aside import compiling_aside
from radgs.kernels.store import KernelStore
from radgs.kernels.switch import switched_off

#: Sums may be taken in any order and products fused; NaN and infinity keep their meaning.
FAST_MATH = frozenset({"contract", "reassoc", "nsz", "arcp", "afn"})

_logger = logging.getLogger("radgs.kernels")
_registered: list[Kernel] = []


class Kernel:
    """One function and its compiled form.

    Args:
        function: Takes numbers and C-contiguous arrays; global names in it are modules of numbers only.
        signature: Types of its result and arguments, as numba writes them.
    """

    def __init__(self, function: Callable[..., Any], signature: str) -> None:
        self.function, self.signature = function, signature
        self._future: Future[Callable[..., Any] | None] | None = None
        self._lock = Lock()

    def begin(self) -> Future[Callable[..., Any] | None]:
        """Has it compiled beside other work, unless that was begun before."""
        with self._lock:
            if self._future is None:
                self._future = _compiler().submit(_compiled, self)
            return self._future

    def compiled(self) -> Callable[..., Any] | None:
        """The compiled function, waited for; None where PyTorch's form is to run."""
        return None if switched_off() else self.begin().result()


def kernel(signature: str) -> Callable[[Callable[..., Any]], Kernel]:
    """Makes a function a kernel."""

    def register(function: Callable[..., Any]) -> Kernel:
        made = Kernel(function, signature)
        _registered.append(made)
        return made

    return register


def begin_compiling() -> None:
    """Has every kernel of the modules imported so far compiled beside other work."""
    if not switched_off():
        for one in _registered:
            one.begin()


def compile_all() -> bool:
    """Compiles every kernel of the modules imported so far; whether all of them could be."""
    return all(one.compiled() is not None for one in _registered)


@cache
def _compiler() -> ThreadPoolExecutor:
    """Numba compiles one function at a time anyway."""
    return ThreadPoolExecutor(1, thread_name_prefix="radgs-kernels")


def _compiled(one: Kernel) -> Callable[..., Any] | None:
    try:
        dispatcher = _compile(one)
    except ImportError:
        _say_once("numba is not installed: PyTorch does what compiled kernels would do faster.", logging.INFO)
        return None
    except Exception as problem:  # whatever a compiler may meet on somebody's machine: the other form works
        reason = str(problem).strip().splitlines() or [type(problem).__name__]
        _say_once(f"Compiled kernels cannot be used ({reason[0]}); PyTorch does their work.", logging.WARNING)
        return None
    return dispatcher


def _compile(one: Kernel) -> Callable[..., Any]:
    import numba

    dispatcher: Any = numba.njit(nogil=True, fastmath=set(FAST_MATH), error_model="numpy")(one.function)
    dispatcher._cache = KernelStore(one.function, one.signature, expected=compiling_aside)
    dispatcher.compile(one.signature)
    dispatcher.disable_compile()
    compiled: Callable[..., Any] = dispatcher
    return compiled


@cache
def _say_once(line: str, level: int) -> None:
    _logger.log(level, line)
