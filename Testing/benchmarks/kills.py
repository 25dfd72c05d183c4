"""Result folders under kill -9 and under two writers: after every blow, whole or absent?

A registration of the bundled demo is done once. Then a child writes its result, over and over, each time as that of
another run: other levels, another pose. It is killed at a random moment, and what lies in the folder is looked at as a
stranger would: every file of the list is there with its hash, no other file is, and poses, levels and list belong to
one run. Two children that write into one folder at once are let loose the same way.

    python Testing/benchmarks/kills.py --kills 100 --rounds 300 --report docs/kills.md
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from radgs.case import RegistrationCase, RegistrationResult
from radgs.errors import OutputError
from radgs.geometry import RigidTransform
from radgs.io.folder_swap import LIST_NAME, OUTDATED_NAME, listed_files
from radgs.io.transforms import read_transform
from radgs.pipeline import Registration, register
from radgs.pipeline.result_folder import result_folder, write_result_folder

#: How a child ends that another writer kept out.
KEPT_OUT = 7


def run_number(registration: Registration, number: int) -> Registration:
    """The registration as that of another run: the pose tells which, and every other run has a second level."""
    (name, level), *_ = registration.result.levels.items()
    assert level.ct_to_world is not None
    pose = RigidTransform(level.ct_to_world.rotation, np.array([float(number), 0.0, 0.0]))
    names = [name, "L4"] if number % 2 else [name]
    return replace(
        registration,
        result=replace(
            registration.result,
            levels={n: replace(level, ct_to_world=pose, stages={**level.stages, "refined": pose}) for n in names},
            models=dict.fromkeys(names, "kills"),
        ),
        vertebrae=dict.fromkeys(names, registration.vertebrae[name]),
        reconstructions={n: registration.reconstructions[name] for n in names if name in registration.reconstructions},
    )


def state_of(folder: Path) -> str:
    """The word absent, or whole, or what is wrong with a folder."""
    if not folder.exists():
        return "absent"
    listed = listed_files(folder)
    if listed is None:
        return "no list"
    there = {path.name: path for path in folder.iterdir()}
    if set(there) - {LIST_NAME, OUTDATED_NAME} != set(listed):
        others = sorted(set(there) - {LIST_NAME, OUTDATED_NAME} ^ set(listed))
        return f"other files than listed: {', '.join(others)}"
    if any(hashlib.sha256(there[name].read_bytes()).hexdigest() != digest for name, digest in listed.items()):
        return "a file of another run"
    levels = RegistrationResult.load(folder).levels
    poses = {name: level.ct_to_world for name, level in levels.items()}
    numbers = {round(float(pose.translation[0])) for pose in poses.values() if pose is not None}
    written = {round(float(read_transform(folder / f"{name}_ct_to_world.tfm").translation[0])) for name in levels}
    if len(numbers) != 1 or written != numbers or len(levels) != 1 + numbers.pop() % 2:
        return "poses of two runs"
    return "whole"


def in_a_child(work: Callable[[], None]) -> int:
    """Does something in a process of its own; returns its id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    except OutputError as error:
        status = KEPT_OUT if "Another run" in error.problem else 1
    finally:
        os._exit(status)


def kills(
    folder: Path, case: RegistrationCase, registration: Registration, count: int, overlays: bool, seed: int
) -> tuple[Counter[str], float]:
    """Kills writers; returns how often the folder was found how, and how long a writer left alone takes, seconds."""
    rng, found = np.random.default_rng(seed), Counter[str]()

    def write(number: int) -> None:
        with result_folder(folder) as to_be:
            write_result_folder(to_be, case, run_number(registration, number), overlays=overlays)

    def write_on_and_on(number: int) -> None:
        for again in range(1000):
            write(number + 2 * again)

    began = time.perf_counter()
    os.waitpid(in_a_child(partial(write, 0)), 0)
    alone = time.perf_counter() - began
    for number in range(1, count + 1):
        child = in_a_child(partial(write_on_and_on, number))
        time.sleep(rng.uniform(0.0, 2.5 * alone))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found[state_of(folder)] += 1
    write(0)
    leftovers = [path.name for path in folder.parent.iterdir() if path != folder]
    if leftovers:
        found[f"left beside the folder: {', '.join(leftovers)}"] += 1
    return found, alone


def two_writers(
    folder: Path, case: RegistrationCase, registration: Registration, rounds: int
) -> tuple[Counter[str], int]:
    """Lets two write at once; returns how often the folder was found how, and how often one was kept out."""
    found, kept_out = Counter[str](), 0
    for number in range(rounds):
        start = time.monotonic() + 0.02

        def write(number: int, start: float = start) -> None:
            while time.monotonic() < start:
                pass
            with result_folder(folder) as to_be:
                write_result_folder(to_be, case, run_number(registration, number), overlays=False)

        children = [in_a_child(partial(write, n)) for n in (2 * number, 2 * number + 1)]
        statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        kept_out += statuses.count(KEPT_OUT)
        state = state_of(folder)
        found[state if set(statuses) <= {0, KEPT_OUT} else f"{state}, and a writer failed"] += 1
    return found, kept_out


def main() -> int:
    """Returns the exit status: 0 when every folder was whole or absent."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=300, help="of two writers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-overlays", action="store_true", help="leave out the pictures, which take longest")
    parser.add_argument("--report", type=Path, help="where to write the table, as Markdown")
    options = parser.parse_args()
    with as_file(files("radgs").joinpath("data", "demo", "case.json")) as path:
        case = RegistrationCase.load(path)
    registration = register(case, device="cpu")
    with tempfile.TemporaryDirectory() as scratch:
        killed, alone = kills(
            Path(scratch, "killed", "result"), case, registration, options.kills, not options.no_overlays, options.seed
        )
        together, kept_out = two_writers(Path(scratch, "two", "result"), case, registration, options.rounds)
    lines = [
        "| blow | n | whole | absent | anything else |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {what} | {sum(found.values())} | {found['whole']} | {found['absent']} | "
            f"{sum(found.values()) - found['whole'] - found['absent']} |"
            for what, found in (("kill -9 at a random moment", killed), ("two writers at once", together))
        ),
    ]
    lines += ["", f"A writer left alone took {alone:.1f} s; of two writers at once, {kept_out} were kept out."]
    lines += [f"Seed {options.seed}; {'without' if options.no_overlays else 'with'} pictures; {sys.platform}."]
    for found in (killed, together):
        lines += [f"- {state}: {count}" for state, count in found.items() if state not in ("whole", "absent")]
    print("\n".join(lines))
    if options.report is not None:
        title = "# A result folder under kill -9 and under two writers\n\nBy `Testing/benchmarks/kills.py`.\n\n"
        options.report.write_text(title + "\n".join(lines) + "\n", encoding="utf-8")
    return 0 if set(killed) | set(together) <= {"whole", "absent"} else 1


if __name__ == "__main__":
    sys.exit(main())
