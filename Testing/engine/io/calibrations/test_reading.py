"""Every format's rays are those of the camera that OpenCV projects with; what cannot be told is asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from radgs.errors import GeometryError, InputFileError, RadgsError
from radgs.geometry.projection import Convention
from radgs.io.calibrations.calibration import Calibration
from radgs.io.calibrations.reading import one_reading, read_calibration

COLUMNS, ROWS = SIZE = (1280, 960)
CENTRED = Convention(pixels="centre")
FLIP = np.array([[1.0, 0, 0], [0, -1, ROWS - 1], [0, 0, 1]])  # rows counted from the bottom


def rows_of(matrix: np.ndarray, separator: str = ",") -> str:
    return "".join(separator.join(f"{value:.12f}" for value in row) + "\n" for row in matrix)


def mayacam_2(folder: Path, cameras: Sequence) -> list[Path]:
    """As XMALab writes it."""
    paths = []
    for number, camera in enumerate(cameras, start=1):
        paths.append(folder / f"cam0{number}.txt")
        text = f"image size\n{COLUMNS},{ROWS}\n\ncamera matrix\n{rows_of(camera.k)}\n"
        text += f"rotation\n{rows_of(camera.rotation)}\ntranslation\n{rows_of(camera.translation[:, None])}"
        paths[-1].write_text(text)
    return paths


def mayacam_1(folder: Path, cameras: Sequence, unit_mm: float = 1.0) -> list[Path]:
    """Place, angles and film as XMALab derives them from OpenCV's camera: x right, y up, looking along -z."""
    paths = []
    for number, camera in enumerate(cameras, start=1):
        axes = camera.rotation.T @ np.diag([1.0, -1.0, -1.0])  # camera_to_world = Rz Ry Rx
        angles = np.degrees(
            [
                np.arctan2(axes[2, 1], axes[2, 2]),
                np.arctan2(-axes[2, 0], np.hypot(axes[2, 1], axes[2, 2])),
                np.arctan2(axes[1, 0], axes[0, 0]),
            ]
        )
        focal, u0, v0 = camera.k[0, 0], camera.k[0, 2] + 1, (ROWS - 1 - camera.k[1, 2]) + 1
        film = 0.1 * np.array([COLUMNS / 2 - u0, ROWS / 2 - v0, -focal])
        table = np.array([camera.place / unit_mm, angles, film, [u0, v0, -focal], [0.1, COLUMNS, ROWS]])
        paths.append(folder / f"cam0{number}.csv")
        paths[-1].write_text(rows_of(table))
    return paths


def dlt(folder: Path, cameras: Sequence) -> list[Path]:
    """Eleven coefficients: pixels from 1, rows from the bottom, P divided by its last element."""
    columns = []
    for camera in cameras:
        matrix = np.array([[1.0, 0, 1], [0, 1, 1], [0, 0, 1]]) @ FLIP @ camera.k @ camera.extrinsics
        columns.append((matrix / matrix[2, 3]).ravel()[:11])
    (folder / "MergedDlts_Frame1.csv").write_text(rows_of(np.stack(columns, axis=1)))
    return [folder / "MergedDlts_Frame1.csv"]


def opencv_single(folder: Path, cameras: Sequence) -> list[Path]:
    paths = []
    for number, camera in enumerate(cameras, start=1):
        paths.append(folder / f"camera{number}.yml")
        storage = cv2.FileStorage(str(paths[-1]), cv2.FILE_STORAGE_WRITE)
        storage.write("image_width", COLUMNS)
        storage.write("image_height", ROWS)
        storage.write("camera_matrix", camera.k)
        storage.write("distortion_coefficients", np.zeros((5, 1)))
        storage.write("rvec", cv2.Rodrigues(camera.rotation)[0])
        storage.write("tvec", camera.translation.reshape(3, 1))
        storage.release()
    return paths


