"""A stand-in for ``slicer.packaging`` (Slicer 5.12 and newer), as it behaves in testing mode: pip, and no dialogs."""

from __future__ import annotations

import shlex
import sys
import types
from collections.abc import Callable
from pathlib import Path

import slicer
import slicer.util


def pip_install(
    requirements: str | list[str],
    constraints: str | Path | None = None,
    no_deps_requirements: str | list[str] | None = None,
    skip_packages: list[str] | None = None,
    blocking: bool = True,
    show_progress: bool = True,
    requester: str | None = None,
    logCallback: Callable[[str], None] | None = None,  # noqa: N803
    completedCallback: Callable[[int], None] | None = None,  # noqa: N803
) -> list[str] | None:
    """Runs pip in the interpreter that PythonSlicer starts, and waits for it."""
    unknown = (no_deps_requirements, skip_packages, logCallback, completedCallback)
    if not blocking or any(value is not None for value in unknown):
        raise TypeError("The test host's pip_install does not know this argument: the module does not use it")
    if not isinstance(requirements, (str, list)):
        raise ValueError("pip_install requirement input must be string or list")
    listed = shlex.split(requirements) if isinstance(requirements, str) else requirements
    slicer.util.executePythonModule("pip", ["install", *listed, *(["-c", str(constraints)] if constraints else [])])
    return None


def install() -> None:
    """Puts it where ``from slicer.packaging import ...`` finds it."""
    module = types.ModuleType("slicer.packaging")
    module.pip_install = pip_install
    sys.modules[module.__name__] = slicer.packaging = module
