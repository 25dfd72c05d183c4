"""Autoscoper's poses (.tra), and the frame of its models; XMALab writes rigid bodies in the same form.

A line per frame, and in it, for one volume after another, a 4x4 matrix or x, y, z, yaw, pitch, roll. A pose maps the
model's frame to the world in which the cameras are calibrated. The model's frame is that of the TIFF stack, after its
flips: voxel (column i, row j, slice k) of a stack with H rows lies at

    (sx (i + 1/2), sy (H - 1/2 - j), -sz (k + 1/2))   mm.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from radgs.errors import InputFileError
from radgs.geometry import FloatArray, RigidTransform, Volume
from radgs.io.calibrations.number_text import numbers_of, read_lines

#: The stack's axes as a CT's usually are: columns to the patient's left, rows to the back, slices to the head;
#: the model's frame (right, up the rows, against the slices) is then left, anterior, inferior.
MODEL_TO_RAS = RigidTransform(np.diag([-1.0, 1.0, -1.0]), np.zeros(3))

#: Numbers of one pose: as a matrix, and as place and angles.
MATRIX, ANGLES = 16, 6


def model_volume(
    stack: NDArray, voxel_size: tuple[float, float, float], flips: tuple[bool, bool, bool] = (False, False, False)
) -> Volume:
    """A TIFF stack placed in the model's frame.

    Args:
        stack: (slices, rows, columns) as read.
        voxel_size: Millimetres along columns, rows and slices.
        flips: Whether columns, rows and slices are turned over.
    """
    array = np.flip(stack, tuple(axis for axis, flip in zip((2, 1, 0), flips, strict=True) if flip))
    width, height, depth = voxel_size
    index_to_model = np.diag([width, -height, -depth, 1.0])
    index_to_model[:3, 3] = [width / 2, height * (stack.shape[1] - 0.5), -depth / 2]
    return Volume(np.ascontiguousarray(array), index_to_model)


def bone_to_world(model_to_world: RigidTransform) -> RigidTransform:
    """A pose of the model's frame as one of the bone in patient axes, ``ct_to_world``."""
    return model_to_world @ MODEL_TO_RAS.inverse()


def upright(model_to_world: RigidTransform) -> RigidTransform:
    """The turn of a calibration's world in which the bone at a pose lies as in its CT: that world has patient axes."""
    return RigidTransform(bone_to_world(model_to_world).rotation.T, np.zeros(3))


def read_tracking(
    path: Path, *, volumes: int | None = 1, unit_mm: float = 1.0, degrees: bool = True
) -> list[dict[int, RigidTransform]]:
    """The poses of every volume, by frame (counted from 0); frames that were not tracked are missing.

    Whether matrices stand row after row or column after column shows in where their 0, 0, 0, 1 lies.

    Args:
        path: A .tra, or a .csv of XMALab's rigid body.
        volumes: How many volumes share a line; None for as many matrices as a line holds.
        unit_mm: Millimetres of the file's unit.
        degrees: Whether angles are degrees.

    Raises:
        InputFileError: Missing, lines of another length, or a matrix that is not rigid.
    """
    poses: list[dict[int, RigidTransform]] = [{} for _ in range(volumes or 0)]
    frame = -1
    for number, line in enumerate(read_lines(path), start=1):
        row = numbers_of(line)
        if row is None:
            continue  # blank, or a heading
        frame += 1
        if volumes is None:
            volumes = max(1, len(row) // MATRIX)
            poses = [{} for _ in range(volumes)]
        length, rest = divmod(len(row), volumes)
        if rest or length not in (MATRIX, ANGLES):
            raise InputFileError(
                f"{path}: line {number} has {len(row)} numbers for {volumes} volume(s).",
                f"A pose is {MATRIX} numbers (a matrix) or {ANGLES} (place and angles) for each volume.",
            )
        for tracked, values in zip(poses, np.array(row).reshape(volumes, length), strict=True):
            if np.isfinite(values).all():
                tracked[frame] = _pose(path, number, values, unit_mm, degrees)
    if frame < 0:
        raise InputFileError(f"{path} holds no pose.", "Save the tracking in Autoscoper again.")
    return poses


def _pose(path: Path, line: int, values: FloatArray, unit_mm: float, degrees: bool) -> RigidTransform:
    if len(values) == ANGLES:
        x, y, z, yaw, pitch, roll = values
        rotation = Rotation.from_euler("xyz", [roll, pitch, yaw], degrees=degrees).as_matrix()  # Rz Ry Rx
        return RigidTransform(rotation, np.array([x, y, z]) * unit_mm)
    matrix = values.reshape(4, 4)
    by_columns = np.allclose(matrix[:3, 3], 0) and not np.allclose(matrix[3, :3], 0)
    matrix = matrix.T.copy() if by_columns else matrix.copy()
    matrix[:3, 3] *= unit_mm
    rotation = matrix[:3, :3]
    rigid = np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3) and np.linalg.det(rotation) > 0
    if not rigid or not np.allclose(matrix[3], [0, 0, 0, 1], atol=1e-6):
        raise InputFileError(f"{path}: line {line} holds a matrix that is not rigid.", "Save the tracking again.")
    u, _, vt = np.linalg.svd(rotation)
    return RigidTransform(u @ vt, matrix[:3, 3])
