"""Loads .ui files as the application does, and refuses unknown classes and properties, which Qt's loader lets pass."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

from PySide6 import QtCore, QtUiTools, QtWidgets

from slicerhost import widgets
from slicerhost.pythonqt import find_signal


class FormError(Exception):
    """A form names a class, a property, an object or a signal that does not exist."""


def _properties(cls: type) -> frozenset[str]:
    """The names of a class's Qt properties."""
    meta: QtCore.QMetaObject = cls.staticMetaObject  # type: ignore[attr-defined]
    return frozenset(meta.property(index).name() for index in range(meta.propertyCount()))


#: By class; asked before there is an instance, because PySide6 may lose a class's meta object along with one.
PROPERTIES = {
    cls: _properties(cls)
    for cls in (*(getattr(QtWidgets, name) for name in dir(QtWidgets)), *widgets.CTK, *widgets.QMRML)
    if isinstance(cls, type) and issubclass(cls, QtWidgets.QWidget)
}


class StrictUiLoader(QtUiTools.QUiLoader):
    """QUiLoader that knows the stand-ins, and makes connections whose arguments are MRML's."""

    def __init__(self, parent: QtCore.QObject | None = None) -> None:
        super().__init__(parent)
        self._stand_ins = {cls.__name__: cls for cls in (*widgets.CTK, *widgets.QMRML)}
        for cls in self._stand_ins.values():
            self.registerCustomWidget(cls)

    def load(self, device: QtCore.QIODevice, parent: QtWidgets.QWidget | None = None) -> QtWidgets.QWidget:
        form = ElementTree.fromstring(bytes(device.readAll().data()))
        for element in form.iter("widget"):
            self._check(element)
        connections = form.find("connections")
        links = [] if connections is None else list(connections)
        if connections is not None:
            form.remove(connections)
        buffer = QtCore.QBuffer()
        buffer.setData(ElementTree.tostring(form))
        buffer.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
        widget = super().load(buffer, parent)
        for link in links:
            _connect(widget, link)
        return widget

    def _check(self, element: ElementTree.Element) -> None:
        name = element.attrib["class"]
        cls = self._stand_ins.get(name) or getattr(QtWidgets, name, None)
        if cls not in PROPERTIES:
            raise FormError(f"There is no widget class {name}.")
        for prop in element.findall("property"):
            name_of_property = prop.attrib["name"]
            known = name_of_property in PROPERTIES[cls] or (
                issubclass(cls, QtWidgets.QLabel) and name_of_property == "buddy"
            )  # the loader's own
            if not known and prop.attrib.get("stdset") != "0":
                raise FormError(f"{name} has no property {name_of_property}.")


def _connect(form: QtWidgets.QWidget, link: ElementTree.Element) -> None:
    sender = _child(form, link.findtext("sender", ""))
    receiver = _child(form, link.findtext("receiver", ""))
    signal, _ = find_signal(sender, link.findtext("signal", ""))
    signal.connect(getattr(receiver, link.findtext("slot", "").split("(")[0]))


def _child(form: QtWidgets.QWidget, name: str) -> Any:
    child = form if form.objectName == name else form.findChild(QtCore.QObject, name)
    if child is None:
        raise FormError(f"The form has no object {name}.")
    return child
