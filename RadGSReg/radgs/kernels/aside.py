"""Kernels compiled by a process of their own, where none were compiled before.

In one interpreter a compiler and the work beside it wait for each other. The commands that register, and the worker,
begin a process that compiles before they load anything heavy; it leaves kernel after kernel in the user's cache, where
``radgs.kernels.store`` waits for them. What is missing when it has ended, however it did, is compiled where it is
needed; it may outlive, by some seconds, the process that began it, and serves the next one.

Only programs of ours do so, never ``radgs.pipeline.register``: within another application ``sys.executable`` may be
that application.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from radgs.child_processes import child_environment
from radgs.io.cache_folder import user_cache
from radgs.kernels.store import KIND
from radgs.kernels.switch import switched_off

#: The modules that hold kernels, in the order in which a registration needs them and they are compiled.
MODULES = ("radgs.gaussians.voxel_kernels", "radgs.gaussians.splat_kernels", "radgs.drr.ray_kernels")
#: Longer than a slow machine compiles; then nobody waits for it any more.
MAX_SECONDS = 120.0

_ENGINE = Path(__file__).resolve().parents[2]
_begun: list[tuple[subprocess.Popen[bytes], float]] = []


def begin_compiling_aside() -> None:
    """Begins a process that compiles all kernels, unless they were compiled before or nothing is to be kept."""
    kept, name = user_cache(), compiled_set()
    if switched_off() or kept.folder is None or name is None or kept.get(KIND, name) is not None:
        return
    with suppress(OSError):
        child = subprocess.Popen(
            [sys.executable, "-m", "radgs.kernels"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=child_environment(),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        _begun.append((child, time.monotonic()))


def compiling_aside() -> bool:
    """Whether a process that this one began may still leave a kernel in the cache."""
    now = time.monotonic()
    return any(child.poll() is None and now - began < MAX_SECONDS for child, began in _begun)


def module_file(name: str) -> Path:
    """Where a module of kernels stands."""
    return _ENGINE / f"{name.replace('.', '/')}.py"


def compiled_set() -> str | None:
    """The name of these kernels, compiled by these versions, in the cache; None where nothing compiles."""
    try:
        versions = version("numba"), version("llvmlite"), sys.version
    except PackageNotFoundError:
        return None
    sources = [module_file(name).read_bytes() for name in MODULES]
    return hashlib.sha256(repr((versions, sources)).encode()).hexdigest()
