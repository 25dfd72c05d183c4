"""What the application puts a scripted module's panel into, and what it calls of the panel, when, and how."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import slicer
from PySide6 import QtCore, QtWidgets

from slicerhost.pythonqt import plain_property


class qMRMLWidget(QtWidgets.QWidget):  # noqa: N801
    STAND_IN = True
    SIGNALS = ("mrmlSceneChanged(vtkMRMLScene*)",)
    mrmlSceneChanged = QtCore.Signal(object)  # noqa: N815

    def mrmlScene(self) -> Any:  # noqa: N802
        return self.__dict__.get("_scene")

    def setMRMLScene(self, scene: Any) -> None:  # noqa: N802
        self.__dict__["_scene"] = scene
        self.mrmlSceneChanged.emit(scene)


class qSlicerScriptedLoadableModuleWidget(qMRMLWidget):  # noqa: N801
    """The frame of a panel. What fails in the panel's methods is printed, and the application goes on."""

    isEntered = plain_property(bool, "_isEntered", False)  # noqa: N815

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._panel: Any = None
        self._path: Path | None = None
        QtWidgets.QVBoxLayout(self)

    def self(self) -> Any:
        """The Python object."""
        return self._panel

    def setPythonSource(self, path: str) -> bool:  # noqa: N802
        """Makes the Python object, of the class that the loaded module has now; False where it fails."""
        name = f"{Path(path).stem}Widget"
        try:
            self._panel = getattr(sys.modules[Path(path).stem], name)(self)
        except Exception:
            sys.excepthook(*sys.exc_info())
            return False
        self._path = Path(path)
        setattr(slicer.modules, name, self._panel)
        return True

    def setup(self) -> None:
        self._call("setup")

    def enter(self) -> None:
        assert not self.isEntered
        self.isEntered = True
        self._call("enter")

    def exit(self) -> None:
        assert self.isEntered
        self.isEntered = False
        self._call("exit")

    def reload(self) -> None:
        """Makes the Python object again and sets it up. Nobody enters it, although the user looks at it."""
        if self._path is not None and self._path.exists():
            self.setPythonSource(str(self._path))
            self.setup()

    def _call(self, method: str) -> None:
        try:
            getattr(self._panel, method)()
        except Exception:
            sys.excepthook(*sys.exc_info())
