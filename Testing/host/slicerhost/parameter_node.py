"""A stand-in for ``slicer.parameterNodeWrapper``: typed members over a vtkMRMLScriptedModuleNode, bound to widgets.

It knows the types and the pairs of type and widget that the module uses. Anything else is refused, so that a module
that runs here asks of the real one only what is listed here.
"""

from __future__ import annotations

import json
import pathlib
import types
import typing
from collections.abc import Callable
from typing import Any

import slicer
import vtk
from PySide6 import QtWidgets

from slicerhost import widgets

#: The dynamic property that binds a widget of a form to a parameter.
BINDING = "SlicerParameterName"
RESERVED = frozenset(
    (
        *("allParameters", "default", "isCached", "dataType", "getValue", "setValue", "parameterNode"),
        *("connectGui", "connectParametersToGui", "disconnectGui"),
        *("StartModify", "EndModify", "AddObserver", "RemoveObserver", "Modified"),
    )
)


class _Text:
    """Values that are kept as texts."""

    def __init__(self, kind: Any, write: Callable[[Any], str], read: Callable[[str], Any], default: Any) -> None:
        self.kind, self._write, self._read, self.default = kind, write, read, default

    def write(self, node: Any, name: str, value: Any) -> None:
        if not isinstance(value, self.kind):
            raise TypeError(f"{name} should be {self.kind.__name__}, not {value!r}")
        node.SetParameter(name, self._write(value))

    def read(self, node: Any, name: str) -> Any:
        return self._read(node.GetParameter(name))


class _Node:
    """A node of the scene, kept as a reference."""

    default = None

    def __init__(self, kind: type) -> None:
        self.kind = kind

    def write(self, node: Any, name: str, value: Any) -> None:
        if value is not None and not isinstance(value, self.kind):
            raise TypeError(f"{name} should be a {self.kind.__name__}, not {value!r}")
        node.SetParameter(name, "")
        node.SetNodeReferenceID(name, None if value is None else value.GetID())

    def read(self, node: Any, name: str) -> Any:
        return node.GetNodeReference(name)


def _serializer(kind: Any) -> _Text | _Node:
    if isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode):
        return _Node(kind)
    if kind is str:
        return _Text(str, str, str, "")
    if kind is int:
        return _Text(int, str, int, 0)
    if kind is bool:
        return _Text(bool, str, lambda text: text == "True", False)
    if kind is int:
        return _Text(int, str, int, 0)
    if kind is pathlib.Path:
        return _Text(pathlib.Path, str, pathlib.Path, pathlib.Path())
    if typing.get_origin(kind) is dict and typing.get_args(kind) == (str, str):
        return _Text(dict, json.dumps, json.loads, {})
    raise TypeError(f"The test host's parameterNodeWrapper does not know the type {kind}")


def _binding(widget: Any, kind: Any) -> tuple[Callable[[], Any], Callable[[Any], None], Any]:
    """How to read and write a widget, and the signal that tells of a change."""
    if isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode) and type(widget) is widgets.qMRMLNodeComboBox:
        return widget.currentNode, widget.setCurrentNode, widget.currentNodeChanged
    if kind is pathlib.Path and type(widget) is widgets.ctkPathLineEdit:
        return (
            lambda: pathlib.Path(widget.currentPath),
            lambda path: setattr(widget, "currentPath", str(path)),
            widget.currentPathChanged,
        )
    if kind is str and type(widget) is QtWidgets.QComboBox:
        return lambda: widget.currentText, widget.setCurrentText, widget.currentTextChanged
    if kind is str and type(widget) is QtWidgets.QLineEdit:
        return lambda: widget.text, lambda text: _write_text(widget, text), widget.textChanged
    if kind is int and type(widget) is QtWidgets.QSpinBox:
        return lambda: widget.value, widget.setValue, widget.valueChanged
    if kind is bool and type(widget) is QtWidgets.QCheckBox:
        return lambda: widget.checked, widget.setChecked, widget.toggled
    raise TypeError(f"The test host cannot bind {kind} to a {type(widget).__name__}")


def _write_text(widget: Any, text: str) -> None:
    """Leaves the cursor alone while the text stays the same, as Slicer's does."""
    if text != widget.text:
        widget.text = text


def parameterNodeWrapper(cls: type) -> type:  # noqa: N802
    """The decorator: annotated members become typed, stored parameters."""
    kinds = typing.get_type_hints(cls)
    serializers = {name: _serializer(kind) for name, kind in kinds.items()}
    if taken := RESERVED & (set(vars(cls)) | set(kinds)):
        raise ValueError(f"reserved names: {sorted(taken)}")
    defaults = {name: vars(cls).get(name, serializers[name].default) for name in kinds}
    for name, serializer in serializers.items():
        setattr(cls, name, _member(name, serializer))

    def make(self: Any, node: Any) -> None:
        self.parameterNode = node
        self._bindings = {}
        for name, serializer in serializers.items():
            if not node.HasParameter(name):
                serializer.write(node, name, defaults[name])

    cls.__init__ = make
    cls.__setattr__ = _set_known
    cls.connectGui = lambda self, ui: _connect_gui(self, ui, kinds)
    cls.disconnectGui = _disconnect_gui
    cls.AddObserver = lambda self, event, callback: self.parameterNode.AddObserver(event, callback)
    cls.RemoveObserver = lambda self, tag: self.parameterNode.RemoveObserver(tag)
    cls.StartModify = lambda self: self.parameterNode.StartModify()
    cls.EndModify = lambda self, modified: self.parameterNode.EndModify(modified)
    return cls


def _member(name: str, serializer: _Text | _Node) -> property:
    return property(
        lambda self: serializer.read(self.parameterNode, name),
        lambda self, value: serializer.write(self.parameterNode, name, value),
    )


def _set_known(self: Any, name: str, value: Any) -> None:
    if name not in ("parameterNode", "_bindings") and not isinstance(getattr(type(self), name, None), property):
        raise AttributeError(f"{type(self).__name__} has no parameter {name!r}")
    object.__setattr__(self, name, value)


def _connect_gui(self: Any, ui: Any, kinds: dict[str, Any]) -> int:
    pairs = []
    for widget in vars(ui).values():
        name = widget.property(BINDING)
        if name is not None:
            if name not in kinds:
                raise ValueError(f"The form binds a widget to a parameter {name!r} that does not exist")
            pairs.append((name, *_binding(widget, kinds[name])))
    following = types.SimpleNamespace(active=False)

    def follow(*_: Any) -> None:
        if not following.active:
            following.active = True
            try:
                for name, _read, write, _signal in pairs:
                    write(getattr(self, name))
            finally:
                following.active = False

    follow()
    slots = []
    for name, read, _write, signal in pairs:

        def changed(*_: Any, name: str = name, read: Callable[[], Any] = read) -> None:
            if not following.active:
                setattr(self, name, read())

        signal.connect(changed)
        slots.append((signal, changed))
    tag = self.parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, follow)
    self._bindings[tag] = slots
    return tag


def _disconnect_gui(self: Any, tag: int) -> None:
    for signal, slot in self._bindings.pop(tag):
        signal.disconnect(slot)
    self.parameterNode.RemoveObserver(tag)
