"""PySide6 made to read like Slicer's PythonQt: properties are attributes, and signals are connected by their signature.

The classes themselves are changed, not wrapped: Slicer's code compares types (``type(w) in (qt.QCheckBox, ...)``).
"""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Callable, Iterator
from typing import Any

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

MODULES = (QtCore, QtGui, QtWidgets, QtUiTools)
#: Properties whose getters are virtual: PySide6 would take the attribute for an override in Python, and call it.
VIRTUAL = frozenset(("sizeHint", "minimumSizeHint"))
#: Names a stand-in may keep for itself.
PRIVATE = re.compile(r"_\w+")


class QtProperty:
    """A Qt property as an attribute of instances; on the class, what was there before (such as QTimer.singleShot)."""

    def __init__(self, name: str, shadowed: Any) -> None:
        self.name, self.shadowed = name, shadowed

    def __get__(self, instance: QtCore.QObject | None, owner: type) -> Any:
        if instance is None:
            return self.shadowed.__get__(None, owner) if hasattr(self.shadowed, "__get__") else self.shadowed
        return QtCore.QObject.property(instance, self.name)

    def __set__(self, instance: QtCore.QObject, value: Any) -> None:
        given = list(value) if isinstance(value, tuple) else value  # PythonQt takes any sequence for a list
        if not QtCore.QObject.setProperty(instance, self.name, given):
            raise AttributeError(f"{type(instance).__name__}.{self.name} cannot be set to {value!r}")


def qt_classes() -> Iterator[type]:
    """Every class of the modules that derives from QObject."""
    for module in MODULES:
        for name in dir(module):
            candidate = getattr(module, name)
            if isinstance(candidate, type) and issubclass(candidate, QtCore.QObject):
                yield candidate


def install() -> types.ModuleType:
    """Changes PySide6's classes, and makes the module that ``import qt`` finds."""
    classes = list(dict.fromkeys(qt_classes()))
    for cls in classes:
        expose_properties(cls)
    for cls in classes:
        if cls is QtCore.QObject or "__getattribute__" in vars(cls):
            cls.__getattribute__ = _attribute_getter(cls.__getattribute__)
        if cls is QtCore.QObject or "__setattr__" in vars(cls):
            cls.__setattr__ = _set_attribute
    QtCore.QObject.name = QtProperty("objectName", None)
    QtWidgets.QDialog.exec_ = QtWidgets.QDialog.exec  # PySide6's own of that name warns that it will go
    _give_one_path()
    qt = types.ModuleType("qt")
    for module in MODULES:
        vars(qt).update({name: getattr(module, name) for name in dir(module) if not name.startswith("_")})
    del qt.Signal, qt.Slot, qt.Property  # PySide6's own; in Slicer they are not there or do harm
    return qt


def expose_properties(cls: type) -> None:
    """Makes the Qt properties that a class itself declares attributes of its instances."""
    meta = vars(cls).get("staticMetaObject")
    if meta is None or meta.className().split("::")[-1] != cls.__name__:
        return
    for index in range(meta.propertyOffset(), meta.propertyCount()):
        name = meta.property(index).name()
        there = inspect.getattr_static(cls, name, None)
        if name not in VIRTUAL and not isinstance(there, (QtCore.Property, QtCore.Signal)):
            setattr(cls, name, QtProperty(name, there))


def plain_property(kind: type | str, attribute: str, default: Any) -> QtCore.Property:
    """A stand-in's Qt property that only keeps its value."""

    def get(self: QtCore.QObject) -> Any:
        return self.__dict__.get(attribute, default)

    def put(self: QtCore.QObject, value: Any) -> None:
        self.__dict__[attribute] = value

    return QtCore.Property(kind, get, put)


