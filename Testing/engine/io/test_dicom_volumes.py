"""A DICOM CT lies where its own headers say, slice by slice and frame by frame, or is refused with the reason."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from radgs.errors import InputFileError
from radgs.io.volumes import read_ct, read_labels

sys.path.append(str(Path(__file__).parent))

import dicom_writing as dicom

EVEN = [(-5.0, -6.0, 10.0 + 1.25 * n) for n in range(6)]
OBLIQUE = (0.8, 0.6, 0.0, -0.48, 0.64, 0.6)


def along_normal(count: int, step: float = 1.25) -> list[tuple[float, float, float]]:
    """Positions of oblique slices, one behind the other."""
    normal = np.cross(OBLIQUE[:3], OBLIQUE[3:])
    return [tuple(np.array([-5.0, -6.0, 10.0]) + n * step * normal) for n in range(count)]


def check_places(path: Path, positions: list, orientation: tuple[float, ...]) -> None:
    """Every corner stands where the header puts it, and holds the value that was stored there."""
    ct = read_ct(path)
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    for k in (0, len(positions) - 1):
        for i, j in ((0, 0), (31, 0), (0, 23), (31, 23)):
            x, y, z = np.array(positions[k]) + 0.5 * i * row + 0.6 * j * column
            np.testing.assert_allclose(ct.to_ras([i, j, k]), [-x, -y, z], atol=1e-3)
            assert ct.array[k, j, i] == 100 * k + i - 1024
    assert ct.array.dtype == np.int16


@pytest.mark.parametrize(("positions", "orientation"), [(EVEN, dicom.AXIAL), (along_normal(6), OBLIQUE)])
def test_slices_stand_where_their_headers_say(positions: list, orientation: tuple, tmp_path: Path) -> None:
    folder = dicom.write(dicom.slices(tmp_path / "ct", positions, orientation))
    (folder / "README.txt").write_text("not DICOM")
    check_places(folder, positions, orientation)


@pytest.mark.parametrize(("positions", "orientation"), [(EVEN, dicom.AXIAL), (along_normal(6), OBLIQUE)])
def test_frames_stand_where_their_functional_groups_say(positions: list, orientation: tuple, tmp_path: Path) -> None:
    check_places(dicom.save(tmp_path / "ct.dcm", dicom.enhanced_ct(positions, orientation)), positions, orientation)


def test_frames_in_any_order_are_put_in_theirs(tmp_path: Path) -> None:
    upside_down = dicom.enhanced_ct(EVEN[::-1])
    ct = read_ct(dicom.save(tmp_path / "ct.dcm", upside_down))
    np.testing.assert_allclose(ct.to_ras([0, 0, 0]), [5.0, 6.0, 10.0])
    assert ct.array[0, 0, 0] == 500 - 1024


def test_each_frame_is_scaled_by_its_own_slope(tmp_path: Path) -> None:
    ct = dicom.enhanced_ct(EVEN)
    del ct.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence
    for n, group in enumerate(ct.PerFrameFunctionalGroupsSequence):
        group.PixelValueTransformationSequence = [dicom.item(RescaleSlope=n + 1, RescaleIntercept=-1000)]
    read = read_ct(dicom.save(tmp_path / "ct.dcm", ct))
    assert [int(value) for value in read.array[:, 0, 3]] == [(n + 1) * (100 * n + 3) - 1000 for n in range(6)]


Spoil = Callable[[list[Dataset]], list[Dataset]]


def with_attribute(number: int, **values: object) -> Spoil:
    def spoil(datasets: list[Dataset]) -> list[Dataset]:
        for name, value in values.items():
            setattr(datasets[number], name, value)
        return datasets

    return spoil


def a_duplicate(datasets: list[Dataset]) -> list[Dataset]:
    datasets[3].ImagePositionPatient = datasets[2].ImagePositionPatient
    return datasets


TILTED = [(0.0, 0.3 * n, 1.0 * n) for n in range(6)]
SPOILED: dict[str, tuple[list, Spoil, str]] = {
    "a missing slice": (EVEN, lambda d: d[:3] + d[4:], "missing or unevenly spaced slices.* 1.25 to 2.5 mm"),
    "a tilted gantry": (TILTED, list, "tilted gantry"),
    "a slice twice": (EVEN, a_duplicate, r"two slices in one place: 9[67]\.dcm and 9[67]\.dcm"),
    "a turned slice": (EVEN, with_attribute(2, ImageOrientationPatient=[0, 1, 0, 0, 0, -1]), "changes its orientation"),
    "another pixel size": (EVEN, with_attribute(5, PixelSpacing=[0.7, 0.5]), r"its pixel size, between 9\d"),
    "another size": (EVEN, with_attribute(5, Rows=12, PixelData=b"\0" * 768), "changes its size"),
    "another frame of reference": (EVEN, with_attribute(1, FrameOfReferenceUID="1.2.3"), "changes its frame of ref"),
    "another patient": (EVEN, with_attribute(1, PatientID="P2"), "changes its patient"),
    "a localizer": (EVEN, with_attribute(0, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), "is a localizer"),
    "another series": (EVEN, with_attribute(0, SeriesInstanceUID="1.2.3"), r"holds 2 DICOM series \(of"),
    "no positions": (EVEN, with_attribute(0, ImagePositionPatient=None), "does not state the place of its slices"),
    "no pixel size": (EVEN, with_attribute(0, PixelSpacing=None), "does not state the pixel size"),
    "skewed axes": (EVEN, with_attribute(0, ImageOrientationPatient=[1, 0, 0, 0.5, 0.5, 0]), "axes or sizes that can"),
    "bits that cannot be": (EVEN, with_attribute(0, BitsStored=65535), "BitsStored is 65535"),
    "a colour slice": (EVEN, with_attribute(0, PhotometricInterpretation="PALETTE COLOR"), "PALETTE COLOR, not grey"),
    "pixels cut short": (EVEN, with_attribute(4, PixelData=b"\0" * 700), "holds 700 bytes of pixels, and .* 1536"),
}


@pytest.mark.parametrize("what", SPOILED)
def test_a_series_that_is_not_one_ct_is_refused(what: str, tmp_path: Path) -> None:
    positions, spoil, said = SPOILED[what]
    folder = dicom.write(spoil(dicom.slices(tmp_path / "ct", positions)))
    with pytest.raises(InputFileError, match=said) as told:
        read_ct(folder)
    assert told.value.remedy.endswith(".")


SPOILED_FRAMES: dict[str, tuple[list, str]] = {
    "a missing frame": (EVEN[:3] + EVEN[4:], "missing or unevenly spaced slices"),
    "a tilted gantry": (TILTED, "tilted gantry"),
    "a frame twice": ([*EVEN[:3], *EVEN[2:5]], "two slices in one place: frames 3 and 4 of ct"),
}


@pytest.mark.parametrize("what", SPOILED_FRAMES)
def test_frames_that_are_not_one_ct_are_refused(what: str, tmp_path: Path) -> None:
    positions, said = SPOILED_FRAMES[what]
    with pytest.raises(InputFileError, match=said):
        read_ct(dicom.save(tmp_path / "ct.dcm", dicom.enhanced_ct(positions)))


def test_frames_without_a_place_are_refused(tmp_path: Path) -> None:
    ct = dicom.enhanced_ct(EVEN)
    del ct.PerFrameFunctionalGroupsSequence
    with pytest.raises(InputFileError, match="6 frames and does not say where they lie"):
        read_ct(dicom.save(tmp_path / "a.dcm", ct))
    ct.PerFrameFunctionalGroupsSequence = [dicom.placed(position) for position in EVEN[:4]]
    with pytest.raises(InputFileError, match="6 frames and says of 4 where they lie"):
        read_ct(dicom.save(tmp_path / "b.dcm", ct))


def test_a_single_slice_is_no_ct(tmp_path: Path) -> None:
    folder = dicom.write(dicom.slices(tmp_path / "ct", EVEN[:1]))
    for path in (folder, folder / "99.dcm"):
        with pytest.raises(InputFileError, match="single slice"):
            read_ct(path)


def test_bits_above_the_stored_ones_are_no_values(tmp_path: Path) -> None:
    datasets = dicom.slices(tmp_path / "ct", EVEN)
    for dataset in datasets:
        stored = np.frombuffer(dataset.PixelData, np.uint16) | 0x8000  # an overlay in the highest bit
        dataset.PixelData, dataset.BitsStored, dataset.HighBit = stored.tobytes(), 12, 11
    assert read_ct(dicom.write(datasets)).array[2, 1, 5] == 205 - 1024


def masks() -> dict[int, np.ndarray]:
    """Two vertebrae in 8 slices, with one empty slice between them and at both ends."""
    lower, upper = np.zeros((8, 24, 32)), np.zeros((8, 24, 32))
    lower[1:3, 4:12, 5:20] = 1.0
    upper[4:7, 6:14, 7:22] = 1.0
    return {3: lower, 5: upper}


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL"])
def test_a_segmentation_is_a_label_map_of_segment_numbers(kind: str, tmp_path: Path) -> None:
    segments = masks()
    if kind == "FRACTIONAL":
        segments[3][1, 4] = 0.4
        segments[3][1, 5] = 0.6
    labels = read_labels(dicom.save(tmp_path / "seg.dcm", dicom.segmentation(segments, kind)))
    for number, mask in segments.items():
        found = np.argwhere(labels.array == number)[:, ::-1]
        expected = np.argwhere(mask >= 0.5)[:, ::-1] * [0.5, 0.6, 2.0] + [-5.0, -6.0, 10.0]
        np.testing.assert_allclose(labels.to_ras(found), expected * [-1, -1, 1], atol=1e-5)
    assert not labels.array[[0, -1]].any()


def test_segments_that_overlap_are_refused(tmp_path: Path) -> None:
    segments = masks()
    segments[5][2, 6:14, 7:22] = 1.0
    with pytest.raises(InputFileError, match="segments that overlap"):
        read_labels(dicom.save(tmp_path / "seg.dcm", dicom.segmentation(segments)))


def test_a_segmentation_is_no_ct_and_a_structure_set_no_label_map(tmp_path: Path) -> None:
    seg = dicom.save(tmp_path / "seg.dcm", dicom.segmentation(masks()))
    with pytest.raises(InputFileError, match="is a segmentation, not a CT"):
        read_ct(seg)
    structures = Dataset()
    structures.file_meta = pydicom.dataset.FileMetaDataset()
    structures.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    structures.SOPClassUID = structures.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
    structures.SOPInstanceUID = structures.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    structures.Modality = "RTSTRUCT"
    with pytest.raises(InputFileError, match="of the modality RTSTRUCT, without an image"):
        read_labels(dicom.save(tmp_path / "rt.dcm", structures))
