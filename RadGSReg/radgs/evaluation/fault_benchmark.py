"""``radgs benchmark --faults``: cases that are wrong on purpose, and a table of what the verdict made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from radgs.evaluation.fault_trials import (
    GOOD_MM,
    GROSS_MM,
    HARMFUL_MM,
    FaultTrial,
    append_fault_trial,
    read_fault_trials,
    run_fault_trials,
)
from radgs.evaluation.phantom_benchmark import phantom_subjects
from radgs.evaluation.statistics import clopper_pearson_interval
from radgs.io.atomic import write_text
from radgs.report.markdown import markdown_page
from radgs.simulation.faults import FAULTS

#: Worlds taken in turn, all with an exact geometry.
WORLDS = ("clean", "scatter-1.6", "display", "mixture", "blades", "warped")


def run_fault_benchmark(
    folder: Path,
    *,
    seed: int = 0,
    quick: bool = False,
    trials_per_fault: int | None = None,
    device: str = "auto",
    progress: Callable[[float, str], None] | None = None,
) -> Path:
    """Registers phantoms with every fault and writes the table.

    Args:
        folder: Where faults.md, the same as a page, faults.jsonl and planned.jsonl go; it must exist. Trials that are
            there already are taken over: an interrupted run goes on where it stopped.
        seed: Chooses patients, poses, noise and faults.
        quick: Two patients with two vertebrae each instead of three with five.
        trials_per_fault: On each vertebra; 1 when quick, otherwise 4, unless given.
        device: Where to register.
        progress: Called with the fraction done and what is being done.

    Returns:
        Path of the faults.md.
    """
    log = folder / "faults.jsonl"
    finished = read_fault_trials(log)
    known = {trial.planned for trial in finished}
    trials = []
    for trial in run_fault_trials(
        phantom_subjects(seed, quick),
        tuple(FAULTS),
        WORLDS,
        trials_per_fault or (1 if quick else 4),
        seed,
        device=device,
        finished=finished,
        plan=folder / "planned.jsonl",
        progress=progress,
    ):
        trials.append(trial)
        if trial.planned not in known:
            append_fault_trial(log, trial)
    command = f"radgs benchmark --faults --seed {seed}{' --quick' if quick else ''}"
    if trials_per_fault is not None:
        command += f" --trials {trials_per_fault}"
    report, text = folder / "faults.md", fault_report(trials, command)
    write_text(report, text)
    write_text(report.with_suffix(".html"), markdown_page(text, lambda name: (folder / name).read_bytes()))
    return report


def fault_report(trials: Sequence[FaultTrial], command: str) -> str:
    """The tables, as Markdown, with Clopper-Pearson intervals.

    Args:
        trials: All of them.
        command: What makes them again.
    """
    faulty = [trial for trial in trials if trial.planned.fault != "none"]
    seen = [trial for trial in faulty if trial.revealable]
    hidden = [trial for trial in faulty if not trial.revealable]
    good = [trial for trial in trials if trial.planned.fault == "none" and trial.mtre_mm <= GOOD_MM]
    lines = [
        "# Cases that are wrong on purpose",
        "",
        f"`{command}`: {len(trials)} registrations of simulated X-rays. What the inputs can reveal was decided by "
        "arithmetic before each registration; a mirror counts as not revealable where its trial has no power, whatever "
        "the verdict. Intervals are Clopper-Pearson, 95 %.",
        "",
        "| | trials | 95 % |",
        "| --- | --- | --- |",
        _row(f"revealable, accepted beyond {HARMFUL_MM:g} mm", [trial.silent_failure for trial in seen]),
        _row(f"not revealable, accepted beyond {HARMFUL_MM:g} mm", [trial.silent_failure for trial in hidden]),
        _row(f"beyond {GROSS_MM:g} mm and better than reject", [trial.gross_and_not_rejected for trial in seen]),
        _row(f"right poses (<= {GOOD_MM:g} mm) not accepted", [trial.verdict != "accept" for trial in good]),
        _row("right poses rejected", [trial.verdict == "reject" for trial in good]),
        "",
        "| fault | revealable | accept | check | reject | refused | accepted beyond 2 mm | grounds |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [_fault_row(name, [trial for trial in trials if trial.planned.fault == name]) for name in FAULTS]
    return "\n".join(lines) + "\n"


def _row(what: str, flags: Sequence[bool]) -> str:
    count = sum(flags)
    low, high = clopper_pearson_interval(count, len(flags))
    return f"| {what} | {count} of {len(flags)} | {low:.1%} to {high:.1%} |"


def _fault_row(name: str, trials: Sequence[FaultTrial]) -> str:
    verdicts = [trial.verdict for trial in trials if not trial.refused]
    counts = [verdicts.count(verdict) for verdict in ("accept", "check", "reject")]
    refused = sum(bool(trial.refused) for trial in trials)
    codes = sorted({code for trial in trials for code in trial.reasons})
    revealed = sum(trial.revealable for trial in trials)
    silent = sum(trial.silent_failure for trial in trials)
    cells = [name, f"{revealed} of {len(trials)}", *map(str, counts), str(refused), str(silent), ", ".join(codes)]
    return f"| {' | '.join(cells)} |"
