"""Tests where the engine's own libraries are not installed, as in a fresh 3D Slicer: what needs them is skipped.

A test needs them if an import of one of them fails outside the panel's own code, or if it asked the panel for the
engine's process. Everything else runs, and fails where it fails: the panel may not import them, so that is no excuse.
Who asked for the process waits for it no longer than ``PATIENCE_S``.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Generator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

LIBRARIES = frozenset(("torch", "skimage", "matplotlib", "safetensors", "typer", "rich", "monai", "nanodrr"))
PANEL = ("RadGSReg.py", "RadGSRegDICOMPlugin.py", "RadGSRegLib")

#: How long a test that asked for the engine's process waits for anything, in seconds.
PATIENCE_S = 2.0

#: Tests that asked for the engine's process.
asked: set[str] = set()


def needed() -> bool:
    """Whether this interpreter lacks the engine's libraries."""
    return find_spec("torch") is None


def missing_library(error: BaseException | None) -> str | None:
    """The library whose import failed, unless it was the panel that imported it."""
    if not isinstance(error, ModuleNotFoundError) or (error.name or "").partition(".")[0] not in LIBRARIES:
        return None
    files = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
    return None if any(set(PANEL) & set(file.parts) for file in files) else error.name


class WithoutEngine:
    """A plugin for pytest."""

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Generator[None, Any, Any]:
        report = yield
        error = report.call.excinfo.value if report.failed and report.call and report.call.excinfo else None
        library = missing_library(getattr(error, "__cause__", None) or error)
        if library is not None:
            report.outcome, report.longrepr = "skipped", (str(collector.path), 0, f"Skipped: {library} is not here")
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, None, None]:
        _listen(item.nodeid)
        yield

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        _listen(item.nodeid)  # what the test's fixtures have loaded only now
        yield

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
        report = yield
        if report.failed:
            error = call.excinfo.value if call.excinfo else None
            library = missing_library(error)
            if library is not None or item.nodeid in asked:
                reason = f"{library} is not here" if library else "the engine's process is not here"
                report.outcome, report.longrepr = "skipped", (str(item.path), 0, f"Skipped: {reason}")
        return report


def _listen(test: str) -> None:
    """Notes when this test asks for the engine's process, which does not come; then it waits for nothing for long."""
    host = sys.modules.get("slicerhost.application")
    client = sys.modules.get("RadGSRegLib.engine.worker_client")
    dependencies = sys.modules.get("RadGSRegLib.engine.dependencies")
    if host is not None:
        host.Host.wait_until = staticmethod(_impatient(host.Host.wait_until, test))
    if client is not None:
        client.WorkerClient.start = _noted(client.WorkerClient, "start", test)
    if dependencies is not None:
        dependencies.Dependencies.check = _noted(dependencies.Dependencies, "check", test)


def _impatient(original: Callable[..., None], test: str) -> Callable[..., None]:
    original = getattr(original, "original", original)

    def wait_until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
        began = time.monotonic()

        def holds() -> Any:
            if test in asked and time.monotonic() - began > PATIENCE_S:
                raise TimeoutError("the engine's process is not here")
            return condition()

        original(holds, seconds)

    wait_until.original = original  # type: ignore[attr-defined]
    return wait_until


def _noted(owner: type, name: str, test: str) -> Callable[..., Any]:
    original = getattr(owner, name)
    original = getattr(original, "original", original)

    def call(self: Any, *rest: Any, **named: Any) -> Any:
        asked.add(test)
        return original(self, *rest, **named)

    call.original = original  # type: ignore[attr-defined]
    return call
