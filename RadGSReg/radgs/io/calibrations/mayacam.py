"""MayaCam 1.0 and 2.0, as XMALab and the XROMM MATLAB scripts write them and Autoscoper reads them.

MayaCam 2.0 is OpenCV's camera: x_camera = R x_world + t in mm, pixel centres at integers, rows down. MayaCam 1.0 stems
from Maya: the camera looks along its -z, its axes are Rz Ry Rx of three angles, rows count from the bottom and pixels
from 1.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from radgs.errors import InputFileError
from radgs.geometry import FloatArray
from radgs.geometry.projection import Convention, Pinhole
from radgs.io.calibrations.number_text import numbers_of, read_lines, read_rows, table

CONVENTION_1 = Convention("world-to-camera", "up", "one")
CONVENTION_2 = Convention("world-to-camera", "down", "centre")

#: Image size that MayaCam 1.0 means where it writes 0.
DEFAULT_SIZE = 1024

_SECTIONS = {"image size": (1, 2), "camera matrix": (3, 3), "rotation": (3, 3), "translation": (3, 1)}
#: OpenCV's distortion coefficients below this move no pixel of a film.
NO_DISTORTION = 1e-9


def is_mayacam_2(lines: list[str]) -> bool:
    """Whether a text file begins as MayaCam 2.0 does."""
    return any(line.lower() == "image size" for line in lines[:3])


def read_mayacam_2(path: Path) -> Pinhole:
    """A MayaCam 2.0 file.

    Raises:
        InputFileError: Missing, not MayaCam 2.0, or with distortion coefficients, which want undistorted images.
    """
    sections: dict[str, list[list[float]]] = {}
    name = ""
    for line in read_lines(path):
        row = numbers_of(line)
        if row is None and line:
            name = line.lower().rstrip(":")
            sections[name] = []
        elif row is not None and name:
            sections[name].append(row)
    values: dict[str, FloatArray] = {}
    for name, (rows, columns) in _SECTIONS.items():
        if name not in sections:
            raise InputFileError(f'{path} has no section "{name}".', "Give a MayaCam 2.0 file as XMALab exports it.")
        values[name] = table(path, sections[name], columns)
        if values[name].shape != (rows, columns):
            raise InputFileError(
                f'{path}: "{name}" has {len(sections[name])} rows where {rows} were expected.',
                "Give a MayaCam 2.0 file as XMALab exports it.",
            )
    distortion = np.array([number for row in sections.get("undistortion", []) for number in row])
    if np.abs(distortion).max(initial=0.0) > NO_DISTORTION:
        raise InputFileError(
            f"{path} says that the images are distorted.",
            "Undistort the images with the program that calibrated them, and export its MayaCam 2.0 file again.",
        )
    columns, rows = (int(number) for number in values["image size"][0])
    return Pinhole(
        (columns, rows), np.column_stack([values["rotation"], values["translation"]]), values["camera matrix"]
    )


def read_mayacam_1(path: Path, unit_mm: float = 1.0) -> Pinhole:
    """A MayaCam 1.0 file: five lines of three numbers.

    Line 1 is the camera's place, line 2 its angles about x, y and z in degrees, line 4 the principal point and the
    focal length (negative), line 5 a scale and the image's columns and rows. Line 3 follows from these.

    Args:
        path: The file.
        unit_mm: Millimetres of its unit: 1, or 10 where it was written in centimetres.

    Raises:
        InputFileError: Missing, or not five lines of three numbers.
    """
    rows = read_rows(path)
    if len(rows) != 5:
        raise InputFileError(
            f"{path} holds {len(rows)} lines of numbers where MayaCam 1.0 has 5.",
            "Give the file as XMALab exports it.",
        )
    place, angles, _, (u0, v0, focal), (_, columns, height) = table(path, rows, 3)
    camera_to_world = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()  # fixed axes: Rz Ry Rx
    if focal == 0:
        raise InputFileError(f"{path} has a focal length of 0.", "Give the file as XMALab exports it.")
    world_to_camera = np.column_stack([camera_to_world.T, -camera_to_world.T @ (place * unit_mm)])
    intrinsics = np.array([[abs(focal), 0, u0], [0, abs(focal), v0], [0, 0, 1]])
    size = (int(columns) or DEFAULT_SIZE, int(height) or DEFAULT_SIZE)
    return Pinhole(size, world_to_camera, intrinsics)
