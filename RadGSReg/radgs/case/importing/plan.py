"""What an import understood and will write, and what it has to ask before it can."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from radgs.errors import CaseError, InputFileError
from radgs.geometry import FloatArray, RigidTransform, Volume, XRayView
from radgs.io.calibrations.calibration import CalibratedView
from radgs.io.case_file import CaseFile, ViewEntry, write_case_file
from radgs.io.volumes import write_volume
from radgs.io.xray_images import write_xray


@dataclass(frozen=True)
class Question:
    """Something the files do not say.

    Attributes:
        missing: What is missing, one sentence.
        answer: How to say it, one sentence.
    """

    missing: str
    answer: str


@dataclass(frozen=True, eq=False)
class PlannedView:
    """An X-ray with its geometry.

    Attributes:
        image: The image's file, or an image to be written beside the case.
        pixel_type: What its values are.
        view: Name, geometry, and what was assumed.
        geometry_from: Where source and detector come from, in a few words.
        field: (N, 2) corners (column, row) of what was measured, where the file says; else the image tells.
    """

    image: Path | XRayView
    pixel_type: str
    view: CalibratedView
    geometry_from: str
    field: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class ImportPlan:
    """A case about to be written.

    Attributes:
        understood: What the files said, a sentence each, in the order of the case.
        questions: What they did not say; the case is complete when there are none.
        ct: The CT: a path that stays where it is, or a volume to be written beside the case.
        labels: The label map, in the same way.
        levels: Name and label of every level.
        views: The X-rays.
        poses: Per level, ``ct_to_world`` to start from.
        clicks: Per level and view, the vertebral body's centre as (column, row).
    """

    understood: tuple[str, ...]
    questions: tuple[Question, ...]
    ct: Path | Volume | None = None
    labels: Path | Volume | None = None
    levels: tuple[tuple[str, int], ...] = ()
    views: tuple[PlannedView, ...] = ()
    poses: dict[str, RigidTransform] = field(default_factory=dict)
    clicks: dict[str, dict[str, tuple[float, float]]] = field(default_factory=dict)


def refuse_questions(questions: Sequence[Question]) -> None:
    """Raises the first question, if there is one.

    Raises:
        CaseError: There is one.
    """
    if questions:
        more = f" ({len(questions) - 1} more: see --dry-run)" if len(questions) > 1 else ""
        raise CaseError(questions[0].missing, questions[0].answer + more)


def write_plan(plan: ImportPlan, path: Path) -> list[Path]:
    """Writes the case.json, and beside it the volumes that are not files of their own.

    Args:
        plan: A plan without questions.
        path: The case.json to write.

    Returns:
        The files written, case.json last.

    Raises:
        CaseError: The plan still has questions.
        InputFileError: A file cannot be written, or would overwrite one of the sources.
    """
    refuse_questions(plan.questions)
    assert plan.ct is not None
    assert plan.labels is not None
    folder = path.resolve().parent
    sources = [source for source in (plan.ct, plan.labels, *(v.image for v in plan.views)) if isinstance(source, Path)]
    targets = {"ct": folder / "ct.nii.gz", "labels": folder / "labels.nii.gz", "case": path}
    for target in targets.values():
        if any(source.resolve() == target.resolve() for source in sources):
            raise InputFileError(f"{target} would overwrite one of the sources.", "Write the case to another folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise InputFileError(f"The folder {folder} cannot be made.", "Choose another place.") from problem
    written = []
    places = {}
    for name, volume in (("ct", plan.ct), ("labels", plan.labels)):
        if isinstance(volume, Path):
            places[name] = volume.resolve()
            continue
        write_volume(targets[name], volume)
        written.append(targets[name])
        places[name] = targets[name]
    try:
        write_case_file(
            CaseFile(
                path=folder / path.name,
                ct=places["ct"],
                labels=places["labels"],
                levels=plan.levels,
                views=tuple(_view_entry(planned, folder, written) for planned in plan.views),
                clicks=plan.clicks,
                initial_poses=plan.poses,
            )
        )
    except OSError as problem:
        raise InputFileError(f"{path} cannot be written.", "Choose another place.") from problem
    return [*written, path]


def _view_entry(planned: PlannedView, folder: Path, written: list[Path]) -> ViewEntry:
    """The view as case.json writes it; an image that is no file of its own is written."""
    view = planned.view
    if isinstance(planned.image, Path):
        path, pixel_type, conversion = planned.image.resolve(), planned.pixel_type, None
    else:
        path, pixel_type, conversion = folder / f"{view.name}.nrrd", "attenuation", planned.image.conversion
        write_xray(path, planned.image)
        written.append(path)
    geometry = view.geometry
    rows, columns = geometry.shape
    return ViewEntry(
        view.name,
        path,
        pixel_type,
        geometry.source_ras,
        geometry.detector_to_ras,
        conversion,
        view.sigma,
        field=planned.field,
        size=(int(columns), int(rows)),
        geometry_from=planned.geometry_from,
    )
