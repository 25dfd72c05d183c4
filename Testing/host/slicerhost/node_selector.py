"""A stand-in for qMRMLNodeComboBox, read from Libs/MRML/Widgets/qMRMLNodeComboBox and qMRMLSortFilterProxyModel."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtWidgets

from slicerhost.pythonqt import expose_properties


def _plain(kind: type | str, attribute: str, default: Any) -> QtCore.Property:
    """A Qt property that keeps its value, and has what is offered shown again."""

    def get(self: Any) -> Any:
        return self.__dict__.get(attribute, default)

    def put(self: Any, value: Any) -> None:
        if self.__dict__.get(attribute, default) != value:
            self.__dict__[attribute] = value
            self._follow()

    return QtCore.Property(kind, get, put)


class qMRMLSortFilterProxyModel(QtCore.QObject):  # noqa: N801
    """The filter behind a selector; of its rules only those that the module uses."""

    STAND_IN = True
    hiddenNodeIDs = _plain("QStringList", "_hiddenNodeIDs", [])  # noqa: N815

    def _follow(self) -> None:
        self.parent()._follow()


class qMRMLNodeComboBox(QtWidgets.QWidget):  # noqa: N801
    STAND_IN = True
    SIGNALS = (
        "currentNodeChanged(vtkMRMLNode*)",
        "currentNodeIDChanged(QString)",
        "nodeAddedByUser(vtkMRMLNode*)",
        "currentNodeRenamed(QString)",
    )
    currentNodeChanged = QtCore.Signal(object)  # noqa: N815
    currentNodeIDChanged = QtCore.Signal(str)  # noqa: N815
    nodeAddedByUser = QtCore.Signal(object)  # noqa: N815
    currentNodeRenamed = QtCore.Signal(str)  # noqa: N815
    nodeTypes = _plain("QStringList", "_nodeTypes", [])  # noqa: N815
    hideChildNodeTypes = _plain("QStringList", "_hideChildNodeTypes", [])  # noqa: N815
    noneEnabled = _plain(bool, "_noneEnabled", False)  # noqa: N815
    addEnabled = _plain(bool, "_addEnabled", True)  # noqa: N815
    removeEnabled = _plain(bool, "_removeEnabled", True)  # noqa: N815
    renameEnabled = _plain(bool, "_renameEnabled", False)  # noqa: N815
    baseName = _plain(str, "_baseName", "")  # noqa: N815

    def _get_none_display(self) -> str:
        return self.__dict__.get("_noneDisplay", "None")

    def _set_none_display(self, text: str) -> None:
        """Takes the entry out and puts another in; where it was the current one, Qt makes the next entry current.

        qMRMLNodeComboBoxPrivate::updateNoneItem, qMRMLSceneModel::setPreItems, QComboBox's rowsRemoved.
        """
        if text == self._get_none_display():
            return
        self.__dict__["_noneDisplay"] = text
        choices = self._choices()
        if self.noneEnabled and self.currentNode() is None and choices:
            self.setCurrentNode(choices[0])
        self._follow()

    noneDisplay = QtCore.Property(str, _get_none_display, _set_none_display)  # noqa: N815

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._filter = qMRMLSortFilterProxyModel(self)
        # As wide as its longest entry asks, like ctkComboBox: a name without end widens a form that does not forbid it.
        self._box = QtWidgets.QComboBox(self)
        self._box.setSizeAdjustPolicy(QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToContents)
        expanding = QtWidgets.QSizePolicy.Policy.Expanding
        self._box.setSizePolicy(expanding, expanding)
        policy, fixed = QtWidgets.QSizePolicy.Policy.Preferred, QtWidgets.QSizePolicy.Policy.Fixed
        self.setSizePolicy(policy, fixed)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box)
        self.setFocusProxy(self._box)
        self._box.activated.connect(self._choose)

    def setMRMLScene(self, scene: Any) -> None:  # noqa: N802
        self.__dict__["_scene"] = scene
        events = (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent, scene.EndImportEvent)
        tags = [scene.AddObserver(event, lambda *_: self._follow()) for event in events]
        self.destroyed.connect(lambda: [scene.RemoveObserver(tag) for tag in tags])
        self._follow()

    def mrmlScene(self) -> Any:  # noqa: N802
        return self.__dict__.get("_scene")

    def sortFilterProxyModel(self) -> qMRMLSortFilterProxyModel:  # noqa: N802
        return self._filter

    def currentNode(self) -> Any:  # noqa: N802
        return self.__dict__.get("_node")

    def setCurrentNode(self, node: Any) -> None:  # noqa: N802
        chosen = node if node in self._choices() else None
        if chosen is not self.currentNode():
            self.__dict__["_node"] = chosen
            self.currentNodeChanged.emit(chosen)
            self._show_choices()
            self.currentNodeIDChanged.emit(chosen.GetID() if chosen is not None else "")

    def addNode(self) -> Any:  # noqa: N802
        """What the entry *Create new* does; it is there where ``addEnabled`` says so."""
        if not self.addEnabled:
            raise AssertionError("this selector creates nothing")
        scene = self.mrmlScene()
        node = scene.CreateNodeByClass(self.nodeTypes[0])
        node.UnRegister(None)
        node.SetName(scene.GetUniqueNameByString(self.baseName or node.GetDefaultNodeNamePrefix()))
        node = scene.AddNode(node)
        self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def nodes(self) -> list[Any]:
        """The nodes that are offered."""
        return self._choices()

    def nodeCount(self) -> int:  # noqa: N802
        return len(self._choices())

    def _choose(self, row: int) -> None:
        offered = self._offered()
        if row < len(offered):
            self.setCurrentNode(offered[row])
            return
        self._show_choices()
        if self._deeds()[row - len(offered)].startswith("Create new"):
            self.addNode()

    def _deeds(self) -> list[str]:
        """The entries below the nodes, in the order of ``updateActionItems``."""
        known = (
            (self.renameEnabled, "Rename current node"),
            (self.addEnabled, "Create new node"),
            (self.removeEnabled, "Delete current node"),
        )
        return [text for there, text in known if there]

    def _offered(self) -> list[Any]:
        """What the list shows, row by row."""
        return [*([None] if self.noneEnabled else []), *self._choices()]

    def _show_choices(self) -> None:
        offered = self._offered()
        node = self.currentNode()
        entries = [*(self.noneDisplay if one is None else one.GetName() for one in offered), *self._deeds()]
        if entries != self.__dict__.get("_entries"):
            self.__dict__["_entries"] = entries
            self._box.clear()
            self._box.addItems(entries)
        self._box.setCurrentIndex(offered.index(node) if node in offered else -1)

    def _choices(self) -> list[Any]:
        scene = self.mrmlScene()
        if scene is None:
            return []
        # Read once, not once a node: a selector looks through the scene at whatever happens in it.
        kinds, hidden_kinds, hidden = self.nodeTypes, self.hideChildNodeTypes, self._filter.hiddenNodeIDs
        nodes = scene.GetNodesByClass(kinds[0]) if len(kinds) == 1 else scene.GetNodes()
        if len(kinds) == 1:
            nodes.UnRegister(None)  # a collection made for the caller

        def is_offered(node: Any) -> bool:
            if not any(map(node.IsA, kinds)) or node.GetHideFromEditors():
                return False
            return node.GetID() not in hidden and not any(map(node.IsA, hidden_kinds))

        return [node for node in nodes if is_offered(node)]

    def _follow(self) -> None:
        """Lets go of a node that has left or is hidden; without ``noneEnabled``, takes the first there is."""
        if self.mrmlScene() is None:
            return
        choices = self._choices()
        if self.currentNode() not in choices:
            self.setCurrentNode(choices[0] if choices and not self.noneEnabled else None)
        self._show_choices()


def install() -> None:
    """Makes the properties read like attributes."""
    for cls in (qMRMLSortFilterProxyModel, qMRMLNodeComboBox):
        expose_properties(cls)
