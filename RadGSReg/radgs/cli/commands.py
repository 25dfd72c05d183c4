"""The command line: demo, register, prepare, export, report, cache; other subjects have modules of their own.

Exit status of the worst level: 0 accept, 3 check, 4 reject; 2 bad input, 130 interrupted, 1 a failure of the program.
An export that is done ends with 0; 3 and 4 say which verdict stood in its way.
Whatever needs torch is imported by the command that uses it, so that ``--help`` and ``--version`` answer at once.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from radgs.ports import OPENIGTLINK_PORT
from radgs.versions import ENGINE_VERSION

if TYPE_CHECKING:
    from radgs.case import RegistrationCase
    from radgs.pipeline import Progress, Registration

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Registers a spine CT to calibrated X-rays, vertebra by vertebra. Research use only, not a medical device.",
    epilog="Exit status of the worst level: 0 accept, 3 check, 4 reject; 2 bad input.",
)

DEMO_TRUTH = "The error is scored on the simulated case's known truth, which the registration does not see."
CASE_TRUTH = "The error is scored on the truth given with the case, which the registration does not see."


class Device(StrEnum):
    """Where to compute."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class CacheAction(StrEnum):
    """What can be done with the cache."""

    show = "show"
    clear = "clear"


class Format(StrEnum):
    """What poses can be exported as."""

    tfm = "tfm"
    h5 = "h5"
    txt = "txt"
    json = "json"
    csv = "csv"
    dicom = "dicom"
    tra = "tra"
    igtl = "igtl"


#: A week; and more than anybody's patience or disk has room for.
MAX_MINUTES, MAX_TRIALS, MAX_STEPS, MAX_SEED = 10080, 10_000, 1_000_000, 2**32 - 1


def not_nan(value: float) -> float:
    """Refuses what passes every bound because it is no number."""
    if math.isnan(value):
        raise typer.BadParameter("nan is not a number.")
    return value


