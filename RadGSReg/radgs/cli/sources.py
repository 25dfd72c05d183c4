"""`radgs import` and `radgs calibrate`: from files as people have them to a case and its geometry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radgs.cli.commands import app

if TYPE_CHECKING:
    from radgs.calibration import PhantomCalibration
    from radgs.case.importing import ImportPlan
    from radgs.geometry.projection import Convention
    from radgs.io.dicom_geometry import Given

BONES = "Biplane videoradiography"
DICOM = "CT and X-rays"
MATRICES = "Plain matrices"


@app.command("import")
def import_case(
    sources: Annotated[list[Path], typer.Argument(help="Folders, DICOM files, or an Autoscoper trial (.cfg).")],
    out: Annotated[Path | None, typer.Option(help="The case.json to write.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what was understood, and write nothing.")] = False,
    ct: Annotated[Path | None, typer.Option(help="The CT, where several are there.", rich_help_panel=DICOM)] = None,
    labels: Annotated[Path | None, typer.Option(help="The label map, or a DICOM SEG.", rich_help_panel=DICOM)] = None,
    levels: Annotated[
        list[str] | None,
        typer.Option("--level", help="L3, or L3=29 with its label; may be repeated.", rich_help_panel=DICOM),
    ] = None,
    xrays: Annotated[
        list[str] | None,
        typer.Option("--xray", help="AP=FILE or AP=FILE:FRAME; may be repeated.", rich_help_panel=DICOM),
    ] = None,
    calibrations: Annotated[
        list[Path] | None,
        typer.Option(
            "--calibration",
            help="calibration.json, or calibrations of other programs, one per view; with --xray for each view.",
            rich_help_panel=DICOM,
        ),
    ] = None,
    c_arms: Annotated[
        list[str] | None,
        typer.Option(
            "--c-arm",
            help="What a file does not say: AP=PRIMARY,SECONDARY,SDD,SOD[,PIXEL], degrees and mm; may be repeated.",
            rich_help_panel=DICOM,
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="A usual machine for what nobody says: mobile-c-arm or biplane-suite.", rich_help_panel=DICOM
        ),
    ] = None,
    clicks: Annotated[
        list[str] | None,
        typer.Option("--click", help="L3:AP=COLUMN,ROW, the body's centre; may be repeated.", rich_help_panel=DICOM),
    ] = None,
    bone: Annotated[str | None, typer.Option(help="Which bone's volume.", rich_help_panel=BONES)] = None,
    voxel_size: Annotated[
        str | None, typer.Option(help="mm along columns, rows, slices: 0.4,0.4,0.625.", rich_help_panel=BONES)
    ] = None,
    flip: Annotated[str, typer.Option(help="1 turns columns, rows, slices over.", rich_help_panel=BONES)] = "0,0,0",
    frame: Annotated[int | None, typer.Option(help="The number in the films' names.", rich_help_panel=BONES)] = None,
    poses: Annotated[Path | None, typer.Option(help="A .tra, or JSON with poses.", rich_help_panel=BONES)] = None,
    pose_row: Annotated[int | None, typer.Option(help="The row of the .tra, from 0.", rich_help_panel=BONES)] = None,
    threshold: Annotated[float, typer.Option(help="Stored values above it are bone.", rich_help_panel=BONES)] = 0.0,
    hu_offset: Annotated[
        float, typer.Option(help="Added to stored values to get HU.", rich_help_panel=BONES)
    ] = -1024.0,
    unit_mm: Annotated[
        float, typer.Option(help="Millimetres of the files' unit; 10 for centimetres.", rich_help_panel=BONES)
    ] = 1.0,
    superior: Annotated[
        str | None, typer.Option(help="The patient's superior in the files' world, such as +z.", rich_help_panel=BONES)
    ] = None,
    anterior: Annotated[
        str | None, typer.Option(help="The patient's anterior, such as -y.", rich_help_panel=BONES)
    ] = None,
    size: Annotated[str | None, typer.Option(help="Columns,rows of the films.", rich_help_panel=MATRICES)] = None,
    extrinsics: Annotated[
        str | None, typer.Option(help="world-to-camera or camera-to-world.", rich_help_panel=MATRICES)
    ] = None,
    rows: Annotated[str | None, typer.Option(help="down or up.", rich_help_panel=MATRICES)] = None,
    pixels: Annotated[str | None, typer.Option(help="centre, corner or one.", rich_help_panel=MATRICES)] = None,
) -> None:
    """Make a case.json of a folder, asking only for what its files do not say.

    DICOM: a CT series, two X-rays of one study, a label map. Biplane videoradiography: calibrations (MayaCam, XMALab,
    OpenCV, matrices), films, a bone's TIFF stack, poses.
    """
    from radgs.cli.console import ending_well

    with ending_well(as_json=False):
        from radgs.case.importing import write_plan
        from radgs.case.importing.bone_case import BoneImport, plan_bone_case
        from radgs.case.importing.dicom_case import is_dicom_import, plan_dicom_case
        from radgs.case.importing.inventory import take_inventory
        from radgs.case.importing.request import DicomImport
        from radgs.errors import CaseError

        if out is None and not dry_run:
            raise CaseError("Nothing says where to write the case.", "Give --out case.json, or --dry-run.")
        trial = any(source.suffix.lower() == ".cfg" for source in sources)
        if xrays or (not trial and is_dicom_import(take_inventory(sources))):
            plan = plan_dicom_case(
                DicomImport(
                    places=tuple(sources),
                    ct=ct,
                    labels=labels,
                    xrays=dict(_xray(text) for text in xrays or ()),
                    given=dict(_c_arm(text) for text in c_arms or ()),
                    preset=preset,
                    levels=tuple(levels or ()),
                    clicks=_clicks(clicks or ()),
                    calibrations=tuple(calibrations or ()),
                    convention=_convention(extrinsics, rows, pixels),
                    size=_size(size),
                    unit_mm=unit_mm,
                    superior=superior,
                    anterior=anterior,
                )
            )
        else:
            plan = plan_bone_case(
                BoneImport(
                    places=tuple(sources),
                    bone=bone,
                    voxel_size=_three(voxel_size, "--voxel-size"),
                    flips=_flips(flip),
                    frame=frame,
                    poses=poses,
                    pose_row=pose_row,
                    threshold=threshold,
                    hu_offset=hu_offset,
                    unit_mm=unit_mm,
                    size=_size(size),
                    convention=_convention(extrinsics, rows, pixels),
                    superior=superior,
                    anterior=anterior,
                )
            )
        _show(plan)
        if not dry_run and out is not None:
            for path in write_plan(plan, out):
                typer.echo(f"Written: {path}")


@app.command()
def calibrate(
    phantom: Annotated[Path, typer.Option(help="Table of the phantom's points: name,x,y,z in mm.")],
    picks: Annotated[Path, typer.Option(help="Table of picks: view,name,column,row.")],
    out: Annotated[Path, typer.Option(help="The calibration.json to write.")],
    size: Annotated[list[str], typer.Option(help="Columns,rows of the images; AP=1024,1024 for one view.")],
    pixel: Annotated[
        list[str] | None, typer.Option(help="A pixel's size on the film in mm; AP=0.3 for one view.")
    ] = None,
    sdd: Annotated[
        list[str] | None, typer.Option(help="A source-detector distance that is known, mm; AP=1000 for one view.")
    ] = None,
    point_sigma: Annotated[float, typer.Option(min=0.0, help="How far the phantom's points may be off, mm.")] = 0.0,
    superior: Annotated[str | None, typer.Option(help="The patient's superior in the phantom, such as +z.")] = None,
    anterior: Annotated[str | None, typer.Option(help="The patient's anterior, such as -y.")] = None,
) -> None:
    """Calibrate a C-arm from a phantom's points picked in each view, and say how well it went."""
    from radgs.cli.console import ending_well

    with ending_well(as_json=False):
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
        sizes = {view: _size(text) or (0, 0) for view, text in _per_view(size, views).items()}
        solved = calibrate_phantom(
            points,
            made,
            sizes,
            pixel_mm={view: _number(text, "--pixel") for view, text in _per_view(pixel or [], views).items()},
            source_to_detector_mm={view: _number(text, "--sdd") for view, text in _per_view(sdd or [], views).items()},
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


def _show(plan: ImportPlan) -> None:
    for line in plan.understood:
        typer.echo(line)
    for question in plan.questions:
        typer.echo(f"Asked: {question.missing} {question.answer}")


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


def _refuse(text: str, form: str) -> Exception:
    from radgs.errors import CaseError

    return CaseError(f'"{text}" cannot be understood.', f"Write it as {form}.")


def _numbers(text: str, form: str, counts: tuple[int, ...]) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) not in counts:
        raise _refuse(text, form)
    return numbers


