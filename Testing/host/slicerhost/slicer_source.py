"""Slicer's own Python files in place of the stand-ins, from a source tree that ``SLICER_SOURCE`` names.

They are loaded from where they lie and are no part of the project. What they need of Qt, CTK and MRML's widgets are the
host's stand-ins still.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import slicer

#: Below ``Base/Python/slicer``, in the order in which they need each other; the last is not in every version.
FILES = ("util.py", "i18n.py", "parameterNodeWrapper/__init__.py", "ScriptedLoadableModule.py", "packaging.py")
OPTIONAL = frozenset(("packaging.py",))


def folder() -> Path | None:
    """Where Slicer's own Python files lie; None where the stand-ins are to serve."""
    tree = os.environ.get("SLICER_SOURCE")
    return Path(tree).expanduser().resolve() / "Base" / "Python" / "slicer" if tree else None


def install() -> None:
    """Puts them where ``from slicer... import`` finds them.

    Raises:
        FileNotFoundError: The tree lacks one of them.
    """
    own = folder()
    assert own is not None
    for file in FILES:
        name = file.removesuffix(".py").removesuffix("/__init__")
        _forget(f"slicer.{name}")
        if (own / file).is_file():
            setattr(slicer, name, _load(f"slicer.{name}", own / file))
        elif file not in OPTIONAL:
            raise FileNotFoundError(f"SLICER_SOURCE has no {own / file}")


def _forget(name: str) -> None:
    sys.modules.pop(name, None)
    vars(slicer).pop(name.removeprefix("slicer."), None)


def _load(name: str, path: Path) -> ModuleType:
    package = [str(path.parent)] if path.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=package)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
