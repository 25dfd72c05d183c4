"""What 3D Slicer 5.10 brings in Python packages, and an import system that finds nothing else.

The names are read off the requirements in SuperBuild/External_python-*.cmake of its source, and of SimpleITK's build.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

#: Import names, of 5.10.0.
BUNDLED = frozenset(
    {"PIL", "SimpleITK", "certifi", "cffi", "chardet", "charset_normalizer", "couchdb", "cryptography", "dateutil"}
    | {"deprecated", "dicomweb_client", "git", "gitdb", "github", "idna", "jwt", "nacl", "numpy", "packaging", "pip"}
    | {"pkg_resources", "pycparser", "pydicom", "pyparsing", "requests", "retrying", "scipy", "setuptools", "six"}
    | {"smmap", "typing_extensions", "urllib3", "wheel", "wrapt"}
)

#: What takes the place of Slicer's own modules here.
HOST = frozenset(["PySide6", "shiboken6", "slicer", "slicer_core", "slicerhost", "vtk", "vtkmodules"])

#: Modules of pydicom 3 that 5.10's pydicom 2.4.4 does not have; a newer pydicom may use its own.
NEWER = ("pydicom.pixels", "pydicom.examples", "pydicom.hooks")


class OnlyBundled(MetaPathFinder):
    """Refuses every package that a fresh 3D Slicer 5.10 does not have.

    Args:
        ours: Top-level modules of the code under test.
    """

    def __init__(self, ours: Sequence[str]) -> None:
        self._known = BUNDLED | HOST | sys.stdlib_module_names | frozenset(ours)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        top = fullname.partition(".")[0]
        if top not in self._known and not top.startswith("_"):  # a private library beside the package it belongs to
            raise ModuleNotFoundError(f"3D Slicer 5.10 has no module {fullname}", name=fullname)
        return None


def find_only_bundled(ours: Sequence[str]) -> None:
    """From now on, an import in this process fails where it would in a fresh 3D Slicer 5.10."""
    sys.meta_path.insert(0, OnlyBundled(ours))
    importing = builtins.__import__

    def imported(name: str, globals: Mapping[str, Any] | None = None, *rest: Any, **named: Any) -> ModuleType:
        importer = str((globals or {}).get("__name__", ""))
        if name.startswith(NEWER) and not importer.startswith("pydicom"):
            raise ModuleNotFoundError(f"3D Slicer 5.10 has no module {name}", name=name)
        return importing(name, globals, *rest, **named)

    builtins.__import__ = imported
