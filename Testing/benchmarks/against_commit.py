"""Registrations by this tree and by another commit, in turns in one run: warm ones, and the whole command from cold.

    python Testing/benchmarks/against_commit.py d76ca43 --turns 9 --cold 3 --threads 2

T11 of the real CT (``real_ct_data.py``) and the demo's L3, the same two cases for both. *Warm* is a registration of a
vertebra that is at hand, in a process that has registered it twice before; *cold* is ``radgs register`` with an empty
cache folder, and once more with what that left there. Medians, and of turns the ratios; run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve()
TREE = HERE.parents[2]
sys.path.insert(0, str(HERE.parent))
sys.path.append(str(TREE / "RadGSReg"))

#: Registers a case by name whenever its name comes in, and answers with seconds and verdict; run by either tree.
WARM = """
import sys, time
from pathlib import Path
import torch
torch.set_num_threads(int(sys.argv[2]))
from radgs.case import RegistrationCase
from radgs.pipeline import register
cases = {path.name: RegistrationCase.load(path) for path in sorted(Path(sys.argv[1]).iterdir())}
warm = {}
for name, case in cases.items():
    first = register(case, device="cpu")
    kept = "vertebrae" if hasattr(first, "vertebrae") else "models"
    warm[name] = {kept: getattr(first, kept)}
    register(case, device="cpu", **warm[name])
print("ready", flush=True)
for line in sys.stdin:
    name = line.strip()
    began = time.perf_counter()
    result = register(cases[name], device="cpu", **warm[name]).result
    seconds = time.perf_counter() - began
    print(seconds, *(level.verdict for level in result.levels.values()), flush=True)
"""


def write_cases(folder: Path) -> list[str]:
    """Writes a clean case of T11 and of the demo's L3, and returns their names."""
    import real_ct
    import real_ct_data

    from radgs.evaluation.trials import trial_case
    from radgs.simulation import SimulationSettings

    subjects = [(real_ct.demo_subject(), "L3")]
    real = real_ct_data.real_ct_folder()
    if real is not None:
        subjects.append((real_ct.real_subject(real, ("T11",)), "T11"))
    for subject, level in subjects:
        trial_case(subject, subject.load(), level, 1, 3, SimulationSettings()).save(folder / level)
    return [level for _, level in subjects]


def environment(tree: Path, cache: str) -> dict[str, str]:
    """Environment in which a tree's own engine is imported."""
    return {**os.environ, "PYTHONPATH": str(tree / "RadGSReg"), "RADGS_CACHE": cache}


def compare_warm(trees: dict[str, Path], cases: Path, names: Sequence[str], turns: int, threads: int) -> None:
    """Prints seconds of both trees and their ratio, case by case."""
    processes = {
        which: subprocess.Popen(
            [sys.executable, "-c", WARM, str(cases), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(tree, "off"),
        )
        for which, tree in trees.items()
    }
    seconds: dict[tuple[str, str], list[float]] = {}
    verdicts: dict[tuple[str, str], str] = {}

    def ask(which: str, name: str) -> str:
        process = processes[which]
        assert process.stdin is not None
        assert process.stdout is not None
        if name:
            print(name, file=process.stdin, flush=True)
        return process.stdout.readline().strip()

    for which in trees:
        if ask(which, "") != "ready":
            raise SystemExit(f"{trees[which]} does not register the cases.")
    for turn in range(turns):
        for name in names:
            for which in sorted(trees, reverse=bool(turn % 2)):
                taken, verdicts[name, which] = ask(which, name).split(maxsplit=1)
                seconds.setdefault((name, which), []).append(float(taken))
    for name in names:
        before, now = seconds[name, "before"], seconds[name, "now"]
        ratios = sorted(b / n for b, n in zip(before, now, strict=True))
        print(
            f"warm {name}: {statistics.median(before):.2f} s ({verdicts[name, 'before']}) before, "
            f"{statistics.median(now):.2f} s ({verdicts[name, 'now']}) now: {statistics.median(ratios):.2f} times "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f}, n = {turns})"
        )
    for process in processes.values():
        process.communicate()


def compare_cold(trees: dict[str, Path], case: Path, turns: int) -> None:
    """Prints how long ``radgs register`` takes with an empty cache folder, and again."""
    seconds: dict[tuple[str, str], list[float]] = {}
    for _ in range(turns):
        for which, tree in trees.items():
            with tempfile.TemporaryDirectory() as scratch:
                for run in ("first", "second"):
                    began = time.perf_counter()
                    command = [sys.executable, "-m", "radgs", "register", str(case), "--out", f"{scratch}/{run}"]
                    done = subprocess.run(command, env=environment(tree, f"{scratch}/cache"), capture_output=True)
                    if done.returncode not in (0, 3, 4):
                        raise SystemExit(done.stderr.decode()[-500:])
                    seconds.setdefault((run, which), []).append(time.perf_counter() - began)
    for (run, which), taken in seconds.items():
        print(f"cold, {run}, {which}: {statistics.median(taken):.1f} s ({min(taken):.1f} to {max(taken):.1f})")


def main() -> int:
    """Checks the other commit out beside this tree, and compares."""
    parser = argparse.ArgumentParser(description="Registrations by this tree and by another commit, in turns.")
    parser.add_argument("commit", help="what to compare with")
    parser.add_argument("--turns", type=int, default=9, help="warm registrations of each case by each (default: 9)")
    parser.add_argument("--cold", type=int, default=3, help="cold commands of each (default: 3)")
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch (default: 2)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        other, cases = Path(scratch) / "tree", Path(scratch) / "cases"
        subprocess.run(["git", "clone", "--quiet", "--no-checkout", str(TREE), str(other)], check=True)
        subprocess.run(["git", "-C", str(other), "checkout", "--quiet", given.commit], check=True)
        trees, names = {"before": other, "now": TREE}, write_cases(cases)
        compare_warm(trees, cases, names, given.turns, given.threads)
        compare_cold(trees, cases / names[0] / "case.json", given.cold)
    return 0


if __name__ == "__main__":
    sys.exit(main())
