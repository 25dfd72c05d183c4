"""`radgs benchmark` and `radgs experiment`: how good registrations and networks are, on trials with a known truth."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from radgs.cli.commands import MAX_MINUTES, MAX_SEED, MAX_STEPS, MAX_TRIALS, Device, DeviceOption, app, not_nan


class Experiment(StrEnum):
    """The method's first experiments."""

    reconstruction = "reconstruction"
    attention = "attention"
    offsets = "offsets"
    segmentation = "segmentation"


def _not_nan_or_none(value: float | None) -> float | None:
    """The same, where nothing may be given."""
    return None if value is None else not_nan(value)


@app.command()
def benchmark(
    out: Annotated[Path, typer.Option(help="Folder for report.md, report.html, benchmark.json and the plots.")],
    quick: Annotated[bool, typer.Option("--quick", help="A few trials, in two to three minutes.")] = False,
    seed: Annotated[
        int, typer.Option(min=0, max=MAX_SEED, help="Chooses patients, poses and noise; 0 is the config's with --full.")
    ] = 0,
    trials: Annotated[
        int | None, typer.Option(min=1, max=MAX_TRIALS, help="Trials per vertebra; 10, or 2 with --quick.")
    ] = None,
    world: Annotated[str, typer.Option(help="How images differ from clean ones, such as blades; or all.")] = "clean",
    faults: Annotated[
        bool, typer.Option("--faults", help="Cases that are wrong on purpose: what does the verdict make of them?")
    ] = False,
    device: DeviceOption = Device.auto,
    full: Annotated[
        bool, typer.Option("--full", help="All that a config names, going on where it stopped.", rich_help_panel="Full")
    ] = False,
    config: Annotated[
        Path | None, typer.Option(help="Another config than the engine's own (TOML).", rich_help_panel="Full")
    ] = None,
    real_ct: Annotated[
        Path | None, typer.Option(help="Folder of the real CT, else $RADGS_REAL_CT.", rich_help_panel="Full")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="This cohort alone; may be repeated.", rich_help_panel="Full")
    ] = None,
    share: Annotated[
        str,
        typer.Option(help="The second of four shares is 2/4; their logs go into one folder.", rich_help_panel="Full"),
    ] = "1/1",
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            max=MAX_MINUTES,
            callback=_not_nan_or_none,
            help="Begin no trial after so many.",
            rich_help_panel="Full",
        ),
    ] = None,
    report_only: Annotated[
        bool, typer.Option("--report-only", help="Run nothing; report what is there.", rich_help_panel="Full")
    ] = False,
) -> None:
    """Measure accuracy and verdicts on simulated X-rays with the truth known: of phantoms, or all of a config."""
    from radgs.cli.console import ProgressBar, ending_well, people_console

    if full:
        from radgs.cli.benchmark_session import full_benchmark

        seed_given = seed or None  # 0, the default, is the config's own
        with ending_well(as_json=False):
            typer.echo(
                full_benchmark(
                    out,
                    config,
                    seed_given,
                    real_ct,
                    tuple(only or ()),
                    trials,
                    share,
                    minutes,
                    report_only,
                    device.value,
                )
            )
        return
    with ending_well(as_json=False):
        from radgs.evaluation.fault_benchmark import run_fault_benchmark
        from radgs.evaluation.phantom_benchmark import run_phantom_benchmark
        from radgs.pipeline.result_folder import prepare_folder
        from radgs.simulation.worlds import WORLDS, world_named

        worlds = tuple(WORLDS) if world == "all" else (world,)
        _ = [world_named(name) for name in worlds]  # refused before the work
        prepare_folder(out)
        with ProgressBar(people_console(), "Benchmark") as progress:
            if faults:
                report = run_fault_benchmark(
                    out, seed=seed, quick=quick, trials_per_fault=trials, device=device.value, progress=progress
                )
                typer.echo(report.read_text(encoding="utf-8"))
                return
            report = run_phantom_benchmark(
                out,
                seed=seed,
                quick=quick,
                worlds=worlds,
                trials_per_vertebra=trials,
                device=device.value,
                progress=progress,
            )
        typer.echo(report.read_text(encoding="utf-8"))
        typer.echo(f"Written to {out}.")


@app.command()
def experiment(
    which: Annotated[
        Experiment,
        typer.Argument(help="RecM alone; attention and CAL; clicks off by known distances; labelled Gaussians."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for report.md and the plots.")],
    steps: Annotated[int, typer.Option(min=1, max=MAX_STEPS, help="Of each training.")] = 600,
    trials: Annotated[
        int, typer.Option(min=1, max=MAX_TRIALS, help="Of each known distance, or of each vertebra.")
    ] = 6,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="Trainings of each arm of the attention experiment.")] = 1,
    seed: Annotated[
        int, typer.Option(min=0, max=MAX_SEED, help="Of the synthetic patient, pairs, weights and noise.")
    ] = 0,
    device: DeviceOption = Device.auto,
) -> None:
    """Run one of the method's first experiments on a synthetic vertebra. Attention's goes on where it stopped."""
    from radgs.cli.console import ProgressBar, ending_well, people_console

    with ending_well(as_json=False):
        from radgs import experiments
        from radgs.pipeline.result_folder import prepare_folder

        prepare_folder(out)
        with ProgressBar(people_console(), "Experiment") as progress:
            run = {
                Experiment.reconstruction: partial(experiments.reconstruction_experiment, steps=steps),
                Experiment.attention: partial(experiments.attention_experiment, steps=steps, seeds=seeds),
                Experiment.offsets: partial(experiments.offsets_experiment, trials=trials),
                Experiment.segmentation: partial(experiments.segmentation_experiment, trials=trials),
            }[which]
            report = run(out, seed=seed, device=device.value, progress=progress)
        typer.echo(report.read_text(encoding="utf-8"))
        typer.echo(f"Written to {out}.")
