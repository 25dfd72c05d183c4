"""Biplane videoradiography becomes a case: a synthetic trial against its own truth, and the real forearm."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from scipy import ndimage
from scipy.spatial import cKDTree

from radgs.case import RegistrationCase
from radgs.case.importing import write_plan
from radgs.case.importing.bone_case import BoneImport, plan_bone_case
from radgs.errors import CaseError, InputFileError
from radgs.geometry import RigidTransform, XRayView
from radgs.io.case_file import read_case_file

FOREARM = next(
    (
        folder / "shared" / "data" / "biplane_wrist"
        for folder in Path(__file__).resolve().parents
        if (folder / "shared" / "data" / "biplane_wrist").is_dir()
    ),
    None,
)
VOXEL = (0.5, 0.6, 0.8)
SHAPE = (40, 44, 50)  # slices, rows, columns
POSE = RigidTransform.from_rotation_vector([1.3, 0.4, -0.9], [20.0, -35.0, 15.0])
K = np.array([[5000.0, 0, 300.0], [0, 5000.0, 320.0], [0, 0, 1]])
CAMERAS = {
    1: (np.eye(3), np.array([0.0, 0.0, 900.0])),
    2: (np.array([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]]), np.array([5.0, 10.0, 1000.0])),
}


def model_points(ijk: np.ndarray) -> np.ndarray:
    """Where voxels (column, row, slice) of the stack lie in Autoscoper's model frame, by its documented rule."""
    i, j, k = ijk.T
    return np.stack([VOXEL[0] * (i + 0.5), VOXEL[1] * (SHAPE[1] - 0.5 - j), -VOXEL[2] * (k + 0.5)], axis=1)


def bone() -> np.ndarray:
    """A lopsided bone, stored as HU + 1024, 0 beyond it."""
    k, j, i = np.indices(SHAPE)
    inside = ((i - 24) / 17) ** 2 + ((j - 20) / 14) ** 2 + ((k - 22) / 15) ** 2 < 1
    inside |= (np.abs(i - 36) < 6) & (np.abs(j - 20) < 4) & (np.abs(k - 22) < 5)
    return np.where(inside, 1500 + 10 * i, 0).astype(np.uint16)


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    """A folder with a .cfg, calibrations, two films of each camera, a bone's stack and its tracking."""
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(bone()), str(tmp_path / "radius.tif"))
    lines = ["Version 1.1"]
    film = np.random.default_rng(0).integers(50, 200, (640, 600)).astype(np.uint8)
    for number, (rotation, translation) in CAMERAS.items():
        text = "image size\n600,640\n\ncamera matrix\n" + "\n".join(",".join(map(str, row)) for row in K)
        text += "\n\nrotation\n" + "\n".join(",".join(map(str, row)) for row in rotation)
        text += "\n\ntranslation\n" + "\n".join(map(str, translation)) + "\n"
        (tmp_path / f"calib_cam0{number}.txt").write_text(text)
        (tmp_path / f"films_cam0{number}").mkdir()
        for frame in (7, 8):
            path = tmp_path / f"films_cam0{number}" / f"trial_cam0{number}.{frame:04d}.tif"
            SimpleITK.WriteImage(SimpleITK.GetImageFromArray(film), str(path))
        lines += [f"mayaCam_csv calib_cam0{number}.txt", f"CameraRootDir films_cam0{number}"]
    lines += ["VolumeFile radius.tif", "VolumeFlip 0 0 0", f"VoxelSize {' '.join(map(str, VOXEL))}"]
    (tmp_path / "trial.cfg").write_text("\n".join(lines) + "\n")
    row = ",".join(f"{value:.12f}" for value in POSE.matrix.ravel())
    (tmp_path / "radius.tra").write_text(",".join(["NaN"] * 16) + "\n" + row + "\n")
    return tmp_path


def voxels_of_bone() -> np.ndarray:
    return np.argwhere(bone() > 0)[:, ::-1]


def assert_bone_projects_as_the_cameras_have_it(case: RegistrationCase) -> None:
    """Every voxel of the label lies, through the case's pose and views, on the pixel of the original chain."""
    world = POSE.apply(model_points(voxels_of_bone()))
    pose = case.initial["radius"].ct_to_world
    assert pose is not None
    placed = pose.apply(case.labels.to_ras(np.argwhere(case.labels.array)[:, ::-1]))
    assert len(placed) == len(world)
    for view, (rotation, translation) in zip(case.views, CAMERAS.values(), strict=True):
        homogeneous = (world @ rotation.T + translation) @ K.T
        expected = homogeneous[:, :2] / homogeneous[:, 2:]
        found = view.geometry.project(placed)
        for these, those in ((expected, found), (found, expected)):
            assert cKDTree(these).query(those)[0].max() < 1e-3


def test_a_trial_becomes_a_case_that_projects_as_its_cameras_do(trial: Path) -> None:
    plan = plan_bone_case(BoneImport((trial / "trial.cfg", trial / "radius.tra"), frame=8))
    assert plan.questions == ()
    path = write_plan(plan, trial / "out" / "case.json")[-1]
    assert all("(MayaCam" in (view.geometry_from or "") for view in read_case_file(path).views)
    case = RegistrationCase.load(path)
    assert_bone_projects_as_the_cameras_have_it(case)
    pose = case.initial["radius"].ct_to_world
    assert pose is not None
    np.testing.assert_allclose(pose.rotation, np.eye(3), atol=1e-9)  # the world is turned as the CT lies
    stored = bone()[bone() > 0].astype(float) - 1024
    inside = case.ct.array[case.labels.array > 0]
    np.testing.assert_array_equal(np.sort(inside), np.sort(stored).astype(np.float32))
    assert (case.ct.array[case.labels.array == 0] == -1024).all()


