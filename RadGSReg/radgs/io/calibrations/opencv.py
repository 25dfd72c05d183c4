"""Cameras in OpenCV's YAML: one camera with its pose, or a stereo pair as ``stereoCalibrate`` gives it.

Names are those of OpenCV's own samples and of what imitates them. x_camera = R x_world + T, rows down, pixel centres at
integers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from radgs.errors import InputFileError
from radgs.geometry import FloatArray
from radgs.geometry.projection import Convention, Pinhole
from radgs.io.calibrations.mayacam import NO_DISTORTION
from radgs.io.calibrations.opencv_storage import read_storage

CONVENTION = Convention("world-to-camera", "down", "centre")

_INTRINSICS = ("camera_matrix", "cameraMatrix", "CameraMatrix", "intrinsic_matrix", "K", "M")
_DISTORTION = ("distortion_coefficients", "distCoeffs", "dist_coeffs", "distortion", "D")
_ROTATION = ("R", "rotation_matrix", "rotation", "rvec", "rotation_vector")
_TRANSLATION = ("T", "t", "tvec", "translation_vector", "translation")

Nodes = dict[str, FloatArray]


def read_opencv(path: Path, size: tuple[int, int] | None = None) -> list[Pinhole]:
    """One camera, or the two of a stereo pair, whose world is then the first camera's frame.

    Args:
        path: The YAML file.
        size: Columns and rows, where the file does not say.

    Raises:
        InputFileError: Missing, not complete, or with distortion, which wants undistorted images.
    """
    nodes = read_storage(path)
    pair = [_first(nodes, [f"{name}{n}" for name in _INTRINSICS]) for n in (1, 2)]
    image_size = _size(path, nodes, size)
    if pair[0] is not None and pair[1] is not None:
        _refuse_distortion(path, nodes, [f"{name}{n}" for name in _DISTORTION for n in (1, 2)])
        identity = np.eye(3, 4)
        return [
            Pinhole(image_size, pose, intrinsics)
            for pose, intrinsics in zip((identity, _pose(path, nodes)), pair, strict=True)
            if intrinsics is not None
        ]
    intrinsics = _first(nodes, list(_INTRINSICS))
    if intrinsics is None:
        projection = _first(nodes, ["P", "projection_matrix"])
        if projection is not None and projection.shape == (3, 4):
            return [Pinhole(image_size, projection)]
        raise InputFileError(
            f"{path} holds no camera matrix.", f"Name it as OpenCV does, such as {' or '.join(_INTRINSICS[:2])}."
        )
    if intrinsics.shape != (3, 3):
        raise InputFileError(f"{path}: the camera matrix is not 3 x 3.", "Write the file with OpenCV again.")
    _refuse_distortion(path, nodes, list(_DISTORTION))
    return [Pinhole(image_size, _pose(path, nodes), intrinsics)]


def _pose(path: Path, nodes: Nodes) -> FloatArray:
    """(3, 4) [R|T]; R may be a rotation vector."""
    rotation, translation = _first(nodes, list(_ROTATION)), _first(nodes, list(_TRANSLATION))
    if rotation is None or translation is None or translation.size != 3 or rotation.size not in (3, 9):
        raise InputFileError(
            f"{path} does not say where the camera stands.",
            "Write R (3 x 3, or a rotation vector) and T of solvePnP or stereoCalibrate into it, in millimetres.",
        )
    matrix = Rotation.from_rotvec(rotation.ravel()).as_matrix() if rotation.size == 3 else rotation.reshape(3, 3)
    return np.column_stack([matrix, translation.ravel()])


def _size(path: Path, nodes: Nodes, given: tuple[int, int] | None) -> tuple[int, int]:
    for width, height in (("image_width", "image_height"), ("width", "height"), ("imageWidth", "imageHeight")):
        if width in nodes and height in nodes:
            return int(nodes[width]), int(nodes[height])
    for name in ("image_size", "imageSize", "size"):
        if name in nodes and nodes[name].size == 2:
            columns, rows = nodes[name].ravel()
            return int(columns), int(rows)
    if given is None:
        raise InputFileError(f"{path} does not say the image's size.", "Give it, such as --size 1024,1024.")
    return given


def _refuse_distortion(path: Path, nodes: Nodes, names: list[str]) -> None:
    for name in names:
        if name in nodes and np.abs(nodes[name]).max(initial=0.0) > NO_DISTORTION:
            raise InputFileError(
                f'{path}: the images are distorted ("{name}" is not zero).',
                "Undistort the images, as cv2.undistort does, and give the file with zeros there.",
            )


def _first(nodes: Nodes, names: list[str]) -> FloatArray | None:
    return next((nodes[name] for name in names if name in nodes), None)
