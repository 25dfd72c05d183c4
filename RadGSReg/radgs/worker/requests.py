"""The fields of a worker's requests, each of its type or refused by name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radgs.errors import RadgsError

if TYPE_CHECKING:
    from radgs.geometry import RigidTransform
    from radgs.networks import Networks

Message = dict[str, Any]

REMEDY = "See radgs/worker/process.py."

#: Far more than any request of this protocol takes.
MAX_REQUEST_BYTES, MAX_DEPTH, MAX_POSES = 1_000_000, 8, 8
#: A week.
MAX_MINUTES = 10080


class BadRequestError(RadgsError):
    """A request that the protocol does not know."""


def parsed(line: bytes) -> Message:
    """The request in a line.

    Raises:
        BadRequestError: It is no JSON object, nests too deep, or is longer than ``MAX_REQUEST_BYTES``.
    """
    if len(line) > MAX_REQUEST_BYTES:
        raise BadRequestError(
            f"A request is longer than {MAX_REQUEST_BYTES} bytes.", "Pass arrays as files, and their paths here."
        )
    try:
        request = json.loads(line, parse_constant=_refuse_constant)
        if not isinstance(request, dict):
            raise ValueError("not an object")
        if _depth(request) > MAX_DEPTH:
            raise ValueError("nested too deep")
    except RecursionError as problem:
        raise BadRequestError("A request is nested too deep.", "Send one object a line.") from problem
    except ValueError as problem:
        raise BadRequestError(f"A request is not a JSON object: {problem}.", "Send one object a line.") from problem
    identifier = request.get("id")
    if identifier is not None and not isinstance(identifier, (int, str)):
        raise BadRequestError(f"A request's 'id' should be a number or a text but is {shown(identifier)}.", REMEDY)
    return request


def text(request: Message, key: str, default: str | None = None) -> str:
    """A text that is not empty."""
    value = request.get(key, default)
    if not isinstance(value, str) or not value:
        raise BadRequestError(f"A request's '{key}' should be a text but is {shown(value)}.", REMEDY)
    return value


def path(request: Message, key: str) -> Path:
    """The path of a file or folder."""
    named = text(request, key)
    if "\0" in named:
        raise BadRequestError(f"A request's '{key}' is no path: {shown(named)}.", REMEDY)
    return Path(named)


def flag(request: Message, key: str, default: bool) -> bool:
    """True or false."""
    value = request.get(key, default)
    if not isinstance(value, bool):
        raise BadRequestError(f"A request's '{key}' should be true or false but is {shown(value)}.", REMEDY)
    return value


def minutes(request: Message, key: str = "minutes") -> float:
    """A budget of time, above zero and at most a week."""
    value = request.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= MAX_MINUTES:
        raise BadRequestError(
            f"A request's '{key}' should be a number above 0 and at most {MAX_MINUTES} but is {shown(value)}.", REMEDY
        )
    return float(value)


def poses(request: Message) -> dict[str, RigidTransform]:
    """The poses of an overlay, by name."""
    from radgs.geometry import RigidTransform

    named = request.get("poses", {})
    if not isinstance(named, dict) or not all(re.fullmatch("[a-z]{1,20}", name) for name in named):
        raise BadRequestError(f"A request's 'poses' should name 4 x 4 matrices but is {shown(named)}.", REMEDY)
    if len(named) > MAX_POSES:
        raise BadRequestError(f"A request names {len(named)} poses.", f"Name {MAX_POSES} or fewer.")
    return {name: RigidTransform.from_matrix(matrix) for name, matrix in named.items()}


def shown(value: Any) -> str:
    """A value for a message, however long it is."""
    found = json.dumps(value, default=str)
    return found if len(found) <= 60 else found[:57] + "..."


def prepared_networks(request: Message) -> dict[str, Networks] | None:
    """The prepared networks that a request names, by level; None where it names none."""
    files = request.get("models", [])
    if not isinstance(files, list) or not all(isinstance(file, str) for file in files):
        raise BadRequestError(
            f"A request's 'models' should be a list of paths but is {shown(files)}.", "Name model files."
        )
    if not files:
        return None
    from radgs.networks import load_prepared

    return load_prepared([Path(file) for file in files])


def _depth(value: Any) -> int:
    """How deep objects and lists are nested; counted without recursion."""
    depth, layer = 0, [value]
    while layer := [child for parent in layer for child in _children(parent)]:
        depth += 1
    return depth


def _children(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")
