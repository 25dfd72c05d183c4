"""``radgs register --worker``: the warm worker registers, this process prints. Loads neither torch nor numpy."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from radgs.cli.console import EXIT_OF_VERDICT, ProgressBar, ending_well, fail_as_told, people_console
from radgs.worker.warm_client import ask
from radgs.worker.warm_place import NoWorkerError


def register_by_worker(
    case: Path,
    out: Path,
    device: str,
    models: Sequence[Path],
    self_calibrate: bool,
    as_json: bool,
    truth_note: str,
) -> None:
    """Has a case registered, prints what came out and ends as ``radgs register`` does; returns without a worker.

    That there is none is said in one line; the command then registers by itself.

    Args:
        case: A case.json, or the folder that holds one.
        out: Folder for the result.
        device: Where to compute.
        models: Prepared networks.
        self_calibrate: Whether the second view's geometry is solved for.
        as_json: Whether a program reads what is printed.
        truth_note: Printed beside errors that are known.

    Raises:
        typer.Exit: It was registered, or refused.
    """
    shown = Console()
    request = {
        "command": "register",
        "case": str(case),
        "out": str(out),
        "device": device,
        "models": [str(model) for model in models],
        "self_calibrate": self_calibrate,
        "overlays": True,
        "print": {
            "json": as_json,
            "columns": shown.width,
            "colours": shown.color_system if shown.is_terminal else None,
            "note": truth_note,
        },
    }
    with ending_well(as_json):
        try:
            with ProgressBar(people_console(), "Asking the worker") as bar:
                answer = ask(request, lambda message: bar(float(message["fraction"]), _said(message)))
        except NoWorkerError as why:
            people_console().print(
                f"No warm worker is to be had ({why}): registering here.", markup=False, soft_wrap=True
            )
            return
        if answer["type"] == "error":
            fail_as_told(answer, as_json)
        sys.stdout.write(answer["printed"])
        sys.stdout.flush()
        raise typer.Exit(EXIT_OF_VERDICT[answer["verdict"]])


def _said(message: dict[str, Any]) -> str:
    level, words = str(message["level"]), str(message["message"])
    return f"{level}: {words.removeprefix(f'{level}: ')}" if level else words[:1].upper() + words[1:]
