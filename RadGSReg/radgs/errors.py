"""Errors a user can act on: one sentence of what is wrong, one of what to do."""

from typing import Any, Literal


class RadgsError(Exception):
    """What went wrong and the way out, in two sentences meant for a person.

    Args:
        problem: One sentence that says what is wrong, naming the file, view or level at fault.
        remedy: One sentence that says what to do about it.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem} {remedy}")
        self.problem = problem
        self.remedy = remedy


class InputFileError(RadgsError):
    """A file is missing, unreadable, or not what it claims to be."""


class CaseError(RadgsError):
    """The parts of a case do not fit together: schema, labels, levels, clicks, orientation."""


class GeometryError(RadgsError):
    """A view's geometry, or the arrangement of the views, cannot be used."""


class ExportError(RadgsError):
    """A pose cannot be exported, or does not come back from a file as it went in."""


class WithheldError(RadgsError):
    """A pose may not leave without a person's consent.

    Args:
        verdict: The worst verdict that stands in the way: ``check`` can be confirmed, ``reject`` only forced.
        levels: The levels concerned.
        problem: See ``RadgsError``.
        remedy: See ``RadgsError``.
    """

    def __init__(
        self, verdict: Literal["accept", "check", "reject"], levels: tuple[str, ...], problem: str, remedy: str
    ) -> None:
        super().__init__(problem, remedy)
        self.verdict = verdict
        self.levels = levels


class OutputError(RadgsError):
    """A file or folder cannot be written, or must not be."""


class UnwrittenResultError(OutputError):
    """A registration came to a result that could not be written: it must not be lost with the disk.

    Args:
        problem: See ``RadgsError``.
        remedy: See ``RadgsError``.
        result: What result.json would have held.
    """

    def __init__(self, problem: str, remedy: str, result: dict[str, Any]) -> None:
        super().__init__(problem, remedy)
        self.result = result
