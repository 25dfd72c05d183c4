"""What the tests of the panel share: an open panel, and a user in front of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TESTING = Path(__file__).resolve().parents[1]
sys.path += [str(TESTING / folder) for folder in ("panel", "engine", "engine/io")]


@pytest.fixture(autouse=True)
def qt_is_there(host: Any) -> None:
    """Whatever the order in which tests come, the panel's own files find Slicer's names when they are imported."""


@pytest.fixture
def a_panel(host: Any, a_scene: Any, the_module: Any, a_launcher: Path | None) -> Iterator[Any]:
    panel = host.open_panel(the_module)
    yield panel
    host.close_panel(panel)


@pytest.fixture(scope="module")
def the_panel(host: Any, the_module: Any, a_launcher: Path | None) -> Iterator[Any]:
    """One panel for a file's tests, so that the engine's libraries are loaded and a vertebra is modelled once."""
    panel = host.open_panel(the_module)
    yield panel
    host.close_panel(panel)


@pytest.fixture
def user(host: Any) -> Any:
    """Someone with a mouse: only what is visible and enabled can be pressed."""
    return host.user
