"""The fields of a worker's requests, each of its type or refused by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radgs.errors import RadgsError

if TYPE_CHECKING:
    from radgs.geometry import RigidTransform
    from radgs.networks import Networks

Message = dict[str, Any]

REMEDY = "See radgs/worker/process.py."


class BadRequestError(RadgsError):
    """A request that the protocol does not know."""


def text(request: Message, key: str, default: str | None = None) -> str:
    """A text that is not empty."""
    value = request.get(key, default)
    if not isinstance(value, str) or not value:
        raise BadRequestError(f"A request's '{key}' should be a text but is {value!r}.", REMEDY)
    return value


def flag(request: Message, key: str, default: bool) -> bool:
    """True or false."""
    value = request.get(key, default)
    if not isinstance(value, bool):
        raise BadRequestError(f"A request's '{key}' should be true or false but is {value!r}.", REMEDY)
    return value


def positive(request: Message, key: str) -> float:
    """A number above zero."""
    value = request.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise BadRequestError(f"A request's '{key}' should be a number above 0 but is {value!r}.", REMEDY)
    return float(value)


def poses(request: Message) -> dict[str, RigidTransform]:
    """The poses of an overlay, by name."""
    from radgs.geometry import RigidTransform

    named = request.get("poses", {})
    if not isinstance(named, dict) or not all(re.fullmatch("[a-z]+", name) for name in named):
        raise BadRequestError(f"A request's 'poses' should name 4 x 4 matrices but is {named!r}.", REMEDY)
    return {name: RigidTransform.from_matrix(matrix) for name, matrix in named.items()}


def prepared_networks(request: Message) -> dict[str, Networks] | None:
    """The prepared networks that a request names, by level; None where it names none."""
    files = request.get("models", [])
    if not isinstance(files, list) or not all(isinstance(file, str) for file in files):
        raise BadRequestError(f"A request's 'models' should be a list of paths but is {files!r}.", "Name model files.")
    if not files:
        return None
    from radgs.networks import load_prepared

    return load_prepared([Path(file) for file in files])
