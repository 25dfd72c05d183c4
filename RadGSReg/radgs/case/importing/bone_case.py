"""A case from biplane videoradiography: a bone cut out of a CT as a TIFF stack, films, cameras, and a pose.

The layout is XMALab's and Autoscoper's. The bone's stack becomes the CT: outside the bone is unknown and gets the value
CT scanners pad with. The world is turned so that the bone lies in it as in its CT, which the pose makes possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radgs.case.importing.films import choose_frame, films_of_cameras
from radgs.case.importing.inventory import take_inventory
from radgs.case.importing.plan import ImportPlan, PlannedView, Question
from radgs.case.importing.poses import read_pose
from radgs.errors import InputFileError
from radgs.geometry import RigidTransform, Volume
from radgs.geometry.projection import Convention
from radgs.io.calibrations.autoscoper_tracking import MODEL_TO_RAS, bone_to_world, model_volume
from radgs.io.calibrations.autoscoper_trial import read_trial
from radgs.io.calibrations.calibration import Calibration, calibration_origin, named_direction, patient_rotation
from radgs.io.calibrations.reading import one_reading, read_calibration
from radgs.io.tiff_stacks import read_stack

#: What a CT scanner writes where it measured nothing, HU.
PADDING_HU = -1024.0

#: Voxels added on every side, so that the bone does not touch the border of its own cut-out.
MARGIN = 4

#: Without a threshold of the user's, the stack's bone is whatever is not 0.
BONE_LABEL = 1


@dataclass(frozen=True)
class BoneImport:
    """What a user says beside the files.

    Attributes:
        places: Folders and files; one .cfg names the rest itself.
        bone: Which bone, where there are several: a part of its volume's name.
        voxel_size: Millimetres along columns, rows, slices; a .cfg says it.
        flips: Whether columns, rows, slices are turned over; a .cfg says it.
        frame: The number in the films' names.
        poses: A .tra, or JSON with poses.
        pose_row: The row of a .tra; that of the film among its camera's, where not given.
        threshold: Stored values above it are bone.
        hu_offset: Added to stored values to get HU.
        unit_mm: Millimetres of the calibration's and the poses' unit.
        size: Columns and rows of the films, for calibrations that do not say.
        convention: For plain matrices.
        superior: A direction of the calibration's world that is the patient's superior.
        anterior: The same of anterior.
    """

    places: tuple[Path, ...]
    bone: str | None = None
    voxel_size: tuple[float, float, float] | None = None
    flips: tuple[bool, bool, bool] = (False, False, False)
    frame: int | None = None
    poses: Path | None = None
    pose_row: int | None = None
    threshold: float = 0.0
    hu_offset: float = -1024.0
    unit_mm: float = 1.0
    size: tuple[int, int] | None = None
    convention: Convention = field(default_factory=Convention)
    superior: str | None = None
    anterior: str | None = None


@dataclass(frozen=True)
class _Sources:
    volumes: tuple[Path, ...]
    cameras: tuple[Path, ...]
    films: tuple[tuple[Path, ...], ...] | None
    trackings: tuple[Path, ...]


def plan_bone_case(request: BoneImport) -> ImportPlan:
    """Reads what there is and plans a case of one bone in one frame.

    Raises:
        InputFileError: A file cannot be used.
        GeometryError: The calibration can be read in no way, or in several.
        CaseError: A direction that was named is none.
    """
    request, sources = _sources(request)
    questions: list[Question] = []
    understood: list[str] = []
    calibration = _calibration(request, sources, understood)
    films, places, asked = choose_frame(sources.films, request.frame) if sources.films else ([], [], [])
    questions += asked
    if sources.films is None:
        questions.append(
            Question("The names of the films do not say which camera took them.", "Put cam01, cam02 into their names.")
        )
    volume = _bone(request, sources.volumes, questions)
    if questions or volume is None:
        return ImportPlan(tuple(understood), tuple(questions))
    bone = request.bone or volume.stem
    ct, labels = _ct_and_labels(request, volume)
    understood.append(
        f"Bone {bone}: {volume.name}, stored values {request.hu_offset:+g} are HU, above {request.threshold:g} is "
        f"bone, beyond it the CT is unknown ({PADDING_HU:g} HU). Its columns are taken to run to the patient's left, "
        "its rows to the back, its slices to the head."
    )
    poses = {}
    tracking = request.poses or (sources.trackings[0] if len(sources.trackings) == 1 else None)
    if tracking is not None:
        row = places[0] if request.pose_row is None else request.pose_row
        model_to_world = read_pose(tracking, bone, request.frame, row, request.unit_mm)
        ct_to_world = bone_to_world(model_to_world)
        understood.append(f"Pose: {tracking.name}.")
    else:
        ct_to_world = None
    turn = _world_turn(request, ct_to_world)
    if turn is None:
        questions.append(
            Question(
                "Nothing says how the patient lies in the calibration's world, nor where the bone is.",
                "Give --poses, or --superior and --anterior as directions such as +z and -y.",
            )
        )
        return ImportPlan(tuple(understood), tuple(questions))
    calibration = calibration.moved(turn)
    if ct_to_world is not None:
        poses[bone] = turn @ ct_to_world
        centre = poses[bone].apply(_centre(labels))
        calibration = calibration.with_films_behind(centre)
        understood.append("The world is turned so that the bone lies in it as in its CT, at the given pose.")
        questions += _unseen(calibration, centre, bone)
    origin = calibration_origin(", ".join(path.name for path in sources.cameras), calibration.kind)
    views = [
        PlannedView(film, "intensity", replace(view, name=f"cam{number}"), origin)
        for number, (film, view) in enumerate(zip(films, calibration.views, strict=True), start=1)
    ]
    understood += [f"View {planned.view.name}: {planned.image.name}, bone dark." for planned in views]
    return ImportPlan(tuple(understood), tuple(questions), ct, labels, ((bone, BONE_LABEL),), tuple(views), poses)


def _sources(request: BoneImport) -> tuple[BoneImport, _Sources]:
    """The files, and the request with what a trial says put in."""
    trials = [place for place in request.places if place.suffix.lower() == ".cfg"]
    if trials:
        trial = read_trial(trials[0])
        chosen = [one for one in trial.volumes if request.bone is None or request.bone in one.path.stem]
        if len(chosen) == 1:
            request = replace(request, voxel_size=request.voxel_size or chosen[0].voxel_size, flips=chosen[0].flips)
        folders = [take_inventory([folder]).films for folder in trial.films]
        others = take_inventory([place for place in request.places if place not in trials])
        films = tuple(tuple(folder) for folder in folders)
        return request, _Sources(
            tuple(one.path for one in trial.volumes), trial.cameras, films, tuple(others.trackings)
        )
    found = take_inventory(request.places)
    cameras = tuple(path for path in found.calibrations if path != request.poses)
    by_camera = films_of_cameras(found.films, cameras)
    matched = None if by_camera is None else tuple(tuple(some) for some in by_camera)
    return request, _Sources(tuple(found.volumes), cameras, matched, tuple(found.trackings))


def _calibration(request: BoneImport, sources: _Sources, understood: list[str]) -> Calibration:
    if not sources.cameras:
        raise InputFileError(
            "There is no calibration among the files.", "Add MayaCam, OpenCV, DLT or matrix files, or calibration.json."
        )
    candidates = read_calibration(
        sources.cameras, convention=request.convention, size=request.size, unit_mm=request.unit_mm
    )
    calibration = one_reading(candidates, request.convention)
    names = ", ".join(path.name for path in sources.cameras)
    understood.append(f"Calibration: {calibration.kind}, {names}.")
    understood += sorted({sentence for view in calibration.views for sentence in view.assumed})
    return calibration


def _bone(request: BoneImport, volumes: Sequence[Path], questions: list[Question]) -> Path | None:
    """The chosen volume; the questions grow where there is none, or no voxel size."""
    fitting = [path for path in volumes if request.bone is None or request.bone in path.stem]
    if len(fitting) != 1:
        names = ", ".join(path.stem for path in volumes) or "no volume at all"
        missing = "There is no volume of a bone." if not fitting else f"There are {len(fitting)} volumes of bones."
        questions.append(Question(missing, f"Choose one with --bone; there are {names}."))
        return None
    if request.voxel_size is None and fitting[0].suffix.lower() in (".tif", ".tiff"):
        questions.append(
            Question(
                f"{fitting[0].name} does not say its voxel size reliably.",
                "Give it in mm along columns, rows and slices, such as --voxel-size 0.4,0.4,0.625.",
            )
        )
    return fitting[0]


def _ct_and_labels(request: BoneImport, path: Path) -> tuple[Volume, Volume]:
    """The stack as a CT in RAS with a margin of unknown space, and its bone as label 1."""
    stack = read_stack(path)
    assert request.voxel_size is not None
    padded = np.pad(stack, MARGIN)
    placed = model_volume(padded, request.voxel_size, request.flips)
    index_to_ras = MODEL_TO_RAS.matrix @ placed.index_to_ras
    # The margin lies before the stack's first voxel; along rows the model's frame starts at the last one.
    width, height, depth = request.voxel_size
    index_to_ras[:3, 3] += MODEL_TO_RAS.rotation @ np.array([-MARGIN * width, -MARGIN * height, MARGIN * depth])
    inside: NDArray[np.bool_] = placed.array > request.threshold
    if not inside.any():
        raise InputFileError(
            f"{path} has no value above the threshold {request.threshold:g}.", "Give a lower --threshold."
        )
    hu = np.where(placed.array > 0, placed.array + np.float32(request.hu_offset), np.float32(PADDING_HU))
    labels = np.where(inside, np.uint8(BONE_LABEL), np.uint8(0))
    return Volume(hu.astype(np.float32), index_to_ras), Volume(labels, index_to_ras)


def _world_turn(request: BoneImport, ct_to_world: RigidTransform | None) -> RigidTransform | None:
    """What turns the calibration's world into patient axes: as the user names them, else as the pose has them."""
    if request.superior is not None and request.anterior is not None:
        return patient_rotation(named_direction(request.superior), named_direction(request.anterior))
    if ct_to_world is None:
        return None
    return RigidTransform(ct_to_world.rotation.T, np.zeros(3))


def _centre(labels: Volume) -> NDArray[np.float64]:
    return labels.to_ras(np.argwhere(labels.array)[:, ::-1].mean(axis=0))


def _unseen(calibration: Calibration, centre: NDArray[np.float64], bone: str) -> list[Question]:
    """A question for every view that does not show the bone where the pose has it."""
    return [
        Question(
            f"At the given pose {bone} does not lie on the film of {view.name}.",
            "Check voxel size, flips, frame, and that the poses belong to this calibration.",
        )
        for view in calibration.views
        if not view.geometry.contains(view.geometry.project(centre))
    ]
