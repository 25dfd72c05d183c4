"""What a registration says of itself in a terminal, or to a program."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from radgs.case import LevelResult, RegistrationResult
from radgs.colours import VERDICT_STYLES
from radgs.io.json_fields import json_text

ColourSystem = Literal["standard", "256", "truecolor", "windows"]


def registration_json(
    result: RegistrationResult, errors_mm: Mapping[str, float], files: Sequence[Path], folder: Path
) -> str:
    """The result as result.json has it, with where it was written to and the errors that are known, as JSON.

    Args:
        result: What came out.
        errors_mm: Per level, the mTRE against a known truth; empty where none is known.
        files: Files written.
        folder: Where they are.
    """
    paths = {"folder": str(folder), "files": [str(file) for file in files]}
    return json_text({**result.to_json_dict(), "paths": paths, "mtre_mm": dict(errors_mm)})


def registration_text(
    result: RegistrationResult,
    errors_mm: Mapping[str, float],
    files: Sequence[Path],
    folder: Path,
    note: str,
    *,
    columns: int,
    colours: ColourSystem | None,
) -> str:
    """What ``print_summary`` prints, for another process' terminal.

    Args:
        result: What came out.
        errors_mm: As for ``print_summary``.
        files: Files written.
        folder: Where they are.
        note: A line under the table.
        columns: How wide the terminal is.
        colours: Which colours it shows; None: it is no terminal.
    """
    written = StringIO()
    terminal = colours is not None
    console = Console(
        file=written,
        highlight=False,
        width=columns,
        force_terminal=terminal,
        color_system=colours,
        legacy_windows=False,
    )
    print_summary(console, result, errors_mm, files, folder, note)
    return written.getvalue()


def print_summary(
    console: Console,
    result: RegistrationResult,
    errors_mm: Mapping[str, float],
    files: Sequence[Path],
    folder: Path,
    note: str = "",
) -> None:
    """A table of the levels, the grounds for their verdicts, and where the pictures are.

    Args:
        console: Where to.
        result: What came out.
        errors_mm: Per level, the mTRE against a known truth; empty where none is known.
        files: Files written.
        folder: Where they are.
        note: A line under the table.
    """
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


def _predicted(level: LevelResult) -> str:
    if level.ct_to_world is None:
        return "no pose"
    error = level.predicted_error_mm.get("surface_p95", math.nan)
    return f"{error:.1f} mm (95 %)" if math.isfinite(error) else "-"
