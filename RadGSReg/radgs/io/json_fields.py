"""Reading JSON objects field by field, so that a wrong type is told with its place in the file."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from radgs.errors import GeometryError, InputFileError, RadgsError
from radgs.geometry import FloatArray, RigidTransform
from radgs.io.input_files import open_input

REMEDY = "Correct it as docs/file-formats.md shows."

#: Bounds of what any field can mean: whole numbers that a float still tells apart, and lengths in mm.
MAX_INTEGER, MAX_NUMBER = 2**53, 1e15
#: A larger file is none of ours.
MAX_BYTES = 2**26


@dataclass(frozen=True)
class JsonObject:
    """A JSON object and its place, whose getters either return the type asked for or say what stands there instead.

    Attributes:
        values: The object's members; members nobody asks for are left alone.
        file: Path of the file, or what else holds the object; for messages.
        place: Path of the object within the file, e.g. ``views[0]``; empty at the top.
        error: What to raise.
        remedy: What the user can do about a wrong member.
    """

    values: dict[str, Any]
    file: Path | str
    place: str
    error: type[RadgsError]
    remedy: str = REMEDY

    def where(self, key: str) -> str:
        """Path of a member within the file."""
        return f"{self.place}.{key}" if self.place else key

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def fail(self, key: str, expected: str) -> RadgsError:
        """The error for a member that is missing or not what was expected."""
        if key not in self.values:
            return self.error(f"{self.file}: '{self.where(key)}' is missing; it should be {expected}.", self.remedy)
        found = shown(self.values[key])
        return self.error(f"{self.file}: '{self.where(key)}' should be {expected} but is {found}.", self.remedy)

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is not blank."""
        value = self.values.get(key, default)
        if not isinstance(value, str) or not value.strip():
            raise self.fail(key, "a text")
        return value

    def path(self, key: str) -> Path:
        """The path of a file or folder."""
        named = self.text(key)
        if "\0" in named:
            raise self.fail(key, "a path")
        return Path(named)

    def texts(self, key: str) -> list[str]:
        """A list of texts that are not blank; none where the member is missing."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
            raise self.fail(key, "a list of texts")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise self.fail(key, "true or false")
        return value

    def number(self, key: str, *, above: float, at_most: float) -> float:
        """A number between two bounds."""
        value = self.values.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not above < value <= at_most:
            raise self.fail(key, f"a number above {above:g} and at most {at_most:g}")
        return float(value)

    def integer(self, key: str) -> int:
        """A whole number."""
        value = self.values.get(key)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_INTEGER:
            raise self.fail(key, "a whole number")
        return value

    def number_or_nan(self, key: str) -> float:
        """A number; null stands for a number that could not be computed."""
        value = self.values.get(key)
        if key in self.values and value is None:
            return math.nan
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < MAX_NUMBER:
            raise self.fail(key, "a number")
        return float(value)

    def numbers(self, key: str, *shape: int) -> FloatArray:
        """An array of finite numbers of the given shape, nested lists of numbers in the file."""
        expected = f"{' x '.join(str(n) for n in shape)} finite numbers"
        try:
            array = np.asarray(self.values.get(key))
        except (ValueError, OverflowError) as ragged:  # lists of uneven lengths, and whole numbers past any bound
            raise self.fail(key, expected) from ragged
        if array.shape != shape or array.dtype.kind not in "iuf" or not (np.abs(array) < MAX_NUMBER).all():
            raise self.fail(key, expected)
        return array.astype(np.float64)

    def rigid(self, key: str) -> RigidTransform:
        """A rigid 4x4 matrix."""
        matrix = self.numbers(key, 4, 4)
        try:
            return RigidTransform.from_matrix(matrix)
        except GeometryError as error:
            raise GeometryError(f"{self.file}: '{self.where(key)}': {error.problem}", error.remedy) from error

    def object(self, key: str) -> JsonObject:
        """An object within this one."""
        value = self.values.get(key)
        if not isinstance(value, dict):
            raise self.fail(key, "an object {...}")
        return replace(self, values=value, place=self.where(key))

    def members(self) -> Iterator[tuple[str, JsonObject]]:
        """Name and value of every member, each of which must be an object."""
        for key in self.values:
            yield key, self.object(key)

    def objects(self, key: str) -> list[JsonObject]:
        """A list of objects."""
        value = self.values.get(key)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.fail(key, "a list of objects [{...}, ...]")
        return [replace(self, values=item, place=f"{self.where(key)}[{n}]") for n, item in enumerate(value)]


def read_json_object(path: Path, schema: str, error: type[RadgsError]) -> JsonObject:
    """Reads a JSON file and checks its ``schema`` member.

    Raises:
        InputFileError: The file is missing, unreadable, not strict JSON, or not an object.
        RadgsError: Of the type ``error``, when the schema is another.
    """
    with open_input(path) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise InputFileError(f"{path} is larger than any file of this kind.", "Check the path.")
    try:
        values = json.loads(content.decode("utf-8-sig"), parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except RecursionError as problem:
        raise InputFileError(f"{path} is not readable as JSON: it is nested too deep.", "Repair the file.") from problem
    except ValueError as problem:
        reason = str(problem).rstrip(".")
        raise InputFileError(f"{path} is not readable as JSON: {reason}.", "Repair the file.") from problem
    if not isinstance(values, dict):
        raise InputFileError(f"{path} does not hold a JSON object.", f'Write an object {{"schema": "{schema}", ...}}.')
    top = JsonObject(values, path, "", error)
    if values.get("schema") != schema:
        raise error(
            f"{path} has the schema {json.dumps(values.get('schema'))}, and this version reads {json.dumps(schema)}.",
            "Use a file of this schema, or the version of RadGSReg that wrote it.",
        )
    return top


def shown(value: Any) -> str:
    """A value for a message, however long it is."""
    found = json.dumps(value, default=str)
    return found if len(found) <= 60 else found[:57] + "..."


def null_for_nan(value: float) -> float | None:
    """A number as JSON holds it: what is not finite was not computed, and is null."""
    return float(value) if math.isfinite(value) else None


def nan_for_null(value: float | None) -> float:
    """A number that ``null_for_nan`` made: what is null was not computed, and is NaN."""
    return math.nan if value is None else value


def json_text(values: dict[str, Any]) -> str:
    """Strict JSON for people too: indented, with every list of numbers on a line of its own.

    Raises:
        ValueError: A number is NaN or infinite.
    """
    indented = json.dumps(values, indent=2, allow_nan=False, ensure_ascii=False)
    # A line break cannot stand inside a JSON string, so only lists of plain values match.
    return re.sub(r'\[\n\s+([^\[\]{}"]*?)\n\s+\]', lambda found: f"[{' '.join(found[1].split())}]", indented) + "\n"


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        repeated = next(key for n, (key, _) in enumerate(pairs) if key in dict(pairs[:n]))
        raise ValueError(f"the name {json.dumps(repeated)} stands twice in one object")
    return values
