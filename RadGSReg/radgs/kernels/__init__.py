"""Kernels: inner loops compiled at run time by numba where it is installed; elsewhere their PyTorch form runs."""

from radgs.kernels.compiling import Kernel, begin_compiling, kernel
from radgs.kernels.switch import VARIABLE

__all__ = ["VARIABLE", "Kernel", "begin_compiling", "kernel"]
