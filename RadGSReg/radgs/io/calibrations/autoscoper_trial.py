"""Autoscoper's trial configuration (.cfg): cameras, folders of X-rays, volumes with voxel sizes and flips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from radgs.errors import InputFileError
from radgs.io.calibrations.number_text import numbers_of, read_lines


@dataclass(frozen=True)
class TrialVolume:
    """One volume of a trial.

    Attributes:
        path: A TIFF stack.
        voxel_size: Millimetres along columns, rows and slices.
        flips: Whether columns, rows and slices are turned over before anything else.
    """

    path: Path
    voxel_size: tuple[float, float, float]
    flips: tuple[bool, bool, bool]


@dataclass(frozen=True)
class Trial:
    """A trial: what a .cfg names.

    Attributes:
        cameras: Calibration files, one per view.
        films: Folders of X-rays, in the order of the cameras.
        volumes: The bones.
    """

    cameras: tuple[Path, ...]
    films: tuple[Path, ...]
    volumes: tuple[TrialVolume, ...]


def read_trial(path: Path) -> Trial:
    """Reads a .cfg; paths are relative to it, and a path of Windows is read as one.

    Raises:
        InputFileError: Missing, or its keys do not fit together.
    """
    values: dict[str, list[str]] = {}
    for line in read_lines(path):
        if line and not line.startswith("#"):
            key, *value = line.split(None, 1)
            values.setdefault(key, []).append(value[0].strip() if value else "")
    cameras, films = values.get("mayaCam_csv", []), values.get("CameraRootDir", [])
    volumes, sizes = values.get("VolumeFile", []), values.get("VoxelSize", [])
    if not cameras or len(cameras) != len(films):
        raise InputFileError(
            f"{path} names {len(cameras)} cameras (mayaCam_csv) and {len(films)} folders of X-rays (CameraRootDir).",
            "An Autoscoper trial names one folder for each camera.",
        )
    if not volumes or len(volumes) != len(sizes):
        raise InputFileError(
            f"{path} names {len(volumes)} volumes (VolumeFile) and {len(sizes)} voxel sizes (VoxelSize).",
            "Give every volume its voxel size in millimetres.",
        )
    flips = values.get("VolumeFlip", []) + ["0 0 0"] * len(volumes)
    return Trial(
        tuple(_path(path, text) for text in cameras),
        tuple(_path(path, text) for text in films),
        tuple(
            TrialVolume(_path(path, volume), _three(path, "VoxelSize", size), _flips(path, flip))
            for volume, size, flip in zip(volumes, sizes, flips, strict=False)
        ),
    )


def _path(trial: Path, text: str) -> Path:
    named = Path(PureWindowsPath(text).as_posix()) if "\\" in text or text[1:3] == ":/" else Path(text)
    return trial.parent / named


def _three(path: Path, key: str, text: str) -> tuple[float, float, float]:
    numbers = numbers_of(text) or []
    if len(numbers) != 3 or not all(number > 0 for number in numbers):
        raise InputFileError(f'{path}: {key} should be three numbers above 0 but is "{text}".', "Correct the trial.")
    return numbers[0], numbers[1], numbers[2]


def _flips(path: Path, text: str) -> tuple[bool, bool, bool]:
    numbers = numbers_of(text) or []
    if len(numbers) != 3:
        raise InputFileError(f'{path}: VolumeFlip should be three of 0 and 1 but is "{text}".', "Correct the trial.")
    return bool(numbers[0]), bool(numbers[1]), bool(numbers[2])
