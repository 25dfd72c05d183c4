"""A case from DICOM: a CT series, two X-rays of one study with their geometry, and a label map of the CT."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError

from radgs.case.importing.calibrated_views import calibrated_views
from radgs.case.importing.chosen_levels import chosen_levels
from radgs.case.importing.inventory import Inventory, take_inventory
from radgs.case.importing.plan import ImportPlan, PlannedView, Question
from radgs.case.importing.request import DicomImport
from radgs.errors import InputFileError
from radgs.geometry import XRayView
from radgs.geometry.c_arm import PRESETS, preset
from radgs.io.dicom_files import is_dicom, read_dataset, whole
from radgs.io.dicom_geometry import DicomView, completed, plain_view, read_dicom_view
from radgs.io.dicom_xrays import read_dicom_xray
from radgs.io.line_integrals import to_line_integrals
from radgs.io.xray_images import read_xray

XRAY_MODALITIES = ("XA", "RF", "DX", "CR", "RG")

#: The X-ray nearest to each of these primary angles gets the name, degrees.
NAMES = {"AP": (0.0, 180.0, -180.0), "LAT": (90.0, -90.0)}


@dataclass
class _Headers:
    """DICOM files by what they are."""

    series: dict[str, list[Path]] = field(default_factory=dict)
    xrays: list[Path] = field(default_factory=list)
    segmentations: list[Path] = field(default_factory=list)
    studies: dict[Path, str] = field(default_factory=dict)


def plan_dicom_case(request: DicomImport) -> ImportPlan:
    """Reads what there is and plans a case.

    Raises:
        InputFileError: A file cannot be used.
        CaseError: A level or a view that was named is not there.
    """
    found = take_inventory(request.places)
    headers = _sort(found.dicom)
    understood: list[str] = []
    questions: list[Question] = []
    ct = _ct(request, headers, understood, questions)
    labels = _labels(request, found, headers, understood, questions)
    levels = chosen_levels(request, labels, understood, questions)
    if request.calibrations:
        views = calibrated_views(request, understood, questions)
    else:
        views = _views(request, headers, understood, questions)
    questions += _clicks_missing(request, [name for name, _ in levels], [planned.view.name for planned in views])
    clicks = {level: dict(by_view) for level, by_view in request.clicks.items()}
    return ImportPlan(tuple(understood), tuple(questions), ct, labels, tuple(levels), tuple(views), {}, clicks)


def is_dicom_import(found: Inventory) -> bool:
    """Whether an inventory holds DICOM X-rays."""
    return bool(_sort(found.dicom).xrays)


def _sort(files: Sequence[Path]) -> _Headers:
    headers = _Headers()
    for file in files:
        try:
            with warnings.catch_warnings():  # what is unusual is not ours to judge
                warnings.simplefilter("ignore")
                dataset = pydicom.dcmread(
                    file,
                    stop_before_pixels=True,
                    specific_tags=["Modality", "SeriesInstanceUID", "StudyInstanceUID", "Rows", "NumberOfFrames"],
                )
        except (InvalidDicomError, OSError, EOFError, ValueError):
            continue
        modality = str(dataset.get("Modality", ""))
        headers.studies[file] = str(dataset.get("StudyInstanceUID", ""))
        if modality == "CT":
            headers.series.setdefault(str(dataset.get("SeriesInstanceUID", "")), []).append(file)
        elif modality == "SEG":
            headers.segmentations.append(file)
        elif modality in XRAY_MODALITIES and "Rows" in dataset:
            headers.xrays.append(file)
    return headers


def _ct(request: DicomImport, headers: _Headers, understood: list[str], questions: list[Question]) -> Path | None:
    if request.ct is not None:
        understood.append(f"CT: {request.ct.name}, as stated.")
        return request.ct
    series = {uid: files for uid, files in headers.series.items() if len(files) > 1}
    folders = {uid: {file.parent for file in files} for uid, files in series.items()}
    if len(series) == 1:
        ((uid, files),) = series.items()
        if len(folders[uid]) == 1:
            folder = next(iter(folders[uid]))
            alone = all(other in files for other in folder.iterdir() if other.is_file())
            if alone:
                understood.append(f"CT: {len(files)} slices in {folder.name}.")
                return folder
        questions.append(
            Question("The CT's slices do not have a folder of their own.", "Put them into one, or give --ct.")
        )
        return None
    listed = ", ".join(sorted({place.name for places in folders.values() for place in places})) or "none"
    questions.append(Question(f"There are {len(series)} CT series.", f"Give one with --ct; there are {listed}."))
    return None


def _labels(
    request: DicomImport, found: Inventory, headers: _Headers, understood: list[str], questions: list[Question]
) -> Path | None:
    candidates = [request.labels] if request.labels else [*found.volumes, *headers.segmentations]
    candidates = [path for path in candidates if path != request.ct]
    if len(candidates) == 1:
        understood.append(f"Labels: {candidates[0].name}.")
        return candidates[0]
    names = ", ".join(path.name for path in candidates) or "none"
    questions.append(
        Question(f"There are {len(candidates)} label maps of the CT.", f"Give one with --labels; there are {names}.")
    )
    return None


def _views(
    request: DicomImport, headers: _Headers, understood: list[str], questions: list[Question]
) -> list[PlannedView]:
    chosen = dict(request.xrays) or _pair(headers, questions)
    read: dict[str, DicomView] = {}
    for number, (name, (path, frame)) in enumerate(chosen.items()):
        try:
            view = _view(request, name, number, path, frame)
        except InputFileError as error:
            if frame is None and "is a run of" in error.problem:
                questions.append(Question(error.problem, f"Choose a frame: --xray {name}={path}:FRAME."))
                continue
            raise
        if view.c_arm is None:
            questions.append(
                Question(
                    f"View {name} ({path.name}) does not say {', '.join(view.missing)}.",
                    f"Give the exposure, --c-arm {name}=PRIMARY,SECONDARY,SDD,SOD in degrees and mm, or start from a "
                    f"usual machine, --preset {' or '.join(PRESETS)}.",
                )
            )
            continue
        read[name] = view
    if not request.xrays:
        read = _named(read)
    planned = []
    first = next(iter(read.values()), None)
    for name, view in read.items():
        calibrated = view.calibrated(name, first)
        understood.append(f"View {name}: {view.path.name}" + (f", frame {view.frame}" if view.frames > 1 else "") + ".")
        understood += [f"    {said}." for said in view.said]
        understood += [f"    Assumed: {sentence}" for sentence in calibrated.assumed]
        image = _frame(view) if view.frames > 1 else view.path
        if isinstance(image, XRayView):
            image = XRayView(name, image.image, calibrated.geometry, image.conversion)
        planned.append(PlannedView(image, "auto", calibrated, view.origin, view.field))
    return planned


def _view(request: DicomImport, name: str, number: int, path: Path, frame: int | None) -> DicomView:
    """What the file says of its view, completed by the user and by the preset; a plain image says nothing."""
    given = request.given.get(name)
    lateral = name.upper().startswith("LAT") or (number == 1 and not name.upper().startswith(("AP", "PA")))
    usual = None if request.preset is None else preset(request.preset)[int(lateral)]
    if is_dicom(path):
        view = read_dicom_view(path, frame, given)
        return view if usual is None else completed(view, usual.for_image(_size(path)), given)
    if usual is None and (given is None or given.spacing_mm is None):
        raise InputFileError(
            f"{path} says nothing of its geometry.",
            f"Give --calibration, --c-arm {name}=PRIMARY,SECONDARY,SDD,SOD,PIXEL, or --preset {' or '.join(PRESETS)}.",
        )
    rows, columns = read_xray(path, "display").image.shape
    return plain_view(path, (usual or preset("mobile-c-arm")[0]).for_image((columns, rows)), given)


def _size(path: Path) -> tuple[int, int]:
    """Columns and rows of a DICOM image."""
    header = read_dataset(path, pixels=False)
    return whole(path, header, "Columns"), whole(path, header, "Rows")


def _frame(view: DicomView) -> XRayView:
    """The chosen frame of a run as line integrals, which a case can name as a file of its own."""
    run = read_dicom_xray(view.path)
    values, kind, because = replace(run, values=run.values[view.frame]).interpret()
    integrals = to_line_integrals(values, kind, f"{because}, frame {view.frame}")
    assert view.c_arm is not None
    return XRayView("", integrals.image, view.c_arm.view(), integrals.conversion)


def _pair(headers: _Headers, questions: list[Question]) -> dict[str, tuple[Path, int | None]]:
    """The two X-rays of the one study that has two."""
    by_study: dict[str, list[Path]] = {}
    for path in headers.xrays:
        by_study.setdefault(headers.studies[path], []).append(path)
    pairs = [files for files in by_study.values() if len(files) == 2]
    if len(pairs) == 1 and len(by_study) == 1:
        return {f"view{number}": (path, None) for number, path in enumerate(pairs[0], start=1)}
    names = ", ".join(path.name for path in headers.xrays) or "none"
    questions.append(
        Question(
            f"There are {len(headers.xrays)} X-rays of {len(by_study)} studies, not two of one.",
            f"Choose them: --xray AP=FILE --xray LAT=FILE; there are {names}.",
        )
    )
    return {}


def _named(views: dict[str, DicomView]) -> dict[str, DicomView]:
    """Views called AP and LAT where their angles are near such, each name once."""

    def name_of(view: DicomView) -> str | None:
        assert view.c_arm is not None
        angle = view.c_arm.primary_deg
        return next((name for name, ideal in NAMES.items() if min(abs(angle - one) for one in ideal) < 45), None)

    names = [name_of(view) for view in views.values()]
    if None in names or len(set(names)) < len(names):
        return views
    return {str(name): view for name, view in zip(names, views.values(), strict=True)}


def _clicks_missing(request: DicomImport, levels: Sequence[str], views: Sequence[str]) -> list[Question]:
    return [
        Question(
            f"Nothing says where {level} is on the X-rays.",
            "Give its body's centre in each view: "
            + " ".join(f"--click {level}:{view}=COLUMN,ROW" for view in views)
            + ".",
        )
        for level in levels
        if views and len(request.clicks.get(level, {})) < 2
    ]
