"""How widgets and parameters are connected, and what is demanded of both, as ``slicer.parameterNodeWrapper`` has it."""

from __future__ import annotations

import pathlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import slicer
from PySide6 import QtCore, QtWidgets

from slicerhost import widgets
from slicerhost.parameter_types import Choice, Parameter, WithinRange

#: What a spin box is let go to where its parameter says no range.
UNBOUNDED = (-(2**31), 2**31 - 1)


class Connector(ABC):
    """Reads and writes one widget, and is told of its changes."""

    def __init__(self, widget: Any, parameter: Parameter) -> None:
        self._widget, self._told = widget, None
        self._signal: QtCore.SignalInstance = self.prepare(widget, parameter)

    @abstractmethod
    def prepare(self, widget: Any, parameter: Parameter) -> Any:
        """Fits the widget to the parameter, and returns the signal of its changes."""

    @abstractmethod
    def read(self) -> Any:
        """The value that is there."""

    @abstractmethod
    def write(self, value: Any) -> None:
        """Puts a value there."""

    def listen(self, told: Callable[[], None]) -> None:
        """Begins to tell of changes."""
        self._told = lambda *_: told()
        self._signal.connect(self._told)

    def stop(self) -> None:
        """Tells no more."""
        self._signal.disconnect(self._told)
        self._told = None


class NodeSelector(Connector):
    """Offers nodes of the parameter's type, whatever types the form names."""

    def prepare(self, widget: Any, parameter: Parameter) -> Any:
        widget.nodeTypes = (parameter.type.__name__,)
        return widget.currentNodeChanged

    def read(self) -> Any:
        return self._widget.currentNode()

    def write(self, value: Any) -> None:
        self._widget.setCurrentNode(value)


class Combo(Connector):
    """Offers what the parameter's Choice says, whatever items the form names; refuses a value that is not offered."""

    def prepare(self, widget: Any, parameter: Parameter) -> Any:
        choice = parameter.annotation(Choice)
        if choice is None:
            raise RuntimeError(f"{widget.objectName}: ComboBox requires the Choice annotation to be used.")
        self._choices = list(choice.choices)
        widget.clear()
        widget.addItems([str(one) for one in self._choices])
        return widget.currentIndexChanged

    def read(self) -> Any:
        return self._choices[self._widget.currentIndex]

    def write(self, value: Any) -> None:
        if value not in self._choices:
            raise ValueError(f"Unable to find value {value} in choices {self._choices}")
        self._widget.setCurrentIndex(self._choices.index(value))


class Spin(Connector):
    """Has the parameter's range, whatever range the form names."""

    def prepare(self, widget: Any, parameter: Parameter) -> Any:
        within = parameter.annotation(WithinRange)
        widget.setRange(*(UNBOUNDED if within is None else (within.minimum, within.maximum)))
        return widget.valueChanged

    def read(self) -> Any:
        return self._widget.value

    def write(self, value: Any) -> None:
        self._widget.value = value


class Check(Connector):
    def prepare(self, widget: Any, parameter: Parameter) -> Any:
        return widget.toggled

    def read(self) -> Any:
        return self._widget.checked

    def write(self, value: Any) -> None:
        self._widget.checked = value


class Line(Connector):
    """Leaves the cursor alone while the text stays the same."""

    def prepare(self, widget: Any, parameter: Parameter) -> Any:
        return widget.textChanged

    def read(self) -> Any:
        return self._widget.text

    def write(self, value: Any) -> None:
        if value != self._widget.text:
            self._widget.text = value


class PathLine(Connector):
    """A cleared line tells of nothing; and the empty path is "." when it is written."""

    def prepare(self, widget: Any, parameter: Parameter) -> Any:
        return widget.currentPathChanged

    def read(self) -> Any:
        return pathlib.Path(self._widget.currentPath)

    def write(self, value: Any) -> None:
        self._widget.currentPath = str(value)


CONNECTORS: dict[tuple[type, type], type[Connector]] = {
    (QtWidgets.QComboBox, str): Combo,
    (QtWidgets.QComboBox, int): Combo,
    (QtWidgets.QSpinBox, int): Spin,
    (QtWidgets.QCheckBox, bool): Check,
    (QtWidgets.QLineEdit, str): Line,
    (widgets.ctkPathLineEdit, pathlib.Path): PathLine,
}


def connector(widget: Any, parameter: Parameter) -> Connector:
    """Connects a widget of exactly one of the known classes.

    Raises:
        RuntimeError: The two do not fit, or the parameter does not say what the widget needs to know.
    """
    if issubclass(parameter.type, slicer.vtkMRMLNode) and type(widget) is widgets.qMRMLNodeComboBox:
        return NodeSelector(widget, parameter)
    try:
        fitting = CONNECTORS[type(widget), parameter.type]
    except KeyError:
        message = f"Unable to create GUI connector from datatype '{parameter.type}' to widget type '{type(widget)}'."
        raise RuntimeError(message) from None
    return fitting(widget, parameter)
