"""What SPINEPS writes beside vertebrae: discs, endplates, and the parts of vertebrae, none of which is a vertebra.

Its instance mask (``seg-vert``) numbers vertebrae as VerSe does, 1 to 25 and 28; 100 more is a vertebra's disc, 200
more its endplates. Its semantic mask (``seg-spine``) has parts instead, of all vertebrae alike. Numbers from the table
of its documentation (https://github.com/Hendrik-code/spineps, Apache-2.0).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from radgs.anatomy.levels import LABEL_NUMBERINGS
from radgs.geometry import Volume

DISC, ENDPLATE = 100, 200
#: Numbers of vertebrae in the instance mask.
VERTEBRAE = frozenset({*range(1, 26), 28})
#: Parts of vertebrae in the semantic mask, arch to body, and what else it holds: sacrum, cord, canal, endplates, discs.
PARTS_OF_VERTEBRAE, OTHER_PARTS = frozenset(range(41, 51)), frozenset({26, 60, 61, 62, 100})
#: A semantic mask shows so many kinds of vertebral parts at least.
SEVERAL_PARTS = 3

SpinepsMask = Literal["instances", "parts"]


def spineps_mask(labels: Volume) -> SpinepsMask | None:
    """Which of SPINEPS' masks a label map is; None where it is none, or shows nothing but vertebrae."""
    present = {int(label) for label in np.unique(labels.array) if label}
    if (
        present <= PARTS_OF_VERTEBRAE | OTHER_PARTS
        and len(present & PARTS_OF_VERTEBRAE) >= SEVERAL_PARTS
        and present & (OTHER_PARTS - {26})
    ):
        return "parts"
    beside = {label for label in present if label > DISC}
    belonging = {label for label in beside if label % DISC in present & VERTEBRAE and label // DISC in (1, 2)}
    return "instances" if beside and belonging == beside else None


def spineps_structure(label: int) -> str | None:
    """What a label of the instance mask is, where it is no vertebra."""
    kind, number = divmod(label, DISC)
    if number not in VERTEBRAE or kind not in (1, 2):
        return None
    levels = {value: level for level, value in LABEL_NUMBERINGS["VerSe"].items()}
    whose = levels.get(number, f"vertebra {number}")
    return f"the disc of {whose}" if kind == 1 else f"the endplates of {whose}"
