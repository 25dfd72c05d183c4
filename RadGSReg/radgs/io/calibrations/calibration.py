"""Views whose geometry a calibration file gives, and how the world they stand in lies to the patient."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from radgs.errors import CaseError
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, unit
from radgs.geometry.projection import USUAL_MAGNIFICATION, Convention
from radgs.geometry.sigma import GeometrySigma

#: How names of directions are written: an axis of the world, with its sign.
AXES = {
    "+x": (1.0, 0.0, 0.0),
    "-x": (-1.0, 0.0, 0.0),
    "+y": (0.0, 1.0, 0.0),
    "-y": (0.0, -1.0, 0.0),
    "+z": (0.0, 0.0, 1.0),
    "-z": (0.0, 0.0, -1.0),
}


@dataclass(frozen=True, eq=False)
class CalibratedView:
    """One view's geometry and where it came from.

    Attributes:
        name: What the file calls the view, or a name made from the file's.
        geometry: Source and detector.
        assumed: What the file does not say and was taken to be so, a sentence each.
        sigma: How uncertain the geometry is, where the file says.
    """

    name: str
    geometry: ViewGeometry
    assumed: tuple[str, ...] = ()
    sigma: GeometrySigma | None = None


@dataclass(frozen=True, eq=False)
class Calibration:
    """The views of one calibration, in one world.

    Attributes:
        kind: The format and its convention, in a phrase.
        views: The views.
        patient_axes: Whether the world's axes are the patient's right, anterior and superior.
        convention: As what plain matrices were read; None where the format itself says what its numbers mean.
    """

    kind: str
    views: tuple[CalibratedView, ...]
    patient_axes: bool = False
    convention: Convention | None = None

    def moved(self, world_to_ras: RigidTransform, *, patient_axes: bool = True) -> Calibration:
        """The same views in another world."""
        views = tuple(
            replace(
                view,
                geometry=moved_view(view.geometry, world_to_ras),
                sigma=None if view.sigma is None else view.sigma.turned(world_to_ras.rotation),
            )
            for view in self.views
        )
        return replace(self, views=views, patient_axes=patient_axes)

    def with_films_behind(self, centre: ArrayLike) -> Calibration:
        """The same rays, each film moved along them to 1.3 times the distance of a point from its source.

        Args:
            centre: (3,) where the patient is, mm.
        """
        point = np.asarray(centre, dtype=np.float64)
        views = []
        for view in self.views:
            depth = float(view.geometry.normal @ (point - view.geometry.source_ras))
            views.append(replace(view, geometry=film_at(view.geometry, USUAL_MAGNIFICATION * depth)))
        return replace(self, views=tuple(views))


def moved_view(geometry: ViewGeometry, world_to_ras: RigidTransform) -> ViewGeometry:
    """Source and detector taken along by a rigid motion of their world."""
    return ViewGeometry(
        world_to_ras.apply(geometry.source_ras), world_to_ras.matrix @ geometry.detector_to_ras, geometry.shape
    )


def film_at(geometry: ViewGeometry, source_to_detector_mm: float) -> ViewGeometry:
    """The same rays on a film at another distance from the source, mm; its pixels grow with it."""
    scale = source_to_detector_mm / geometry.source_to_detector_mm
    detector_to_ras = geometry.detector_to_ras.copy()
    detector_to_ras[:3, :2] *= scale
    detector_to_ras[:3, 3] = geometry.source_ras + scale * (geometry.detector_to_ras[:3, 3] - geometry.source_ras)
    return ViewGeometry(geometry.source_ras, detector_to_ras, geometry.shape)


def named_direction(text: str) -> FloatArray:
    """A direction of the world from ``+x``, ``-z`` and so on, or from three numbers with commas.

    Raises:
        CaseError: It is neither.
    """
    if text.strip() in AXES:
        return np.array(AXES[text.strip()])
    try:
        numbers = np.array([float(part) for part in text.split(",")])
    except ValueError:
        numbers = np.empty(0)
    if numbers.shape != (3,) or not np.isfinite(numbers).all() or not np.linalg.norm(numbers) > 0:
        raise CaseError(
            f'"{text}" is not a direction.', "Write an axis of the world such as +x or -z, or three numbers: 0.1,0,1."
        )
    return unit(numbers)


def patient_rotation(superior: ArrayLike, anterior: ArrayLike) -> RigidTransform:
    """The rotation that turns a world into patient axes, from two of the patient's directions in it.

    The superior direction becomes +S exactly; the anterior one is made perpendicular to it.

    Raises:
        CaseError: The two are parallel.
    """
    up = unit(np.asarray(superior, dtype=np.float64))
    front = np.asarray(anterior, dtype=np.float64)
    front = front / np.linalg.norm(front)
    front = front - (front @ up) * up
    if np.linalg.norm(front) < 0.1:
        raise CaseError(
            "The patient's superior and anterior directions are nearly the same.",
            "Name two directions that are perpendicular, such as +z and -y.",
        )
    front = unit(front)
    return RigidTransform(np.stack([np.cross(front, up), front, up]), np.zeros(3))


def calibration_origin(source: str, kind: str) -> str:
    """Where a view's geometry comes from, in a few words.

    Args:
        source: Names of the files.
        kind: A calibration's ``kind``.
    """
    kind = kind.split(",")[0]
    return f"from {source}" if kind == "calibration.json" else f"from {source} ({kind})"