def test_a_folder_without_a_trial_is_asked_only_for_what_it_does_not_say(trial: Path) -> None:
    (trial / "trial.cfg").unlink()
    asked = plan_bone_case(BoneImport((trial,)))
    assert [question.answer.split(";")[0].split(" ")[0] for question in asked.questions] == ["Choose", "Give"]
    assert "--frame" in asked.questions[0].answer
    assert "7, 8" in asked.questions[0].answer
    assert "--voxel-size" in asked.questions[1].answer
    with pytest.raises(CaseError, match="no frame was chosen"):
        write_plan(asked, trial / "out" / "case.json")
    plan = plan_bone_case(BoneImport((trial,), frame=8, voxel_size=VOXEL))
    assert_bone_projects_as_the_cameras_have_it(
        RegistrationCase.load(write_plan(plan, trial / "out" / "case.json")[-1])
    )


def test_without_a_pose_the_patients_directions_are_asked(trial: Path) -> None:
    (trial / "radius.tra").unlink()
    request = BoneImport((trial / "trial.cfg",), frame=7)
    (question,) = plan_bone_case(request).questions
    assert "--superior and --anterior" in question.answer
    plan = plan_bone_case(replace(request, superior="-y", anterior="+z"))
    assert plan.questions == ()
    source = plan.views[0].view.geometry.source_ras  # (0, 0, -900) in the calibration's world
    np.testing.assert_allclose(source, [0, -900, 0], atol=1e-9)


def test_flips_turn_the_stack_over(trial: Path) -> None:
    text = (trial / "trial.cfg").read_text().replace("VolumeFlip 0 0 0", "VolumeFlip 1 0 1")
    (trial / "trial.cfg").write_text(text)
    flipped = np.ascontiguousarray(bone()[::-1, :, ::-1])
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(flipped), str(trial / "radius.tif"))
    plan = plan_bone_case(BoneImport((trial / "trial.cfg", trial / "radius.tra"), frame=8))
    assert_bone_projects_as_the_cameras_have_it(
        RegistrationCase.load(write_plan(plan, trial / "out" / "case.json")[-1])
    )


def test_poses_of_another_calibration_are_told(trial: Path) -> None:
    far = RigidTransform(POSE.rotation, POSE.translation + [400.0, 0, 0])
    (trial / "poses.json").write_text(json.dumps({"poses": {"radius": {"0008": far.matrix.tolist()}}}))
    request = BoneImport((trial / "trial.cfg",), frame=8, poses=trial / "poses.json")
    assert "does not lie on the film of" in plan_bone_case(request).questions[0].missing
    with pytest.raises(InputFileError, match="not exactly one"):
        plan_bone_case(replace(request, frame=7))


def test_no_source_is_ever_overwritten(trial: Path) -> None:
    plan = plan_bone_case(BoneImport((trial / "trial.cfg", trial / "radius.tra"), frame=8))
    with pytest.raises(InputFileError, match="overwrite"):
        write_plan(plan, plan.views[0].image)


@pytest.mark.slow
@pytest.mark.skipif(FOREARM is None, reason="the forearm set (shared/data/biplane_wrist) is not here")
@pytest.mark.parametrize(("name", "frame"), [("rad", 99), ("uln", 158)])
def test_the_real_forearms_outline_lies_on_its_bone(name: str, frame: int, tmp_path: Path) -> None:
    """At the reference pose the outline runs where the film changes most; 3 mm beside it, it does not."""
    assert FOREARM is not None
    request = BoneImport(
        (FOREARM,),
        bone=name,
        voxel_size=(0.39625, 0.39625, 0.625),
        frame=frame,
        poses=FOREARM / "reference_poses.json",
    )
    case = RegistrationCase.load(write_plan(plan_bone_case(request), tmp_path / "case.json")[-1])
    pose = case.initial[name].ct_to_world
    assert pose is not None
    points = pose.apply(case.labels.to_ras(np.argwhere(case.labels.array)[:, ::-1]))
    for view in case.views:
        sideways = view.geometry.column_step / np.linalg.norm(view.geometry.column_step)
        scores = {shift: _edge_strength(view, points + shift * sideways) for shift in (-3.0, 0.0, 3.0)}
        assert max(scores, key=lambda shift: scores[shift]) == 0.0, scores


def _edge_strength(view: XRayView, points: np.ndarray) -> float:
    """How much darker the film's inside of the outline is than its outside, along its left and right sides."""
    pixels = view.geometry.project(points)
    mask = np.zeros(view.geometry.shape, dtype=bool)
    columns, rows = np.round(pixels).astype(int).T
    mask[rows, columns] = True
    mask = ndimage.binary_fill_holes(ndimage.binary_closing(mask, iterations=6))
    image = ndimage.gaussian_filter(view.image, 2.0)
    steps = []
    for row in np.flatnonzero(mask.any(axis=1))[60:-20:4]:  # below the joint, where the sides are single lines
        left, right = np.flatnonzero(mask[row])[[0, -1]]
        steps += [image[row, left + 6] - image[row, left - 6], image[row, right - 6] - image[row, right + 6]]
    return float(np.mean(steps))