def p_down(folder: Path, cameras: Sequence, scale: float = 1.0) -> list[Path]:
    paths = []
    for number, camera in enumerate(cameras, start=1):
        paths.append(folder / f"view{number}.txt")
        paths[-1].write_text("# P\n" + rows_of(scale * camera.k @ camera.extrinsics, " "))
    return paths


def p_up(folder: Path, cameras: Sequence) -> list[Path]:
    paths = []
    for number, camera in enumerate(cameras, start=1):
        paths.append(folder / f"view{number}.npy")
        np.save(paths[-1], FLIP @ camera.k @ camera.extrinsics)
    return paths


def k_and_pose(folder: Path, cameras: Sequence, *, inverted: bool = False, corner: float = 0.0) -> list[Path]:
    paths = []
    for number, camera in enumerate(cameras, start=1):
        pose = np.column_stack([camera.rotation.T, camera.place]) if inverted else camera.extrinsics
        k = camera.k + np.array([[0, 0, corner], [0, 0, corner], [0, 0, 0]])
        paths.append(folder / f"view{number}.csv")
        paths[-1].write_text("K\n" + rows_of(k) + "R|t\n" + rows_of(pose))
    return paths


def k_of_opengl(folder: Path, cameras: Sequence) -> list[Path]:
    """With x right, y up, looking along -z, rows counted from the bottom."""
    paths = []
    for number, camera in enumerate(cameras, start=1):
        k = camera.k.copy()
        k[1, 2] = ROWS - 1 - k[1, 2]
        paths.append(folder / f"view{number}.csv")
        paths[-1].write_text(rows_of(k) + rows_of(np.diag([1.0, -1.0, -1.0]) @ camera.extrinsics))
    return paths


def our_own(folder: Path, cameras: Sequence) -> list[Path]:
    """calibration.json: the film 1.5 times as far from the source as the origin, a pixel f / z as large as at 1."""
    views = []
    for number, camera in enumerate(cameras, start=1):
        away = 1.5 * np.linalg.norm(camera.place)
        axes = camera.rotation.T  # of the camera, as columns
        to_film = np.eye(4)
        to_film[:3, 0], to_film[:3, 1] = axes[:, 0] * away / camera.k[0, 0], axes[:, 1] * away / camera.k[1, 1]
        to_film[:3, 2] = axes[:, 2]
        corner = camera.place + axes[:, 2] * away
        to_film[:3, 3] = corner - to_film[:3, 0] * camera.k[0, 2] - to_film[:3, 1] * camera.k[1, 2]
        view = {"name": f"view{number}", "size": list(SIZE), "source_ras": camera.place.tolist()}
        views.append({**view, "detector_to_ras": to_film.tolist()})
    path = folder / "calibration.json"
    path.write_text(json.dumps({"schema": "radgs.calibration/1", "views": views}))
    return [path]


def assert_same_rays(calibration: Calibration, cameras: Sequence, points: np.ndarray, tolerance: float = 1e-3) -> None:
    """Points project where OpenCV projects them, from in front of each source to a film beyond."""
    assert len(calibration.views) == len(cameras)
    for view, camera in zip(calibration.views, cameras, strict=True):
        assert view.geometry.shape == (ROWS, COLUMNS)
        np.testing.assert_allclose(view.geometry.source_ras, camera.place, atol=1e-5)
        np.testing.assert_allclose(view.geometry.project(points), camera.pixels(points), atol=tolerance)
        depth = (points - view.geometry.source_ras) @ view.geometry.normal
        assert depth.min() > 0
        assert depth.max() < view.geometry.source_to_detector_mm


Writer = Callable[[Path, Sequence], list[Path]]


