"""`radgs calibrate`: a C-arm's geometry, from a fiducial phantom or from the patient."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radgs.cli.commands import Device, DeviceOption, app
from radgs.cli.option_texts import by_view, read_number, read_size

if TYPE_CHECKING:
    from radgs.calibration import PhantomCalibration

PHANTOM = "From a phantom"
PATIENT = "From the patient"


@app.command()
def calibrate(
    out: Annotated[Path, typer.Option(help="The calibration.json to write.")],
    phantom: Annotated[
        Path | None, typer.Option(help="Table of the phantom's points: name,x,y,z in mm.", rich_help_panel=PHANTOM)
    ] = None,
    picks: Annotated[
        Path | None, typer.Option(help="Table of picks: view,name,column,row.", rich_help_panel=PHANTOM)
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(help="Columns,rows of the images; AP=1024,1024 for one view.", rich_help_panel=PHANTOM),
    ] = None,
    pixel: Annotated[
        list[str] | None,
        typer.Option(help="A pixel's size on the film in mm; AP=0.3 for one view.", rich_help_panel=PHANTOM),
    ] = None,
    sdd: Annotated[
        list[str] | None,
        typer.Option(
            help="A source-detector distance that is known, mm; AP=1000 for one view.", rich_help_panel=PHANTOM
        ),
    ] = None,
    point_sigma: Annotated[
        float, typer.Option(min=0.0, help="How far the phantom's points may be off, mm.", rich_help_panel=PHANTOM)
    ] = 0.0,
    superior: Annotated[
        str | None, typer.Option(help="The patient's superior in the phantom, such as +z.", rich_help_panel=PHANTOM)
    ] = None,
    anterior: Annotated[
        str | None, typer.Option(help="The patient's anterior, such as -y.", rich_help_panel=PHANTOM)
    ] = None,
    case: Annotated[
        Path | None,
        typer.Option(help="A case.json whose second view has nominal angles and distances.", rich_help_panel=PATIENT),
    ] = None,
    levels: Annotated[
        str | None,
        typer.Option(help="Vertebrae seen in both views, such as L2,L3,L4 or L3=29.", rich_help_panel=PATIENT),
    ] = None,
    view: Annotated[
        str | None, typer.Option(help="Which view is solved for; by default the second.", rich_help_panel=PATIENT)
    ] = None,
    device: DeviceOption = Device.auto,
) -> None:
    """Calibrate a C-arm from a phantom's points picked in each view, or its second view from the patient."""
    from radgs.cli.console import ending_well

    with ending_well(as_json=False):
        from radgs.errors import CaseError

        if case is not None and phantom is None and picks is None:
            _from_patient(case, out, levels, view, device.value)
        elif case is None and phantom is not None and picks is not None:
            _from_phantom(phantom, picks, out, size or [], pixel or [], sdd or [], point_sigma, superior, anterior)
        else:
            raise CaseError(
                "Nothing says what to calibrate from, or two things do.",
                "Give --phantom and --picks with --size, or --case with --levels.",
            )


def _from_phantom(
    phantom: Path,
    picks: Path,
    out: Path,
    size: list[str],
    pixel: list[str],
    sdd: list[str],
    point_sigma: float,
    superior: str | None,
    anterior: str | None,
) -> None:
    from radgs.calibration import calibrate_phantom, read_phantom, read_picks
    from radgs.errors import CaseError
    from radgs.io.calibrations import CalibratedView, Calibration
    from radgs.io.calibrations.calibration import named_direction, patient_rotation
    from radgs.io.calibrations.calibration_file import write_calibration_file

    if (superior is None) != (anterior is None):
        raise CaseError("One of --superior and --anterior is missing.", "Give both, or neither.")
    points = read_phantom(phantom)
    made = read_picks(picks, points)
    views = list(dict.fromkeys(pick.view for pick in made))
    sizes = {view: read_size(text) or (0, 0) for view, text in by_view(size, views).items()}
    solved = calibrate_phantom(
        points,
        made,
        sizes,
        pixel_mm={view: read_number(text, "--pixel") for view, text in by_view(pixel, views).items()},
        source_to_detector_mm={view: read_number(text, "--sdd") for view, text in by_view(sdd, views).items()},
        point_sigma_mm=point_sigma,
    )
    calibration = Calibration(
        "phantom", tuple(CalibratedView(view.name, view.geometry, (), view.sigma) for view in solved.views)
    )
    if superior is not None and anterior is not None:
        turn = patient_rotation(named_direction(superior), named_direction(anterior))
        calibration = calibration.moved(turn)
    report = {
        view.name: {
            "picks": len(view.residuals_px),
            "pick_sigma_px": round(view.pick_sigma_px, 4),
            "largest_residual_px": round(max(view.residuals_px.values()), 4),
            "bad_picks": {name: round(miss, 2) for name, miss in view.bad_picks.items()},
        }
        for view in solved.views
    }
    write_calibration_file(out, calibration, {"report": report})
    _show_calibration(solved)
    if not calibration.patient_axes:
        typer.echo("The world is the phantom's; name --superior and --anterior to turn it into patient axes.")
    typer.echo(f"Written: {out}")


def _from_patient(path: Path, out: Path, levels: str | None, view: str | None, device: str) -> None:
    from radgs.cli.console import ProgressBar, people_console
    from radgs.io.calibrations import CalibratedView, Calibration
    from radgs.io.calibrations.calibration_file import write_calibration_file

    with ProgressBar(people_console(), "Reading the case") as bar:
        bar(0.0, "Reading the case")
        from radgs.case import RegistrationCase
        from radgs.io.cache_folder import user_cache
        from radgs.io.content import ContentHashes
        from radgs.pipeline.patient_calibration import calibrate_case

        case = RegistrationCase.load(path, hashes=ContentHashes(user_cache()))
        wanted = tuple(levels.split(",")) if levels else ()
        made = calibrate_case(case, wanted, view, device=device, progress=bar)
    solved = made.solved
    views = tuple(CalibratedView(one.name, one.geometry, (), one.geometry_sigma) for one in made.case.views)
    report = {"self_calibration": solved.found.to_json_dict(), "left_out": list(made.left_out)}
    write_calibration_file(out, Calibration("patient", views, patient_axes=True), {"report": report})
    for sentence in (*made.left_out, *solved.found.sentences):
        typer.echo(sentence)
    worst = float(solved.similarity.min())
    typer.echo(f"The vertebrae explain the X-rays with a gradient correlation of {worst:.2f} at least.")
    typer.echo(f"Written: {out}")


def _show_calibration(solved: PhantomCalibration) -> None:
    for view in solved.views:
        typer.echo(
            f"{view.name}: {len(view.residuals_px)} picks, each good to {view.pick_sigma_px:.2f} px along an axis, "
            f"the largest residual {max(view.residuals_px.values()):.2f} px; source good to "
            f"{max(view.sigma.source_mm):.2f} mm, film to {max(view.sigma.detector_mm):.2f} mm and "
            f"{max(view.sigma.detector_deg):.2f} degrees (standard deviations)."
        )
        for name, miss in view.bad_picks.items():
            typer.echo(f"    Not used: {name} is {miss:.1f} px from where the other picks put it; pick it again.")
