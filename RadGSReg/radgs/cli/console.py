"""Output in a terminal: progress, a summary, and errors in two lines."""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

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
from rich.table import Table

from radgs.case import LevelResult, RegistrationResult, Verdict
from radgs.errors import RadgsError, UnwrittenResultError
from radgs.export import ReleasedPoses, WithheldError
from radgs.io.json_fields import json_text

EXIT_OF_VERDICT: dict[Verdict, int] = {"accept": 0, "check": 3, "reject": 4}
EXIT_BAD_INPUT = 2
EXIT_INTERNAL = 1
EXIT_INTERRUPTED = 130

VERDICT_STYLES: dict[Verdict, str] = {"accept": "bold green", "check": "bold yellow", "reject": "bold red"}
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


def _fail(kind: str, problem: str, remedy: str, as_json: bool, status: int, **more: Any) -> None:
    console = people_console()
    console.print(problem, style="bold red", markup=False, soft_wrap=True)
    console.print(remedy, markup=False, soft_wrap=True)
    if as_json:
        print_json({"error": {"kind": kind, "problem": problem, "remedy": remedy}, **more})
    raise typer.Exit(status)


def _print_poses(result: dict[str, Any]) -> None:
    """The poses of a result in full, on standard error: where nothing can be written, they can be copied."""
    console = people_console()
    for name, level in result["levels"].items():
        console.print(f"{name}: {level['verdict']}; ct_to_world (RAS, mm):", markup=False, soft_wrap=True)
        for row in level["ct_to_world"] or ():
            console.print("    " + " ".join(f"{number:.9g}" for number in row), markup=False, soft_wrap=True)


def print_json(values: dict[str, Any]) -> None:
    """One JSON object on standard output."""
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


def print_summary(
    result: RegistrationResult, errors_mm: Mapping[str, float], files: Sequence[Path], folder: Path, note: str = ""
) -> None:
    """A table of the levels, the grounds for their verdicts, and where the pictures are.

    Args:
        result: What came out.
        errors_mm: Per level, the mTRE against a known truth; empty where none is known.
        files: Files written.
        folder: Where they are.
        note: A line under the table.
    """
    console = Console(highlight=False)
    table = Table(caption=note or None, caption_justify="left")
    for heading in ("Level", "Verdict", "Predicted error", *(["Error (mTRE)"] if errors_mm else []), "Time"):
        table.add_column(heading)
    for name, level in result.levels.items():
        cells = [name, f"[{VERDICT_STYLES[level.verdict]}]{level.verdict}[/]", _predicted(level)]
        if errors_mm:
            cells.append(f"{errors_mm[name]:.2f} mm" if name in errors_mm else "-")
        table.add_row(*cells, f"{level.seconds:.1f} s")
    console.print(table)
    for name, level in result.levels.items():
        for reason in level.reasons:
            console.print(f"{name}: {reason.message}", markup=False, soft_wrap=True)
    for sentence in result.self_calibration.sentences if result.self_calibration is not None else ():
        console.print(sentence, markup=False, soft_wrap=True)
    for question in dict.fromkeys(question for level in result.levels.values() for question in level.questions):
        console.print(f"Only you can say: {question.message}", markup=False, soft_wrap=True)
    pictures = [path for path in files if path.name.endswith("_overlay.png")]
    others = [path.name for path in files if path not in pictures]
    for path in pictures:
        console.print(f"Look at the picture: [bold]{path}[/]", soft_wrap=True)
    console.print(f"Also in {folder}: " + ", ".join(others), markup=False, soft_wrap=True)
    console.print("Research use only, not a medical device.", style="dim")


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


def _predicted(level: LevelResult) -> str:
    if level.ct_to_world is None:
        return "no pose"
    error = level.predicted_error_mm.get("surface_p95", math.nan)
    return f"{error:.1f} mm (95 %)" if math.isfinite(error) else "-"
