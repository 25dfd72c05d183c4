"""Reading any image file but DICOM; the format is told by the content, not by the name."""

from __future__ import annotations

from pathlib import Path

from radgs.errors import InputFileError
from radgs.io.input_files import head_of
from radgs.io.metaimage import looks_like_metaimage, read_metaimage
from radgs.io.nifti import looks_like_nifti, read_nifti
from radgs.io.nrrd import read_nrrd
from radgs.io.numpy_arrays import read_npy
from radgs.io.pictures import picture_kind, read_picture
from radgs.io.raster import Raster


def read_raster(path: Path) -> Raster:
    """Reads NRRD, MetaImage, NIfTI, PNG, TIFF, JPEG, BMP or .npy.

    Raises:
        InputFileError: Missing, not a regular file, none of these, damaged, incomplete or too large.
    """
    head = head_of(path, 1024)
    if head.startswith(b"NRRD"):
        return read_nrrd(path)
    if looks_like_metaimage(head):
        return read_metaimage(path)
    if looks_like_nifti(head):
        return read_nifti(path)
    if (kind := picture_kind(head)) is not None:
        return read_picture(path, kind)
    if head.startswith(b"\x93NUMPY"):
        return read_npy(path)
    if path.suffix.lower() == ".npy":
        raise InputFileError(f"{path} is not a NumPy array that can be read.", "Write it with numpy.save.")
    raise InputFileError(
        f"{path} is not an image that can be read.",
        "Check that the file is complete, and give DICOM, NIfTI (.nii, .nii.gz), NRRD, MetaImage (.mha), PNG, TIFF, "
        "JPEG, BMP or .npy.",
    )
