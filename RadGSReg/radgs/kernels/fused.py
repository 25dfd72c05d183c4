"""Forms of a computation fused into Triton kernels, on CUDA devices where they were seen to work.

Triton (MIT) comes with CUDA builds of PyTorch on Linux; at its first launch it needs a C compiler and Python's headers,
which not every machine has. So each fused form is probed once per process and device: compiled on a small case and held
against PyTorch's form. Where that fails, takes too long, or where a later launch fails, PyTorch's form runs, and one
line of the log says why. RADGS_KERNELS=off, as for compiled kernels, has none of them tried.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TimeIsUp
from threading import Lock
from typing import TypeVar

import torch

from radgs.kernels.switch import switched_off

#: How long a probe may take, compilation included, seconds.
PROBE_SECONDS = 90.0

_logger = logging.getLogger("radgs.kernels")
_Result = TypeVar("_Result")


class FusedForm:
    """One computation's fused form: whether it may be used, and what becomes of it when it fails.

    Args:
        name: What it computes, for the log.
        probe: Runs a small case of it on a device and raises unless the result is what PyTorch's form gives.
    """

    def __init__(self, name: str, probe: Callable[[torch.device], None]) -> None:
        self._name, self._probe = name, probe
        self._usable: dict[torch.device, bool] = {}
        self._lock = Lock()

    def usable(self, device: torch.device) -> bool:
        """Whether it runs on a device: only on a CUDA device, and only where its probe succeeded."""
        if device.type != "cuda" or switched_off():
            return False
        with self._lock:
            if device not in self._usable:
                self._usable[device] = self._probed(device)
            return self._usable[device]

    def attempt(self, device: torch.device, call: Callable[[], _Result]) -> _Result | None:
        """What ``call`` returns, or None where PyTorch's form is to run.

        A device whose memory is full is asked again the next time; any other failure is the last one on its device.
        """
        if not self.usable(device):
            return None
        try:
            return call()
        except torch.cuda.OutOfMemoryError:
            _logger.warning(
                "Too little memory on %s for fused kernels (%s); PyTorch does this one.", device, self._name
            )
        except Exception as problem:  # whatever compiler and driver may meet: the other form works
            with self._lock:
                self._usable[device] = False
            self._give_up(device, problem)
        return None

    def _probed(self, device: torch.device) -> bool:
        """One thread of its own: a compiler that hangs holds nothing up."""
        pool = ThreadPoolExecutor(1, thread_name_prefix="radgs-probe")
        probing: Future[None] = pool.submit(self._probe, device)
        pool.shutdown(wait=False)
        try:
            probing.result(PROBE_SECONDS)
        except ImportError:
            _logger.info("Triton is not installed: PyTorch does what fused kernels would do faster.")
            return False
        except TimeIsUp:
            self._give_up(device, TimeoutError(f"not compiled within {PROBE_SECONDS:.0f} s"))
            return False
        except Exception as problem:
            self._give_up(device, problem)
            return False
        return True

    def _give_up(self, device: torch.device, problem: Exception) -> None:
        reason = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
        _logger.warning(
            "Fused kernels (%s) cannot be used on %s (%s); PyTorch does their work.", self._name, device, reason
        )


def assert_near(found: torch.Tensor, expected: torch.Tensor, tolerance: float, what: str) -> None:
    """Raises ArithmeticError where two images are further apart than ``tolerance`` times the expected one's norm."""
    difference = float((found - expected).norm() / expected.norm())
    if not difference <= tolerance:
        raise ArithmeticError(f"{what}: {difference:.1e} from PyTorch's, {tolerance:.0e} are allowed")
