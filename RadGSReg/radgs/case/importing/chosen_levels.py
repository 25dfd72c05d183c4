"""The levels of an import: what a label map's numbers mean, and which of them were asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from radgs.anatomy import spineps_mask, spineps_structure
from radgs.anatomy.levels import LABEL_NUMBERINGS, LEVELS, level_doubts, missing_between, suggest_numbering
from radgs.case.importing.plan import Question
from radgs.case.importing.request import DicomImport
from radgs.errors import CaseError
from radgs.geometry import Volume
from radgs.io.volumes import read_labels


def chosen_levels(
    request: DicomImport, path: Path | None, understood: list[str], questions: list[Question]
) -> list[tuple[str, int]]:
    """Name and label of every level that was asked for, as the label map numbers them.

    Args:
        request: What was asked for.
        path: The label map.
        understood: Told what the label map is, and what looks wrong with it.
        questions: Told where no level was asked for.

    Raises:
        InputFileError: The label map cannot be read.
        CaseError: It has no such level, or shows parts of vertebrae instead.
    """
    if path is None:
        return []
    labels = read_labels(path)
    mask = spineps_mask(labels)
    if mask == "parts":
        raise CaseError(
            f"{path.name} is SPINEPS' mask of the parts of vertebrae, which tells no vertebra from another.",
            "Give its mask of the vertebrae, whose name contains seg-vert.",
        )
    numbering = suggest_numbering(labels)
    known = {} if numbering is None else _present(labels, LABEL_NUMBERINGS[numbering])
    if numbering is not None:
        understood.append(f"Labels are numbered as {numbering} does: {', '.join(known)}.")
        missing = missing_between(known)
        if missing:
            understood.append(f"Between them {', '.join(missing)} is missing in the label map.")
        if mask == "instances":
            understood.append("Discs (100 more) and endplates (200 more), as SPINEPS labels them, are no vertebrae.")
        understood += [f"Look at the label map: {doubt}" for doubt in level_doubts(labels, numbering)]
    levels = []
    for text in request.levels:
        name, _, number = text.partition("=")
        if number and not number.isdigit():
            raise CaseError(f'"{text}" is not a level.', "Write L3, or L3=29 with the label's number.")
        if not number and name not in known:
            listed = ", ".join(known) or "none that is recognised"
            raise CaseError(f"The label map has no level {name}.", f"It has {listed}; or write {name}=LABEL.")
        other = spineps_structure(int(number)) if number and mask == "instances" else None
        if other is not None:
            raise CaseError(f"Label {number} is {other}, no vertebra.", f"Write {name}, or {name}=LABEL of a vertebra.")
        levels.append((name, int(number) if number else known[name]))
    if not levels:
        answer = f"Give --level, such as --level {next(iter(known), 'L3=29')}."
        questions.append(
            Question(
                "No level was chosen.",
                f"{answer} The label map has {', '.join(known) or 'no numbering that is known'}.",
            )
        )
    return levels


def _present(labels: Volume, numbering: Mapping[str, int]) -> dict[str, int]:
    return {level: numbering[level] for level in LEVELS if bool((labels.array == numbering[level]).any())}
