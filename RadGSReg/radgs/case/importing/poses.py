"""Poses that an import is given: Autoscoper's tracking, or JSON with matrices per bone and frame."""

from __future__ import annotations

import json
from pathlib import Path

from radgs.errors import GeometryError, InputFileError
from radgs.geometry import RigidTransform
from radgs.io.calibrations.autoscoper_tracking import read_tracking


def read_pose(path: Path, bone: str, frame: int | None, row: int, unit_mm: float) -> RigidTransform:
    """The pose of a bone in a frame: model to the world of the calibration.

    Args:
        path: A .tra, or JSON ``{"poses": {bone: {frame: 4x4}}}``.
        bone: The bone's name, for JSON.
        frame: The frame's number, for JSON; None where the file has one only.
        row: The film's place among its camera's films, which is the row of a .tra with as many rows.
        unit_mm: Millimetres of a .tra's unit.

    Raises:
        InputFileError: Unreadable, or without a pose of this bone in this frame.
    """
    if path.suffix.lower() != ".json":
        tracked = read_tracking(path, unit_mm=unit_mm)[0]
        if len(tracked) == 1:
            return next(iter(tracked.values()))
        if frame is not None and frame in tracked and row not in tracked:
            return tracked[frame]
        if row in tracked:
            return tracked[row]
        rows = ", ".join(str(number) for number in tracked)
        raise InputFileError(
            f"{path} has no pose in row {row} (counted from 0); its tracked rows are {rows}.",
            "Give the row of the chosen films with --pose-row.",
        )
    try:
        poses = json.loads(path.read_text(encoding="utf-8-sig"))["poses"]
        by_frame = poses[bone]
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise InputFileError(
            f"{path} holds no poses of {bone}.", 'Write {"poses": {"BONE": {"FRAME": 4x4 matrix}}}.'
        ) from problem
    keys = [key for key in by_frame if frame is None or (key.isdigit() and int(key) == frame)]
    if len(keys) != 1:
        raise InputFileError(
            f"{path} holds {len(by_frame)} frames of {bone}, and not exactly one that was asked for.",
            f"Choose one with --frame: {', '.join(by_frame)}.",
        )
    try:
        return RigidTransform.from_matrix(by_frame[keys[0]])
    except GeometryError as error:
        raise InputFileError(f"{path}: {error.problem}", error.remedy) from error
