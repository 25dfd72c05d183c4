"""``python -m radgs.kernels``: compiles every kernel into the user's cache; ``radgs.kernels.aside`` begins it.

Modules of kernels are loaded by themselves: their packages would load PyTorch, which takes as long as two kernels.
"""

from __future__ import annotations

import importlib.util
import sys

from radgs.io.cache_folder import user_cache
from radgs.kernels.aside import MODULES, compiled_set, module_file
from radgs.kernels.compiling import compile_all
from radgs.kernels.store import KIND


def main() -> None:
    """Compiles all, and notes it."""
    for name in MODULES:
        spec = importlib.util.spec_from_file_location(name, module_file(name))
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    name_of_all = compiled_set()
    if compile_all() and name_of_all is not None:
        user_cache().put(KIND, name_of_all, b"compiled")


if __name__ == "__main__":
    main()
