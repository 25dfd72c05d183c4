"""Reading any calibration file: the format by its content, and which conventions fit the views."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from radgs.errors import GeometryError, InputFileError
from radgs.geometry import ViewGeometry
from radgs.geometry.projection import Convention, Pinhole, fitting_readings, meeting_point
from radgs.io.calibrations import mayacam, opencv, xmalab
from radgs.io.calibrations.calibration import CalibratedView, Calibration
from radgs.io.calibrations.calibration_file import LARGEST_SIDE, read_calibration_file
from radgs.io.calibrations.matrices import read_matrices
from radgs.io.calibrations.number_text import read_lines, read_rows

#: What follows a question about conventions, and how it is answered.
CHOICES = {
    "extrinsics": "--extrinsics world-to-camera or camera-to-world",
    "rows": "--rows down or up",
    "pixels": "--pixels centre, corner or one",
}
ORIGINS = {"centre": "(0, 0)", "corner": "(0.5, 0.5)", "one": "(1, 1)"}


def read_calibration(
    paths: Sequence[Path],
    *,
    convention: Convention | None = None,
    size: tuple[int, int] | None = None,
    unit_mm: float = 1.0,
    clicks: Sequence[ArrayLike] | None = None,
) -> list[Calibration]:
    """Reads the views of one calibration, from one file or one per view.

    Args:
        paths: All of one format: calibration.json, MayaCam 1.0 or 2.0, DLT coefficients, OpenCV's YAML, or matrices.
        convention: What plain matrices mean, as far as it is known; other formats say it themselves.
        size: Columns and rows of the images, for formats that do not say.
        unit_mm: Millimetres of the file's unit, for formats that do not say.
        clicks: Per view, the same bone as (column, row): readings under which the rays miss each other are left out.

    Returns:
        Every reading that fits: one where the files leave nothing open.

    Raises:
        InputFileError: A file is missing, of no known format, or of another than the first.
        GeometryError: No reading fits.
    """
    if paths[0].suffix.lower() == ".json":
        if len(paths) > 1:
            raise InputFileError("Several calibration.json were given.", "Give one; it holds all views.")
        return [read_calibration_file(paths[0])]
    kinds = [calibration_kind(path) for path in paths]
    if len(set(kinds)) > 1:
        raise InputFileError(
            f"The calibration files are of several formats: {', '.join(sorted(set(kinds)))}.",
            "Give the files of one calibration.",
        )
    cameras: list[tuple[str, Pinhole]] = []
    assumed: tuple[str, ...] = ()
    fixed: Convention | None = None
    for path, kind in zip(paths, kinds, strict=True):
        read, fixed, assumed = _read(path, kind, size, unit_mm)
        for camera in read:
            _check(path, camera)
        names = [path.stem] if len(read) == 1 else [f"{path.stem}-{n}" for n in range(1, len(read) + 1)]
        cameras += zip(names, read, strict=True)
    if clicks is not None and len(clicks) != len(cameras):
        raise GeometryError(
            f"The calibration has {len(cameras)} views, and {len(clicks)} clicks were given.", "Click once in each."
        )
    readings = fitting_readings([camera for _, camera in cameras], fixed or convention or Convention(), clicks)
    return [
        _calibration(kinds[0], reading if fixed is None else None, cameras, views, clicks, assumed)
        for reading, views in readings
    ]


def one_reading(candidates: Sequence[Calibration], convention: Convention) -> Calibration:
    """The one candidate there is.

    Raises:
        GeometryError: Several fit; the message asks for the choices that tell them apart.
    """
    if len(candidates) == 1:
        return candidates[0]
    asked = [CHOICES[name] for name in open_choices(candidates, convention)]
    readings = "; ".join(candidate.kind for candidate in candidates)
    raise GeometryError(
        f"The calibration can be read in {len(candidates)} ways that all fit: {readings}.",
        f"Say which with {', '.join(asked)}.",
    )


def open_choices(candidates: Sequence[Calibration], convention: Convention) -> list[str]:
    """What of a convention has to be said to tell candidates apart: fields of :class:`Convention`."""
    return [name for name in CHOICES if getattr(convention, name) is None and _differ(candidates, name)]


def _differ(candidates: Sequence[Calibration], name: str) -> bool:
    return len({getattr(candidate.convention, name, None) for candidate in candidates}) > 1


def calibration_kind(path: Path) -> str:
    """The format of a calibration file, by its content.

    Raises:
        InputFileError: It is none.
    """
    if path.suffix.lower() == ".json":
        read_calibration_file(path)
        return "calibration.json"
    if path.suffix.lower() == ".npy":
        return "matrices"
    if path.suffix.lower() == ".xma":
        raise InputFileError(
            f"{path} is a project of XMALab, which holds raw calibration images.",
            "Export its cameras from XMALab as MayaCam 2.0.",
        )
    lines = read_lines(path)
    if mayacam.is_mayacam_2(lines):
        return "MayaCam 2.0"
    if lines and lines[0].startswith("%YAML"):
        return "OpenCV"
    rows = read_rows(path)
    shape = [len(row) for row in rows]
    if shape == [3] * 5:
        return "MayaCam 1.0"
    if len(shape) in (11, 12) and len(set(shape)) == 1:
        return "DLT coefficients"
    if len(shape) in (3, 4, 6, 7):
        return "matrices"
    raise InputFileError(
        f"{path} is no calibration that can be read.",
        "Give MayaCam 1.0 or 2.0, XMALab's DLT coefficients, OpenCV's YAML, matrices, or a calibration.json.",
    )


def _read(
    path: Path, kind: str, size: tuple[int, int] | None, unit_mm: float
) -> tuple[list[Pinhole], Convention | None, tuple[str, ...]]:
    """The cameras of a file, its convention (None where it does not have one), and what was assumed."""
    if kind == "MayaCam 2.0":
        return [mayacam.read_mayacam_2(path)], mayacam.CONVENTION_2, ()
    if kind == "MayaCam 1.0":
        assumed = (f"1 unit of MayaCam 1.0 is {unit_mm:g} mm.",)
        return [mayacam.read_mayacam_1(path, unit_mm)], mayacam.CONVENTION_1, assumed
    if kind == "OpenCV":
        return opencv.read_opencv(path, size), opencv.CONVENTION, ()
    if size is None:
        raise InputFileError(f"{path} does not say the image's size.", "Give it, such as --size 1024,1024.")
    if kind == "DLT coefficients":
        return xmalab.read_dlt(path, size), xmalab.CONVENTION, ()
    return [read_matrices(path, size)], None, ()


def _check(path: Path, camera: Pinhole) -> None:
    """Refuses sizes that no image has, and a K that is none, such as a transposed one.

    Raises:
        InputFileError: It is so.
    """
    columns, rows = camera.size
    if not (1 <= columns <= LARGEST_SIDE and 1 <= rows <= LARGEST_SIDE):
        raise InputFileError(
            f"{path} is of an image of {columns} x {rows} pixels, which cannot be.",
            "Give the calibration of the X-rays.",
        )
    intrinsics = camera.intrinsics
    if intrinsics is None:
        return
    scale = intrinsics[2, 2]
    below = np.abs([intrinsics[1, 0], intrinsics[2, 0], intrinsics[2, 1]]).max()
    if not np.isfinite(intrinsics).all() or scale == 0 or below > 1e-9 * np.abs(intrinsics).max():
        raise InputFileError(
            f"{path}: the camera matrix K is not of the form fx 0 cx, 0 fy cy, 0 0 1.",
            "Give K as OpenCV has it; MATLAB's is transposed.",
        )


def _calibration(
    kind: str,
    reading: Convention | None,
    cameras: Sequence[tuple[str, Pinhole]],
    views: Sequence[ViewGeometry],
    clicks: Sequence[ArrayLike] | None,
    assumed: tuple[str, ...],
) -> Calibration:
    called = kind if reading is None else f"{kind}, {reading}"
    if reading is not None and reading.pixels is not None:
        called += f" (the first pixel's centre is {ORIGINS[reading.pixels]})"
    film = "The film's distance is not known; it does not change the rays."
    calibration = Calibration(
        called,
        tuple(CalibratedView(name, view, (*assumed, film)) for (name, _), view in zip(cameras, views, strict=True)),
        convention=reading,
    )
    if len(views) < 2:
        return calibration
    middles = [np.array([(columns - 1) / 2, (rows - 1) / 2]) for rows, columns in (view.shape for view in views)]
    return calibration.with_films_behind(meeting_point(views, clicks or middles)[0])
