"""The types and annotations of a parameter node's members, as ``slicer.parameterNodeWrapper`` has them.

Only those that the module uses are known; any other is refused, so that a module that runs here asks of the real
wrapper only what is listed here.
"""

from __future__ import annotations

import json
import pathlib
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any

import slicer
import slicer.util


class Validator(ABC):
    """What a value has to hold to."""

    @abstractmethod
    def validate(self, value: Any) -> None:
        """Raises a ValueError if the value is not valid."""


@dataclass(frozen=True)
class WithinRange(Validator):
    minimum: Any
    maximum: Any

    def validate(self, value: Any) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"Value must be within range [{self.minimum}, {self.maximum}], is {value}")


@dataclass(frozen=True)
class Choice(Validator):
    choices: Any

    def validate(self, value: Any) -> None:
        if value not in self.choices:
            raise ValueError(f"Value is {value}, but must be in one of the following: {self.choices}")


@dataclass(frozen=True)
class Default:
    value: Any


class Kind(ABC):
    """How values of one type are kept in the node."""

    def __init__(self, type_: type, default: Any, none_allowed: bool = False) -> None:
        self.type, self.default, self._none_allowed = type_, default, none_allowed

    def check(self, value: Any) -> None:
        """Refuses what is not of the type; None, where there has to be a value, as a bad value."""
        if value is None and not self._none_allowed:
            raise ValueError("Value must not be None")
        if value is not None and not isinstance(value, self.type):
            raise TypeError(f"Value must be of type '{self.type}', is type '{type(value)}' value '{value}'")

    @abstractmethod
    def write(self, node: Any, name: str, value: Any) -> None:
        """Puts a value there."""

    @abstractmethod
    def read(self, node: Any, name: str) -> Any:
        """The value that is there."""


class Text(Kind):
    """Values that are kept as texts. What is read is believed, as Slicer's does: another version may have written."""

    def __init__(self, type_: type, default: Any, read: Callable[[str], Any]) -> None:
        super().__init__(type_, default)
        self._read = read

    def write(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, str(value))

    def read(self, node: Any, name: str) -> Any:
        return self._read(node.GetParameter(name))


class Node(Kind):
    """A node of the scene, kept as a reference."""

    def __init__(self, type_: type) -> None:
        super().__init__(type_, None, none_allowed=True)

    def write(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, "")
        node.SetNodeReferenceID(name, None if value is None else value.GetID())

    def read(self, node: Any, name: str) -> Any:
        return node.GetNodeReference(name)


class Dict(Kind):
    """Texts by text; what is read writes itself back when it is changed."""

    def __init__(self) -> None:
        super().__init__(object, {})

    def check(self, value: Any) -> None:
        for text in (*value.keys(), *value.values()):
            if not isinstance(text, str):
                raise TypeError(f"Value must be of type '{str}', is type '{type(text)}' value '{text}'")

    def write(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, json.dumps(dict(value)))

    def read(self, node: Any, name: str) -> Any:
        return ObservedDict(node, self, name)


class ObservedDict(MutableMapping):
    """A mapping over a parameter: neither a dict nor made into JSON as one; ``get`` and ``pop`` take no default."""

    def __init__(self, node: Any, kind: Dict, name: str) -> None:
        self._node, self._kind, self._name = node, kind, name
        self._dict = json.loads(node.GetParameter(name))

    def __getitem__(self, key: str) -> str:
        return self._dict[key]

    def __setitem__(self, key: str, value: str) -> None:
        self._dict[key] = value
        self._kind.write(self._node, self._name, self._dict)

    def __delitem__(self, key: str) -> None:
        del self._dict[key]
        self._kind.write(self._node, self._name, self._dict)

    def __iter__(self) -> Iterator[str]:
        return iter(self._dict)

    def __len__(self) -> int:
        return len(self._dict)

    def __eq__(self, other: object) -> bool:
        return self._dict == (other._dict if isinstance(other, ObservedDict) else other)

    __hash__ = None

    def get(self, key: str) -> str | None:
        return self._dict.get(key)

    def pop(self, key: str) -> str:
        value = self._dict[key]
        del self[key]
        return value


KINDS: dict[Any, Callable[[], Kind]] = {
    str: lambda: Text(str, "", str),
    int: lambda: Text(int, 0, int),
    bool: lambda: Text(bool, False, lambda text: text == "True"),
    pathlib.Path: lambda: Text(pathlib.Path, pathlib.Path(), pathlib.Path),
    dict[str, str]: Dict,
}


class Parameter:
    """A member of the wrapped class: its type, what its values have to hold to, and its default."""

    def __init__(self, name: str, hint: Any, owner: type) -> None:
        self.name = name
        self.type, *self.annotations = typing.get_args(hint) if hasattr(hint, "__metadata__") else [hint]
        self._kind = _kind(self.type)
        self._validators = [one for one in self.annotations if isinstance(one, Validator)]
        defaults = [one for one in self.annotations if isinstance(one, Default)]
        if len(self._validators) + len(defaults) < len(self.annotations):
            raise TypeError(f"The test host's parameterNodeWrapper does not know all of {self.annotations}")
        named = defaults[0].value if defaults else self._kind.default
        self.default = vars(owner).get(name, named)

    def annotation(self, kind: type) -> Any:
        """The first annotation of a kind; None where there is none."""
        return next((one for one in self.annotations if isinstance(one, kind)), None)

    def write(self, node: Any, value: Any) -> None:
        self._kind.check(value)
        for validator in self._validators:
            validator.validate(value)
        with slicer.util.NodeModify(node):
            self._kind.write(node, self.name, value)

    def read(self, node: Any) -> Any:
        """The value kept, whether it is valid or not; where there is none, the default is written first."""
        if not node.HasParameter(self.name):
            self.write(node, self.default)
        return self._kind.read(node, self.name)


def _kind(type_: Any) -> Kind:
    if isinstance(type_, type) and issubclass(type_, slicer.vtkMRMLNode):
        return Node(type_)
    if type_ not in KINDS:
        raise TypeError(f"The test host's parameterNodeWrapper does not know the type {type_}")
    return KINDS[type_]()
