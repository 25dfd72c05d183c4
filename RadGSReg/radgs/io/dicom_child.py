"""Compressed DICOM pixels decoded by ITK's GDCM, in a process of its own: a damaged stream may end the process.

    python -m radgs.io.dicom_child FOLDER

decodes every FOLDER/N.dcm into FOLDER/N.npy. The files are made here, of the pixels alone: whatever else the originals
say (rescaling, per-frame groups), ITK neither sees nor applies.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import SecondaryCaptureImageStorage, generate_uid

from radgs.child_processes import child_environment
from radgs.errors import InputFileError
from radgs.io.dicom_versions import write_dicom_file

#: Bounds of the child: a CT of a thousand compressed slices decodes in a minute and in less memory than this.
MAX_SECONDS, MAX_MEMORY = 300, 8 * 2**30

PIXEL_ATTRIBUTES = (
    *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData"),
)


def decode_with_itk(files: Sequence[tuple[Path, pydicom.Dataset]]) -> list[NDArray]:
    """The stored values of files whose compression pydicom cannot undo.

    Raises:
        InputFileError: ITK cannot undo it either, or the pixels are damaged.
    """
    if not files:
        return []
    with tempfile.TemporaryDirectory(prefix="radgs-") as name:
        folder = Path(name)
        for number, (path, dataset) in enumerate(files):
            _write_pixels(folder / f"{number}.dcm", path, dataset)
        with suppress(subprocess.TimeoutExpired):  # what was not decoded by then is missing below
            subprocess.run(
                [sys.executable, "-m", "radgs.io.dicom_child", name],
                env=child_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=MAX_SECONDS,
                check=False,
            )
        return [_decoded(folder / f"{number}.npy", path, dataset) for number, (path, dataset) in enumerate(files)]


def _write_pixels(target: Path, path: Path, dataset: pydicom.Dataset) -> None:
    """A Secondary Capture of the pixels alone."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
    plain = FileDataset(str(target), {}, file_meta=meta, preamble=b"\0" * 128)
    plain.SOPClassUID, plain.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    try:
        for keyword in PIXEL_ATTRIBUTES:
            if keyword in dataset:
                plain.add(dataset[keyword])
        write_dicom_file(target, plain)
    except Exception as problem:  # what cannot be written was damaged when it was read
        raise _undecodable(path, dataset) from problem


def _decoded(result: Path, path: Path, dataset: pydicom.Dataset) -> NDArray:
    try:
        return np.load(result, allow_pickle=False)
    except (OSError, ValueError, EOFError) as problem:
        raise _undecodable(path, dataset) from problem


def _undecodable(path: Path, dataset: pydicom.Dataset) -> InputFileError:
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    called = getattr(syntax, "name", syntax)
    return InputFileError(
        f"The pixels of {path} ({called}) cannot be decoded: they are damaged, or of a compression that is not read.",
        "Export it again without compression.",
    )


def main(folder: Path) -> None:
    """Decodes every .dcm of a folder into an .npy beside it; what cannot be decoded has none."""
    import SimpleITK

    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    except (ImportError, ValueError, OSError):
        pass  # not on every system
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    for path in folder.glob("*.dcm"):
        try:
            image = SimpleITK.ReadImage(str(path), imageIO="GDCMImageIO")
            np.save(path.with_suffix(".npy"), SimpleITK.GetArrayFromImage(image))
        except RuntimeError as problem:
            print(problem, file=sys.stderr)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
