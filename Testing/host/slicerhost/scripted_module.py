"""Stand-ins for ``slicer.ScriptedLoadableModule`` and ``slicer.i18n``, and how the application loads a module."""

from __future__ import annotations

import importlib.util
import sys
import types
import unittest
from pathlib import Path
from typing import Any

import slicer
from PySide6 import QtCore, QtGui

from slicerhost import file_dialog, widgets

#: Pixels; about what Slicer gives its module panel.
PANEL_WIDTH = 480


def tr(text: str) -> str:
    """``slicer.i18n.tr``: no translation is installed here."""
    return text


def translate(context: str, text: str) -> str:
    """``slicer.i18n.translate``."""
    return text


class ModuleParent:
    """What the application hands a module to describe itself in; other names are refused."""

    __slots__ = (
        "_widget",
        "acknowledgementText",
        "categories",
        "contributors",
        "dependencies",
        "helpText",
        "icon",
        "name",
        "path",
        "title",
    )

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.path = name, str(path)
        self._widget: Any = None

    def widgetRepresentation(self) -> Any:  # noqa: N802
        """The panel's frame; its ``self()`` is the Python object."""
        return self._widget


class ScriptedLoadableModule:
    def __init__(self, parent: ModuleParent) -> None:
        self.parent = parent
        self.moduleName = type(self).__name__
        slicer.__dict__.setdefault("selfTests", {})[self.moduleName] = self.runTest
        icon = Path(parent.path).parent / "Resources" / "Icons" / f"{self.moduleName}.png"
        parent.icon = QtGui.QIcon(str(icon))

    def runTest(self, msec: int = 100, **keywords: Any) -> None:  # noqa: N802
        """Runs the module's self-test, of the class that its file defines now."""
        test = getattr(sys.modules[type(self).__module__], f"{self.moduleName}Test")()
        test.messageDelay = msec
        test.runTest(**keywords)


class ScriptedLoadableModuleWidget:
    def __init__(self, parent: Any = None) -> None:
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.parent = parent
        self.layout = parent.layout()
        self.developerMode = False
        modules = slicer.app.moduleManager()
        modules.connect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)

    def resourcePath(self, name: str) -> str:  # noqa: N802
        return str(Path(slicer.util.modulePath(self.moduleName)).parent / "Resources" / name)

    def setup(self) -> None:
        """Adds the developer's buttons, where that mode is on; here it is not."""

    def cleanup(self) -> None:
        """Called before the module is unloaded."""

    def onReload(self) -> None:  # noqa: N802
        """What the developer's button Reload does."""
        slicer.util.reloadScriptedModule(self.moduleName)

    def onReloadAndTest(self, **keywords: Any) -> None:  # noqa: N802
        """What the developer's button Reload and Test does."""
        with slicer.util.tryWithErrorDisplay("Reload and Test failed."):
            self.onReload()
            slicer.selfTests[self.moduleName](msec=0, **keywords)

    def _onModuleAboutToBeUnloaded(self, name: str) -> None:  # noqa: N802
        if name == self.moduleName:
            self.cleanup()
            modules = slicer.app.moduleManager()
            modules.disconnect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)


class ScriptedLoadableModuleLogic:
    def __init__(self, parent: Any = None) -> None:
        self.moduleName = type(self).__name__.removesuffix("Logic")
        self.isSingletonParameterNode = True

    def getParameterNode(self) -> Any:  # noqa: N802
        """The module's one parameter node in the scene, made where it is missing."""
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.vtkMRMLScriptedModuleNode()
            node.SetSingletonTag(self.moduleName)
            node.SetName(self.moduleName)
            node = slicer.mrmlScene.AddNode(node)
        node.SetAttribute("ModuleName", self.moduleName)
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.messageDelay = 0

    def delayDisplay(self, message: str, requestedDelay: int | None = None) -> None:  # noqa: N802, N803
        """Shows a message for a while and lets the event loop catch up."""
        slicer.app.processEvents()

    def runTest(self) -> None:  # noqa: N802
        """Overridden by the module."""


def install() -> None:
    """Puts the stand-ins where ``from slicer.ScriptedLoadableModule import ...`` finds them."""
    scripted = _submodule("ScriptedLoadableModule")
    names = [name for name in globals() if name.startswith("ScriptedLoadableModule")]
    vars(scripted).update({name: globals()[name] for name in names})
    scripted.__all__ = names
    vars(_submodule("i18n")).update(tr=tr, translate=translate)


def _submodule(name: str) -> types.ModuleType:
    module = types.ModuleType(f"slicer.{name}")
    sys.modules[module.__name__] = module
    setattr(slicer, name, module)
    return module


def load_file(path: Path) -> Any:
    """Runs a module's file, its folder on Python's path, and returns the Python module."""
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load(path: Path) -> Any:
    """Loads a module's file as the application does at start, and returns the Python module."""
    name, module = path.stem, load_file(path)
    parent = ModuleParent(name, path)
    setattr(slicer.modules, name.lower(), parent)
    setattr(slicer.moduleNames, name, name)
    setattr(slicer.modules, f"{name}Instance", getattr(module, name)(parent))
    file_dialog.register(module)
    return module


def open_panel(module: types.ModuleType) -> Any:
    """Makes the module's panel, as when a user first opens it, and returns the Python widget.

    Raises:
        RuntimeError: The widget could not be made; why, the failures say.
    """
    name = module.__name__
    frame = widgets.qSlicerScriptedLoadableModuleWidget()
    frame.setMRMLScene(slicer.mrmlScene)
    getattr(slicer.modules, name.lower())._widget = frame
    if not frame.setPythonSource(module.__file__):
        raise RuntimeError(f"{name}Widget could not be made")
    frame.setup()
    frame.resize(PANEL_WIDTH, frame.sizeHint().height())
    frame.show()
    frame.enter()
    return frame.self()


def close_panel(panel: Any) -> None:
    """Takes the panel away, as when the application ends."""
    name, frame = panel.moduleName, panel.parent
    slicer.app.moduleManager().moduleAboutToBeUnloaded.emit(name)
    frame.deleteLater()
    QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete)
    getattr(slicer.modules, name.lower())._widget = None
    delattr(slicer.modules, f"{name}Widget")
