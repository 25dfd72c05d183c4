"""X-rays beside their DRRs, as the dialogs of geometry show them: how alike the two are to an eye."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.image import imread

from radgs.overlay.exposures import BETWEEN_VIEWS, GAP, PICTURE_PIXELS

#: Of a picture, pixels that may lie beside each other, for the CT is not registered.
AWAY = 26


def alike(picture: Any, path: Path) -> float:
    """How well every X-ray in a picture agrees with the DRR beside it, wherever this lies: the worst correlation.

    Args:
        picture: A QPixmap.
        path: Where it is written on the way.
    """
    assert picture.save(str(path))
    grey = imread(path)[..., 0]
    starts = range(0, grey.shape[1], 2 * PICTURE_PIXELS + GAP + BETWEEN_VIEWS)
    steps = range(-AWAY + 2, AWAY - 1, 2)
    return min(max(_correlation(grey, at, column, row) for column in steps for row in steps) for at in starts)


def _correlation(grey: np.ndarray, at: int, column: int, row: int) -> float:
    """Of the X-ray's middle and of a part of the DRR so far off its middle."""
    other, near, far = at + PICTURE_PIXELS + GAP, AWAY, PICTURE_PIXELS - AWAY
    xray = grey[near:far, at + near : at + far]
    drr = grey[near + row : far + row, other + near + column : other + far + column]
    return float(np.corrcoef(xray.ravel(), drr.ravel())[0, 1])
