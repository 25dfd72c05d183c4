"""One call of ``radgs benchmark --full``: goes on where the last one stopped, and reports on all there is."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from radgs.errors import InputFileError
from radgs.evaluation.full.plan import FullPlan, PlannedTrial, read_plan
from radgs.evaluation.full.records import FullTrial, append_record, read_peers, read_trials
from radgs.evaluation.full.report import write_full_report
from radgs.evaluation.full.run import Bench, due_trials, run_due
from radgs.evaluation.full.subjects import real_ct_folder
from radgs.evaluation.full.voxel_grid import measure_grids, read_grids
from radgs.evaluation.trials import append_line
from radgs.versions import versions

#: What ``only`` calls the voxel grids, which are no trials.
VOXEL_GRID = "voxel-grid"
RUNS_NAME = "runs.jsonl"


@dataclass(frozen=True)
class FullRequest:
    """What a call asks for.

    Attributes:
        folder: Where logs and report go; it must exist.
        config: A config; None for the one that comes with the engine.
        seed: In place of the config's.
        real_ct: Folder of the real CT's files; None: where ``RADGS_REAL_CT`` says.
        only, most, share: As in ``FullPlan.trials``; ``only`` may name "voxel-grid" too.
        minutes: No trial begins after so many.
        report_only: Nothing is run.
        device: Where to register.
        command: What makes it again.
    """

    folder: Path
    config: Path | None = None
    seed: int | None = None
    real_ct: Path | None = None
    only: tuple[str, ...] = ()
    most: int | None = None
    share: tuple[int, int] = (1, 1)
    minutes: float | None = None
    report_only: bool = False
    device: str = "auto"
    command: str = "radgs benchmark --full"


def parse_share(text: str) -> tuple[int, int]:
    """``2/4`` is the second of four shares.

    Raises:
        InputFileError: It is none.
    """
    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise InputFileError(f'"{text}" is no share.', "Write 2/4 for the second of four.")
    return int(number), int(of)


def run_full_benchmark(request: FullRequest, progress: Callable[[float, str], None] | None = None) -> Path:
    """Runs what is due and writes the report of all that is there.

    Returns:
        Path of the report.md.

    Raises:
        InputFileError: The config, a cohort or the folder is not what it should be, or there is nothing to report.
    """
    plan = read_plan(request.config)
    if request.seed is not None:
        plan = replace(plan, seed=request.seed)
    real_ct = real_ct_folder(request.real_ct)
    cohorts = tuple(name for name in request.only if name != VOXEL_GRID)
    finished = read_trials(request.folder)
    due, _ = due_trials(plan, real_ct, finished, only=cohorts, most=request.most, share=request.share)
    if request.only and not cohorts:
        due = []
    if not request.report_only:
        _run(request, plan, real_ct, due, progress)
    trials = [one for one in read_trials(request.folder) if one.trial.seed == plan.seed]
    peers = [one for one in read_peers(request.folder) if one.seed == plan.seed]
    if not trials:
        raise InputFileError(f"{request.folder} holds no trial.", "Run some first, without --report-only.")
    return write_full_report(
        plan, trials, peers, read_grids(request.folder), request.folder, _read_runs(request.folder)
    )


def _run(
    request: FullRequest,
    plan: FullPlan,
    real_ct: Path | None,
    due: Sequence[PlannedTrial],
    progress: Callable[[float, str], None] | None,
) -> None:
    number, of = request.share
    log = request.folder / ("trials.jsonl" if of == 1 else f"trials-{number}of{of}.jsonl")
    at, cpu, began = datetime.now(UTC).isoformat(timespec="seconds"), time.process_time(), time.monotonic()
    bench, kept = Bench(plan, real_ct), []

    def keep(trial: FullTrial) -> None:
        append_record(log, trial)
        kept.append(trial)

    try:
        run_due(bench, due, keep, minutes=request.minutes, device=request.device, progress=progress)
        if plan.voxel_grid is not None and number == 1 and (not request.only or VOXEL_GRID in request.only):
            measure_grids(bench, plan.voxel_grid, request.folder)
    finally:  # an interrupted run, too, says what it did
        line = {
            "command": request.command,
            "commit": commit(),
            "began": at,
            "versions": versions(),
            "trials": len(kept),
            "cpu_hours": (time.process_time() - cpu) / 3600,
            "hours": (time.monotonic() - began) / 3600,
        }
        append_line(request.folder / RUNS_NAME, json.dumps(line))


def commit() -> str:
    """The commit that this code is of, with a plus where files differ from it; nothing where it is no checkout."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run([*git, "status", "--porcelain", "."], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head.stdout.strip() + "+" * bool(changed.stdout.strip())


def _read_runs(folder: Path) -> list[dict[str, Any]]:
    path = folder / RUNS_NAME
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines if line.strip()]