DeviceOption = Annotated[Device, typer.Option(help="Where to compute; auto takes a GPU where there is one.")]
ModelOption = Annotated[
    list[Path] | None,
    typer.Option("--model", help="Networks that `radgs prepare` wrote, one per level; repeatable."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout; all else on stderr.")]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"radgs {ENGINE_VERSION}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Registers a spine CT to calibrated X-rays, vertebra by vertebra. Research use only, not a medical device."""


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the result.")] = Path("radgs-demo"),
    device: DeviceOption = Device.auto,
    as_json: JsonOption = False,
) -> None:
    """Register L3 of the bundled phantom to its simulated X-rays, and draw the result."""
    from importlib.resources import as_file, files

    with as_file(files("radgs").joinpath("data", "demo", "case.json")) as case:
        _register_and_report(case, out, device, as_json, DEMO_TRUTH)


@app.command()
def register(
    case: Annotated[Path, typer.Argument(help="A case.json, or the folder that holds one.")],
    out: Annotated[Path, typer.Option(help="Folder for the result.")],
    model: ModelOption = None,
    device: DeviceOption = Device.auto,
    self_calibrate: Annotated[
        bool,
        typer.Option(
            "--self-calibrate",
            help="Solve for the second view's source and detector too, the first held; what changed is told.",
        ),
    ] = False,
    worker: Annotated[
        bool,
        typer.Option(
            "--worker",
            help="Let a process do it that stays for a quarter of an hour: the next call with --worker is quicker.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Register the levels of a case, and draw the result."""
    if worker:
        from radgs.cli.warm_session import register_by_worker

        register_by_worker(case, out, device.value, model or [], self_calibrate, as_json, CASE_TRUTH)
    _register_and_report(case, out, device, as_json, CASE_TRUTH, model or [], self_calibrate)


@app.command()
def prepare(
    case: Annotated[Path, typer.Argument(help="A case.json, or the folder that holds one; X-rays are not needed.")],
    level: Annotated[str, typer.Option(help="The vertebra, as the case names it.")],
    out: Annotated[Path, typer.Option(help="The model file to write, e.g. L3.radgs.safetensors.")],
    minutes: Annotated[
        float, typer.Option(min=0.1, max=MAX_MINUTES, callback=not_nan, help="Time budget, all in all.")
    ] = 20.0,
    base: Annotated[
        Path | None,
        typer.Option(
            help="Networks to start from; by default those of the nearest vertebra of this CT that were prepared "
            "beside --out, else the bundled ones."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Chooses simulated pairs and exposures.")] = 0,
    device: DeviceOption = Device.auto,
) -> None:
    """Teach the networks one vertebra of one CT. Ctrl-C keeps the best so far; the same command goes on from there."""
    from radgs.cli.console import ending_well

    with ending_well(as_json=False):
        from radgs.cli.training_session import prepare_level

        typer.echo(prepare_level(case, level, out, minutes=minutes, base=base, seed=seed, device=device.value))


@app.command()
def export(
    result: Annotated[Path, typer.Argument(help="A result.json, or the folder that holds one.")],
    formats: Annotated[list[Format], typer.Option("--format", help="As what; may be given several times.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the files.")] = None,
    levels: Annotated[list[str] | None, typer.Option("--level", help="Which level; may be repeated. All.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Export what is to be checked, without being asked.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Export rejected poses too.")] = False,
    as_json: JsonOption = False,
    ct_dicom: Annotated[
        list[Path] | None,
        typer.Option(help="DICOM file or folder of the CT, for its frame of reference.", rich_help_panel="DICOM"),
    ] = None,
    xray_dicom: Annotated[
        list[Path] | None,
        typer.Option(help="The same of the X-rays, whose frame the world then is.", rich_help_panel="DICOM"),
    ] = None,
    tracking: Annotated[
        Path | None,
        typer.Option(help="The .tra that the case was imported with (--poses).", rich_help_panel="Autoscoper"),
    ] = None,
    tracking_row: Annotated[
        int | None, typer.Option(min=0, help="The row that was registered, from 0.", rich_help_panel="Autoscoper")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Receiver's address; with --listen, the own one.", rich_help_panel="OpenIGTLink")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Of the same.",
            show_default=str(OPENIGTLINK_PORT),
            rich_help_panel="OpenIGTLink",
        ),
    ] = None,
    listen: Annotated[bool, typer.Option("--listen", help="Be the server.", rich_help_panel="OpenIGTLink")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Stay and send every change; never asks.", rich_help_panel="OpenIGTLink")
    ] = False,
    timeout: Annotated[
        float,
        typer.Option(
            min=0.1, max=86400, callback=not_nan, help="Seconds to wait for a receiver.", rich_help_panel="OpenIGTLink"
        ),
    ] = 10.0,
) -> None:
    """Hand poses to the next system: as files, or live by OpenIGTLink."""
    from radgs.cli.console import ending_well

    with ending_well(as_json):
        from radgs.cli.export_session import ExportRequest, LinkOptions, run_export
        from radgs.errors import ExportError
        from radgs.export import ReleasePolicy

        live = Format.igtl in formats
        if (listen or follow) and not live:
            raise ExportError("--listen and --follow say nothing to these formats.", "Add --format igtl.")
        port = OPENIGTLINK_PORT if port is None else port
        run_export(
            ExportRequest(
                result=result,
                file_formats=tuple(chosen.value for chosen in formats if chosen is not Format.igtl),
                out=out,
                levels=tuple(levels or ()),
                policy=ReleasePolicy(check=yes, reject=force),
                ct_dicom=tuple(ct_dicom or ()),
                xray_dicom=tuple(xray_dicom or ()),
                tracking=tracking,
                tracking_row=tracking_row,
                link=LinkOptions(host, port, listen, follow, timeout) if live else None,
                as_json=as_json,
            )
        )


@app.command()
def report(
    result: Annotated[Path, typer.Argument(help="A result.json, or the folder that holds one.")],
    out: Annotated[
        Path | None, typer.Option(help="The page to write; by default report.html beside result.json.")
    ] = None,
    case: Annotated[
        Path | None, typer.Option(help="The case.json that was registered, where the result does not say which.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a registration as one page to look at, print and keep: report.html."""
    from radgs.cli.console import ending_well, print_json

    with ending_well(as_json):
        from radgs.cli.report_session import report_on

        written = report_on(result, out, case)
        if as_json:
            print_json({"report": str(written)})
        else:
            typer.echo(f"Open in a browser: {written}")


@app.command()
def cache(
    what: Annotated[CacheAction, typer.Argument(help="Say what is there, or remove it.")] = CacheAction.show,
    as_json: JsonOption = False,
) -> None:
    """Show or clear what is remembered between runs. RADGS_CACHE=off remembers nothing; RADGS_CACHE=FOLDER moves it."""
    from radgs.cli.console import ending_well, print_json

    with ending_well(as_json):
        from radgs.io.cache_folder import user_cache

        remembered = user_cache()
        used = remembered.clear() if what is CacheAction.clear else remembered.use()
        if as_json:
            folder = None if remembered.folder is None else str(remembered.folder)
            print_json({"folder": folder, "entries": used.entries, "bytes": used.size})
        elif remembered.folder is None:
            typer.echo("Nothing is remembered: RADGS_CACHE is off.")
        else:
            said = "Removed from" if what is CacheAction.clear else "In"
            typer.echo(f"{said} {remembered.folder}: {used.entries} entries, {used.size / 1e6:.1f} MB.")


def _register_and_report(
    path: Path,
    out: Path,
    device: Device,
    as_json: bool,
    truth_note: str,
    models: Sequence[Path] = (),
    self_calibrate: bool = False,
) -> None:
    from radgs.cli.console import EXIT_OF_VERDICT, ending_well

    with ending_well(as_json):
        from radgs.kernels.aside import begin_compiling_aside

        begin_compiling_aside()
        from radgs.io.case_file import read_case_file
        from radgs.pipeline.result_folder import naming_case, result_folder, write_result_folder

        with result_folder(out) as to_be:
            with redirect_stdout(sys.stderr):
                to_be.refuse_inputs([*read_case_file(path).inputs, *models])
                case, registration = _register(path, device, models, self_calibrate)
            registration = naming_case(registration, to_be, path)
            files = write_result_folder(to_be, case, registration)
        from rich.console import Console

        from radgs.evaluation.metrics import true_errors
        from radgs.report.summary import print_summary, registration_json

        result, errors = registration.result, true_errors(case, registration)
        if as_json:
            print(registration_json(result, errors, files, out), end="", flush=True)
        else:
            print_summary(Console(highlight=False), result, errors, files, out, truth_note if errors else "")
        raise typer.Exit(EXIT_OF_VERDICT[result.worst_verdict])


def _register(
    path: Path, device: Device, models: Sequence[Path], self_calibrate: bool
) -> tuple[RegistrationCase, Registration]:
    """The case, with the geometry that its registration stands on, and the registration."""
    from radgs.cli.console import ProgressBar, people_console

    with ProgressBar(people_console(), "Reading the case") as bar:
        bar(0.0, "Reading the case")
        from radgs.case import RegistrationCase
        from radgs.io.cache_folder import user_cache
        from radgs.io.content import ContentHashes
        from radgs.networks import load_prepared
        from radgs.pipeline import register, register_self_calibrating

        def show(progress: Progress) -> None:
            message = progress.message.removeprefix(f"{progress.level}: ")
            bar(progress.fraction, f"{progress.level}: {message}")

        remembered = user_cache()
        case = RegistrationCase.load(path, hashes=ContentHashes(remembered))
        options: dict[str, Any] = {
            "device": device.value,
            "networks": load_prepared(models),
            "progress": show,
            "remembered": remembered,
        }
        if self_calibrate:
            return register_self_calibrating(case, **options)
        return case, register(case, **options)
