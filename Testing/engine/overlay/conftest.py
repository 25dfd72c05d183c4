"""A view of any direction, and what is drawn on the views of the small case."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from radgs.case import RegistrationCase
from radgs.geometry import FloatArray, ViewGeometry, unit
from radgs.overlay import Contours
from radgs.overlay.pictures import DrawnAnatomy, drawn_anatomy

MakeFilm = Callable[..., ViewGeometry]


@pytest.fixture(scope="session")
def film() -> MakeFilm:
    """Makes a film 400 mm behind a point that the source is 600 mm before; by default of 600 pixels of 0.5 mm."""

    def make(direction: Sequence[float], middle: FloatArray, pixel_mm: float = 0.5, pixels: int = 600) -> ViewGeometry:
        forward = unit(np.asarray(direction, dtype=float))
        right = unit(np.cross(forward, [0.0, 0.0, 1.0]))
        to_ras = np.eye(4)
        to_ras[:3, 0], to_ras[:3, 1], to_ras[:3, 2] = right * pixel_mm, np.cross(forward, right) * pixel_mm, forward
        to_ras[:3, 3] = middle + 400.0 * forward - to_ras[:3, :2] @ np.full(2, (pixels - 1) / 2)
        return ViewGeometry(middle - 600.0 * forward, to_ras, (pixels, pixels))

    return make


@pytest.fixture(scope="module")
def the_block(small_case: RegistrationCase) -> DrawnAnatomy:
    return drawn_anatomy(small_case.ct, small_case.labels, small_case.levels[0])


@pytest.fixture(scope="module")
def the_contours(small_case: RegistrationCase) -> Contours:
    return Contours.of(small_case.labels, small_case.levels[0].label, None)
