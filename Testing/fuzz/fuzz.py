"""Damages inputs of every door of the engine and sees what becomes of them: read, refused with a sentence, or worse.

    python Testing/fuzz/fuzz.py --n 10000 --seed 0 [--report docs/fuzz.md] [--doors CT,labels]

Every input has a number, and the same seed makes the same input: ``--doors CT --only 123`` repeats one. Ends with 1
where anything crashed, hung, failed inside, or was read as what it is not.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import select
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
sys.path += [str(HERE), str(PROJECT / "RadGSReg")]

from doors import DOORS, Door  # noqa: E402
from examples import write_examples  # noqa: E402

OUTCOMES = ("read", "refused", "internal", "crash", "hang", "wrong")
MEANING = {
    "read": "read, and another reader agrees",
    "refused": "refused with a sentence",
    "internal": "an error that nobody foresaw",
    "crash": "the process died",
    "hang": "no answer in time",
    "wrong": "read as what it is not",
}
MAX_SECONDS, STARTING_SECONDS, MAX_GIGABYTES = 30.0, 300.0, 4


class Child:
    """A process that knocks; another takes its place when it dies or hangs."""

    def __init__(self, seed: int, examples: Path, folder: Path) -> None:
        self._arguments = [str(seed), str(examples), str(folder), str(MAX_GIGABYTES * 2**30)]
        self._start()

    def _start(self) -> None:
        self._known: set[str] = set()  # what a door needs is imported, or started, when it is first knocked at
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "child.py"), *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{PROJECT / 'RadGSReg'}{os.pathsep}{HERE}"},
            text=True,
        )

    def knock(self, door: str, number: int) -> dict[str, Any]:
        """What became of one input."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        began = time.perf_counter()
        self.process.stdin.write(json.dumps([door, number]) + "\n")
        self.process.stdin.flush()
        patience = MAX_SECONDS if door in self._known else STARTING_SECONDS
        self._known.add(door)
        ready = select.select([self.process.stdout], [], [], patience)[0]
        line = self.process.stdout.readline() if ready else ""
        if line:
            return json.loads(line)
        outcome = "crash" if ready else "hang"
        self.close()
        self._start()
        return {"outcome": outcome, "detail": "", "seconds": time.perf_counter() - began, "megabytes": 0.0}

    def close(self) -> None:
        """Ends the process."""
        self.process.kill()
        self.process.wait()


def shares(n: int, doors: list[Door]) -> dict[str, int]:
    """How many inputs each door gets of ``n`` in all."""
    whole = sum(door.share for door in doors)
    counts = {door.name: max(1, n * door.share // whole) for door in doors}
    counts[doors[0].name] += n - sum(counts.values())
    return counts


def run(n: int, seed: int, doors: list[Door], jobs: int, only: int | None) -> dict[str, list[dict[str, Any]]]:
    """Knocks ``n`` times; per door the outcomes in the order of the inputs."""
    work: queue.SimpleQueue[tuple[str, int]] = queue.SimpleQueue()
    whole = {door.name: len(door.examples) for door in doors}
    for name, count in shares(n, doors).items():
        for number in range(-whole[name], 0) if only is None else ():
            work.put((name, number))
        for number in range(count) if only is None else [only]:
            work.put((name, number))
    results: dict[str, list[dict[str, Any]]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="radgs-fuzz-") as scratch:
        write_examples(Path(scratch) / "examples")

        def serve() -> None:
            child = Child(seed, Path(scratch) / "examples", Path(scratch) / "work")
            while True:
                try:
                    name, number = work.get_nowait()
                except queue.Empty:
                    break
                outcome = {"number": number, **child.knock(name, number)}
                if number < 0:  # a door that refuses what is whole tells nothing of what is damaged
                    if outcome["outcome"] != "read":
                        print(f"{name}: a whole example was not read: {outcome['detail']}", flush=True)
                        results[name].append({**outcome, "outcome": "wrong"})
                    continue
                results[name].append(outcome)
                if outcome["outcome"] not in ("read", "refused"):
                    print(f"{name} {number}: {outcome['outcome']} {outcome['detail']}", flush=True)
            child.close()

        threads = [threading.Thread(target=serve) for _ in range(jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return results


def table(results: dict[str, list[dict[str, Any]]], command: str, minutes: float) -> str:
    """The outcomes as a page."""
    total = sum(len(outcomes) for outcomes in results.values())
    lines = [
        "# Damaged inputs",
        "",
        "Files, lines and messages, whole at first, with bits flipped, bytes changed, ends cut off, numbers and words",
        "of their headers replaced, are given to every door of the engine, each in a process of bounded memory",
        f"({MAX_GIGABYTES} GiB) and time ({MAX_SECONDS:.0f} s). Volumes let in are compared with what another",
        "reader says of the same file: nibabel, pydicom's attributes, or a few lines of their own",
        "(`Testing/fuzz/oracles.py`). Every door reads the whole examples first. Memory is at most what is stated.",
        "",
        f"    {command}",
        "",
        "| door | inputs | " + " | ".join(MEANING[outcome] for outcome in OUTCOMES) + " | longest, s | memory, MB |",
        "| --- |" + " ---: |" * (len(OUTCOMES) + 3),
    ]
    sums: Counter[str] = Counter()
    for door in DOORS:
        outcomes = results.get(door.name)
        if not outcomes:
            continue
        counts = Counter(outcome["outcome"] for outcome in outcomes)
        sums += counts
        cells = [door.name, len(outcomes), *(counts[outcome] for outcome in OUTCOMES)]
        cells += [f"{max(o['seconds'] for o in outcomes):.1f}", f"{max(o['megabytes'] for o in outcomes):.0f}"]
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    lines.append("| all | " + " | ".join(str(n) for n in (total, *(sums[outcome] for outcome in OUTCOMES))) + " | | |")
    lines += ["", f"It took {minutes:.0f} minutes."]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Runs from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=10_000, help="inputs in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--doors", default="", help="some of: " + ", ".join(door.name for door in DOORS))
    parser.add_argument("--only", type=int, help="the input of this number alone")
    parser.add_argument("--report", type=Path, help="write the table here")
    arguments = parser.parse_args()
    chosen = [door for door in DOORS if not arguments.doors or door.name in arguments.doors.split(",")]
    began = time.perf_counter()
    results = run(arguments.n, arguments.seed, chosen, arguments.jobs, arguments.only)
    command = f"python Testing/fuzz/fuzz.py --n {arguments.n} --seed {arguments.seed}"
    page = table(results, command, (time.perf_counter() - began) / 60)
    print(page)
    if arguments.report:
        arguments.report.write_text(page, encoding="utf-8")
    bad = [o for outcomes in results.values() for o in outcomes if o["outcome"] not in ("read", "refused")]
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