def _number(text: str, option: str) -> float:
    return _numbers(text, f"{option} NUMBER", (1,))[0]


def _three(text: str | None, option: str) -> tuple[float, float, float] | None:
    if text is None:
        return None
    x, y, z = _numbers(text, f"{option} X,Y,Z", (3,))
    if min(x, y, z) <= 0:
        raise _refuse(text, f"{option} with three numbers above 0")
    return x, y, z


def _flips(text: str) -> tuple[bool, bool, bool]:
    x, y, z = _numbers(text, "--flip 0,1,0", (3,))
    return bool(x), bool(y), bool(z)


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    columns, rows = _numbers(text, "--size COLUMNS,ROWS", (2,))
    if min(columns, rows) < 1 or columns != int(columns) or rows != int(rows):
        raise _refuse(text, "--size COLUMNS,ROWS")
    return int(columns), int(rows)


def _per_view(texts: list[str], views: list[str]) -> dict[str, str]:
    """Per view, what was said for it, else what was said for all."""
    said: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if equals and name not in views:
            raise _refuse(text, f"VIEW=..., with VIEW one of {', '.join(views)}")
        said.update({name: value} if equals else {view: text for view in views if view not in said})
    return said


def _convention(extrinsics: str | None, rows: str | None, pixels: str | None) -> Convention:
    from typing import get_args

    from radgs.geometry.projection import Convention, Extrinsics, Pixels, Rows

    for text, allowed in ((extrinsics, Extrinsics), (rows, Rows), (pixels, Pixels)):
        if text is not None and text not in get_args(allowed):
            raise _refuse(text, " or ".join(get_args(allowed)))
    return Convention(extrinsics, rows, pixels)  # type: ignore[arg-type]


def _xray(text: str) -> tuple[str, tuple[Path, int | None]]:
    name, _, place = text.partition("=")
    path, _, frame = place.rpartition(":")
    if not name or not place:
        raise _refuse(text, "--xray AP=FILE or AP=FILE:FRAME")
    if path and frame.isdigit():
        return name, (Path(path), int(frame))
    return name, (Path(place), None)


def _c_arm(text: str) -> tuple[str, Given]:
    from radgs.io.dicom_geometry import Given

    name, _, numbers = text.partition("=")
    primary, secondary, sdd, sod, *pixel = _numbers(numbers, "--c-arm AP=PRIMARY,SECONDARY,SDD,SOD[,PIXEL]", (4, 5))
    return name, Given(primary, secondary, sdd, sod, (pixel[0], pixel[0]) if pixel else None)


def _clicks(texts: list[str] | tuple[str, ...]) -> dict[str, dict[str, tuple[float, float]]]:
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for text in texts:
        place, _, numbers = text.partition("=")
        level, _, view = place.partition(":")
        column, row = _numbers(numbers, "--click L3:AP=COLUMN,ROW", (2,))
        found.setdefault(level, {})[view] = (column, row)
    return found
