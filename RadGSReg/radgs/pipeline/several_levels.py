"""Several levels of one spine: where one was found, its neighbours are looked for beside it.

A spine bends by some degrees a joint. Once one level is found beyond doubt, the next ones need no search: neither other
starts nor other levels, nor whether an X-ray is mirrored. What is not accepted so is registered alone, as if no other
level had been asked for: a level that fails harms no other, and no verdict is milder than it would be alone because a
neighbour's was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from radgs.case import Level
from radgs.pipeline.one_level import RegisteredLevel
from radgs.refine import are_neighbours
from radgs.vertebra import VertebraAnatomy

#: Told where a level stands: stage, fraction of the level, and a message.
Tell = Callable[[str, float, str], None]
#: Registers a level beside neighbours that are believed, or alone where there are none.
RegisterOne = Callable[[Level, Sequence[RegisteredLevel], Tell], RegisteredLevel]


def next_level(levels: Sequence[Level], registered: Mapping[str, RegisteredLevel]) -> Level:
    """Whose turn it is: a neighbour of an accepted level, else the middle one of those that are left.

    Args:
        levels: All that are asked for; one at least is left.
        registered: Those that are done, by name.
    """
    left = [level for level in levels if level.name not in registered]
    accepted = {level.label for level in levels if level.name in registered and registered[level.name].believed}
    beside = [level for level in left if {level.label - 1, level.label + 1} & accepted]
    return beside[0] if beside else left[len(left) // 2]


def believed_neighbours(vertebra: VertebraAnatomy, registered: Mapping[str, RegisteredLevel]) -> list[RegisteredLevel]:
    """The accepted levels that lie next to a vertebra, one or two."""
    done = (level for level in registered.values() if level.believed)
    return [level for level in done if are_neighbours(vertebra, level.found.vertebra)]


def register_beside_or_alone(
    level: Level, beside: Sequence[RegisteredLevel], register_one: RegisterOne, tell: Tell
) -> RegisteredLevel:
    """Registers a level beside its neighbours where that is accepted, alone otherwise.

    Args:
        level: Which.
        beside: Neighbours that are believed.
        register_one: Registers it.
        tell: Told where it stands.
    """
    if not beside:
        return register_one(level, (), tell)
    quickly = register_one(level, beside, tell)
    if quickly.believed:
        return quickly
    alone = register_one(level, (), tell)
    seconds = quickly.result.seconds + alone.result.seconds  # both are what the level took
    return replace(alone, result=replace(alone.result, seconds=seconds))
