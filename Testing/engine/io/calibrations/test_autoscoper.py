"""Autoscoper's trials, poses and model frame, each against the rule that Autoscoper's own viewer follows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from radgs.errors import InputFileError
from radgs.geometry import RigidTransform
from radgs.io.calibrations.autoscoper_tracking import MATRIX, model_volume, read_tracking
from radgs.io.calibrations.autoscoper_trial import read_trial

POSES = {
    0: RigidTransform.from_rotation_vector([0.4, -0.3, 1.9], [12.0, -30.0, 610.0]),
    2: RigidTransform.from_rotation_vector([-1.1, 0.2, 0.6], [11.0, -31.0, 612.0]),
}
TRIAL = """# a comment
Version 1.1
mayaCam_csv calib/cam01.txt
mayaCam_csv calib/cam02.txt

CameraRootDir films\\cam01
CameraRootDir films\\cam02
VolumeFile radius.tif
VolumeFlip 0 1 0
VoxelSize 0.4 0.4 0.625
VolumeFile ulna.tif
VolumeFlip 0 0 0
VoxelSize 0.3 0.3 0.3
RenderResolution 512 512
"""


def write_tracking(path: Path, poses: dict[int, RigidTransform], frames: int) -> None:
    """Writes one volume's poses as Autoscoper saves them: matrices by rows, commas, mm; NaN where none is."""
    lines = []
    for frame in range(frames):
        values = poses[frame].matrix.ravel() if frame in poses else np.full(MATRIX, np.nan)
        lines.append(",".join("NaN" if np.isnan(value) else f"{value:.16f}" for value in values))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def turn(axis: int, degrees: float) -> np.ndarray:
    """A rotation about one axis, from its sines and cosines."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = [(1, 2), (2, 0), (0, 1)][axis]
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = c
    matrix[i, j], matrix[j, i] = -s, s
    return matrix


def test_a_trial_names_cameras_films_and_volumes(tmp_path: Path) -> None:
    (tmp_path / "wrist.cfg").write_text(TRIAL)
    trial = read_trial(tmp_path / "wrist.cfg")
    assert trial.cameras == (tmp_path / "calib" / "cam01.txt", tmp_path / "calib" / "cam02.txt")
    assert trial.films == (tmp_path / "films" / "cam01", tmp_path / "films" / "cam02")
    assert trial.volumes[0].voxel_size == (0.4, 0.4, 0.625)
    assert trial.volumes[0].flips == (False, True, False)
    assert trial.volumes[1].flips == (False, False, False)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("CameraRootDir films\\cam02\n", "", "2 cameras"),
        ("VoxelSize 0.3 0.3 0.3\n", "", "2 volumes"),
        ("0.3 0.3 0.3", "0.3 0 0.3", "VoxelSize"),
        ("VolumeFlip 0 1 0", "VolumeFlip no", "VolumeFlip"),
    ],
)
def test_a_trial_whose_parts_do_not_fit_is_told(old: str, new: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "wrist.cfg").write_text(TRIAL.replace(old, new))
    with pytest.raises(InputFileError, match=said):
        read_trial(tmp_path / "wrist.cfg")


@pytest.mark.parametrize("flips", [(False, False, False), (True, False, False), (False, True, True)])
def test_a_voxel_lies_where_the_viewers_texture_has_it(flips: tuple[bool, bool, bool]) -> None:
    """Texture coordinates run 0 to 1 over the stack, y from its last row, z backwards; a flip turns the stack first."""
    stack = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    sizes = np.array([0.5, 0.7, 1.25])
    volume = model_volume(stack, (0.5, 0.7, 1.25), flips)
    for k, j, i in ((0, 0, 0), (1, 2, 3), (0, 2, 1)):
        turned = [n - 1 - index if flip else index for n, index, flip in zip((4, 3, 2), (i, j, k), flips, strict=True)]
        texture = (np.array(turned) + 0.5) / (4, 3, 2)
        place = np.array([texture[0], 1 - texture[1], -texture[2]]) * sizes * (4, 3, 2)
        np.testing.assert_allclose(volume.to_ras(turned), place, atol=1e-12)
        assert volume.array[tuple(turned[::-1])] == stack[k, j, i]


def test_poses_come_back_and_untracked_frames_stay_untracked(tmp_path: Path) -> None:
    write_tracking(tmp_path / "radius.tra", POSES, frames=4)
    (read,) = read_tracking(tmp_path / "radius.tra")
    assert sorted(read) == [0, 2]
    for frame, pose in POSES.items():
        np.testing.assert_allclose(read[frame].matrix, pose.matrix, atol=1e-12)
    assert len((tmp_path / "radius.tra").read_text().splitlines()) == 4


@pytest.mark.parametrize(("separator", "by_columns"), [(",", True), (" ", False), (" ", True)])
def test_matrices_may_stand_by_columns_and_with_blanks(separator: str, by_columns: bool, tmp_path: Path) -> None:
    matrices = [pose.matrix.T if by_columns else pose.matrix for pose in POSES.values()]
    line = separator.join(f"{value:.12f}" for matrix in matrices for value in matrix.ravel())
    (tmp_path / "both.tra").write_text(line + "\n")
    first, second = read_tracking(tmp_path / "both.tra", volumes=2)
    np.testing.assert_allclose([first[0].matrix, second[0].matrix], [p.matrix for p in POSES.values()], atol=1e-9)


@pytest.mark.parametrize(("unit_mm", "degrees"), [(1.0, True), (10.0, True), (1.0, False)])
def test_angles_are_yaw_pitch_and_roll(unit_mm: float, degrees: bool, tmp_path: Path) -> None:
    angles = np.array([25.0, -40.0, 70.0])  # about z, then the new y, then the new x
    written = angles if degrees else np.radians(angles)
    place = np.array([10.0, -20.0, 300.0])
    (tmp_path / "a.tra").write_text(" ".join(str(number) for number in (*(place / unit_mm), *written)) + "\n")
    (read,) = read_tracking(tmp_path / "a.tra", unit_mm=unit_mm, degrees=degrees)
    np.testing.assert_allclose(read[0].rotation, turn(2, 25.0) @ turn(1, -40.0) @ turn(0, 70.0), atol=1e-12)
    np.testing.assert_allclose(read[0].translation, place)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("1,2,3\n", "has 3 numbers"),
        (",".join(["2"] * 16) + "\n", "not rigid"),
        ("", "holds no pose"),
    ],
)
def test_tracking_that_cannot_be_used_is_told(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.tra").write_text(content)
    with pytest.raises(InputFileError, match=said):
        read_tracking(tmp_path / "a.tra")


def test_keys_of_a_trial_may_be_followed_by_tabs(tmp_path: Path) -> None:
    lines = ["mayaCam_csv\tcam 1.txt", "CameraRootDir \t films", "VolumeFile\tbone.tif", "VoxelSize\t0.4 0.4\t0.6"]
    (tmp_path / "trial.cfg").write_text("\n".join(lines))
    trial = read_trial(tmp_path / "trial.cfg")
    assert trial.cameras == (tmp_path / "cam 1.txt",)
    assert trial.films == (tmp_path / "films",)
    assert trial.volumes[0].voxel_size == (0.4, 0.4, 0.6)


def test_as_many_volumes_are_read_as_a_line_holds_matrices(tmp_path: Path) -> None:
    rows = np.tile(np.eye(4).ravel(), (2, 3))
    rows[1, 16:32] = np.nan
    np.savetxt(tmp_path / "all.tra", rows, delimiter=",")
    assert [list(frames) for frames in read_tracking(tmp_path / "all.tra", volumes=None)] == [[0, 1], [0], [0, 1]]
    (tmp_path / "angles.tra").write_text("1,2,3,10,20,30\n")
    (frames,) = read_tracking(tmp_path / "angles.tra", volumes=None)
    np.testing.assert_allclose(frames[0].translation, [1.0, 2.0, 3.0])
