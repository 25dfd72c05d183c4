"""CT volumes and label maps: anything SimpleITK reads, and DICOM series in a folder; LPS to RAS at this door."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import SimpleITK
from numpy.typing import NDArray

from radgs.errors import InputFileError
from radgs.geometry import FloatArray
from radgs.io.atomic import not_as_written, write_atomically
from radgs.volume import Volume

#: Flips the first two axes: LPS to RAS and back.
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

#: Slices of one series may lie this far from where even spacing would put them, mm.
SLICE_TOLERANCE_MM = 0.1


def read_ct(path: Path) -> Volume:
    """Reads a CT as float32 Hounsfield units, from one file or a folder with one DICOM series.

    Raises:
        InputFileError: Missing, unreadable, not one 3D scalar volume, or a series with uneven slices.
    """
    volume = read_volume(path)
    return Volume(volume.array.astype(np.float32), volume.index_to_ras)


def read_labels(path: Path) -> Volume:
    """Reads a label map; whole numbers stored as floating point are taken as what they are.

    Raises:
        InputFileError: Missing, unreadable, not one 3D scalar volume, or with values that are not whole numbers.
    """
    volume = read_volume(path)
    array = volume.array
    if array.dtype.kind == "f" and (not np.isfinite(array).all() or (array != np.round(array)).any()):
        raise InputFileError(
            f"{path} is not a label map: it holds values that are not whole numbers.",
            "Give the segmentation as a label map, one whole number per vertebra.",
        )
    if array.min() < 0:
        raise InputFileError(
            f"{path} is not a label map: it holds negative values.", "Use 0 for background and labels from 1."
        )
    return Volume(array.astype(np.min_scalar_type(int(array.max()))), volume.index_to_ras)


def read_volume(path: Path) -> Volume:
    """Reads a 3D scalar volume in any orientation, with the voxel type of the file.

    Raises:
        InputFileError: Missing, unreadable, or not one 3D scalar volume.
    """
    if not path.exists():
        raise InputFileError(
            f"There is no file or folder {path}.", "Check the path; paths in a case.json are relative to it."
        )
    image = _read_dicom_series(path) if path.is_dir() else read_image(path)
    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = image[:, :, :, 0]
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1 or min(image.GetSize()) < 2:
        size = " x ".join(str(n) for n in image.GetSize())
        raise InputFileError(
            f"{path} is not a 3D volume of single values but {size} of {image.GetNumberOfComponentsPerPixel()} each.",
            "Give the whole stack as one file (such as .nii.gz or .nrrd), or the folder of its DICOM series.",
        )
    return Volume(SimpleITK.GetArrayFromImage(image), index_to_ras_of(image))


def write_volume(path: Path, volume: Volume) -> None:
    """Writes a volume, compressed, in the format its suffix names.

    Floating-point values that are all whole numbers of the int16 range are stored as int16, which reads back exactly.

    Raises:
        InputFileError: The voxel axes are not perpendicular.
        OutputError: The file cannot be written, or does not read back the same.
    """
    spacing = volume.spacing
    direction = (LPS_TO_RAS @ volume.index_to_ras)[:3, :3] / spacing
    if not np.allclose(direction.T @ direction, np.eye(3), atol=1e-5):
        raise InputFileError(
            f"{path} cannot hold a volume with slanted voxel axes.", "Resample it to perpendicular axes."
        )
    array = _compact(volume.array)
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin((LPS_TO_RAS @ volume.index_to_ras)[:3, 3].tolist())
    image.SetDirection(direction.ravel().tolist())
    with write_atomically(path) as aside:
        try:
            SimpleITK.WriteImage(image, str(aside), useCompression=True)
            written = read_image_array(aside)
        except (RuntimeError, InputFileError) as problem:
            raise not_as_written(path) from problem
        if written.shape != array.shape or not np.array_equal(written, array, equal_nan=array.dtype.kind == "f"):
            raise not_as_written(path)


def read_image(path: Path) -> SimpleITK.Image:
    """Reads one file with SimpleITK, its warnings kept off the terminal.

    Raises:
        InputFileError: SimpleITK cannot read it.
    """
    warned = SimpleITK.ProcessObject.GetGlobalWarningDisplay()
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        return SimpleITK.ReadImage(str(path))
    except RuntimeError as problem:
        if "orthonormal" in str(problem):
            raise InputFileError(
                f"{path} has slanted voxel axes, which cannot be read.",
                "Resample it to perpendicular axes, as 3D Slicer does.",
            ) from problem
        raise InputFileError(
            f"{path} is not an image that can be read.",
            "Check that the file is complete and of a type such as .nii.gz, .nrrd or .mha.",
        ) from problem
    finally:
        SimpleITK.ProcessObject.SetGlobalWarningDisplay(warned)


def read_image_array(path: Path) -> NDArray:
    """The values of one image file as an array, last image axis first and components last.

    Raises:
        InputFileError: SimpleITK cannot read it.
    """
    return SimpleITK.GetArrayFromImage(read_image(path))


def index_to_ras_of(image: SimpleITK.Image) -> FloatArray:
    """(4, 4) map from a 3D image's indices (i, j, k, 1) to RAS mm."""
    index_to_lps = np.eye(4)
    index_to_lps[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    index_to_lps[:3, 3] = image.GetOrigin()
    return LPS_TO_RAS @ index_to_lps


def _compact(array: NDArray) -> NDArray:
    """The array in a type files can hold, smaller where nothing is lost."""
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    if array.dtype.kind == "f" and np.isfinite(array).all():
        limits = np.iinfo(np.int16)
        if array.min() >= limits.min and array.max() <= limits.max and (array == np.round(array)).all():
            return array.astype(np.int16)
    return array


def _read_dicom_series(folder: Path) -> SimpleITK.Image:
    """Reads the one DICOM series in a folder."""
    series = SimpleITK.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    if not series:
        raise InputFileError(
            f"The folder {folder} holds no DICOM series.", "Give the folder with the CT's slices, or one file."
        )
    if len(series) > 1:
        raise InputFileError(
            f"The folder {folder} holds {len(series)} DICOM series.", "Put the CT's series in a folder of its own."
        )
    files = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), series[0])
    if len(files) > 1:
        _check_slices(folder, files)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(files)
    try:
        return reader.Execute()
    except RuntimeError as problem:
        raise InputFileError(
            f"The DICOM series in {folder} cannot be read.", "Convert it to .nii.gz or .nrrd first."
        ) from problem


