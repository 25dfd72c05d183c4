"""Stand-ins for the ctk and qMRML widgets that the module's form uses, backed by a real scene.

Each lists the signals of the real class that may be connected, in the form in which Slicer code writes them.
"""

from __future__ import annotations

from typing import Any

import slicer
from PySide6 import QtCore, QtWidgets

from slicerhost.pythonqt import expose_properties


def _plain(kind: type | str, attribute: str, default: Any) -> QtCore.Property:
    """A Qt property that only keeps its value."""

    def get(self: QtCore.QObject) -> Any:
        return self.__dict__.get(attribute, default)

    def put(self: QtCore.QObject, value: Any) -> None:
        self.__dict__[attribute] = value

    return QtCore.Property(kind, get, put)


class ctkCollapsibleButton(QtWidgets.QWidget):  # noqa: N801
    STAND_IN = True
    SIGNALS = ("contentsCollapsed(bool)",)
    contentsCollapsed = QtCore.Signal(bool)  # noqa: N815
    text = _plain(str, "_text", "")

    def _get_collapsed(self) -> bool:
        return self.__dict__.get("_collapsed", False)

    def _set_collapsed(self, collapsed: bool) -> None:
        self.__dict__["_collapsed"] = collapsed
        for child in self.findChildren(QtWidgets.QWidget, options=QtCore.Qt.FindChildOption.FindDirectChildrenOnly):
            child.setVisible(not collapsed)
        self.contentsCollapsed.emit(collapsed)

    collapsed = QtCore.Property(bool, _get_collapsed, _set_collapsed)


class ctkPathLineEdit(QtWidgets.QWidget):  # noqa: N801
    STAND_IN = True
    SIGNALS = ("currentPathChanged(QString)",)
    currentPathChanged = QtCore.Signal(str)  # noqa: N815
    nameFilters = _plain("QStringList", "_nameFilters", [])  # noqa: N815
    settingKey = _plain(str, "_settingKey", "")  # noqa: N815

    def _get_path(self) -> str:
        return self.__dict__.get("_path", "")

    def _set_path(self, path: str) -> None:
        if path != self._get_path():
            self.__dict__["_path"] = path
            self.currentPathChanged.emit(path)

    currentPath = QtCore.Property(str, _get_path, _set_path)  # noqa: N815

    def addCurrentPathToHistory(self) -> None:  # noqa: N802
        """Remembers the path in the settings; here, nowhere."""


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
    """What the application puts a scripted module's panel into."""

    isEntered = _plain(bool, "_isEntered", False)  # noqa: N815


class qMRMLNodeComboBox(QtWidgets.QWidget):  # noqa: N801
    STAND_IN = True
    SIGNALS = ("currentNodeChanged(vtkMRMLNode*)", "currentNodeIDChanged(QString)")
    currentNodeChanged = QtCore.Signal(object)  # noqa: N815
    currentNodeIDChanged = QtCore.Signal(str)  # noqa: N815
    nodeTypes = _plain("QStringList", "_nodeTypes", [])  # noqa: N815
    hideChildNodeTypes = _plain("QStringList", "_hideChildNodeTypes", [])  # noqa: N815
    noneEnabled = _plain(bool, "_noneEnabled", False)  # noqa: N815
    addEnabled = _plain(bool, "_addEnabled", True)  # noqa: N815
    removeEnabled = _plain(bool, "_removeEnabled", True)  # noqa: N815
    noneDisplay = _plain(str, "_noneDisplay", "None")  # noqa: N815

    def setMRMLScene(self, scene: Any) -> None:  # noqa: N802
        self.__dict__["_scene"] = scene
        for event in (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent, scene.EndImportEvent):
            scene.AddObserver(event, lambda *_: self._follow_scene())
        self._follow_scene()

    def mrmlScene(self) -> Any:  # noqa: N802
        return self.__dict__.get("_scene")

    def currentNode(self) -> Any:  # noqa: N802
        return self.__dict__.get("_node")

    def setCurrentNode(self, node: Any) -> None:  # noqa: N802
        chosen = node if node in self._choices() else None
        if chosen is not self.currentNode():
            self.__dict__["_node"] = chosen
            self.currentNodeChanged.emit(chosen)
            self.currentNodeIDChanged.emit(chosen.GetID() if chosen is not None else "")

    def nodeCount(self) -> int:  # noqa: N802
        return len(self._choices())

    def _choices(self) -> list[Any]:
        scene = self.mrmlScene()
        if scene is None:
            return []
        nodes = [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]
        return [node for node in nodes if self._offers(node)]

    def _offers(self, node: Any) -> bool:
        hidden = any(node.IsA(kind) for kind in self.hideChildNodeTypes)
        return any(node.IsA(kind) for kind in self.nodeTypes) and not hidden and not node.GetHideFromEditors()

    def _follow_scene(self) -> None:
        """Lets go of a node that has left; without ``noneEnabled``, takes the first there is."""
        choices = self._choices()
        if self.currentNode() not in choices:
            self.setCurrentNode(choices[0] if choices and not self.noneEnabled else None)


CTK = (ctkCollapsibleButton, ctkPathLineEdit)
QMRML = (qMRMLWidget, qMRMLNodeComboBox, qSlicerScriptedLoadableModuleWidget)


def install(ctk: Any) -> None:
    """Puts the stand-ins where Slicer code looks for them."""
    for cls in (*CTK, *QMRML):
        expose_properties(cls)
    for cls in CTK:
        setattr(ctk, cls.__name__, cls)
    for cls in QMRML:
        setattr(slicer, cls.__name__, cls)
