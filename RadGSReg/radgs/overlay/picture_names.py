"""File names of a result's pictures: unique, whatever the levels and views are called."""

from __future__ import annotations

from collections.abc import Sequence


def overlay_name(level: str) -> str:
    """The picture of all views of a level."""
    return f"{level}_overlay.png"


def reconstruction_name(level: str) -> str:
    """The picture of what the networks saw of a level."""
    return f"{level}_reconstruction.png"


def view_names(levels: Sequence[str], views: Sequence[str]) -> dict[str, list[str]]:
    """Per level, the pictures of its views in their order.

    ``<level>_<view>.png``, unless that is another picture's name already, also where capitals do not count; then
    ``<level>_view<number>.png``, with as many underscores as it takes.
    """
    taken = {name(level).casefold() for level in levels for name in (overlay_name, reconstruction_name)}
    names: dict[str, list[str]] = {level: [] for level in levels}
    for level in levels:
        for number, view in enumerate(views, 1):
            name, underscores = f"{level}_{view}.png", "_"
            while name.casefold() in taken:
                name = f"{level}{underscores}view{number}.png"
                underscores += "_"
            taken.add(name.casefold())
            names[level].append(name)
    return names
