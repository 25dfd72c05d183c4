"""VerSe's centroids: which vertebrae a mask shows, by the centres of their bodies."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from radgs.errors import InputFileError
from radgs.geometry import FloatArray, Volume
from radgs.io.input_files import open_input

#: The level of every label, as VerSe numbers them; sacrum and coccyx (26, 27) are not labelled in its data.
LEVEL_OF_LABEL = {
    **{number: f"C{number}" for number in range(1, 8)},
    **{7 + number: f"T{number}" for number in range(1, 13)},
    **{19 + number: f"L{number}" for number in range(1, 7)},
    28: "T13",
}
#: Anatomical directions, RAS.
DIRECTIONS = {
    "R": (1.0, 0.0, 0.0),
    "L": (-1.0, 0.0, 0.0),
    "A": (0.0, 1.0, 0.0),
    "P": (0.0, -1.0, 0.0),
    "S": (0.0, 0.0, 1.0),
    "I": (0.0, 0.0, -1.0),
}
#: A larger file holds no centroids.
MAX_BYTES = 2**20
#: A centroid lies this near to its vertebra's voxels, mm: a crushed body may not reach its middle.
REACH_MM = 10.0


def read_centroids(path: Path, mask: Volume) -> dict[int, FloatArray]:
    """The centres of the bodies by label, (3,) RAS mm.

    The file holds a list: first the directions that X, Y and Z run in, then a label each with its X, Y and Z in voxels,
    along the mask's own axes turned into those directions.

    Args:
        path: The centroids' file.
        mask: The label map that they belong to.

    Raises:
        InputFileError: The file is missing, or holds something else.
    """
    with open_input(path) as file:
        content = file.read(MAX_BYTES)
    try:
        first, *labelled = json.loads(content)
        axes, signs = _axes_of(first["direction"], mask)
        centres = {}
        for one in labelled:
            index = np.empty(3)
            for axis, sign, key in zip(axes, signs, "XYZ", strict=True):
                along = _finite(one[key])
                index[axis] = along if sign > 0 else mask.size[axis] - 1 - along
            centres[int(one["label"])] = mask.to_ras(index)
        return centres
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError) as problem:
        raise InputFileError(f"{path} does not hold VerSe's centroids.", "Unpack VerSe's data again.") from problem


def centroid_on_label(mask: Volume, label: int, centre: FloatArray) -> bool:
    """Whether a vertebra's voxels lie where its centroid (3,) says that it is, RAS mm."""
    reach = REACH_MM / mask.spacing
    at = mask.to_index(centre)
    return bool((mask.box(np.floor(at - reach), np.ceil(at + reach) + 1).array == label).any())


def _axes_of(letters: Any, mask: Volume) -> tuple[list[int], list[int]]:
    """The mask's axis that runs along each of three letters' directions, and whether the same way (1) or against it."""
    along = mask.index_to_ras[:3, :3] / mask.spacing
    axes, signs = [], []
    for letter in letters:
        shares = np.asarray(DIRECTIONS[letter]) @ along
        axis = int(np.argmax(np.abs(shares)))
        axes.append(axis)
        signs.append(1 if shares[axis] > 0 else -1)
    if sorted(axes) != [0, 1, 2]:
        raise ValueError("directions that span no space")
    return axes, signs


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("a centre that is nowhere")
    return number
