"""What a volume file that was let in says by other readers: the place of its voxels, and their values.

nibabel for NIfTI, pydicom's attributes for DICOM, and lines of their own for NRRD and MetaImage.
"""

from __future__ import annotations

import re
import warnings
import zlib
from pathlib import Path

import numpy as np
import pydicom

from radgs.geometry import Volume

TOLERANCE_MM = 0.11
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def contradiction(path: Path, volume: Volume) -> str | None:
    """How a volume as read differs from what the file says by another reader; None where it does not."""
    head = b"" if path.is_dir() else path.open("rb").read(200)
    if path.is_dir() or head[128:132] == b"DICM":
        return _of_dicom(path, volume)
    if head.startswith(b"NRRD"):
        return _of_text(volume, *_nrrd(path))
    if b"NDims" in head:
        return _of_text(volume, *_metaimage(path))
    return _of_nifti(path, volume)


def _apart(volume: Volume, matrix: np.ndarray) -> float:
    """The farthest that two maps place a corner apart, mm."""
    ends = [(0.0, n - 1.0) for n in volume.size]
    corners = np.stack(np.meshgrid(*ends, [1.0], indexing="ij"), axis=-1).reshape(-1, 4)
    return float(np.abs(corners @ (volume.index_to_ras - matrix).T).max())


def _of_nifti(path: Path, volume: Volume) -> str | None:
    import nibabel

    content = path.read_bytes()
    content = zlib.decompress(content, 31) if content[:2] == b"\x1f\x8b" else content
    kind = nibabel.Nifti2Image if content[:4] in (b"\x1c\x02\0\0", b"\0\0\x02\x1c") else nibabel.Nifti1Image
    image = kind.from_bytes(content)
    scale = np.diag([{1: 1000.0, 3: 0.001}.get(int(image.header["xyzt_units"]) & 7, 1.0)] * 3 + [1.0])
    for coded in (image.header.get_sform(coded=True), image.header.get_qform(coded=True)):
        if coded[1] > 0 and not _apart(volume, scale @ coded[0]) <= TOLERANCE_MM * scale[0, 0] + TOLERANCE_MM:
            return "place"
    values = np.asarray(image.dataobj).reshape(image.shape[:3]).T
    return None if np.allclose(values, volume.array, rtol=1e-5, atol=1e-2, equal_nan=True) else "values"


def _of_text(volume: Volume, matrix: np.ndarray, values: np.ndarray) -> str | None:
    if not _apart(volume, matrix) <= TOLERANCE_MM:
        return "place"
    same = np.array_equal(values.reshape(volume.array.shape), volume.array, equal_nan=values.dtype.kind == "f")
    return None if same or np.allclose(values.reshape(volume.array.shape), volume.array, equal_nan=True) else "values"


def _nrrd(path: Path) -> tuple[np.ndarray, np.ndarray]:
    header, data = path.read_bytes().split(b"\n\n", 1)
    pairs = re.findall(r"(?m)^([^#:\n]+): (.*?)\r?$", header.decode("latin-1"))
    said = {name.strip().lower(): value.strip() for name, value in pairs}
    axes = [[float(n) for n in v.split(",")] for v in re.findall(r"\(([^)]*)\)", said["space directions"])]
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(axes).T
    matrix[:3, 3] = [float(n) for n in said["space origin"].strip("()").split(",")]
    signs = {"left-posterior-superior": (-1, -1), "right-anterior-superior": (1, 1), "left-anterior-superior": (-1, 1)}
    short = {"lps": (-1, -1), "ras": (1, 1), "las": (-1, 1)}
    x, y = {**signs, **short}[said["space"].lower()]
    unsigned = said["type"].startswith("u")
    widths = {"char": 1, "int8": 1, "short": 2, "16": 2, "longlong": 8, "long long": 8, "64": 8, "double": 8}
    width = next((width for name, width in widths.items() if name in said["type"]), 4)
    dtype = np.dtype(f"{'f' if said['type'] in ('float', 'double') else 'u' if unsigned else 'i'}{width}")
    dtype = dtype.newbyteorder(">" if said.get("endian", "").lower() == "big" else "<")
    data = zlib.decompress(data, 31) if said["encoding"] != "raw" else data
    return np.diag([x, y, 1, 1.0]) @ matrix, np.frombuffer(data, dtype)


def _metaimage(path: Path) -> tuple[np.ndarray, np.ndarray]:
    header, data = re.split(rb"ElementDataFile\s*=[^\n]*\n", path.read_bytes(), maxsplit=1)
    said = dict(re.findall(r"(?m)^\s*(\w+)\s*=\s*(.*?)\s*$", header.decode("latin-1")))
    count = len(said["ElementSpacing"].split())
    axes = np.array(said["TransformMatrix"].split(), float).reshape(count, count)[:3, :3].T
    matrix = np.eye(4)
    matrix[:3, :3] = axes * np.array(said["ElementSpacing"].split(), float)[:3]
    matrix[:3, 3] = np.array(next(said[n] for n in ("Offset", "Position", "Origin") if n in said).split(), float)[:3]
    dtype = np.dtype({"MET_SHORT": "i2", "MET_USHORT": "u2", "MET_FLOAT": "f4", "MET_UCHAR": "u1"}[said["ElementType"]])
    big = said.get("BinaryDataByteOrderMSB", said.get("ElementByteOrderMSB", "False")).lower() in ("true", "1", "yes")
    data = zlib.decompress(data) if said.get("CompressedData", "False").lower() in ("true", "1", "yes") else data
    return LPS @ matrix, np.frombuffer(data, dtype.newbyteorder(">" if big else "<"))


def _of_dicom(path: Path, volume: Volume) -> str | None:
    """Every slice's first and last pixel, by its own header, is a voxel of the volume."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    found = 0
    for file in files:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                dataset = pydicom.dcmread(file)
            except Exception:
                continue
        if "Rows" not in dataset or "Columns" not in dataset:
            continue  # no image, and passed over
        groups = dataset.get("PerFrameFunctionalGroupsSequence") or [None]
        for group in groups:
            place = dataset if group is None else group.PlanePositionSequence[0]
            shared = None if group is None else dataset.SharedFunctionalGroupsSequence[0]
            turned = (
                dataset
                if group is None
                else next(
                    part.PlaneOrientationSequence[0] for part in (group, shared) if "PlaneOrientationSequence" in part
                )
            )
            pixel = dataset if group is None else shared.PixelMeasuresSequence[0]
            axes = np.array(turned.ImageOrientationPatient, float).reshape(2, 3)
            last = (dataset.Columns - 1) * float(pixel.PixelSpacing[1]) * axes[0]
            last = last + (dataset.Rows - 1) * float(pixel.PixelSpacing[0]) * axes[1]
            first = np.array(place.ImagePositionPatient, float)
            indices = volume.to_index(np.stack([first, first + last]) * [-1, -1, 1])
            expected = np.array([[0, 0], [dataset.Columns - 1, dataset.Rows - 1]])
            off = np.abs(indices[:, :2] - expected) * volume.spacing[:2]
            off_k = np.abs(indices[:, 2] - np.round(indices[:, 2])) * volume.spacing[2]
            if not max(off.max(), off_k.max()) <= TOLERANCE_MM or not 0 <= round(indices[0, 2]) < volume.size[2]:
                return "place"
            found += 1
    return None if found else "values"