def _check_slices(folder: Path, files: tuple[str, ...]) -> None:
    """Slices must lie evenly, one behind the other along their normal; a reader that ignores that bends the anatomy."""
    headers = [pydicom.dcmread(file, stop_before_pixels=True) for file in files]
    if not all("ImagePositionPatient" in header and "ImageOrientationPatient" in header for header in headers):
        raise InputFileError(
            f"The DICOM series in {folder} does not say where its slices lie.", "Export it again with positions."
        )
    positions = np.array([header.ImagePositionPatient for header in headers], dtype=np.float64)
    even = np.linspace(positions[0], positions[-1], len(positions))
    if np.linalg.norm(positions - even, axis=1).max() > SLICE_TOLERANCE_MM:
        raise InputFileError(
            f"The DICOM series in {folder} has missing or unevenly spaced slices.",
            "Export the complete series, or resample it evenly.",
        )
    rows = np.array(headers[0].ImageOrientationPatient, dtype=np.float64)
    slant = np.abs(rows.reshape(2, 3) @ (positions[-1] - positions[0])).max()
    if slant > SLICE_TOLERANCE_MM:
        raise InputFileError(
            f"The DICOM series in {folder} was taken with a tilted gantry: its slices are shifted against each other.",
            "Straighten it first, as 3D Slicer does when it loads the series (acquisition transform, hardened).",
        )
