"""Several levels of one spine: where one was found, its neighbours are looked for beside it.

A spine bends by some degrees a joint. Once one level is found beyond doubt, the next ones need no search: neither other
starts nor other levels, nor whether an X-ray is mirrored. What is not accepted so is registered alone, as if no other
level had been asked for: a level that fails harms no other, and no verdict is milder than it would be alone because a
neighbour's was. A level that cannot be registered at all, because its label or its clicks cannot be used, has no pose
and says why; nothing begins beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from radgs.case import Level, LevelResult
from radgs.errors import RadgsError
from radgs.pipeline.one_level import RegisteredLevel
from radgs.refine import are_neighbours
from radgs.vertebra import VertebraAnatomy

#: Told where a level stands: stage, fraction of the level, and a message.
Tell = Callable[[str, float, str], None]
#: Registers a level beside neighbours that are believed, or alone where there are none.
RegisterOne = Callable[[Level, Sequence[RegisteredLevel], Tell], RegisteredLevel]
#: Registers a level when its turn has come; given those that were registered before it, by name.
RegisterInTurn = Callable[[Level, Mapping[str, RegisteredLevel], Tell], RegisteredLevel]


def register_each(
    levels: Sequence[Level],
    refused: Mapping[str, RadgsError],
    register_in_turn: RegisterInTurn,
    telling: Callable[[Level, int], Tell],
) -> tuple[dict[str, RegisteredLevel], dict[str, LevelResult]]:
    """Registers one level after the other; one that cannot be registered keeps no other from it.

    Args:
        levels: All that are asked for.
        refused: Those that cannot be registered as they are, by name, and why.
        register_in_turn: Registers one.
        telling: Makes what is told where a level stands, with the number of levels that are done.

    Returns:
        What was registered, and how the others failed, by name.

    Raises:
        RadgsError: None could be registered; the first error.
    """
    registered, errors = dict[str, RegisteredLevel](), dict(refused)
    failed = {name: LevelResult.failed(error) for name, error in refused.items()}
    while len(registered) + len(failed) < len(levels):
        level = next_level([one for one in levels if one.name not in failed], registered)
        tell, began = telling(level, len(registered) + len(failed)), time.perf_counter()
        try:
            registered[level.name] = register_in_turn(level, registered, tell)
        except RadgsError as error:
            errors[level.name] = error
            failed[level.name] = LevelResult.failed(error, time.perf_counter() - began)
            tell("judge", 1.0, f"{level.name}: {failed[level.name].verdict}")
    if not registered:
        raise next(iter(errors.values()))
    return registered, failed


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

    Raises:
        RadgsError: It cannot be registered alone either.
    """
    began = time.perf_counter()
    try:
        quickly = register_one(level, beside, tell) if beside else None
    except RadgsError:  # alone it may still be found
        quickly = None
    if quickly is not None and quickly.believed:
        return quickly
    spent = quickly.result.seconds if quickly is not None else time.perf_counter() - began
    alone = register_one(level, (), tell)
    seconds = spent + alone.result.seconds  # both are what the level took
    return replace(alone, result=replace(alone.result, seconds=seconds))
