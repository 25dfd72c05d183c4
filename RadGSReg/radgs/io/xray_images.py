"""X-ray images: anything SimpleITK or pydicom reads, as line integrals, with a record of how they became that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radgs.errors import InputFileError, RadgsError
from radgs.geometry import Volume, XRayView
from radgs.io.dicom_files import is_dicom
from radgs.io.dicom_xrays import read_dicom_xray
from radgs.io.image_files import read_raster
from radgs.io.line_integrals import (
    PIXEL_TYPES,
    KnownPixelType,
    LineIntegrals,
    guess_pixel_type,
    to_line_integrals,
)
from radgs.io.pictures import shown_values
from radgs.io.volumes import write_volume

#: Weights of red, green and blue in luminance (ITU-R BT.709).
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def read_xray(path: Path, pixel_type: str) -> LineIntegrals:
    """Reads an X-ray and turns its pixel values into line integrals.

    Args:
        path: DICOM, NRRD, MetaImage, NIfTI, TIFF, PNG, JPEG, BMP or .npy.
        pixel_type: ``intensity``, ``attenuation``, ``display`` or ``auto``.

    Raises:
        InputFileError: Missing, damaged, not one single image, NaN, constant, or of a kind that cannot be told.
    """
    if pixel_type not in PIXEL_TYPES:
        raise InputFileError(
            f'{path} has the unknown pixel_type "{pixel_type}".', f"Use one of {', '.join(PIXEL_TYPES)}."
        )
    try:
        return _converted(path, pixel_type)
    except RadgsError as error:
        named = error.problem if str(path) in error.problem else f"{path}: {error.problem}"
        raise InputFileError(named, error.remedy) from error


def write_xray(path: Path, view: XRayView) -> None:
    """Writes a view's line integrals as float32, one slice that stands where the detector stood.

    Where the pixel grid is slanted, which image files cannot say, the slice is written without a place.

    Raises:
        InputFileError: The file cannot be written.
    """
    geometry = view.geometry
    detector_to_ras = np.eye(4)
    steps = np.stack([geometry.column_step, geometry.row_step])
    if abs(steps[0] @ steps[1]) < 1e-6 * np.prod(geometry.pixel_spacing):
        detector_to_ras[:3, :2] = steps.T
        detector_to_ras[:3, 2] = np.cross(*steps) / np.prod(geometry.pixel_spacing)
        detector_to_ras[:3, 3] = geometry.detector_to_ras[:3, 3]
    write_volume(path, Volume(view.image[None].astype(np.float32), detector_to_ras))


def _converted(path: Path, pixel_type: str) -> LineIntegrals:
    if is_dicom(path):
        xray = read_dicom_xray(path)
        if pixel_type == "auto":
            values, kind, because = xray.interpret()
            return to_line_integrals(_single_image(values), kind, because)
        values = xray.shown() if pixel_type == "display" else xray.values
    else:
        raster = read_raster(path)
        values = raster.array if pixel_type in ("intensity", "attenuation") else shown_values(raster)
    values = _single_image(values)
    if pixel_type == "auto":
        kind, because = guess_pixel_type(values)
        return to_line_integrals(values, kind, because)
    return to_line_integrals(values, _known(pixel_type), "as stated")


def _known(pixel_type: str) -> KnownPixelType:
    known: dict[str, KnownPixelType] = {"intensity": "intensity", "attenuation": "attenuation", "display": "display"}
    return known[pixel_type]


def _single_image(values: NDArray) -> NDArray:
    """(H, W) real values from an array as read, colours turned into luminance.

    Raises:
        InputFileError: More than one image, NaN, or nothing but one value.
    """
    if values.dtype.kind not in "iufb":
        raise InputFileError("The image does not hold real numbers.", "Give one grey value per pixel.")
    if values.ndim >= 3 and values.shape[-1] in (3, 4) and values.dtype.kind == "u":
        values = np.round(values[..., :3] @ LUMINANCE).astype(values.dtype)
    while values.ndim > 2 and values.shape[0] == 1:
        values = values[0]
    if values.ndim != 2:
        size = " x ".join(str(n) for n in values.shape)
        raise InputFileError(
            f"The file holds {size} values, not a single image.", "Export the one frame to be registered."
        )
    if min(values.shape) < 16:
        raise InputFileError(f"The image is only {values.shape[1]} x {values.shape[0]} pixels.", "Give the full X-ray.")
    if not np.isfinite(values).all():
        raise InputFileError("The image contains NaN or infinite values.", "Replace them with numbers.")
    if values.max() == values.min():
        raise InputFileError("The image is empty: all its pixels have the same value.", "Export the X-ray again.")
    return values.astype(np.uint8) if values.dtype.kind == "b" else values
