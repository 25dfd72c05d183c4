"""Registers T10, T11 and T12 of a real CT, and L3 of a phantom, to X-rays simulated from them, and reports how well.

    python Testing/benchmarks/real_ct_data.py                      # fetches the CT, once
    python Testing/benchmarks/real_ct.py --out real-ct-result      # 20 poses per vertebra

The images are clean, or as a world has them (``radgs.simulation.worlds``), each reported apart:

    python Testing/benchmarks/real_ct.py --out worlds --levels T10 T11 T12 demo --world ct-150 blades   # or: all

T10 to L1 move against each other in every trial; L1 touches the CT's edge and is not registered itself. Each trial is
written to trials.jsonl as it ends: the same command takes up where an interrupted one stopped. The folder then holds
report.md, benchmark.json and plots. A trial can be looked at more closely:

    python Testing/benchmarks/real_ct.py --out real-ct-result --look T12 3   # draws trial 3 of T12 instead

Networks prepared for its vertebrae are made by, and used with,

    python Testing/benchmarks/real_ct.py --out real-ct-result --prepare 20   # minutes for each vertebra; takes up again
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.append(str(Path(__file__).resolve().parents[2] / "RadGSReg"))

import make_demo_case
import real_ct_data

from radgs.anatomy import body_centre
from radgs.case import Level
from radgs.cli.console import ProgressBar, people_console
from radgs.evaluation.report import write_report
from radgs.evaluation.run import run_trials
from radgs.evaluation.trials import BenchmarkSubject, append_trial, read_trials, trial_case
from radgs.io.model_header import SUFFIX, work_folder
from radgs.networks import Networks, load_networks
from radgs.phantom import make_spine
from radgs.pipeline import register
from radgs.pipeline.result_folder import result_folder, write_result_folder
from radgs.simulation import ArticulatedAnatomy, SimulationSettings
from radgs.simulation.worlds import CLEAN_NAME, WORLDS, world_named
from radgs.training.base import starting_networks
from radgs.training.prepare import PreparationProgress, prepare

#: Moves with its neighbours, but is not whole in the CT.
MOVING_NEIGHBOUR = {"L1": 31}
#: What L3 of the demo's phantom is called among the levels.
DEMO = "demo"
#: Four vertebrae, as each of five kinds of CT shows them.
VERTEBRAE_KEPT = 20


def real_subject(
    folder: Path, levels: tuple[str, ...], networks: dict[str, Networks] | None = None
) -> BenchmarkSubject:
    """The one real CT at hand."""

    def load() -> ArticulatedAnatomy:
        ct, labels = real_ct_data.read_ct(folder), real_ct_data.read_labels(folder)
        return ArticulatedAnatomy(ct, labels, {**real_ct_data.LEVEL_LABELS, **MOVING_NEIGHBOUR})

    return BenchmarkSubject("LIDC-IDRI thorax", "real CT", levels, load, networks or {})


def demo_subject() -> BenchmarkSubject:
    """The phantom that ``radgs demo`` registers, its CT whole."""

    def load() -> ArticulatedAnatomy:
        seed, voxel_mm, noise_hu = make_demo_case.PATIENT_SEED, make_demo_case.VOXEL_MM, make_demo_case.NOISE_HU
        spine = make_spine(seed, spacing_mm=voxel_mm, noise_hu=noise_hu)
        return ArticulatedAnatomy(spine.ct, spine.labels, spine.levels)

    return BenchmarkSubject("demo", "phantom", (make_demo_case.LEVEL,), load)


def prepared_networks(
    folder: Path, levels: Sequence[str], minutes: float, out: Path, progress: Callable[[float, str], None]
) -> dict[str, Networks]:
    """Networks of each level, prepared one after the other, each from its neighbour's; finished ones are read."""
    ct, labels = real_ct_data.read_ct(folder), real_ct_data.read_labels(folder)
    found = {}
    for number, name in enumerate(levels):

        def show(at: PreparationProgress, number: int = number, name: str = name) -> None:
            progress((number + at.fraction) / len(levels), f"preparing {name}: {at.message}")

        path = out / f"{name}{SUFFIX}"
        if path.is_file() and not work_folder(path).exists():
            found[name] = load_networks(path)
        else:
            level = Level(name, real_ct_data.LEVEL_LABELS[name])
            base = starting_networks(ct, body_centre(labels, level.label), out)
            found[name] = prepare(ct, labels, level, base, path, minutes=minutes, progress=show)
    return found


