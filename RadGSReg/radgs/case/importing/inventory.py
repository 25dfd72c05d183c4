"""What lies in a folder: films, volumes, calibrations and trackings, told by their content."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import SimpleITK

from radgs.errors import InputFileError, RadgsError
from radgs.io.calibrations.reading import calibration_kind
from radgs.io.dicom_files import is_dicom

IMAGE_SUFFIXES = (".tif", ".tiff", ".png", ".nrrd", ".mha", ".mhd", ".nii", ".nii.gz", ".npy")
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
    """Looks at files, and at all files in folders, without reading their pixels.

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


def slices_of(path: Path) -> int:
    """How many slices an image file has; 0 where it is none.

    A TIFF with many pages counts as so many slices.
    """
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    warned = SimpleITK.ProcessObject.GetGlobalWarningDisplay()
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return 0
    finally:
        SimpleITK.ProcessObject.SetGlobalWarningDisplay(warned)
    size = reader.GetSize()
    return int(size[2]) if len(size) > 2 else 1


def _kind(file: Path, found: Inventory) -> list[Path]:
    name = file.name.lower()
    if name.endswith(TRACKING_SUFFIX):
        return found.trackings
    if name.endswith(IMAGE_SUFFIXES) and not name.endswith(".npy"):
        slices = slices_of(file)
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
