"""Pinhole cameras as matrices, in every convention in use, and which conventions fit what the views show.

A projection matrix P (3 x 4) maps (x, y, z, 1) in mm to w (u, v, 1). Its source is P's null vector; the ray of pixel
(u, v) runs along M^-1 (u, v, 1), with M the first three columns (Hartley & Zisserman, Multiple View Geometry, 6.2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from radgs.errors import GeometryError
from radgs.geometry.rigid_transform import RIGIDITY_TOLERANCE, FloatArray, unit
from radgs.geometry.views import ViewGeometry

Extrinsics = Literal["world-to-camera", "camera-to-world"]
Rows = Literal["down", "up"]
Pixels = Literal["centre", "corner", "one"]

#: A film's distance until the patient's place is known, mm; the rays do not depend on it.
PROVISIONAL_FILM_MM = 1000.0

#: Rays through the middles of two films, which no one clicked, may miss each other by this much, mm.
MIDDLE_GAP_MM = 150.0

#: A film is so many times as far from the source as the patient, where nothing says how far.
USUAL_MAGNIFICATION = 1.3


@dataclass(frozen=True)
class Convention:
    """What a camera's numbers mean; None is open.

    Attributes:
        extrinsics: ``world-to-camera``: x_camera = R x_world + t; ``camera-to-world``: the other way.
        rows: ``down``: v counts rows from the top and the camera looks along its +z (x right, y down, as in OpenCV);
            ``up``: v counts from the bottom and the camera looks along its -z (x right, y up, as in OpenGL).
        pixels: Where whole numbers lie: at pixel centres with the first pixel at (0, 0) (``centre``), at pixel corners,
            the first pixel's centre at (0.5, 0.5) (``corner``), or at centres with the first pixel at (1, 1) (``one``,
            as in MATLAB).
    """

    extrinsics: Extrinsics | None = None
    rows: Rows | None = None
    pixels: Pixels | None = None

    def __str__(self) -> str:
        said = {"rows": self.rows, "pixels": self.pixels, "extrinsics": self.extrinsics}
        return ", ".join(f"{name} {value}" for name, value in said.items() if value is not None)

    def readings(self, *, of_extrinsics: bool) -> Iterator[Convention]:
        """Every complete convention that agrees with this one.

        Args:
            of_extrinsics: Whether the numbers hold a rotation and a translation, whose direction matters.
        """
        for extrinsics, rows, pixels in product(
            ("world-to-camera", "camera-to-world") if of_extrinsics else (None,), ("down", "up"), ("centre", "corner")
        ):
            one = Convention(extrinsics, rows, pixels)  # type: ignore[arg-type]
            if self.extrinsics is not None and of_extrinsics:
                one = replace(one, extrinsics=self.extrinsics)
            if self.rows is not None:
                one = replace(one, rows=self.rows)
            if self.pixels is not None:
                one = replace(one, pixels=self.pixels)
            yield one


@dataclass(frozen=True, eq=False)
class Pinhole:
    """A camera as numbers, before it is said what they mean.

    Attributes:
        size: Columns and rows of the image.
        intrinsics: (3, 3) camera matrix K, pixels; None where ``matrix`` is all of P.
        matrix: (3, 4) [R|t], or P.
    """

    size: tuple[int, int]
    matrix: FloatArray
    intrinsics: FloatArray | None = None

    def projection(self, convention: Convention) -> FloatArray:
        """(3, 4) P to pixels (column, row) with centres at integers, the first at (0, 0).

        P is normalised: the third row's length is 1 mm of depth per mm. Its sign is that of the convention where
        there are intrinsics, and otherwise such that the image is not mirrored.

        Raises:
            GeometryError: The matrices are singular, or R is no rotation.
        """
        rows = self.size[1]
        matrix = self.matrix
        if self.intrinsics is not None:
            extrinsics = _rigid(matrix, inverted=convention.extrinsics == "camera-to-world")
            ahead = np.diag([1.0, 1.0, -1.0]) if convention.rows == "up" else np.eye(3)
            matrix = self.intrinsics @ ahead @ extrinsics
        shift = {"centre": 0.0, "corner": 0.5, "one": 1.0}[convention.pixels or "centre"]
        to_pixels = np.array([[1.0, 0.0, -shift], [0.0, 1.0, -shift], [0.0, 0.0, 1.0]])
        if convention.rows == "up":
            to_pixels = np.array([[1.0, 0.0, 0.0], [0.0, -1.0, rows - 1.0], [0.0, 0.0, 1.0]]) @ to_pixels
        projection = to_pixels @ matrix
        if not np.isfinite(projection).all() or np.linalg.cond(projection[:, :3]) > 1e12:
            raise GeometryError(
                "A projection matrix cannot be inverted.", "Give K, R, t or P as the calibration program wrote them."
            )
        projection = projection / np.abs(projection).max()  # its scale is free, and a norm's squares would not hold it
        projection = projection / np.linalg.norm(projection[2, :3])
        if self.intrinsics is None and np.linalg.det(projection[:, :3]) < 0:
            projection = -projection
        return projection


def view_of_projection(
    projection: ArrayLike, size: tuple[int, int], film_mm: float = PROVISIONAL_FILM_MM
) -> ViewGeometry:
    """Source and film of a projection matrix.

    Args:
        projection: (3, 4) P to pixels with centres at integers, positive in front of the source.
        size: Columns and rows.
        film_mm: How far from the source to put the film; the rays do not depend on it.
    """
    matrix = np.asarray(projection, dtype=np.float64)
    inverse = np.linalg.inv(matrix[:, :3])
    source = -inverse @ matrix[:, 3]
    normal = matrix[2, :3]
    detector_to_ras = np.eye(4)
    steps = film_mm * np.linalg.norm(normal) * inverse
    detector_to_ras[:3, 0], detector_to_ras[:3, 1] = steps[:, 0], steps[:, 1]
    detector_to_ras[:3, 2] = unit(normal)
    detector_to_ras[:3, 3] = source + steps[:, 2]
    return ViewGeometry(source, detector_to_ras, (size[1], size[0]))


def meeting_point(views: Sequence[ViewGeometry], pixels: Sequence[ArrayLike]) -> tuple[FloatArray, float]:
    """Where the lines through one pixel of each view pass nearest to each other, and by how much they miss it, mm.

    Unlike ``triangulate`` it takes lines, not rays: the point may lie behind a source, which is what is asked.
    """
    directions = np.stack([view.back_project(pixel) for view, pixel in zip(views, pixels, strict=True)])
    sources = np.stack([view.source_ras for view in views])
    projectors = np.eye(3) - directions[:, :, None] * directions[:, None, :]
    point = np.linalg.lstsq(projectors.sum(axis=0), np.einsum("vij,vj->i", projectors, sources), rcond=None)[0]
    misses = np.linalg.norm(np.einsum("vij,vj->vi", projectors, point - sources), axis=1)
    return point, float(misses.max())


def likely_point(views: Sequence[ViewGeometry], clicks: Sequence[ArrayLike | None]) -> FloatArray:
    """(3,) where a bone probably is: on its clicks, and where there are none, on the films' middle rays.

    Args:
        views: One or more, in one world.
        clicks: Per view, the bone as (column, row); None where nobody clicked.
    """
    middles = [np.array([(columns - 1) / 2, (rows - 1) / 2]) for rows, columns in (view.shape for view in views)]
    pixels = [middle if click is None else np.asarray(click) for middle, click in zip(middles, clicks, strict=True)]
    if len(views) > 1:
        point = meeting_point(views, pixels)[0]
        clicked = [number for number, click in enumerate(clicks) if click is not None]
        if len(clicked) != 1:
            return point
        chosen = clicked[0]  # no other click contradicts it: on its ray, as far away as the rays meet
        depth = float(views[chosen].normal @ (point - views[chosen].source_ras))
    else:
        chosen, depth = 0, views[0].source_to_detector_mm / USUAL_MAGNIFICATION
    view = views[chosen]
    on_film: FloatArray = view.pixel_to_ras(pixels[chosen]) - view.source_ras
    return view.source_ras + on_film * (depth / view.source_to_detector_mm)


def fitting_readings(
    cameras: Sequence[Pinhole],
    convention: Convention,
    clicks: Sequence[ArrayLike] | None = None,
    largest_gap_mm: float = 15.0,
) -> list[tuple[Convention, list[ViewGeometry]]]:
    """The conventions under which the views see one vertebra, in front of every source and on every film.

    Args:
        cameras: Of the views, in one world.
        convention: What is known; what is open is tried.
        clicks: Per view, the vertebra as (column, row); the middles of the films where there are none.
        largest_gap_mm: How far clicked rays may pass from each other.

    Returns:
        Every reading that fits, with its views; several where the numbers cannot tell.

    Raises:
        GeometryError: No reading fits.
    """
    pixels = clicks or [np.array([(columns - 1) / 2, (rows - 1) / 2]) for columns, rows in (c.size for c in cameras)]
    limit = largest_gap_mm if clicks else MIDDLE_GAP_MM
    found: dict[Convention, list[ViewGeometry]] = {}
    refused = ""
    for reading in convention.readings(of_extrinsics=cameras[0].intrinsics is not None):
        views = [view_of_projection(camera.projection(reading), camera.size) for camera in cameras]
        if len(views) > 1:
            point, gap = meeting_point(views, pixels)
            depths = [float(v.normal @ (point - v.source_ras)) for v in views]
            if cameras[0].intrinsics is None:  # the sign of P is free: the patient is in front
                views = [v if depth > 0 else _turned_about(v) for v, depth in zip(views, depths, strict=True)]
            elif min(depths) <= 0:
                refused = refused or "it puts the patient behind a source"
                continue
            if gap > limit:
                refused = refused or f"the views' rays miss each other by {gap:.0f} mm"
                continue
            if not all(view.contains(view.project(point)) for view in views):
                refused = refused or "it puts the patient off a film"
                continue
        if reading not in found:
            found[reading] = views
    if not found:
        stated = f" ({convention})" if str(convention) else ""
        raise GeometryError(
            f"No reading of the calibration fits{stated}: {refused}.",
            "Check that the files are of these views, the image sizes, and the choices of extrinsics, rows and pixels.",
        )
    return list(found.items())


def _turned_about(view: ViewGeometry) -> ViewGeometry:
    """The film taken to the source's other side, along the same lines."""
    detector_to_ras = view.detector_to_ras.copy()
    detector_to_ras[:3, :2] *= -1
    detector_to_ras[:3, 3] = 2 * view.source_ras - view.detector_to_ras[:3, 3]
    return ViewGeometry(view.source_ras, detector_to_ras, view.shape)


def _rigid(matrix: FloatArray, *, inverted: bool) -> FloatArray:
    """(3, 4) world_to_camera of [R|t]; R must be a rotation."""
    rotation, translation = matrix[:, :3], matrix[:, 3]
    proper = np.allclose(rotation @ rotation.T, np.eye(3), atol=10 * RIGIDITY_TOLERANCE)
    if not proper or np.linalg.det(rotation) < 0:
        raise GeometryError(
            "A camera's R is not a rotation: it scales, shears or mirrors.",
            "Give R and t as the calibration program wrote them, t in millimetres.",
        )
    if inverted:
        return np.column_stack([rotation.T, -rotation.T @ translation])
    return matrix
