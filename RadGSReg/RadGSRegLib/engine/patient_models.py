"""Models prepared for this patient: which file serves a level, what is wrong with it, and where a new one goes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import slicer

from radgs.errors import CaseError, InputFileError, RadgsError
from radgs.io.model_header import SUFFIX, ModelSummary, read_model_summary, there_is

#: Characters of a CT's name in a file's, which file systems keep short.
MAX_NAME_LENGTH = 100

WAY_OUT = "Choose another file under Patient model, prepare one, or register with none."


def model_path(parameters: Any, level: str) -> Path | None:
    """The file of a level's model; where it is not in its old place, the one of that name beside the scene.

    Args:
        parameters: The module's parameters.
        level: The level's name.
    """
    text = parameters.models.get(level)
    if not text:
        return None
    path, scene = Path(text), scene_folder()
    if not there_is(path) and scene is not None and there_is(scene / path.name):
        return scene / path.name
    return path


def set_model(parameters: Any, level: str, path: Path | None) -> None:
    """Has a file serve a level from now on, or none."""
    models = dict(parameters.models)
    models.pop(level, None)
    if path is not None:
        models[level] = str(path)
    if models != parameters.models:
        parameters.models = models


def checked_model(path: Path, level: str) -> ModelSummary:
    """What the header of a level's model says. That it is of this CT, the engine checks when it registers.

    Raises:
        InputFileError: The file is missing, or no model.
        CaseError: It is for another level, or for no vertebra at all.
    """
    try:
        summary = read_model_summary(path)
    except InputFileError as error:
        raise InputFileError(error.problem, WAY_OUT) from error
    if summary.level is None:
        raise CaseError(f"{path.name} was not prepared for any patient.", WAY_OUT)
    if summary.level != level:
        raise CaseError(f"{path.name} was prepared for {summary.level}, not for {level}.", WAY_OUT)
    return summary


def model_problem(parameters: Any, level: str) -> RadgsError | None:
    """Why a level's model cannot be used; None where it can, or where there is none."""
    path = model_path(parameters, level)
    try:
        if path is not None:
            checked_model(path, level)
    except RadgsError as error:
        return error
    return None


def model_name(ct: Any, level: str) -> str:
    """What the file of a level's new model is called."""
    name = "" if ct is None else re.sub(r"[^\w .-]", "_", ct.GetName()).strip(" .")
    return f"{name[:MAX_NAME_LENGTH].strip(' .') or 'CT'} {level}{SUFFIX}"


def proposed_folder() -> Path:
    """Where a new model goes: beside the scene, or where scenes are saved while this one is not."""
    return scene_folder() or Path(slicer.app.defaultScenePath)


def scene_folder() -> Path | None:
    """The folder of the scene's file; None while the scene has not been saved."""
    url = slicer.mrmlScene.GetURL()
    return Path(url).parent if url else None
