"""Kernels: inner loops compiled at run time by numba where it is installed; elsewhere their PyTorch form runs."""

from radgs.kernels.compiling import VARIABLE, Kernel, begin_compiling, kernel

__all__ = ["VARIABLE", "Kernel", "begin_compiling", "kernel"]
