"""Files of Autoscoper among those chosen for a calibration: a trial names cameras, a tracking has poses of bones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from radgs.errors import InputFileError
from radgs.geometry import RigidTransform
from radgs.io.calibrations.autoscoper_tracking import read_tracking
from radgs.io.calibrations.autoscoper_trial import read_trial

#: What Autoscoper calls its files; what is in them tells no more.
TRIAL_SUFFIX, TRACKING_SUFFIX = ".cfg", ".tra"


@dataclass(frozen=True)
class CalibrationFiles:
    """The files of one calibration, and what may come with them.

    Attributes:
        cameras: The calibration's own.
        poses: Bones that Autoscoper tracked in its world: a name with the frame, and the pose of the model.
    """

    cameras: tuple[Path, ...]
    poses: tuple[tuple[str, RigidTransform], ...] = ()


def calibration_files(paths: Sequence[Path]) -> CalibrationFiles:
    """A trial of Autoscoper names its cameras; poses beside them tell how the patient lies.

    Raises:
        InputFileError: A trial or a tracking cannot be used, or there are poses and no camera.
    """
    cameras: list[Path] = []
    names: list[str] = []
    poses: list[tuple[str, RigidTransform]] = []
    for path in paths:
        if path.suffix.lower() == TRIAL_SUFFIX:
            trial = read_trial(path)
            cameras += trial.cameras
            names += [volume.path.stem for volume in trial.volumes]
        elif path.suffix.lower() != TRACKING_SUFFIX:
            cameras.append(path)
    if not cameras:
        raise InputFileError(
            "Poses of bones were chosen, and no calibration.",
            "Choose the trial (.cfg) or the cameras' files with them.",
        )
    for path in paths:
        if path.suffix.lower() == TRACKING_SUFFIX:
            tracked = read_tracking(path, volumes=None)
            named = names if len(names) == len(tracked) else [f"{path.stem} {n}" for n in range(1, len(tracked) + 1)]
            for name, by_frame in zip([path.stem] if len(tracked) == 1 else named, tracked, strict=True):
                poses += [(f"{name}, frame {frame + 1}", pose) for frame, pose in by_frame.items()]
            if not any(tracked):
                raise InputFileError(
                    f"{path} holds no frame in which a bone was tracked.", "Track one, or leave it out."
                )
    return CalibrationFiles(tuple(cameras), tuple(poses))
