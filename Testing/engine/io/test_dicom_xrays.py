"""DICOM X-rays: the attributes decide what values mean, and bone always comes out bright."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

from radgs.errors import InputFileError
from radgs.io.dicom_files import read_dataset
from radgs.io.dicom_geometry import Given, read_dicom_view
from radgs.io.dicom_pixels import stored_values
from radgs.io.dicom_versions import write_dicom_file
from radgs.io.xray_images import read_xray

CEILING = 4095


def line_integrals(rows: int = 120, columns: int = 100) -> np.ndarray:
    """A trunk that thins out sideways to air, with four vertebrae in its middle."""
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    trunk = 4.0 * np.sqrt(np.clip(1 - (x / 0.97) ** 2, 0, None))
    return trunk + (np.abs(x) < 0.22) * (np.cos(4 * np.pi * y) > -0.6)


def exposure() -> np.ndarray:
    return np.round(4000 * np.exp(-line_integrals())).astype(np.uint16)


def bone_bright() -> np.ndarray:
    return np.round(line_integrals() * 700).astype(np.uint16)


def write(path: Path, values: np.ndarray, **attributes: Any) -> Path:
    """A DX image of 12 stored bits with the attributes given."""
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.Modality = "DX"
    if values.ndim == 3:
        dataset.NumberOfFrames = values.shape[0]
    dataset.Rows, dataset.Columns = values.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.PixelData = values.astype(np.uint16).tobytes()
    for name, value in attributes.items():
        setattr(dataset, name, value)
    write_dicom_file(path, dataset)
    return path


def agreement(image: np.ndarray) -> float:
    return float(np.corrcoef(image.ravel(), line_integrals().ravel())[0, 1])


@pytest.mark.parametrize(
    ("values", "attributes", "said"),
    [
        (exposure(), {"PixelIntensityRelationship": "LIN"}, "linear in the beam's intensity"),
        (exposure(), {"PixelIntensityRelationship": "LIN", "PixelIntensityRelationshipSign": 1}, "linear"),
        (CEILING - exposure(), {"PixelIntensityRelationship": "LIN", "PixelIntensityRelationshipSign": -1}, "linear"),
        (bone_bright(), {"PixelIntensityRelationship": "LOG", "PixelIntensityRelationshipSign": -1}, "logarithm"),
        (
            CEILING - bone_bright(),
            {"PixelIntensityRelationship": "LOG", "PixelIntensityRelationshipSign": 1},
            "logarithm",
        ),
        (CEILING - bone_bright(), {"PixelIntensityRelationship": "LOG"}, "logarithm"),
        (bone_bright(), {}, "DICOM MONOCHROME2 display values, bone bright"),
        (bone_bright(), {"PixelIntensityRelationship": "DISP"}, "DICOM MONOCHROME2 display values, bone bright"),
        (
            CEILING - bone_bright(),
            {"PhotometricInterpretation": "MONOCHROME1"},
            "MONOCHROME1 display values, bone bright",
        ),
        (exposure(), {"PresentationIntentType": "FOR PROCESSING"}, "for processing, guessed: bone dark"),
    ],
)
def test_auto_reads_the_attributes_and_bone_comes_out_bright(
    values: np.ndarray, attributes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    read = read_xray(write(tmp_path / "ap.dcm", values, **attributes), "auto")
    assert agreement(read.image) > 0.99
    assert said in read.conversion


def test_bone_shown_dark_is_inverted(tmp_path: Path) -> None:
    read = read_xray(write(tmp_path / "ap.dcm", exposure(), PixelIntensityRelationship="DISP"), "auto")
    assert agreement(read.image) > 0.7  # exposure's own curve, turned over
    assert "bone dark and so inverted" in read.conversion


def test_display_means_as_displayed(tmp_path: Path) -> None:
    path = write(tmp_path / "ap.dcm", CEILING - bone_bright(), PhotometricInterpretation="MONOCHROME1")
    assert agreement(read_xray(path, "display").image) > 0.99


def test_what_the_user_states_goes_before_the_attributes(tmp_path: Path) -> None:
    path = write(tmp_path / "ap.dcm", exposure(), PixelIntensityRelationship="DISP")
    read = read_xray(path, "intensity")
    assert agreement(read.image) > 0.99
    assert "as stated" in read.conversion


def test_rescaled_values_are_line_integrals_as_given(tmp_path: Path) -> None:
    path = write(tmp_path / "ap.dcm", bone_bright(), RescaleSlope="0.002", RescaleIntercept="-0.5", RescaleType="US")
    np.testing.assert_allclose(read_xray(path, "attenuation").image, bone_bright() * 0.002 - 0.5, atol=1e-5)


def test_the_display_window_does_not_clip(tmp_path: Path) -> None:
    path = write(tmp_path / "ap.dcm", bone_bright(), WindowCenter="2000", WindowWidth="500")
    assert agreement(read_xray(path, "display").image) > 0.99


def test_a_file_is_dicom_by_its_content(tmp_path: Path) -> None:
    path = write(tmp_path / "IM000001", exposure(), PixelIntensityRelationship="LIN")
    assert agreement(read_xray(path, "auto").image) > 0.99


def test_a_dicom_file_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 4000, (60, 60))
    (tmp_path / "broken.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 40)
    (tmp_path / "text.dcm").write_text("not DICOM at all")
    write(tmp_path / "noise.dcm", noise)
    write(tmp_path / "cine.dcm", np.stack([noise, noise]))
    for name, said in {
        "broken.dcm": "can be read",
        "text.dcm": "can be read",
        "noise.dcm": "Neither the DICOM attributes nor the image tell",
        "cine.dcm": "holds 2 x 60 x 60 values",
    }.items():
        pixel_type = "auto" if name == "noise.dcm" else "intensity"
        with pytest.raises(InputFileError, match=said) as told:
            read_xray(tmp_path / name, pixel_type)
        assert name in told.value.problem


def test_a_presentation_lut_shape_that_agrees_changes_nothing(tmp_path: Path) -> None:
    for photometric, shape, values in (
        ("MONOCHROME1", "INVERSE", CEILING - bone_bright()),
        ("MONOCHROME2", "IDENTITY", bone_bright()),
    ):
        said = {"PhotometricInterpretation": photometric, "PresentationLUTShape": shape}
        for pixel_type in ("display", "auto"):
            assert agreement(read_xray(write(tmp_path / "ap.dcm", values, **said), pixel_type).image) > 0.99


@pytest.mark.parametrize("values", [bone_bright(), CEILING - bone_bright()])
def test_where_the_attributes_of_display_contradict_each_other_the_image_decides(
    values: np.ndarray, tmp_path: Path
) -> None:
    path = write(tmp_path / "ap.dcm", values, PresentationLUTShape="INVERSE")
    for pixel_type in ("display", "auto"):
        assert agreement(read_xray(path, pixel_type).image) > 0.99
    noise = np.random.default_rng(0).integers(0, 4000, (60, 60))
    with pytest.raises(InputFileError, match="contradict each other"):
        read_xray(write(tmp_path / "noise.dcm", noise, PresentationLUTShape="INVERSE"), "display")


@pytest.mark.parametrize(
    ("values", "attributes", "said"),
    [
        (bone_bright(), {"PixelIntensityRelationship": "LIN"}, "mean more of the beam, and so bone is dark"),
        (exposure(), {"PixelIntensityRelationship": "LIN", "PixelIntensityRelationshipSign": -1}, "mean less"),
    ],
)
def test_a_relationship_that_the_image_contradicts_is_asked_about(
    values: np.ndarray, attributes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "ap.dcm", values, **attributes)
    with pytest.raises(InputFileError, match=said):
        read_xray(path, "auto")


def test_colours_become_luminance_and_palettes_are_refused(tmp_path: Path) -> None:
    grey = (bone_bright() // 16).astype(np.uint8)
    eight = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "SamplesPerPixel": 3}
    by_pixel = np.repeat(grey[..., None], 3, axis=-1).tobytes()
    by_plane = np.repeat(grey[None], 3, axis=0).tobytes()
    for configuration, content in ((0, by_pixel), (1, by_plane)):
        path = write(
            tmp_path / "rgb.dcm",
            bone_bright(),
            **eight,
            PhotometricInterpretation="RGB",
            PlanarConfiguration=configuration,
            PixelData=content,
        )
        np.testing.assert_array_equal(read_xray(path, "attenuation").image, grey)
    path = write(tmp_path / "palette.dcm", bone_bright(), PhotometricInterpretation="PALETTE COLOR")
    with pytest.raises(InputFileError, match="PALETTE COLOR, which are no grey values"):
        read_xray(path, "display")


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"BitsStored": 65535}, "BitsStored is 65535"),
        ({"BitsStored": 14, "HighBit": 11}, "14 are used, up to bit 11"),
        ({"Rows": 0}, "Rows is 0"),
        ({"Rows": 60000, "Columns": 60000}, "header asks for|GiB"),
        ({"NumberOfFrames": 2000000000}, "NumberOfFrames is 2000000000"),
        ({"RescaleSlope": "0"}, "scales its values by 0"),
        ({"PixelData": b"12"}, "holds 2 bytes of pixels"),
    ],
)
def test_numbers_that_cannot_be_are_told(attributes: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = write(tmp_path / "ap.dcm", bone_bright(), **attributes)
    for pixel_type in ("auto", "intensity"):
        with pytest.raises(InputFileError, match=said):
            read_xray(path, pixel_type)


def test_real_files_of_every_kind_are_read_as_pydicom_reads_them_or_refused() -> None:
    """Those that come with pydicom: JPEG, JPEG-LS, JPEG 2000, RLE, big-endian, deflated, broken ones."""
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    read = compressed = 0
    for path in sorted(folder.rglob("*.dcm")):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                dataset = pydicom.dcmread(path)
                syntax = dataset.file_meta.TransferSyntaxUID
                if syntax.is_compressed and compressed > 4:
                    continue  # each may take a process
                compressed += syntax.is_compressed
                expected = dataset.pixel_array
        except Exception:  # what pydicom cannot read
            expected = None
        try:
            values = stored_values(path, read_dataset(path))
        except InputFileError:
            continue
        if expected is not None and not str(dataset.PhotometricInterpretation).startswith("YBR"):
            np.testing.assert_array_equal(values.reshape(expected.shape), expected)
            read += 1
    assert read > 15  # pydicom 2.4 brings fewer of them than 3


#: What the computed radiographs of PyPI's pydicom-data do not say of their geometry, by the beginning of their names.
LACKING = {
    "RG1": ("Distance Source to Patient (0018,1111)", "Imager Pixel Spacing (0018,1164) or Pixel Spacing (0028,0030)"),
    "RG3": (
        "Distance Source to Detector (0018,1110)",
        "Distance Source to Patient (0018,1111)",
        "Imager Pixel Spacing (0018,1164) or Pixel Spacing (0028,0030)",
    ),
}


def test_real_radiographs_are_imported_or_refused_with_the_sentence_that_is_true_of_them() -> None:
    """JPEG 2000 lossy and lossless, and uncompressed twins: chest radiographs, MONOCHROME1."""
    folder = Path(pytest.importorskip("data_store", reason="pip install pydicom-data").__file__).parent / "data"
    paths = sorted(folder.rglob("RG*.dcm"))
    assert len(paths) == 8
    images = {}
    for path in paths:
        with pytest.raises(InputFileError, match="whether bone is bright or dark") as told:  # no attribute says so
            read_xray(path, "auto")
        assert "display" in told.value.remedy
        images[path.stem] = read_xray(path, "display").image
        view = read_dicom_view(path)
        assert view.missing == LACKING[path.name[:3]]
        lacking = ", ".join(view.missing)
        with pytest.raises(InputFileError, match=re.escape(lacking)):
            view.calibrated("PA")
        given = Given(0.0, 0.0, 1800.0, 1500.0, (0.2, 0.2))
        geometry = read_dicom_view(path, given=given).calibrated("PA").geometry
        assert geometry.shape == images[path.stem].shape
        assert geometry.source_to_detector_mm == pytest.approx(1800.0)
    for kind in ("RG1", "RG3"):
        np.testing.assert_array_equal(images[f"{kind}_J2KR"], images[f"{kind}_UNCR"])  # lossless
        lossy, twin = images[f"{kind}_J2KI"].ravel(), images[f"{kind}_UNCI"].ravel()
        assert np.corrcoef(lossy, twin)[0, 1] > 0.999