def look_at(
    subject: BenchmarkSubject, level: str, index: int, seed: int, settings: SimulationSettings, out: Path
) -> list[Path]:
    """Registers one trial again; returns the files written, pictures first."""
    case = trial_case(subject, subject.load(), level, index, seed, settings)
    with result_folder(out / f"{level}_{index}") as folder:
        return write_result_folder(folder, case, register(case, networks=subject.networks))


def main() -> int:
    """Runs the trials that are not there yet and writes the report; exit status 1 without the CT."""
    parser = argparse.ArgumentParser(description="Benchmark the registration on a real CT.")
    parser.add_argument("--out", type=Path, required=True, help="folder for trials.jsonl and the report")
    parser.add_argument("--trials", type=int, default=20, help="poses per vertebra (default 20)")
    parser.add_argument("--seed", type=int, default=0, help="chooses poses, views, clicks and noise (default 0)")
    parser.add_argument(
        "--levels",
        nargs="+",
        default=list(real_ct_data.LEVEL_LABELS),
        choices=[*real_ct_data.LEVEL_LABELS, DEMO],
        help=f"vertebrae of the real CT; {DEMO}: L3 of the demo's phantom",
    )
    parser.add_argument("--world", nargs="+", default=[CLEAN_NAME], help="worlds that images come from, or all")
    parser.add_argument("--start", default="clicks", choices=("clicks", "truth"), help="what registration begins with")
    parser.add_argument("--rotation", type=float, default=15.0, help="largest rotation of the CT, degrees (default 15)")
    parser.add_argument("--prepare", type=float, metavar="MINUTES", help="prepare networks for each vertebra first")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--look", nargs=2, metavar=("LEVEL", "TRIAL"), help="register one trial again and draw it")
    arguments = parser.parse_args()
    folder = real_ct_data.real_ct_folder()
    if folder is None:
        print(real_ct_data.HOW_TO_GET_IT, file=sys.stderr)
        return 1
    arguments.out.mkdir(parents=True, exist_ok=True)
    settings = SimulationSettings(rotation_deg=arguments.rotation)
    worlds = tuple(WORLDS) if arguments.world == ["all"] else tuple(arguments.world)
    levels = tuple(name for name in arguments.levels if name != DEMO)
    networks = {}
    if arguments.prepare:
        with ProgressBar(people_console(), "Preparation") as progress:
            networks = prepared_networks(folder, levels, arguments.prepare, arguments.out, progress)
    subject = real_subject(folder, levels, networks)
    subjects = [*([subject] if levels else []), *([demo_subject()] if DEMO in arguments.levels else [])]
    if arguments.look:
        level, index = arguments.look
        shown, level = (subjects[-1], make_demo_case.LEVEL) if level == DEMO else (subject, level)
        (world,) = worlds
        of_world = replace(settings, world=world_named(world))
        print(*look_at(shown, level, int(index), arguments.seed, of_world, arguments.out / world), sep="\n")
        return 0
    log = arguments.out / "trials.jsonl"
    with ProgressBar(people_console(), "Real CT") as progress:
        trials = run_trials(
            subjects,
            arguments.trials,
            arguments.seed,
            settings,
            progress,
            worlds=worlds,
            order="in turn",
            vertebrae_kept=VERTEBRAE_KEPT,
            start=arguments.start,
            device=arguments.device,
            finished=read_trials(log),
            on_trial=lambda trial: append_trial(log, trial),
        )
    title = "Registration of a real CT" if levels else "Registration of the demo's phantom"
    print(write_report(trials, arguments.out, title, settings).read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
