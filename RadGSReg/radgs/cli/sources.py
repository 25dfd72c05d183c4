"""`radgs import`: from files as people have them to a case."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radgs.cli.commands import app
from radgs.cli.option_texts import (
    read_c_arm,
    read_clicks,
    read_convention,
    read_flips,
    read_lengths,
    read_size,
    read_xray,
)

if TYPE_CHECKING:
    from radgs.case.importing import ImportPlan

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
                    xrays=dict(read_xray(text) for text in xrays or ()),
                    given=dict(read_c_arm(text) for text in c_arms or ()),
                    preset=preset,
                    levels=tuple(levels or ()),
                    clicks=read_clicks(clicks or ()),
                    calibrations=tuple(calibrations or ()),
                    convention=read_convention(extrinsics, rows, pixels),
                    size=read_size(size),
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
                    voxel_size=read_lengths(voxel_size, "--voxel-size"),
                    flips=read_flips(flip),
                    frame=frame,
                    poses=poses,
                    pose_row=pose_row,
                    threshold=threshold,
                    hu_offset=hu_offset,
                    unit_mm=unit_mm,
                    size=read_size(size),
                    convention=read_convention(extrinsics, rows, pixels),
                    superior=superior,
                    anterior=anterior,
                )
            )
        _show(plan)
        if not dry_run and out is not None:
            for path in write_plan(plan, out):
                typer.echo(f"Written: {path}")


def _show(plan: ImportPlan) -> None:
    for line in plan.understood:
        typer.echo(line)
    for question in plan.questions:
        typer.echo(f"Asked: {question.missing} {question.answer}")
