"""Reading CT volumes and label maps: NIfTI, NRRD, MetaImage and DICOM; LPS becomes RAS here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from radgs.errors import InputFileError
from radgs.geometry import Volume
from radgs.io.atomic import not_as_written, write_atomically
from radgs.io.dicom_files import is_dicom, read_dataset
from radgs.io.dicom_segmentation import is_segmentation, read_segmentation
from radgs.io.dicom_volumes import read_dicom_volume
from radgs.io.image_files import read_raster
from radgs.io.raster import LPS_TO_RAS, perpendicular


def read_ct(path: Path) -> Volume:
    """Reads a CT in Hounsfield units, from one file or a folder with one DICOM series.

    Returns:
        int16 or float32 values, whichever holds the file's; NaN where the file says that nothing is known.

    Raises:
        InputFileError: Missing, damaged, not one 3D scalar volume, or a place that its headers do not agree on.
    """
    volume = read_volume(path)
    return Volume(_as_hounsfield(volume.array), volume.index_to_ras)


def read_labels(path: Path) -> Volume:
    """Reads a label map, also a DICOM Segmentation; whole numbers stored as real ones are taken as what they are.

    Raises:
        InputFileError: Missing, damaged, not one 3D scalar volume, or with values that are not whole numbers.
    """
    volume = _segmentation_or_volume(path)
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
    if array.max() > np.iinfo(np.uint32).max:
        raise InputFileError(f"{path} is not a label map: it holds labels of {array.max():.3g}.", "Use small numbers.")
    return Volume(array.astype(np.min_scalar_type(int(array.max())), copy=False), volume.index_to_ras)


def read_volume(path: Path) -> Volume:
    """Reads a 3D scalar volume in any orientation, with the voxel type of the file.

    Raises:
        InputFileError: Missing, damaged, not one 3D scalar volume, or a place that its headers do not agree on.
    """
    if not path.exists():
        raise InputFileError(
            f"There is no file or folder {path}.", "Check the path; paths in a case.json are relative to it."
        )
    if path.is_dir() or is_dicom(path):
        return _upright(path, read_dicom_volume(path))
    raster = read_raster(path)
    if len(raster.size) != 3 or raster.components != 1 or min(raster.size) < 2:
        size = " x ".join(str(n) for n in raster.size)
        raise InputFileError(
            f"{path} is not a 3D volume of single values but {size} of {raster.components} each.",
            "Give the whole stack as one file (such as .nii.gz or .nrrd), or the folder of its DICOM series.",
        )
    if raster.array.dtype.kind not in "iuf":
        raise InputFileError(f"{path} does not hold numbers.", "Give a volume of whole or real numbers.")
    if raster.index_to_ras is None:
        raise InputFileError(
            f"{path} {raster.unplaced}.", "Save it again from the program that made it, or from 3D Slicer, as .nrrd."
        )
    return _upright(path, Volume(_native(raster.array), raster.index_to_ras))


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


def read_image_array(path: Path) -> NDArray:
    """The values of one image file as an array, last image axis first and components last.

    Raises:
        InputFileError: It is missing, damaged, or of no format that is read.
    """
    return _native(read_raster(path).array)


def _segmentation_or_volume(path: Path) -> Volume:
    """A label map from a SEG, alone or in a folder of its own, or from any other volume."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    alone = files[0] if len(files) == 1 and files[0].is_file() and is_dicom(files[0]) else None
    if alone is not None and is_segmentation(read_dataset(alone, pixels=False)):
        return _upright(path, read_segmentation(alone))
    return read_volume(path)


def _upright(path: Path, volume: Volume) -> Volume:
    return Volume(volume.array, perpendicular(path, volume.index_to_ras, volume.size))


def _native(array: NDArray) -> NDArray:
    """The array in the byte order of this computer, contiguous."""
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))


def _as_hounsfield(array: NDArray) -> NDArray:
    """The values as int16 where they are whole numbers that it holds, else as float32."""
    limits = np.iinfo(np.int16)
    if array.dtype.kind in "iu" and limits.min <= int(array.min()) and int(array.max()) <= limits.max:
        return array.astype(np.int16, copy=False)
    return array.astype(np.float32, copy=False)


def _compact(array: NDArray) -> NDArray:
    """The array in a type files can hold, smaller where nothing is lost."""
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    if array.dtype.kind == "f" and np.isfinite(array).all():
        limits = np.iinfo(np.int16)
        if array.min() >= limits.min and array.max() <= limits.max and (array == np.round(array)).all():
            return array.astype(np.int16)
    return array
