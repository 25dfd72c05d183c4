"""Output in a terminal: progress, what has left, and errors in two lines. Loads neither torch nor numpy."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from radgs.colours import VERDICT_STYLES
from radgs.errors import RadgsError, UnwrittenResultError, WithheldError

if TYPE_CHECKING:
    from radgs.case import Verdict
    from radgs.export import ReleasedPoses

EXIT_OF_VERDICT: dict[Verdict, int] = {"accept": 0, "check": 3, "reject": 4}
EXIT_BAD_INPUT = 2
EXIT_INTERNAL = 1
EXIT_INTERRUPTED = 130

#: Set to see where an unexpected error came from.
TRACEBACK_VARIABLE = "RADGS_TRACEBACK"


def people_console() -> Console:
    """Where progress and errors go: standard error, so that standard output can be piped."""
    return Console(stderr=True, highlight=False)


class Terminated(BaseException):
    """The system asked the process to end: what is half done is taken back on the way out.

    Attributes:
        status: The process's exit status.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@contextmanager
def hearing_signals() -> Iterator[None]:
    """Within it, SIGTERM and SIGHUP raise ``Terminated``; in other threads than the main one, nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise Terminated(128 + number)

    heard = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, end) for number in heard if signal.getsignal(number) != signal.SIG_IGN}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ending_well(as_json: bool) -> Iterator[None]:
    """Turns every way a command can fail into a message and an exit status; no traceback reaches the user.

    Args:
        as_json: Errors are one JSON object on standard output as well.
    """
    try:
        with hearing_signals():
            yield
    except WithheldError as withheld:
        status = EXIT_OF_VERDICT[withheld.verdict]
        _fail(type(withheld).__name__, withheld.problem, withheld.remedy, as_json, status)
    except UnwrittenResultError as error:
        _print_poses(error.result)
        _fail(type(error).__name__, error.problem, error.remedy, as_json, EXIT_BAD_INPUT, result=error.result)
    except RadgsError as error:
        _fail(type(error).__name__, error.problem, error.remedy, as_json, EXIT_BAD_INPUT)
    except Terminated as asked:
        _fail("Terminated", "Stopped before the end.", "Run the same command again.", as_json, asked.status)
    except KeyboardInterrupt:
        _fail("Interrupted", "Stopped before the end.", "Run the same command again.", as_json, EXIT_INTERRUPTED)
    except BrokenPipeError:
        # Whoever read standard output has left; nothing may be written there any more, not even at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(EXIT_INTERNAL) from None
    except (typer.Exit, SystemExit):
        raise
    except Exception as error:
        if os.environ.get(TRACEBACK_VARIABLE):
            traceback.print_exc()
        problem = f"radgs failed unexpectedly: {type(error).__name__}: {error}"
        remedy = f"Please report it, with what {TRACEBACK_VARIABLE}=1 prints."
        _fail("InternalError", problem, remedy, as_json, EXIT_INTERNAL)


def _fail(kind: str, problem: str, remedy: str, as_json: bool, status: int, **more: Any) -> NoReturn:
    console = people_console()
    console.print(problem, style="bold red", markup=False, soft_wrap=True)
    console.print(remedy, markup=False, soft_wrap=True)
    if as_json:
        print_json({"error": {"kind": kind, "problem": problem, "remedy": remedy}, **more})
    raise typer.Exit(status)


def fail_as_told(error: Mapping[str, Any], as_json: bool) -> NoReturn:
    """Ends as a worker's ``error`` says, as the same failure ends a command here."""
    kind, problem, remedy = error["kind"], error["message"], error["hint"]
    if kind == "Cancelled":
        raise KeyboardInterrupt
    if "result" in error:
        _print_poses(error["result"])
        _fail(kind, problem, remedy, as_json, EXIT_BAD_INPUT, result=error["result"])
    internal = kind in ("InternalError", "EngineUnavailable")
    _fail(kind, problem, remedy, as_json, EXIT_INTERNAL if internal else EXIT_BAD_INPUT)


def _print_poses(result: dict[str, Any]) -> None:
    """The poses of a result in full, on standard error: where nothing can be written, they can be copied."""
    console = people_console()
    for name, level in result["levels"].items():
        console.print(f"{name}: {level['verdict']}; ct_to_world (RAS, mm):", markup=False, soft_wrap=True)
        for row in level["ct_to_world"] or ():
            console.print("    " + " ".join(f"{number:.9g}" for number in row), markup=False, soft_wrap=True)


def print_json(values: dict[str, Any]) -> None:
    """One JSON object on standard output."""
    from radgs.io.json_fields import json_text  # numpy is not loaded before it is needed

    print(json_text(values), end="", flush=True)


class ProgressBar:
    """A bar with stage, elapsed and remaining time in a terminal; one line per stage where there is none."""

    def __init__(self, console: Console, title: str) -> None:
        self._console, self._title = console, title
        self._last_line = ""
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=18),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("elapsed,"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task(title, total=1.0)

    def __enter__(self) -> ProgressBar:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def __call__(self, fraction: float, message: str) -> None:
        """Shows how far the work is.

        Args:
            fraction: Of all the work, 0 to 1.
            message: What is being done.
        """
        if self._console.is_terminal:
            self._bar.update(self._task, completed=fraction, description=message)
        elif message != self._last_line:
            self._console.print(f"{fraction:4.0%}  {message}", markup=False)
            self._last_line = message


def print_released(released: ReleasedPoses, files: Sequence[Path]) -> None:
    """What has left: the poses with their verdicts and the grounds for them, and the files."""
    console = Console(highlight=False)
    for pose in released.poses:
        verdict = f"[{VERDICT_STYLES[pose.verdict]}]{pose.verdict}[/]"
        console.print(f"[bold]{escape(pose.level)}[/]: {verdict}, {pose.release}; {pose.expectation}.", soft_wrap=True)
        for reason in pose.reasons:
            console.print(f"    {reason.message}", markup=False, soft_wrap=True)
    if files:
        console.print("Written, read back and found the same:")
    for path in files:
        console.print(f"    {path}", markup=False, soft_wrap=True)
    console.print("Research use only, not a medical device.", style="dim")