def _attribute_getter(original: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    def get(self: QtCore.QObject, name: str) -> Any:
        if name == "connect":
            return lambda *arguments: _connect(self, original, *arguments)
        if name == "disconnect":
            return lambda *arguments: _disconnect(self, original, *arguments)
        if name == "className":
            return lambda: type(self).__name__
        return original(self, name)

    return get


def _set_attribute(self: QtCore.QObject, name: str, value: Any) -> None:
    """PythonQt refuses an attribute that neither Qt nor a Python subclass knows; a misspelt property is found so."""
    known = inspect.getattr_static(type(self), name, None)
    if isinstance(known, QtCore.Property):
        known = QtProperty(name, known)
    if hasattr(known, "__set__"):
        known.__set__(self, value)
        return
    stock = type(self).__module__.startswith("PySide6") or getattr(type(self), "STAND_IN", False)
    own = isinstance(value, QtCore.SignalInstance)  # PySide6 keeps a signal so once it has been asked for
    if stock and not own and not PRIVATE.fullmatch(name):
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
    object.__getattribute__(self, "__dict__")[name] = value


def _connect(sender: QtCore.QObject, original: Callable[[Any, str], Any], *arguments: Any) -> bool:
    signature, *target = arguments
    if not isinstance(signature, str) or signature[:1].isdigit() or not callable(target[0]):
        return original(sender, "connect")(*arguments)  # PySide6's own calls
    signal, count = find_signal(sender, signature)
    slot = _slot(target[0], count)
    links = original(sender, "__dict__").setdefault("_links", [])
    links.append((normalized(signature), target[0], slot))
    signal.connect(slot)
    return True


def _disconnect(sender: QtCore.QObject, original: Callable[[Any, str], Any], *arguments: Any) -> bool:
    signature, *target = arguments
    if not isinstance(signature, str) or signature[:1].isdigit():
        return original(sender, "disconnect")(*arguments)
    links = original(sender, "__dict__").get("_links", [])
    matching = [link for link in links if link[0] == normalized(signature) and (not target or link[1] == target[0])]
    if not matching:
        raise ValueError(f"{type(sender).__name__}.{signature} is not connected to {target}")
    for link in matching:
        find_signal(sender, signature)[0].disconnect(link[2])
        links.remove(link)
    return True


def normalized(signature: str) -> str:
    """A signature as Qt writes it, without spaces."""
    return signature.replace(" ", "")


def find_signal(sender: QtCore.QObject, signature: str) -> tuple[QtCore.SignalInstance, int]:
    """The signal of exactly that signature, and how many arguments it carries.

    Raises:
        ValueError: The object has no such signal.
    """
    match = re.fullmatch(r"(\w+)\((.*)\)", normalized(signature))
    known = set(getattr(sender, "SIGNALS", ()))
    if match is None or (normalized(signature) not in known and not _qt_knows(sender, signature)):
        raise ValueError(f"{type(sender).__name__} has no signal {signature!r}")
    return getattr(sender, match[1]), len(match[2].split(",")) if match[2] else 0


def _qt_knows(sender: QtCore.QObject, signature: str) -> bool:
    normal = QtCore.QMetaObject.normalizedSignature(signature)
    plain = normal if isinstance(normal, str) else bytes(normal).decode()
    return sender.metaObject().indexOfSignal(plain) >= 0


def _slot(function: Callable[..., Any], count: int) -> Callable[..., Any]:
    """Hands a callable as many of the signal's arguments as it takes, as PythonQt does.

    PySide6 reads off a slot's own parameters which of a signal's arguments to give, so they are written out.
    """
    by_count: dict[int, Callable[..., Any]] = {
        0: lambda: function(),
        1: lambda first: function(first),
        2: lambda first, second: function(first, second),
        3: lambda first, second, third: function(first, second, third),
    }
    return by_count[min(count, _accepted(function))]


def _accepted(function: Callable[..., Any]) -> int:
    """How many arguments PythonQt hands on at most: those that a function or a method names; to all else, every one."""
    plain = getattr(function, "__func__", function)
    if not inspect.isfunction(plain) or plain.__code__.co_flags & inspect.CO_VARARGS:
        return 99
    return plain.__code__.co_argcount - inspect.ismethod(function)


def _give_one_path() -> None:
    """PySide6's file dialogs return a path and a filter; PythonQt's return the path."""
    for name in ("getOpenFileName", "getSaveFileName"):
        opened = getattr(QtWidgets.QFileDialog, name)
        setattr(QtWidgets.QFileDialog, name, staticmethod(lambda *given, opened=opened: opened(*given)[0]))
    several = QtWidgets.QFileDialog.getOpenFileNames
    QtWidgets.QFileDialog.getOpenFileNames = staticmethod(lambda *given: tuple(several(*given)[0]))
