"""What of a view can be off: its whole along and about its axes, and its detector against its source.

Each move has a name that people know, and a size, one standard deviation, that it is believed to have. Together they
are the prior of a view's nine numbers: where its source and its detector's centre are, and how the detector is turned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, unit

#: A view's numbers: source (mm), detector's centre (mm), its rotation about that centre (degrees), along world axes.
NUMBERS = 9
SOURCE, DETECTOR, TURN = slice(0, 3), slice(3, 6), slice(6, 9)
#: Of the finite differences with which moves are expressed in those numbers, mm or degrees.
STEP = 0.01


@dataclass(frozen=True)
class Move:
    """One way in which a view can be off.

    Attributes:
        name: For programs.
        words: For people.
        unit: "mm" or "degrees".
        rigid: Whether it takes source and detector along together, as one rigid thing.
    """

    name: str
    words: str
    unit: str
    rigid: bool


MOVES = (
    Move("primary", "the turn about the patient's long axis", "degrees", True),
    Move("secondary", "the tilt towards head or feet", "degrees", True),
    Move("roll", "the turn about the beam", "degrees", True),
    Move("across", "the place across the beam, front to back or side to side", "mm", True),
    Move("down", "the place along the patient's long axis", "mm", True),
    Move("along", "the distance from the patient", "mm", True),
    Move("sdd", "the source-detector distance", "mm", False),
    Move("detector_across", "the detector's place in its plane, across", "mm", False),
    Move("detector_down", "the detector's place in its plane, down", "mm", False),
    Move("slant_across", "the detector's slant across the image", "degrees", False),
    Move("slant_down", "the detector's slant down the image", "degrees", False),
)
MOVE_NAMES = tuple(move.name for move in MOVES)

#: How far off a C-arm is that stands where angles and distances were read off, one standard deviation each.
NOMINAL_SIZES: Mapping[str, float] = {
    "primary": 3.0,
    "secondary": 3.0,
    "roll": 3.0,
    "across": 15.0,
    "down": 15.0,
    "along": 20.0,
    "sdd": 20.0,
    "detector_across": 3.0,
    "detector_down": 3.0,
    "slant_across": 1.0,
    "slant_down": 1.0,
}


def moved_by(geometry: ViewGeometry, numbers: NDArray[np.float64]) -> ViewGeometry:
    """The view with its nine ``NUMBERS`` changed by so much."""
    turn = RigidTransform.identity().rotated_about(geometry.centre_ras, np.radians(numbers[TURN]), numbers[DETECTOR])
    return ViewGeometry(geometry.source_ras + numbers[SOURCE], turn.matrix @ geometry.detector_to_ras, geometry.shape)


def numbers_between(first: ViewGeometry, second: ViewGeometry) -> NDArray[np.float64]:
    """(9,) what ``moved_by`` takes the first view to the second with; their pixels have one size."""
    axes = [_axes(geometry) for geometry in (first, second)]
    turn = Rotation.from_matrix(axes[1] @ axes[0].T).as_rotvec(degrees=True)
    return np.concatenate([second.source_ras - first.source_ras, second.centre_ras - first.centre_ras, turn])


def taken_along(geometry: ViewGeometry, motion: RigidTransform) -> ViewGeometry:
    """Source and detector moved together."""
    return ViewGeometry(motion.apply(geometry.source_ras), motion.matrix @ geometry.detector_to_ras, geometry.shape)


def with_detector(geometry: ViewGeometry, motion: RigidTransform) -> ViewGeometry:
    """The detector alone moved."""
    return ViewGeometry(geometry.source_ras, motion.matrix @ geometry.detector_to_ras, geometry.shape)


def move_directions(geometry: ViewGeometry, pivot: FloatArray) -> NDArray[np.float64]:
    """(9, M) how each of ``MOVES`` changes a view's numbers, per mm or degree.

    Args:
        geometry: The view.
        pivot: (3,) where the patient is; the view's turns are about it.
    """
    return np.column_stack(
        [numbers_between(move(-STEP), move(STEP)) / (2 * STEP) for move in _moves_of(geometry, np.asarray(pivot))]
    )


def prior_covariance(directions: NDArray[np.float64], sizes: Mapping[str, float]) -> NDArray[np.float64]:
    """(9, 9) of a view's numbers, when each move is off by so much."""
    scaled = directions * np.array([sizes[name] for name in MOVE_NAMES])
    return scaled @ scaled.T


def _moves_of(geometry: ViewGeometry, pivot: FloatArray) -> Sequence[Callable[[float], ViewGeometry]]:
    beam = geometry.normal
    superior = np.array([0.0, 0.0, 1.0]) - beam[2] * beam
    down = -unit(superior) if np.linalg.norm(superior) > 0.1 else unit(geometry.row_step)
    across = np.cross(down, beam)
    standing = RigidTransform.identity()

    def turned(axis: FloatArray) -> Callable[[float], ViewGeometry]:
        return lambda size: taken_along(geometry, standing.rotated_about(pivot, np.radians(size) * axis))

    def shifted(axis: FloatArray) -> Callable[[float], ViewGeometry]:
        return lambda size: taken_along(geometry, RigidTransform(np.eye(3), size * axis))

    def detector_shifted(axis: FloatArray) -> Callable[[float], ViewGeometry]:
        return lambda size: with_detector(geometry, RigidTransform(np.eye(3), size * axis))

    def slanted(axis: FloatArray) -> Callable[[float], ViewGeometry]:
        middle = geometry.pixel_to_ras(geometry.project(pivot))
        return lambda size: with_detector(geometry, standing.rotated_about(middle, np.radians(size) * axis))

    return (
        *(turned(axis) for axis in (down, across, beam)),
        *(shifted(axis) for axis in (across, down, beam)),
        *(detector_shifted(axis) for axis in (beam, across, down)),
        *(slanted(axis) for axis in (down, across)),
    )


def _axes(geometry: ViewGeometry) -> FloatArray:
    """(3, 3) orthonormal axes of the detector: along its columns, nearly along its rows, across both."""
    column, across = unit(geometry.column_step), unit(np.cross(geometry.column_step, geometry.row_step))
    return np.column_stack([column, np.cross(across, column), across])
