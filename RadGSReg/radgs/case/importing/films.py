"""Which film belongs to which camera, and to which frame: by the numbers in the names that people give them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from radgs.case.importing.plan import Question

_CAMERA = re.compile(r"(?:cam(?:era)?|view|c)[ _.-]?0*(\d+)(?!\d)", re.IGNORECASE)
_NUMBER = re.compile(r"(\d+)(?!.*\d)")


def camera_number(path: Path) -> int | None:
    """The camera that a file's name (or its folder's) speaks of: 2 for ``xr_wrist_cam02_UND.0099.tif``."""
    for text in (path.name, path.parent.name):
        found = _CAMERA.findall(text)
        if found:
            return int(found[-1])
    return None


def frame_number(path: Path) -> int | None:
    """The last number of a film's name before its suffix, where it is not the camera's own: 99 for ``..._UND.0099``."""
    stem = path.name.removesuffix(path.suffix)
    found = _NUMBER.search(_CAMERA.sub("", stem))
    return int(found[1]) if found else None


def films_of_cameras(films: Sequence[Path], cameras: Sequence[Path]) -> list[list[Path]] | None:
    """Per camera, its films in the order of their names; None where the names do not tell.

    One film per camera is matched by order where no name speaks of a camera.
    """
    numbers = [camera_number(camera) for camera in cameras]
    if None not in numbers and len(set(numbers)) == len(numbers):
        matched = [[film for film in films if camera_number(film) == number] for number in numbers]
        if all(matched) and sum(len(some) for some in matched) == len(films):
            return matched
    if len(films) == len(cameras) and not any(camera_number(film) for film in films):
        return [[film] for film in films]
    return None


def choose_frame(films: Sequence[Sequence[Path]], frame: int | None) -> tuple[list[Path], list[int], list[Question]]:
    """One film per camera.

    Args:
        films: Per camera, its films.
        frame: The number in the films' names; None where none was given.

    Returns:
        The films, each one's place among its camera's films, and a question where the frame is open.
    """
    chosen, places = [], []
    for some in films:
        fitting = list(some) if frame is None else [film for film in some if frame_number(film) == frame]
        if len(fitting) != 1:
            numbers = sorted({number for film in some if (number := frame_number(film)) is not None})
            listed = ", ".join(str(number) for number in numbers[:8]) + (" ..." if len(numbers) > 8 else "")
            missing = (
                f"There are {len(some)} films of one camera, and no frame was chosen."
                if frame is None
                else f"There is no frame {frame} among the films of {some[0].parent.name or some[0].name}."
            )
            return [], [], [Question(missing, f"Choose one with --frame; there are {listed}.")]
        chosen.append(fitting[0])
        places.append(list(some).index(fitting[0]))
    return chosen, places, []
