"""TIFF files of many pages: the slices of a volume, as Autoscoper's bones come."""

from __future__ import annotations

from pathlib import Path

import SimpleITK
from numpy.typing import NDArray

from radgs.errors import InputFileError
from radgs.io.input_files import head_of


def pages_of(path: Path) -> int:
    """How many pages a TIFF has; 0 where it is none.

    Raises:
        InputFileError: The file cannot be opened.
    """
    if not head_of(path, 4).startswith((b"II*\0", b"MM\0*")):
        return 0
    with _Quiet():
        reader = SimpleITK.ImageFileReader()
        reader.SetImageIO("TIFFImageIO")
        reader.SetFileName(str(path))
        try:
            reader.ReadImageInformation()
        except RuntimeError:
            return 0
    size = reader.GetSize()
    return int(size[2]) if len(size) > 2 else 1


def read_stack(path: Path) -> NDArray:
    """(pages, rows, columns) single values.

    Raises:
        InputFileError: Not a TIFF of several pages of one size, with one grey value per pixel.
    """
    if pages_of(path) < 2:
        raise InputFileError(f"{path} is not a TIFF of several pages.", "Give the bone's stack as one TIFF.")
    with _Quiet():
        try:
            image = SimpleITK.ReadImage(str(path), imageIO="TIFFImageIO")
        except RuntimeError as problem:
            raise InputFileError(f"{path} is damaged or incomplete.", "Export the stack again.") from problem
    stack = SimpleITK.GetArrayFromImage(image)
    if stack.ndim != 3:
        raise InputFileError(f"{path} is not a stack of single values.", "Give one grey value per voxel.")
    return stack


class _Quiet:
    """Keeps SimpleITK's warnings off the terminal."""

    def __enter__(self) -> None:
        self._warned = SimpleITK.ProcessObject.GetGlobalWarningDisplay()
        SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)

    def __exit__(self, *_: object) -> None:
        SimpleITK.ProcessObject.SetGlobalWarningDisplay(self._warned)
