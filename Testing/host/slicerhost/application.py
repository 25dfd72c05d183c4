"""The host itself: ``slicer.app``, ``slicer.modules``, the scene, and time passing."""

from __future__ import annotations

import os
import sys
import tempfile
import time
import types
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import slicer
import slicer.util
import slicer_core.MRMLCore
from PySide6 import QtCore, QtWidgets

from slicerhost import (
    file_dialog,
    forms,
    main_window,
    node_selector,
    packaging,
    parameter_node,
    pythonqt,
    scripted_module,
    widgets,
)
from slicerhost.failures import Failures
from slicerhost.scene import SceneParts, make_scene
from slicerhost.user import User


class Application(QtCore.QObject):
    """The part of qSlicerApplication that the module and ``slicer.util`` use."""

    startupCompleted = QtCore.Signal()  # noqa: N815

    def __init__(self, parts: SceneParts, folder: Path) -> None:
        super().__init__()
        self._parts = parts
        self.temporaryPath = str(folder)
        self.defaultScenePath = str(folder / "Documents")

    def applicationLogic(self) -> Any:  # noqa: N802
        return self._parts.application_logic

    def processEvents(self) -> None:  # noqa: N802
        QtCore.QCoreApplication.processEvents()

    def testingEnabled(self) -> bool:  # noqa: N802
        return True

    def topLevelWidgets(self) -> list[QtWidgets.QWidget]:  # noqa: N802
        return QtWidgets.QApplication.topLevelWidgets()

    def layoutManager(self) -> None:  # noqa: N802
        """There are no views."""

    def setOverrideCursor(self, cursor: Any) -> None:  # noqa: N802
        """There is no cursor."""

    def restoreOverrideCursor(self) -> None:  # noqa: N802
        """There is no cursor."""


class ModuleHandle:
    """An entry of ``slicer.modules`` for one of the application's own modules."""

    def __init__(self, logic: Any) -> None:
        self._logic = logic

    def logic(self) -> Any:
        return self._logic


class Host:
    """What a test holds: the scene, the failures nobody caught, and the means to let time pass."""

    def __init__(self, parts: SceneParts, failures: Failures) -> None:
        self.scene = parts.scene
        self.failures = failures
        self.user = User()
        self._parts = parts

    @staticmethod
    def load(path: Path) -> Any:
        """Loads a scripted module, unmodified."""
        return scripted_module.load(path)

    @staticmethod
    def open_panel(module: Any) -> Any:
        """Opens a loaded module's panel."""
        return scripted_module.open_panel(module)

    @staticmethod
    def close_panel(panel: Any) -> None:
        """Closes a panel."""
        scripted_module.close_panel(panel)

    @staticmethod
    def wait_until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
        """Runs the event loop until a condition holds.

        Raises:
            TimeoutError: It did not within the time.
        """
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"did not come about within {seconds} s")
            QtCore.QCoreApplication.processEvents(QtCore.QEventLoop.ProcessEventsFlag.AllEvents, 20)
            time.sleep(0.002)


@cache
def start() -> Host:
    """Starts the host, once per process."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    folder = Path(tempfile.mkdtemp(prefix="slicerhost-"))
    qt, ctk = pythonqt.install(), types.ModuleType("ctk")
    qt.QUiLoader = forms.StrictUiLoader
    sys.modules.update(qt=qt, ctk=ctk, MRMLCorePython=slicer_core.MRMLCore)
    node_selector.install()
    widgets.install(ctk)
    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["slicerhost"])
    failures = Failures()
    failures.install()
    parts = make_scene(folder)
    parts.kept.append(application)
    slicer.mrmlScene = parts.scene
    slicer.app = Application(parts, folder)
    slicer.modules, slicer.moduleNames = types.ModuleType("slicer.modules"), types.ModuleType("slicer.moduleNames")
    for name, logic in parts.module_logics.items():
        setattr(slicer.modules, name.lower(), ModuleHandle(logic))
    file_dialog.install()
    parts.kept.append(main_window.install())
    scripted_module.install()
    packaging.install()
    wrapper = types.ModuleType("slicer.parameterNodeWrapper")
    wrapper.parameterNodeWrapper = parameter_node.parameterNodeWrapper
    sys.modules[wrapper.__name__] = slicer.parameterNodeWrapper = wrapper
    return Host(parts, failures)
