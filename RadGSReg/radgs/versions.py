"""The versions that a result depends on; light, so that a program can name them before it loads anything."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import radgs


def versions() -> dict[str, str]:
    """Versions of the engine, of Python and of the numerical libraries, by name."""
    found = {"radgs": radgs.__version__, "python": platform.python_version()}
    for package in ("torch", "numpy", "scipy", "SimpleITK"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # vendored by an application
            continue
    return found
