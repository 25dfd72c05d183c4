"""Where source and film of a C-arm stand, from its angles and distances; and presets of usual machines.

Angles are DICOM's (PS3.3 C.8.7.5.1.2), with respect to the patient: at 0 and 0 the patient's chest faces the detector;
the primary angle is a longitude about the head-foot axis, +90 degrees at the patient's left (LAO), -90 at the right
(RAO); the secondary angle is a latitude, +90 degrees at the head (cranial).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from radgs.errors import GeometryError
from radgs.geometry.rigid_transform import FloatArray, RigidTransform
from radgs.geometry.views import ViewGeometry

LEFT, ANTERIOR, SUPERIOR = np.array([-1.0, 0, 0]), np.array([0, 1.0, 0]), np.array([0, 0, 1.0])

#: Letters of Patient Orientation (0020,0020), PS3.3 C.7.6.1.1.1.
DIRECTIONS: Mapping[str, FloatArray] = MappingProxyType(
    {"L": LEFT, "R": -LEFT, "A": ANTERIOR, "P": -ANTERIOR, "H": SUPERIOR, "F": -SUPERIOR}
)

#: How a patient's axes (left, posterior, superior) lie along those of the table (its left, down, its head), by Patient
#: Position (0018,5100).
PATIENT_ON_TABLE: Mapping[str, tuple[float, float, float]] = MappingProxyType(
    {
        "HFS": (1.0, 1.0, 1.0),
        "HFP": (-1.0, -1.0, 1.0),
        "FFS": (-1.0, 1.0, -1.0),
        "FFP": (1.0, -1.0, -1.0),
    }
)

#: A film that is turned against its columns and rows by less is not turned: the sine.
SMALL_TURN = 1e-3

#: Where an isocentre is put that nothing places: this part of the way from the source to the detector.
USUAL_ISOCENTRE = 0.63


@dataclass(frozen=True)
class FilmTurn:
    """How the stored image is turned against the detector: clockwise quarter turns, then a horizontal flip.

    The detector as it is, seen from the detector's side, has its columns to the patient's left and its rows to the feet
    at angles of 0.
    """

    quarters: int = 0
    flipped: bool = False

    @property
    def axes(self) -> FloatArray:
        """(2, 2) columns: what one stored column and one stored row are in detector columns and rows."""
        column, row = np.array([1, 0]), np.array([0, 1])
        for _ in range(self.quarters % 4):
            column, row = -row, column  # what pointed up now points right, what pointed right now points down
        return np.column_stack([-column if self.flipped else column, row]).astype(np.float64)


@dataclass(frozen=True)
class CArm:
    """One exposure of a C-arm.

    Attributes:
        primary_deg: LAO positive, RAO negative.
        secondary_deg: Cranial positive, caudal negative.
        source_to_detector_mm: SDD.
        source_to_isocentre_mm: SOD.
        spacing_mm: Width and height of a stored pixel on the detector.
        size: Columns and rows of the stored image.
        isocentre_pixel: (column, row) of the stored image where the isocentre projects; the image's middle by default.
        turn: How the stored image is turned against the detector.
    """

    primary_deg: float
    secondary_deg: float
    source_to_detector_mm: float
    source_to_isocentre_mm: float
    spacing_mm: tuple[float, float]
    size: tuple[int, int]
    isocentre_pixel: tuple[float, float] | None = None
    turn: FilmTurn = FilmTurn()

    def for_image(self, size: tuple[int, int]) -> CArm:
        """The same exposure as an image of another size (columns, rows): the film's longer side stays as long."""
        scale = max(self.size) / max(size)
        spacing = (self.spacing_mm[0] * scale, self.spacing_mm[1] * scale)
        return replace(self, size=size, spacing_mm=spacing, isocentre_pixel=None)

    def view(self, isocentre_ras: ArrayLike = (0.0, 0.0, 0.0)) -> ViewGeometry:
        """Source and detector, RAS mm of the patient.

        Args:
            isocentre_ras: (3,) where the isocentre lies in the patient.

        Raises:
            GeometryError: The distances or spacings are impossible.
        """
        distances = (self.source_to_detector_mm, self.source_to_isocentre_mm, *self.spacing_mm)
        if not np.isfinite(distances).all() or min(distances) <= 0 or distances[0] <= distances[1]:
            raise GeometryError(
                f"A C-arm with a detector {distances[0]:g} mm and an isocentre {distances[1]:g} mm from its source is "
                "impossible.",
                "The isocentre lies between source and detector, hundreds of millimetres from either.",
            )
        centre = np.asarray(isocentre_ras, dtype=np.float64)
        beam = beam_direction(self.primary_deg, self.secondary_deg)
        columns, rows = film_axes(self.primary_deg, self.secondary_deg, self.turn)
        pixel = self.isocentre_pixel or ((self.size[0] - 1) / 2, (self.size[1] - 1) / 2)
        detector_to_ras = np.eye(4)
        detector_to_ras[:3, 0] = columns * self.spacing_mm[0]
        detector_to_ras[:3, 1] = rows * self.spacing_mm[1]
        detector_to_ras[:3, 2] = beam
        middle = centre + beam * (self.source_to_detector_mm - self.source_to_isocentre_mm)
        detector_to_ras[:3, 3] = middle - detector_to_ras[:3, :2] @ np.array(pixel)
        source = centre - beam * self.source_to_isocentre_mm
        return ViewGeometry(source, detector_to_ras, (self.size[1], self.size[0]))


