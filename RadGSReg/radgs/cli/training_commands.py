"""`radgs train` and its stages: generic networks, and their adaptation to real X-rays."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from radgs.cli.commands import MAX_MINUTES, MAX_SEED, MAX_STEPS, MAX_TRIALS, Device, DeviceOption, app, not_nan

VERSE = "VerSe"
#: More than VerSe has, and more than a disk has room for.
MAX_CTS, MAX_PAIRS, MAX_PER_VERTEBRA = 1000, 1_000_000, 10_000


class Attention(StrEnum):
    """Kinds of RecM's attention."""

    none = "none"
    gate = "gate"
    mass = "mass"


train_app = typer.Typer(
    invoke_without_command=True, help="Train generic networks (stage 1), or adapt a model to real X-rays (stage 3)."
)
app.add_typer(train_app, name="train")

MinutesOption = Annotated[
    float,
    typer.Option(min=0.1, max=MAX_MINUTES, callback=not_nan, help="Time budget of the training; pairs come on top."),
]
SeedOption = Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Of weights, draws and exposures.")]


@train_app.callback()
def train(
    context: typer.Context,
    out: Annotated[Path | None, typer.Option(help="The model file to write.")] = None,
    pairs: Annotated[Path | None, typer.Option(help="Folder for simulated pairs; what is there is used again.")] = None,
    minutes: MinutesOption = 60.0,
    steps: Annotated[
        int | None, typer.Option(min=1, max=MAX_STEPS, help="Train for so many steps instead, however long they take.")
    ] = None,
    spines: Annotated[int, typer.Option(min=2, max=MAX_TRIALS, help="How many synthetic patients.")] = 40,
    verse: Annotated[
        Path | None, typer.Option(help="Folder of VerSe's data: its patients instead.", rich_help_panel=VERSE)
    ] = None,
    cts: Annotated[int, typer.Option(min=2, max=MAX_CTS, help="CTs, at most.", rich_help_panel=VERSE)] = 253,
    most_pairs: Annotated[
        int, typer.Option(min=2, max=MAX_PAIRS, help="Pairs of all CTs, at most.", rich_help_panel=VERSE)
    ] = 32_000,
    all_splits: Annotated[
        bool,
        typer.Option(
            "--all-splits",
            help="Every twelfth patient is held out, whatever the publishers' splits.",
            rich_help_panel=VERSE,
        ),
    ] = False,
    pairs_per_vertebra: Annotated[int, typer.Option(min=2, max=MAX_PER_VERTEBRA, help="Pairs of each vertebra.")] = 10,
    config: Annotated[str, typer.Option(help="compact or paper.")] = "compact",
    base: Annotated[Path | None, typer.Option(help="Networks to go on with; random weights by default.")] = None,
    attention: Annotated[
        Attention | None,
        typer.Option(
            help="RecM's attention: of fixed mass, a gate as in older models, or none; the base's by default."
        ),
    ] = None,
    cal: Annotated[
        bool, typer.Option("--cal/--no-cal", help="Train the attention with the counterfactual loss, or without.")
    ] = True,
    seed: SeedOption = 0,
    device: DeviceOption = Device.auto,
) -> None:
    """Train generic networks on simulated X-rays (stage 1). Ctrl-C keeps the best so far; the same command goes on.

    On several GPUs: torchrun --nproc-per-node 4 -m radgs train ...
    """
    if context.invoked_subcommand is not None:
        return
    if out is None or pairs is None:
        raise typer.BadParameter("--out and --pairs are needed: the model file to write, and a folder for pairs.")
    from radgs.cli.console import ending_well

    with ending_well(as_json=False):
        from radgs.cli.training_session import train_stage_1
        from radgs.training.verse_pairs import VerseSettings

        told = train_stage_1(
            out,
            pairs,
            minutes=minutes,
            steps=steps,
            spines=spines,
            pairs_per_vertebra=pairs_per_vertebra,
            verse=None if verse is None else VerseSettings(verse, cts, most_pairs, pairs_per_vertebra, all_splits),
            config=config,
            base=base,
            attention=None if attention is None else attention.value,
            with_cal=cal,
            seed=seed,
            device=device.value,
        )
        if told:
            typer.echo(told)


@train_app.command()
def adapt(
    cases: Annotated[
        list[Path],
        typer.Argument(help="A case.json, or a result.json whose accepted poses are known; or the folder of either."),
    ],
    base: Annotated[Path, typer.Option(help="The model to go on from.")],
    out: Annotated[Path, typer.Option(help="The model file to write.")],
    poses: Annotated[
        list[str] | None,
        typer.Option("--pose", help="L3=FILE, an ITK transform with a known pose, for one case; repeatable."),
    ] = None,
    minutes: MinutesOption = 10.0,
    seed: SeedOption = 0,
    device: DeviceOption = Device.auto,
) -> None:
    """Adapt a model to real X-rays (stage 3), with or without poses. Ctrl-C keeps the best so far."""
    from radgs.cli.console import ending_well

    with ending_well(as_json=False):
        from radgs.cli.training_session import train_stage_3
        from radgs.errors import InputFileError

        known: dict[str, Path] = {}
        for text in poses or []:
            level, _, file = text.partition("=")
            if not level or not file:
                raise InputFileError(f'"{text}" is no pose.', "Write L3=FILE.")
            known[level] = Path(file)
        typer.echo(train_stage_3(cases, out, base=base, poses=known, minutes=minutes, seed=seed, device=device.value))
