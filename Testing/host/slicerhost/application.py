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
    slicer_source,
    theme,
    widgets,
)
from slicerhost.failures import Failures
from slicerhost.scene import SceneParts, make_scene
from slicerhost.user import User


class ModuleManager(QtCore.QObject):
    """The part of qSlicerModuleManager that scripted modules use."""

    moduleAboutToBeUnloaded = QtCore.Signal(str)  # noqa: N815

    def module(self, name: str) -> Any:
        return getattr(slicer.modules, name.lower(), None)


class Application(QtCore.QObject):
    """The part of qSlicerApplication that the module and ``slicer.util`` use."""

    startupCompleted = QtCore.Signal()  # noqa: N815

    def __init__(self, parts: SceneParts, folder: Path) -> None:
        super().__init__()
        self._parts = parts
        self._modules = ModuleManager()
        self.temporaryPath = str(folder)
        self.defaultScenePath = str(folder / "Documents")
        self.applicationName = "Slicer"
        self.majorVersion, self.minorVersion = 5, 10

    def applicationLogic(self) -> Any:  # noqa: N802
        return self._parts.application_logic

    def moduleManager(self) -> ModuleManager:  # noqa: N802
        return self._modules

    def userSettings(self) -> QtCore.QSettings:  # noqa: N802
        return QtCore.QSettings()

    def processEvents(self) -> None:  # noqa: N802
        QtCore.QCoreApplication.processEvents()

    def translate(self, context: str, text: str) -> str:
        """No translation is installed here."""
        return text

    def testingEnabled(self) -> bool:  # noqa: N802
        return True

    def topLevelWidgets(self) -> list[QtWidgets.QWidget]:  # noqa: N802
        return QtWidgets.QApplication.topLevelWidgets()

    def layoutManager(self) -> None:  # noqa: N802
        """There are no views."""

    def restart(self) -> None:
        """Would end the application."""

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
    def use_theme(name: str) -> None:
        """Shows everything in Slicer's "light" or "dark" theme."""
        theme.use(name)

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
    """Starts the host, once per process; with Slicer's own Python files where ``SLICER_SOURCE`` names a source tree."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    folder = Path(tempfile.mkdtemp(prefix="slicerhost-"))
    qt, ctk = pythonqt.install(), types.ModuleType("ctk")
    qt.QUiLoader = forms.StrictUiLoader
    sys.modules.update(qt=qt, ctk=ctk, MRMLCorePython=slicer_core.MRMLCore)
    node_selector.install()
    widgets.install(ctk)
    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["slicerhost"])
    _use_own_settings(folder)
    theme.use("light")
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
    parameter_node.install()
    if slicer_source.folder() is not None:
        slicer_source.install()
    return Host(parts, failures)


def _use_own_settings(folder: Path) -> None:
    """Settings of the host's own, so that a user's are neither read nor written."""
    QtCore.QCoreApplication.setOrganizationName("slicerhost")
    QtCore.QCoreApplication.setApplicationName("Slicer")
    QtCore.QSettings.setDefaultFormat(QtCore.QSettings.Format.IniFormat)
    QtCore.QSettings.setPath(QtCore.QSettings.Format.IniFormat, QtCore.QSettings.Scope.UserScope, str(folder))
    QtCore.QSettings().setValue("Developer/SelfTestDisplayMessageDelay", "0")
