"""Tests where the engine's own libraries are not installed, as in a fresh 3D Slicer: what needs them is skipped.

A test needs them if an import of one of them fails outside the panel's own code, or if it asked the panel for the
engine's process. Everything else runs, and fails where it fails: the panel may not import them, so that is no excuse.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Generator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

LIBRARIES = frozenset(("torch", "skimage", "matplotlib", "roma", "safetensors", "typer", "rich", "monai", "nanodrr"))
PANEL = ("RadGSReg.py", "RadGSRegLib")

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
    """Notes when this test asks for the engine's process, which then is refused at once."""
    client = sys.modules.get("RadGSRegLib.worker_client")
    dependencies = sys.modules.get("RadGSRegLib.dependencies")
    if client is not None:
        client.WorkerClient.start = _noted(client.WorkerClient, "start", test)
    if dependencies is not None:
        dependencies.Dependencies.check = _noted(dependencies.Dependencies, "check", test)


def _noted(owner: type, name: str, test: str) -> Callable[..., Any]:
    original = getattr(owner, name)
    original = getattr(original, "original", original)

    def call(self: Any, *rest: Any, **named: Any) -> Any:
        asked.add(test)
        return original(self, *rest, **named)

    call.original = original  # type: ignore[attr-defined]
    return call
