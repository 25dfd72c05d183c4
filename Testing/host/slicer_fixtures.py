"""Fixtures for everything that needs a scene: on the test host, or in the full Slicer where the tests run there."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
MODULE_FILE = PROJECT / "RadGSReg" / "RadGSReg.py"


class ScriptedUser:
    """Presses what a user could press, where there is no test library of Qt's to move the mouse."""

    @staticmethod
    def press(button: Any) -> None:
        assert button.enabled, f"{button.objectName} is disabled"
        button.click()

    @staticmethod
    def tick(item: Any) -> None:
        import qt

        item.setCheckState(qt.Qt.Unchecked if item.checkState() == qt.Qt.Checked else qt.Qt.Checked)

    @staticmethod
    def choose_row(table: Any, row: int) -> None:
        table.selectRow(row)

    @staticmethod
    def write(edit: Any, text: str) -> None:
        edit.text = text


class FullSlicer:
    """The full application with the same face as the test host."""

    def __init__(self) -> None:
        import slicer

        self.scene = slicer.mrmlScene
        self.failures = self
        self.user = ScriptedUser()
        self._found: list[str] = []
        sys.excepthook = lambda kind, error, trace: self._found.append(f"{kind.__name__}: {error}")

    def take(self) -> list[str]:
        found, self._found = self._found, []
        return found

    @staticmethod
    def load(path: Path) -> Any:
        """The module as the application has loaded it."""
        import importlib

        return importlib.import_module(path.stem)

    @staticmethod
    def open_panel(module: Any) -> Any:
        import slicer

        slicer.util.selectModule(module.__name__)
        return slicer.util.getModuleWidget(module.__name__)

    @staticmethod
    def close_panel(panel: Any) -> None:
        import slicer

        slicer.util.selectModule("Welcome")

    @staticmethod
    def use_theme(name: str) -> None:
        """Base/QTGUI/StylePlugins: the application's styles go by these names."""
        import qt

        qt.QApplication.setStyle({"light": "Light Slicer", "dark": "Dark Slicer"}[name])

    @staticmethod
    def wait_until(condition: Any, seconds: float = 60.0) -> None:
        import time

        import slicer

        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"did not come about within {seconds} s")
            slicer.app.processEvents()
            time.sleep(0.002)


def in_full_slicer() -> bool:
    """Whether this is Slicer's own interpreter."""
    return "PythonQt" in sys.modules or Path(sys.executable).name.startswith("PythonSlicer")


@pytest.fixture(scope="session")
def host() -> Any:
    """The application around the scene."""
    if in_full_slicer():
        return FullSlicer()
    import slicerhost

    return slicerhost.start()


@pytest.fixture
def a_scene(host: Any) -> Iterator[Any]:
    """An empty scene; afterwards, nothing may have failed where no test could see it."""
    host.scene.Clear(0)
    host.scene.SetURL("")
    host.failures.take()
    yield host.scene
    assert not (failed := host.failures.take()), "\n".join(failed)


@pytest.fixture(scope="session")
def the_module(host: Any) -> Any:
    """RadGSReg.py, loaded as the application loads it."""
    return host.load(MODULE_FILE)


def write_launcher(folder: Path) -> Path:
    """Writes a PythonSlicer that starts this interpreter as a child and waits for it."""
    launcher = folder / "PythonSlicer"
    launcher.write_text(f'#!/bin/sh\necho "a launcher\'s own words"\n"{sys.executable}" "$@"\nexit $?\n', "utf-8")
    launcher.chmod(0o755)
    return launcher


@pytest.fixture(scope="session")
def a_launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path | None]:
    """PythonSlicer on the PATH: like the real one, a launcher whose child is the interpreter; None in Slicer."""
    if in_full_slicer():
        yield None
        return
    folder = tmp_path_factory.mktemp("bin")
    launcher = write_launcher(folder)
    former = os.environ["PATH"]
    os.environ["PATH"] = f"{folder}{os.pathsep}{former}"
    yield launcher
    os.environ["PATH"] = former


@pytest.fixture
def a_logic(a_scene: Any, the_module: Any, a_launcher: Path | None) -> Iterator[Any]:
    """The module's logic, its engine not yet started."""
    logic = the_module.RadGSRegLogic()
    yield logic
    logic.cleanup()


@pytest.fixture
def a_demo_case(a_logic: Any) -> Any:
    """The bundled phantom in the scene, as inputs."""
    return a_logic.loadCase(a_logic.demoCase())
