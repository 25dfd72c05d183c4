"""Checks that each view's image and geometry can be used, and that the views together show depth."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from radgs.case.result import Reason
from radgs.errors import GeometryError, InputFileError
from radgs.geometry import ViewGeometry, XRayView, angle_between
from radgs.geometry.views import MIN_VIEW_ANGLE_DEG

#: No X-ray source stands nearer to its detector (mm).
MIN_SOURCE_TO_DETECTOR_MM = 100.0

#: Pixel spacings of detectors and of resampled X-rays (mm); anything else is in another unit.
PIXEL_SPACING_RANGE_MM = (0.005, 10.0)

#: Further from the image's middle than this share of its size, no C-arm's beam meets a whole image.
CENTRED_SHARE = 0.04

#: A pixel's steps and the normal must span this share of the box of their lengths.
MIN_SPAN = 1e-3


def check_view(view: XRayView) -> None:
    """A view's image is finite and not empty, its detector is a plane, and the source stands off that plane."""
    name, image, geometry = f"View {view.name}", view.image, view.geometry
    if image.shape != tuple(geometry.shape):
        raise GeometryError(
            f"{name} has an image of {' x '.join(map(str, image.shape))} rows and columns, and a geometry for "
            f"{' x '.join(map(str, geometry.shape))}.",
            "Use the geometry that belongs to the image.",
        )
    low, high = float(image.min()), float(image.max())
    if not np.isfinite([low, high]).all():  # minimum and maximum carry any NaN
        raise InputFileError(f"{name} has an image with NaN or infinite values.", "Replace them with numbers.")
    if low == high:
        raise InputFileError(
            f"{name} has an empty image: all its pixels have the same value.", "Export the X-ray again."
        )
    check_geometry(name, geometry)


def check_size(name: str, shape: tuple[int, int], stated: tuple[int, int] | None) -> None:
    """An image has the size that its calibration states.

    Args:
        name: The view's.
        shape: Rows and columns of its image.
        stated: Columns and rows of the image that was calibrated; None where nothing says so.
    """
    rows, columns = shape
    if stated is not None and stated != (columns, rows):
        raise GeometryError(
            f"View {name} has an image of {columns} x {rows} columns and rows, and a calibration of "
            f"{stated[0]} x {stated[1]}.",
            "Give the image as it was calibrated, neither cropped nor resampled, or calibrate this one.",
        )


def doubtful_size(name: str, geometry: ViewGeometry, stated: tuple[int, int] | None) -> tuple[Reason, ...]:
    """What speaks for an image that lost rows or columns since it was calibrated, where no size is stated.

    A C-arm's beam meets its detector near the middle; a cropped image, its geometry kept, has it elsewhere.

    Args:
        name: The view's.
        geometry: Its geometry, with the size of its image.
        stated: Columns and rows of the image that was calibrated; None where nothing says so.
    """
    if stated is not None:
        return ()
    rows, columns = geometry.shape
    foot = geometry.project(geometry.source_ras + geometry.normal)
    off = np.abs(foot / (np.array([columns, rows]) - 1) - 0.5)
    if off.max() <= CENTRED_SHARE:
        return ()
    place = ("left or right", "top or bottom")[int(np.argmax(off))]
    message = (
        f"View {name}: its beam meets the image {off.max():.0%} of its size off the middle, and its geometry does not "
        f"say of how many columns and rows it is. Was the image cropped at its {place}?"
    )
    return (Reason("header", message),)


def check_geometry(name: str, geometry: ViewGeometry) -> None:
    """A geometry in millimetres: a plane that pixels span, and a source that stands off it.

    Args:
        name: What to call the view in a message.
        geometry: Its geometry.
    """
    detector, source = np.asarray(geometry.detector_to_ras), np.asarray(geometry.source_ras)
    if detector.shape != (4, 4) or source.shape != (3,):
        raise GeometryError(
            f"{name} has a geometry of a wrong shape.", "source_ras has 3 numbers, detector_to_ras is 4 x 4."
        )
    if not np.isfinite(detector).all() or not np.isfinite(source).all():
        raise GeometryError(f"{name} has NaN or infinite numbers in its geometry.", "Write finite numbers only.")
    width, height = geometry.pixel_spacing
    spanned = abs(float(np.linalg.det(detector[:3, :3]))) > MIN_SPAN * width * height > 0
    if not spanned or not np.allclose(detector[3], [0, 0, 0, 1]):
        raise GeometryError(
            f"{name} has a detector_to_ras that cannot be inverted.",
            "Its columns are the step from column to column, from row to row, any unit normal, and the place of "
            "pixel (0, 0); its last row is 0 0 0 1.",
        )
    finest, coarsest = PIXEL_SPACING_RANGE_MM
    if not finest <= min(width, height) <= max(width, height) <= coarsest:
        raise GeometryError(
            f"{name} has pixels of {width:.3g} x {height:.3g} mm.",
            "Give source_ras and detector_to_ras in millimetres.",
        )
    if geometry.source_to_detector_mm < MIN_SOURCE_TO_DETECTOR_MM:
        raise GeometryError(
            f"{name} has its source only {geometry.source_to_detector_mm:.3g} mm from the detector's plane.",
            "Check source_ras and detector_to_ras: a source stands hundreds of millimetres in front of its detector.",
        )


def check_arrangement(views: Sequence[XRayView]) -> None:
    """The views see the patient from directions that differ enough to find depth."""
    angles = []
    for first, second in combinations(views, 2):
        apart = float(np.linalg.norm(first.geometry.source_ras - second.geometry.source_ras))
        angle = np.degrees(angle_between(first.geometry.central_direction, second.geometry.central_direction))
        if apart < 1.0 and angle < 1.0:
            raise GeometryError(
                f"Views {first.name} and {second.name} coincide: they have the same source and direction.",
                "Give each view the geometry of its own exposure.",
            )
        angles.append((min(angle, 180.0 - angle), first.name, second.name))
    widest, first_name, second_name = max(angles)
    if widest < MIN_VIEW_ANGLE_DEG:
        raise GeometryError(
            f"Views {first_name} and {second_name} are nearly parallel: their directions differ by {widest:.0f} "
            "degrees (opposite ones count as parallel).",
            f"Use views at least {MIN_VIEW_ANGLE_DEG:.0f} degrees apart, such as AP and lateral.",
        )