def c_arm_of(view: ViewGeometry, near: ArrayLike = (0.0, 0.0, 0.0)) -> tuple[CArm, FloatArray] | None:
    """The exposure that makes a view, and its isocentre (3,), RAS mm; ``CArm.view`` of both is the view.

    Any point of the central ray may be called the isocentre; the one nearest to a point is taken.

    Args:
        view: Source and detector in the patient's axes.
        near: (3,) about where the patient is, RAS mm.

    Returns:
        None where the film is slanted or turned by other than quarter turns, or the beam runs along the patient.
    """
    beam = view.normal
    secondary = np.degrees(np.arcsin(np.clip(beam[2], -1.0, 1.0)))
    if abs(abs(secondary) - 90.0) < np.degrees(SMALL_TURN):
        return None
    primary = np.degrees(np.arctan2(-beam[0], beam[1]))
    columns, rows = view.column_step / view.pixel_spacing[0], view.row_step / view.pixel_spacing[1]
    for turn in (FilmTurn(quarters, flipped) for quarters in range(4) for flipped in (False, True)):
        along_columns, along_rows = film_axes(primary, secondary, turn)
        if max(np.abs(along_columns - columns).max(), np.abs(along_rows - rows).max()) < SMALL_TURN:
            break
    else:
        return None
    detector = view.source_to_detector_mm
    isocentre = float((np.asarray(near, dtype=np.float64) - view.source_ras) @ beam)
    if not 0.05 * detector < isocentre < 0.98 * detector:
        isocentre = USUAL_ISOCENTRE * detector
    column, row = view.project(view.source_ras + beam)
    c_arm = CArm(
        float(primary),
        float(secondary),
        detector,
        isocentre,
        view.pixel_spacing,
        (view.shape[1], view.shape[0]),
        (float(column), float(row)),
        turn,
    )
    return c_arm, view.source_ras + beam * isocentre


def machine_to_patient(position: str) -> RigidTransform:
    """The turn from axes in which the patient lies on the back, head first, to the patient's own, about the isocentre.

    It makes angles that are read off the machine those of the patient.

    Args:
        position: One of ``PATIENT_ON_TABLE``.
    """
    return RigidTransform(np.diag(PATIENT_ON_TABLE[position]), np.zeros(3))


def beam_direction(primary_deg: float, secondary_deg: float) -> FloatArray:
    """(3,) unit direction from the source through the isocentre to the detector, RAS."""
    primary, secondary = np.radians([primary_deg, secondary_deg])
    around = np.sin(primary) * LEFT + np.cos(primary) * ANTERIOR
    return np.cos(secondary) * around + np.sin(secondary) * SUPERIOR


def film_axes(primary_deg: float, secondary_deg: float, turn: FilmTurn = FilmTurn()) -> tuple[FloatArray, FloatArray]:
    """(3,) unit directions of a stored image's columns and rows, RAS: east and south on the sphere, turned."""
    primary, secondary = np.radians([primary_deg, secondary_deg])
    east = np.cos(primary) * LEFT - np.sin(primary) * ANTERIOR
    around = np.sin(primary) * LEFT + np.cos(primary) * ANTERIOR
    south = np.sin(secondary) * around - np.cos(secondary) * SUPERIOR
    columns_and_rows = np.column_stack([east, south]) @ turn.axes
    return columns_and_rows[:, 0], columns_and_rows[:, 1]


def turn_of_orientation(primary_deg: float, secondary_deg: float, columns: str, rows: str) -> FilmTurn | None:
    """The turn under which an image's columns and rows run as Patient Orientation (0020,0020) says.

    Args:
        primary_deg: LAO positive.
        secondary_deg: Cranial positive.
        columns: Letters of the direction in which columns are counted, such as ``L`` or ``LA``.
        rows: The same of rows.

    Returns:
        The best of the eight turns; None where the letters fit none, or say nothing.
    """
    wanted_columns, wanted_rows = _letters(columns), _letters(rows)
    if wanted_columns is None or wanted_rows is None:
        return None
    scores = {}
    for turn in (FilmTurn(quarters, flipped) for quarters in range(4) for flipped in (False, True)):
        along_columns, along_rows = film_axes(primary_deg, secondary_deg, turn)
        scores[turn] = float(min(along_columns @ wanted_columns, along_rows @ wanted_rows))
    best = max(scores, key=lambda turn: scores[turn])
    return best if scores[best] > 0.5 else None


def _letters(text: str) -> FloatArray | None:
    """A direction from letters, the first of which weighs most."""
    total = np.zeros(3)
    for place, letter in enumerate(text.strip().upper()):
        if letter not in DIRECTIONS:
            return None
        total = total + DIRECTIONS[letter] / 2**place
    length = float(np.linalg.norm(total))
    return total / length if length > 0 else None


#: Usual machines, to start from where files say less; every number is the user's to change.
PRESETS: Mapping[str, tuple[CArm, CArm]] = MappingProxyType(
    {
        "mobile-c-arm": (
            CArm(0.0, 0.0, 980.0, 620.0, (0.305, 0.305), (1000, 1000)),
            CArm(90.0, 0.0, 980.0, 620.0, (0.305, 0.305), (1000, 1000)),
        ),
        "biplane-suite": (
            CArm(0.0, 0.0, 1200.0, 785.0, (0.308, 0.308), (960, 960)),
            CArm(90.0, 0.0, 1200.0, 785.0, (0.308, 0.308), (960, 960)),
        ),
    }
)


def preset(name: str, **changes: float) -> tuple[CArm, CArm]:
    """The AP and lateral exposures of a preset, with distances of the user's.

    Args:
        name: One of ``PRESETS``.
        changes: Fields of :class:`CArm` that both exposures share.

    Raises:
        GeometryError: There is no such preset.
    """
    if name not in PRESETS:
        raise GeometryError(f'There is no preset "{name}".', f"Choose one of {', '.join(PRESETS)}.")
    first, second = PRESETS[name]
    return replace(first, **changes), replace(second, **changes)  # type: ignore[arg-type]
