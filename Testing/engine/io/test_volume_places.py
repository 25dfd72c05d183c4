"""A volume lies where all that its header says agrees on; where two readers would place it differently, nowhere."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from radgs.errors import InputFileError
from radgs.geometry import RigidTransform
from radgs.io.volumes import read_ct, read_volume

OBLIQUE = RigidTransform.from_rotation_vector([0.3, -0.2, 0.4], [11.0, -22.0, 33.0]).matrix

# Where NIfTI-1 keeps what it says of a volume's place (nifti1.h).
PIXDIM, UNITS, CODES, QUATERN, QOFFSET, SROW = 76, 123, 252, 256, 268, 280


def volume_file(path: Path) -> Path:
    """An oblique CT as ITK writes it."""
    image = SimpleITK.GetImageFromArray(np.random.default_rng(0).integers(-1000, 1000, (40, 50, 60)).astype(np.int16))
    image.SetSpacing((0.7, 0.8, 2.5))
    image.SetOrigin((10.0, 20.0, 30.0))
    image.SetDirection(OBLIQUE[:3, :3].ravel().tolist())
    SimpleITK.WriteImage(image, str(path))
    return path


def changed(path: Path, layout: str, place: int, *values: float) -> Path:
    content = bytearray(path.read_bytes())
    struct.pack_into(layout, content, place, *values)
    path.write_bytes(content)
    return path


def nibabels_map(path: Path) -> np.ndarray:
    nibabel = pytest.importorskip("nibabel")
    return np.asarray(nibabel.load(path).affine)


@pytest.mark.parametrize("codes", [(1, 1), (1, 0), (0, 1), (1, 4)])
def test_qform_and_sform_place_a_volume_as_another_reader_does(codes: tuple[int, int], tmp_path: Path) -> None:
    path = changed(volume_file(tmp_path / "ct.nii"), "<2h", CODES, *codes)
    np.testing.assert_allclose(read_ct(path).index_to_ras, nibabels_map(path), atol=2e-5)


@pytest.mark.parametrize("suffix", ["nii", "nrrd", "mha"])
def test_itk_places_every_corner_where_we_do(suffix: str, tmp_path: Path) -> None:
    path = volume_file(tmp_path / f"ct.{suffix}")
    volume, image = read_ct(path), SimpleITK.ReadImage(str(path))
    for corner in np.ndindex(2, 2, 2):
        index = [int(n) for n in np.array(corner) * (np.array(volume.size) - 1)]
        x, y, z = image.TransformIndexToPhysicalPoint(index)
        assert np.linalg.norm(volume.to_ras(index) - [-x, -y, z]) < 0.001


Change = Callable[[Path], Path]

DISPLACED: dict[str, tuple[Change, str]] = {
    "a shifted qform": (lambda p: changed(p, "<f", QOFFSET, 3.0), "lies in two places: its qform and its sform"),
    "a turned qform": (lambda p: changed(p, "<3f", QUATERN, 0.0, 0.0, 0.0), "lies in two places"),
    "a slanted sform": (lambda p: changed(p, "<f", SROW + 8, 0.9), "lies in two places"),
    "other voxel sizes": (
        lambda p: changed(changed(p, "<2h", CODES, 0, 1), "<f", PIXDIM + 12, 2.0),
        "contradicts itself: by its voxel sizes",
    ),
    "no place at all": (lambda p: changed(p, "<2h", CODES, 0, 0), "says neither by qform nor by sform"),
    "an sform of NaN": (lambda p: changed(p, "<f", SROW, np.nan), "sform that is not finite"),
    "an unknown unit": (lambda p: changed(p, "<B", UNITS, 5), "unknown unit of length"),
}


@pytest.mark.parametrize("what", DISPLACED)
def test_a_nifti_that_lies_in_two_places_or_none_is_refused(what: str, tmp_path: Path) -> None:
    change, said = DISPLACED[what]
    with pytest.raises(InputFileError, match=said) as told:
        read_ct(change(volume_file(tmp_path / "ct.nii")))
    assert told.value.problem.endswith(".")


def test_slanted_axes_are_refused(tmp_path: Path) -> None:
    path = changed(changed(volume_file(tmp_path / "ct.nii"), "<2h", CODES, 0, 1), "<12f", SROW, *np.eye(3, 4).ravel())
    path = changed(path, "<3f", PIXDIM + 4, 1.0, 1.0, 1.0)
    read_ct(path)
    with pytest.raises(InputFileError, match="slanted voxel axes"):
        read_ct(changed(path, "<f", SROW + 8, 0.02))


def test_metres_and_micrometres_are_understood(tmp_path: Path) -> None:
    path = volume_file(tmp_path / "ct.nii")
    expected = read_ct(path).index_to_ras
    for unit, factor in ((1, 1000.0), (3, 0.001)):
        matrix = np.diag([factor] * 3 + [1.0]) @ expected
        read = read_volume(changed(path, "<B", UNITS, unit))
        np.testing.assert_allclose(read.index_to_ras, matrix)


def test_values_are_scaled_as_the_header_says(tmp_path: Path) -> None:
    path = volume_file(tmp_path / "ct.nii")
    stored = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    whole = read_ct(changed(path, "<2f", 112, 2.0, -24.0)).array
    assert whole.dtype == np.int16
    np.testing.assert_array_equal(whole, 2 * stored - 24)
    real = read_ct(changed(path, "<2f", 112, 0.5, -24.0)).array
    assert real.dtype == np.float32
    np.testing.assert_allclose(real, 0.5 * stored - 24)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("space: left-posterior-superior", "names no space"),
        ("space origin: ", "does not say where it lies"),
        ("space directions: ", "does not say where it lies"),
    ],
)
def test_a_nrrd_without_its_place_is_refused(line: str, said: str, tmp_path: Path) -> None:
    path = volume_file(tmp_path / "ct.nrrd")
    header, data = path.read_bytes().split(b"\n\n", 1)
    lines = [kept for kept in header.split(b"\n") if not kept.startswith(line.encode())]
    path.write_bytes(b"\n".join(lines) + b"\n\n" + data)
    with pytest.raises(InputFileError, match=said):
        read_ct(path)


@pytest.mark.parametrize("field", ["ElementSpacing", "Offset", "TransformMatrix"])
def test_a_metaimage_without_its_place_is_refused(field: str, tmp_path: Path) -> None:
    path = volume_file(tmp_path / "ct.mha")
    path.write_bytes(path.read_bytes().replace(field.encode(), b"Other" + field.encode(), 1))
    with pytest.raises(InputFileError, match="does not say where it lies"):
        read_ct(path)