@pytest.mark.parametrize(
    ("write", "convention"),
    [
        (mayacam_2, Convention()),
        (dlt, Convention()),
        (opencv_single, Convention()),
        (p_down, Convention(rows="down", pixels="centre")),
        (p_up, Convention(rows="up", pixels="centre")),
        (k_and_pose, Convention("world-to-camera", "down", "centre")),
        (k_of_opengl, Convention("world-to-camera", "up", "centre")),
        (our_own, Convention()),
    ],
)
def test_points_project_as_opencv_projects_them(
    write: Writer, convention: Convention, cameras: list, points: np.ndarray, tmp_path: Path
) -> None:
    candidates = read_calibration(write(tmp_path, cameras), convention=convention, size=SIZE)
    assert_same_rays(one_reading(candidates, convention), cameras, points)


@pytest.mark.parametrize("unit_mm", [1.0, 10.0])
def test_mayacam_1_has_one_focal_length_and_its_unit_is_said(
    cameras: list, points: np.ndarray, tmp_path: Path, unit_mm: float
) -> None:
    for camera in cameras:
        camera.k[1, 1] = camera.k[0, 0]
    (calibration,) = read_calibration(mayacam_1(tmp_path, cameras, unit_mm), unit_mm=unit_mm)
    assert_same_rays(calibration, cameras, points)
    assert f"1 unit of MayaCam 1.0 is {unit_mm:g} mm." in calibration.views[0].assumed


@pytest.mark.parametrize("scale", [-1.0, 3.7e-4])
def test_a_projection_matrix_means_the_same_times_any_number(
    scale: float, cameras: list, points: np.ndarray, tmp_path: Path
) -> None:
    convention = Convention(rows="down", pixels="centre")
    (calibration,) = read_calibration(p_down(tmp_path, cameras, scale), convention=convention, size=SIZE)
    assert_same_rays(calibration, cameras, points)


def test_a_pose_the_other_way_round_and_pixels_from_the_corner(
    cameras: list, points: np.ndarray, tmp_path: Path
) -> None:
    paths = k_and_pose(tmp_path, cameras, inverted=True, corner=0.5)
    convention = Convention("camera-to-world", "down", "corner")
    (calibration,) = read_calibration(paths, convention=convention, size=SIZE)
    assert_same_rays(calibration, cameras, points)


def test_a_stereo_pair_stands_in_its_first_cameras_frame(cameras: list, points: np.ndarray, tmp_path: Path) -> None:
    first, second = cameras
    rotation = second.rotation @ first.rotation.T
    storage = cv2.FileStorage(str(tmp_path / "stereo.yaml"), cv2.FILE_STORAGE_WRITE)
    for name, value in (("M1", first.k), ("D1", np.zeros((1, 5))), ("M2", second.k), ("D2", np.zeros((1, 5)))):
        storage.write(name, value)
    storage.write("R", rotation)
    storage.write("T", (second.translation - rotation @ first.translation).reshape(3, 1))
    storage.release()
    (calibration,) = read_calibration([tmp_path / "stereo.yaml"], size=SIZE)
    in_first = points @ first.rotation.T + first.translation
    for view, camera in zip(calibration.views, cameras, strict=True):
        np.testing.assert_allclose(view.geometry.project(in_first), camera.pixels(points), atol=1e-3)
    np.testing.assert_allclose(calibration.views[0].geometry.source_ras, 0, atol=1e-9)


def test_clicks_on_one_bone_leave_only_what_no_click_can_tell(
    cameras: list, points: np.ndarray, tmp_path: Path
) -> None:
    """Where pixels begin shifts every ray by half a pixel; everything else the rays' gap decides."""
    for write, extrinsics, rows in (
        (k_and_pose, "world-to-camera", "down"),
        (lambda folder, c: k_and_pose(folder, c, inverted=True), "camera-to-world", "down"),
        (k_of_opengl, "world-to-camera", "up"),
    ):
        paths = write(tmp_path, cameras)
        clicks = [camera.pixels(points[:1])[0] for camera in cameras]
        candidates = read_calibration(paths, size=SIZE, clicks=clicks)
        right = [c for c in candidates if f"extrinsics {extrinsics}" in c.kind and f"rows {rows}" in c.kind]
        assert {c.kind.split("pixels ")[1].split(",")[0] for c in right} == {"centre", "corner"}
        with pytest.raises(GeometryError, match="ways that all fit") as asked:
            one_reading(candidates, Convention())
        assert "--pixels" in asked.value.remedy
        assert_same_rays(right[0], cameras, points)


