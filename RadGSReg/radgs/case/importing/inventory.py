"""What lies in a folder: films, volumes, calibrations and trackings, told by their content."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from radgs.errors import InputFileError, RadgsError
from radgs.io.calibrations.reading import calibration_kind
from radgs.io.dicom_files import is_dicom
from radgs.io.image_files import read_raster
from radgs.io.tiff_stacks import pages_of

VOLUME_SUFFIXES = (".nrrd", ".mha", ".mhd", ".nii", ".nii.gz")
IMAGE_SUFFIXES = (".tif", ".tiff", ".png", *VOLUME_SUFFIXES)
CALIBRATION_SUFFIXES = (".txt", ".csv", ".yml", ".yaml", ".json")
TRACKING_SUFFIX = ".tra"


@dataclass
class Inventory:
    """Files by what they are.

    Attributes:
        films: Single images.
        volumes: Images of more than one slice.
        calibrations: Files that :func:`radgs.io.calibrations.reading.read_calibration` reads.
        trackings: Autoscoper's poses.
        dicom: DICOM files.
        other: What is none of these.
    """

    films: list[Path] = field(default_factory=list)
    volumes: list[Path] = field(default_factory=list)
    calibrations: list[Path] = field(default_factory=list)
    trackings: list[Path] = field(default_factory=list)
    dicom: list[Path] = field(default_factory=list)
    other: list[Path] = field(default_factory=list)


def take_inventory(places: Iterable[Path]) -> Inventory:
    """Looks at files, and at all files in folders.

    Raises:
        InputFileError: A place is missing.
    """
    found = Inventory()
    for place in places:
        if not place.exists():
            raise InputFileError(f"There is no file or folder {place}.", "Check the path.")
        files = sorted(file for file in place.rglob("*") if file.is_file()) if place.is_dir() else [place]
        for file in files:
            _kind(file, found).append(file)
    return found


def _slices(path: Path) -> int:
    """How many slices an image file has; 0 where it is none."""
    pages = pages_of(path)
    if pages:
        return pages
    if path.name.lower().endswith(VOLUME_SUFFIXES):
        shape = read_raster(path).array.shape
        return shape[0] if len(shape) > 2 else 1
    return 1


def _kind(file: Path, found: Inventory) -> list[Path]:
    name = file.name.lower()
    if name.endswith(TRACKING_SUFFIX):
        return found.trackings
    if name.endswith(IMAGE_SUFFIXES):
        try:
            slices = _slices(file)
        except RadgsError:
            return found.other
        return found.other if slices == 0 else found.films if slices == 1 else found.volumes
    if name.endswith(CALIBRATION_SUFFIXES):
        try:
            calibration_kind(file)
        except RadgsError:
            return found.other
        return found.calibrations
    try:
        return found.dicom if is_dicom(file) else found.other
    except OSError:
        return found.other
