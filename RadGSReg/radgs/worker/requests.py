"""A worker's requests: what a line may hold, and the members of each."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radgs.errors import RadgsError

if TYPE_CHECKING:
    from radgs.geometry import RigidTransform
    from radgs.io.json_fields import JsonObject
    from radgs.networks import Networks
    from radgs.overlay.exposures import Exposure

Message = dict[str, Any]

REMEDY = "See radgs/worker/process.py."

#: Far more than any request of this protocol takes.
MAX_REQUEST_BYTES, MAX_DEPTH, MAX_POSES, MAX_EXPOSURES = 1_000_000, 8, 8, 64
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
        raise BadRequestError("A request's 'id' should be a number or a text.", REMEDY)
    return request


def fields(request: Message) -> JsonObject:
    """The request's members, each of its type or refused by name."""
    from radgs.io.json_fields import JsonObject  # numpy is not loaded before the worker says that it is ready

    return JsonObject(request, "A request", "", BadRequestError, REMEDY)


def minutes(request: JsonObject) -> float:
    """A budget of time, above zero and at most a week."""
    return request.number("minutes", above=0, at_most=MAX_MINUTES)


def starts(request: JsonObject) -> dict[str, RigidTransform]:
    """The poses near the true ones that a registration begins from, by level."""
    if "starts" not in request:
        return {}
    named = request.object("starts")
    return {level: named.rigid(level) for level in named.values}


def poses(request: JsonObject) -> dict[str, RigidTransform]:
    """The poses of an overlay, by name."""
    if "poses" not in request:
        return {}
    named = request.object("poses")
    if not all(re.fullmatch("[a-z]{1,20}", name) for name in named.values):
        raise request.fail("poses", "4 x 4 matrices named in small letters")
    if len(named.values) > MAX_POSES:
        raise BadRequestError(f"A request names {len(named.values)} poses.", f"Name {MAX_POSES} or fewer.")
    return {name: named.rigid(name) for name in named.values}


def exposures(request: JsonObject) -> list[list[Exposure]]:
    """The exposures of every picture that is asked for."""
    from radgs.overlay.exposures import Exposure

    pictures = [picture.objects("views") for picture in request.objects("pictures")]
    if not pictures or not all(pictures):
        raise request.fail("pictures", "objects, each with the views of a picture")
    if sum(map(len, pictures)) > MAX_EXPOSURES:
        raise BadRequestError(
            f"A request names {sum(map(len, pictures))} exposures.", f"Name {MAX_EXPOSURES} or fewer."
        )
    return [
        [
            Exposure(
                view.path("image"),
                view.text("pixel_type", "auto"),
                view.numbers("source_ras", 3),
                view.numbers("detector_to_ras", 4, 4),
                view.rigid("ct_to_world"),
            )
            for view in views
        ]
        for views in pictures
    ]


def prepared_networks(request: JsonObject) -> dict[str, Networks] | None:
    """The prepared networks that a request names, by level; None where it names none."""
    files = request.texts("models")
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
