"""Volumes come in from any orientation and stand in RAS; what is no CT or label map is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from radgs.errors import InputFileError
from radgs.geometry import RigidTransform, Volume
from radgs.io.dicom_versions import write_dicom_file
from radgs.io.volumes import read_ct, read_labels, read_volume, write_volume

OBLIQUE = RigidTransform.from_rotation_vector([0.3, -0.2, 0.4], [11.0, -22.0, 33.0]).matrix


def itk_image(shape: tuple[int, ...] = (7, 6, 5)) -> SimpleITK.Image:
    """Values 0, 1, 2, ... with spacing, origin and direction all of their own, in LPS."""
    image = SimpleITK.GetImageFromArray(np.arange(np.prod(shape), dtype=np.int16).reshape(shape))
    image.SetSpacing((0.7, 0.8, 2.5))
    image.SetOrigin((10.0, 20.0, 30.0))
    image.SetDirection(OBLIQUE[:3, :3].ravel().tolist())
    return image


@pytest.mark.parametrize("suffix", ["nii.gz", "nii", "nrrd", "mha"])
def test_every_voxel_stands_where_the_file_says_in_ras(suffix: str, tmp_path: Path) -> None:
    image = itk_image()
    SimpleITK.WriteImage(image, str(tmp_path / f"ct.{suffix}"))
    volume = read_ct(tmp_path / f"ct.{suffix}")
    assert volume.array.dtype == np.int16
    for index in ((0, 0, 0), (4, 1, 3), (2, 5, 6)):
        x, y, z = image.TransformIndexToPhysicalPoint(index)
        np.testing.assert_allclose(volume.to_ras(index), [-x, -y, z], atol=1e-5)
        assert volume.array[index[::-1]] == image[index]


@pytest.mark.parametrize("left_handed", [False, True])
@pytest.mark.parametrize("suffix", ["nii.gz", "nrrd", "mha"])
def test_a_written_volume_reads_back_in_any_orientation(suffix: str, left_handed: bool, tmp_path: Path) -> None:
    index_to_ras = OBLIQUE @ np.diag([0.7, 0.8, -2.5 if left_handed else 2.5, 1.0])
    values = np.random.default_rng(0).normal(0, 300, (4, 5, 6)).astype(np.float32)
    write_volume(tmp_path / f"v.{suffix}", Volume(values, index_to_ras))
    read = read_volume(tmp_path / f"v.{suffix}")
    np.testing.assert_array_equal(read.array, values)
    np.testing.assert_allclose(read.index_to_ras, index_to_ras, atol=2e-5)  # NIfTI keeps geometry in float32


def test_whole_hounsfield_units_are_stored_in_half_the_space(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(-1000, 2000, (20, 20, 20)).astype(np.float32)
    write_volume(tmp_path / "ct.nii.gz", Volume(values, np.eye(4)))
    assert SimpleITK.ReadImage(str(tmp_path / "ct.nii.gz")).GetPixelID() == SimpleITK.sitkInt16
    np.testing.assert_array_equal(read_ct(tmp_path / "ct.nii.gz").array, values)


def test_slanted_voxel_axes_cannot_be_written(tmp_path: Path) -> None:
    slanted = np.eye(4)
    slanted[0, 2] = 0.2
    with pytest.raises(InputFileError, match="slanted"):
        write_volume(tmp_path / "ct.nii.gz", Volume(np.zeros((3, 3, 3), np.float32), slanted))


def test_labels_stored_as_real_numbers_are_taken_as_what_they_are(tmp_path: Path) -> None:
    labels = np.zeros((4, 5, 6), np.float32)
    labels[1, 2, 3] = 29
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(labels), str(tmp_path / "labels.nii.gz"))
    read = read_labels(tmp_path / "labels.nii.gz")
    assert read.array.dtype == np.uint8
    np.testing.assert_array_equal(read.array, labels)


@pytest.mark.parametrize(
    ("value", "said"), [(0.5, "not whole numbers"), (np.nan, "not whole numbers"), (-1.0, "negative")]
)
def test_what_is_no_label_map_is_refused(value: float, said: str, tmp_path: Path) -> None:
    labels = np.zeros((4, 5, 6), np.float32)
    labels[1, 2, 3] = value
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(labels), str(tmp_path / "labels.mha"))
    with pytest.raises(InputFileError, match=said):
        read_labels(tmp_path / "labels.mha")


def test_files_that_are_not_there_or_not_images_are_named(tmp_path: Path) -> None:
    (tmp_path / "broken.nii.gz").write_bytes(b"not an image")
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.zeros((5, 6), np.int16)), str(tmp_path / "flat.mha"))
    SimpleITK.WriteImage(
        SimpleITK.GetImageFromArray(np.zeros((5, 6, 7, 3), np.int16), isVector=True), str(tmp_path / "rgb.mha")
    )
    for name, said in {
        "missing.nii.gz": "no file or folder",
        "broken.nii.gz": "cannot|not an image that can be read",
        "flat.mha": "not a 3D volume of single values but 6 x 5",
        "rgb.mha": "not a 3D volume of single values",
    }.items():
        with pytest.raises(InputFileError, match=said) as told:
            read_ct(tmp_path / name)
        assert name in told.value.problem


def write_dicom_series(folder: Path, positions: list[tuple[float, float, float]], series: str | None = None) -> None:
    """Axial slices of 4 x 3 pixels of 0.5 x 0.6 mm at the given LPS positions; stored value = 100 * slice + column."""
    folder.mkdir(exist_ok=True)
    series = series or generate_uid()
    for number, position in enumerate(positions):
        dataset = pydicom.Dataset()
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.SeriesInstanceUID = series
        dataset.Modality = "CT"
        dataset.ImagePositionPatient = list(position)
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.PixelSpacing = [0.6, 0.5]
        dataset.Rows, dataset.Columns = 3, 4
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
        pixels = np.broadcast_to(100 * number + np.arange(4), (3, 4)).astype(np.uint16)
        dataset.PixelData = pixels.tobytes()
        # Names run against the order of the slices: their positions must decide.
        write_dicom_file(folder / f"{series[-4:]}-{99 - number}.dcm", dataset)


def test_a_dicom_series_is_read_from_its_folder(tmp_path: Path) -> None:
    write_dicom_series(tmp_path / "ct", [(-5.0, -6.0, 10.0 + 1.25 * n) for n in range(5)])
    ct = read_ct(tmp_path / "ct")
    assert ct.size == (4, 3, 5)
    np.testing.assert_allclose(ct.spacing, [0.5, 0.6, 1.25])
    np.testing.assert_allclose(ct.to_ras([2, 1, 4]), [5.0 - 2 * 0.5, 6.0 - 0.6, 10.0 + 4 * 1.25])
    assert ct.array[4, 1, 2] == 400 + 2 - 1024


def test_a_series_that_would_be_bent_is_refused(tmp_path: Path) -> None:
    write_dicom_series(tmp_path / "gap", [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 0, 4), (0, 0, 5)])
    write_dicom_series(tmp_path / "tilted", [(0, 0.3 * n, 1.0 * n) for n in range(5)])
    write_dicom_series(tmp_path / "two", [(0, 0, 1.0 * n) for n in range(3)])
    write_dicom_series(tmp_path / "two", [(0, 0, 1.0 * n) for n in range(3)])
    (tmp_path / "none").mkdir()
    for name, said in {
        "gap": "missing or unevenly spaced slices",
        "tilted": "tilted gantry",
        "two": "holds 2 DICOM series",
        "none": "holds no DICOM series",
    }.items():
        with pytest.raises(InputFileError, match=said):
            read_ct(tmp_path / name)
