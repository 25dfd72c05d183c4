"""Compiled kernels in the user's cache, so that the next process need not compile them.

numba keeps what it compiled as a pickle, here as anywhere. It is read from the user's own cache alone, a folder that
nobody else can write to, and only where its checksum holds; what a person hands to the program is never read so.
"""

from __future__ import annotations

import hashlib
import logging
import pickle
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from radgs.io.cache_folder import CacheFolder, user_cache

#: What entries of the cache are called.
KIND = "kernels"
#: Between two looks for what another process compiles, s.
PAUSE = 0.02

_logger = logging.getLogger("radgs.kernels")


class KernelStore:
    """What numba asks of the cache of one dispatcher. Whatever goes wrong here, the kernel is compiled.

    Args:
        function: The kernel's function.
        signature: Its types.
        folder: Where entries are kept; by default the user's cache.
        expected: Whether another process may still put something there: it is waited for.
    """

    #: numba's statistics ask for it.
    cache_path = ""

    def __init__(
        self,
        function: Callable[..., Any],
        signature: str,
        folder: CacheFolder | None = None,
        expected: Callable[[], bool] = lambda: False,
    ) -> None:
        self._folder = user_cache() if folder is None else folder
        self._expected = expected
        code = function.__code__
        self._source = repr((function.__qualname__, code.co_code, code.co_consts, code.co_names, signature))

    def load_overload(self, sig: Any, target_context: Any) -> Any | None:
        """What was compiled before, for this processor, by these versions of numba and Python."""
        from numba.core.compiler import CompileResult

        target_context.refresh()
        try:
            content = self._waited_for(self._key(target_context.codegen()))
            return None if content is None else CompileResult._rebuild(target_context, *pickle.loads(content))
        except Exception as problem:  # kept by something that calls itself the same and is not
            _logger.info("A compiled kernel cannot be taken from the cache (%s); it is compiled again.", problem)
            return None

    def save_overload(self, sig: Any, result: Any) -> None:
        """Keeps what was compiled."""
        from numba.core import serialize

        try:
            self._folder.put(KIND, self._key(result.library.codegen), serialize.dumps(result._reduce()))
        except Exception as problem:
            _logger.info("A compiled kernel cannot be kept (%s).", problem)

    def enable(self) -> None:
        """Always."""

    def disable(self) -> None:
        """Never: RADGS_CACHE says whether anything is kept."""

    def flush(self) -> None:
        """Nothing waits to be written."""

    def _waited_for(self, key: str) -> bytes | None:
        while True:
            comes = self._expected()  # asked before looking: what was put there in between is seen
            content = self._folder.get(KIND, key)
            if content is not None or not comes:
                return content
            time.sleep(PAUSE)

    def _key(self, codegen: Any) -> str:
        versions = (version("numba"), version("llvmlite"), sys.version, codegen.magic_tuple())
        return hashlib.sha256(repr((versions, self._source)).encode()).hexdigest()
