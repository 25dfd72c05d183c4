"""A stand-in for ``slicer.parameterNodeWrapper``: typed members over a vtkMRMLScriptedModuleNode, bound to widgets."""

from __future__ import annotations

import sys
import types
import typing
import weakref
from typing import Any

import slicer
import slicer.util
import vtk

from slicerhost import parameter_types
from slicerhost.parameter_types import Parameter
from slicerhost.parameter_widgets import connector

#: The dynamic property that binds a widget of a form to a parameter.
BINDING = "SlicerParameterName"

Value = typing.TypeVar("Value", bound=type)


class Wrapper:
    """What the decorated class becomes, besides its members."""

    allParameters: typing.ClassVar[dict[str, Parameter]]  # noqa: N815

    def __init__(self, node: Any) -> None:
        self.parameterNode = node
        self._guis: dict[int, dict[str, Any]] = {}
        self._next_tag = 0
        self._following = self._writing = False
        self._values = {name: parameter.read(node) for name, parameter in self.allParameters.items()}
        me = weakref.ref(self)
        tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: me()._read_again())
        weakref.finalize(self, node.RemoveObserver, tag)

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name.startswith("_") or name == "parameterNode" or name in self.allParameters):
            raise AttributeError(f"{type(self).__name__} has no parameter {name!r}")
        object.__setattr__(self, name, value)

    def getValue(self, name: str) -> Any:  # noqa: N802
        """The value as it was when the node last told of a change."""
        self._known(name)
        return self._values[name]

    def setValue(self, name: str, value: Any) -> None:  # noqa: N802
        self._known(name)
        parameter = self.allParameters[name]
        self._writing = True
        try:
            with slicer.util.NodeModify(self.parameterNode):
                parameter.write(self.parameterNode, value)
                self._values[name] = parameter.read(self.parameterNode)
        finally:
            self._writing = False

    def default(self, name: str) -> parameter_types.Default:
        self._known(name)
        return parameter_types.Default(self.allParameters[name].default)

    def connectGui(self, ui: Any) -> int:  # noqa: N802
        """Binds the widgets that name a parameter; all or, where one cannot be bound, none."""
        bound = {widget.property(BINDING): widget for widget in vars(ui).values() if widget.property(BINDING)}
        for name in bound:
            self._known(name)
        connectors = {name: connector(widget, self.allParameters[name]) for name, widget in bound.items()}
        tag, self._next_tag = self._next_tag, self._next_tag + 1
        self._guis[tag] = connectors
        for name, one in connectors.items():
            one.write(self.getValue(name))
            one.listen(lambda name=name, one=one: self._take(name, one))
        self.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._show())
        return tag

    def disconnectGui(self, tag: int) -> None:  # noqa: N802
        for one in self._guis.pop(tag, {}).values():
            one.stop()

    def StartModify(self) -> Any:  # noqa: N802
        return self.parameterNode.StartModify()

    def EndModify(self, modified: Any) -> Any:  # noqa: N802
        return self.parameterNode.EndModify(modified)

    def AddObserver(self, event: Any, callback: Any, priority: float = 0.0) -> int:  # noqa: N802
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:  # noqa: N802
        self.parameterNode.RemoveObserver(tag)

    def Modified(self) -> None:  # noqa: N802
        self.parameterNode.Modified()

    def _known(self, name: str) -> None:
        if name not in self.allParameters:
            raise ValueError(f"Cannot find a param with the given name: {name}")

    def _read_again(self) -> None:
        if not self._writing:
            self._values = {name: one.read(self.parameterNode) for name, one in self.allParameters.items()}

    def _take(self, name: str, one: Any) -> None:
        if not self._following:
            with slicer.util.NodeModify(self):
                self.setValue(name, one.read())

    def _show(self) -> None:
        if self._following:
            return
        self._following = True
        try:
            with slicer.util.NodeModify(self):
                for connectors in self._guis.values():
                    for name, one in connectors.items():
                        one.write(self.getValue(name))
        finally:
            self._following = False


def parameterNodeWrapper(cls: Value | None = None) -> Any:  # noqa: N802
    """The decorator: annotated members become typed, stored parameters."""
    return _wrapped if cls is None else _wrapped(cls)


def _wrapped(cls: Value) -> Value:
    hints = typing.get_type_hints(cls, include_extras=True)
    taken = {name for name in vars(Wrapper) if not name.startswith("__")} | {"allParameters"}
    if reserved := taken & (set(vars(cls)) | set(hints)):
        raise ValueError(f"Cannot use reserved name {sorted(reserved)} in a parameterNodeWrapper")
    parameters = {}
    for name, hint in hints.items():
        try:
            parameters[name] = Parameter(name, hint, cls)
        except Exception as error:
            raise Exception(f"Unable to create serializer for {cls} member {name}") from error
    members = {
        name: property(
            lambda self, name=name: self.getValue(name), lambda self, value, name=name: self.setValue(name, value)
        )
        for name in parameters
    }
    kept = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
    return type(cls.__name__, (Wrapper,), {**kept, "allParameters": parameters, **members})


def install() -> None:
    """Puts it where ``from slicer.parameterNodeWrapper import ...`` finds it."""
    module = types.ModuleType("slicer.parameterNodeWrapper")
    module.parameterNodeWrapper = parameterNodeWrapper
    for known in ("Choice", "Default", "Validator", "WithinRange"):
        setattr(module, known, getattr(parameter_types, known))
    sys.modules[module.__name__] = slicer.parameterNodeWrapper = module