def test_a_reading_that_puts_the_bone_behind_a_source_is_refused(cameras: list, tmp_path: Path) -> None:
    wrong = Convention("world-to-camera", "up", "centre")  # looks along -z, away from the bone
    with pytest.raises(GeometryError, match="behind a source"):
        read_calibration(k_and_pose(tmp_path, cameras), convention=wrong, size=SIZE)


@pytest.mark.parametrize("size", ["0,0", "-5,10", "1000000000,1000000000"])
def test_a_size_that_no_image_has_is_refused(size: str, cameras: list, tmp_path: Path) -> None:
    (path, _other) = mayacam_2(tmp_path, cameras)
    path.write_text(path.read_text().replace(f"{COLUMNS},{ROWS}", size))
    with pytest.raises(InputFileError, match="which cannot be"):
        read_calibration([path])


def test_a_transposed_camera_matrix_is_refused_in_every_format(cameras: list, tmp_path: Path) -> None:
    """As MATLAB writes it: its principal point is in the last row."""
    for camera in cameras:
        camera.k[:] = camera.k.T.copy()
    for write in (mayacam_2, opencv_single, k_and_pose):
        with pytest.raises(InputFileError, match="camera matrix K"):
            read_calibration(write(tmp_path, cameras), size=SIZE)


def test_a_projection_matrix_of_any_size_of_numbers_is_read(cameras: list, points: np.ndarray, tmp_path: Path) -> None:
    convention = Convention(rows="down", pixels="centre")
    for scale in (1e295, 1e-290):
        paths = p_down(tmp_path, cameras)
        for path, camera in zip(paths, cameras, strict=True):
            np.savetxt(path, scale * camera.k @ camera.extrinsics)
        (calibration,) = read_calibration(paths, convention=convention, size=SIZE)
        assert_same_rays(calibration, cameras, points)


def test_files_that_cannot_be_used_are_told(cameras: list, tmp_path: Path) -> None:
    good = mayacam_2(tmp_path, cameras)
    text = good[0].read_text()
    spoilt = {
        "no rotation": (text.replace("rotation", "turn"), 'no section "rotation"'),
        "short": (text.split("translation")[0] + "translation\n1\n2\n", "3 were expected"),
        "words": ("This is a letter.\nDear all,\n", "holds no numbers"),
        "other": ("1,2,3\n4,5,6\n", "no calibration that can be read"),
        "distorted": (text + "\nundistortion\n0.1\n0\n0\n0\n0\n0\n0\n0\n", "distorted"),
        "nan": (text.replace("0.000000000000", "nan", 1), "NaN"),
        "mirrored": (text.replace(f"{cameras[0].rotation[0, 0]:.12f}", "1.7", 1), "not a rotation"),
        "yaml": (
            "%YAML:1.0\n---\ncamera_matrix: !!opencv-matrix\n   rows: 3\n   cols: 3\n   data: [ 1., 2. ]\n",
            "not complete",
        ),
    }
    for name, (content, said) in spoilt.items():
        path = tmp_path / f"{name}.txt"
        path.write_text(content)
        with pytest.raises(RadgsError, match=said):
            read_calibration([path, good[1]] if name in ("mirrored", "nan") else [path])
    (tmp_path / "project.xma").write_bytes(b"PK\x03\x04")
    with pytest.raises(InputFileError, match="project of XMALab"):
        read_calibration([tmp_path / "project.xma"])
    with pytest.raises(InputFileError, match="several formats"):
        read_calibration([good[0], *dlt(tmp_path, cameras)], size=SIZE)
    with pytest.raises(InputFileError, match="size"):
        read_calibration(p_down(tmp_path, cameras))
