"""The versions that a result depends on; light, so that a program can name them before it loads anything."""

from __future__ import annotations

import platform

#: Of the engine; the package, its command line and the files that it writes take it from here.
ENGINE_VERSION = "0.1.0"


def versions() -> dict[str, str]:
    """Versions of the engine, of Python and of the numerical libraries that are there, by name."""
    from importlib.metadata import PackageNotFoundError, version  # takes longer than all of ``import radgs``

    found = {"radgs": ENGINE_VERSION, "python": platform.python_version()}
    for package in ("torch", "numpy", "scipy", "SimpleITK", "numba"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # vendored by an application, or done without
            continue
    return found
