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


@pytest.fixture
def two_films(a_panel: Any) -> tuple[Any, Any]:
    """X-rays 1 and 2 of the panel, of which nothing is known."""
    import slicer
    from calibrated_films import add_films

    parameters, films = a_panel.logic.getParameterNode(), add_films()
    parameters.xray1, parameters.xray2 = films
    slicer.app.processEvents()
    return films
