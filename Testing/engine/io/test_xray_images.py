"""X-rays come in from every usual file, as line integrals with a record of how."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from radgs.errors import InputFileError
from radgs.io.xray_images import read_xray

ROWS, COLUMNS = 48, 64


@pytest.fixture
def values() -> np.ndarray:
    """(48, 64) intensities, no two rows or columns alike."""
    rows, columns = np.indices((ROWS, COLUMNS))
    return (1000 + 40 * rows + 7 * columns + np.random.default_rng(0).integers(0, 30, rows.shape)).astype(np.uint16)


def write(path: Path, values: np.ndarray, *, vector: bool = False) -> Path:
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(values, isVector=vector), str(path))
    return path


@pytest.mark.parametrize("name", ["ap.nrrd", "ap.mha", "ap.nii", "ap.nii.gz", "ap.tif", "ap.png", "ap.npy"])
def test_every_format_gives_rows_and_columns_in_their_places(name: str, values: np.ndarray, tmp_path: Path) -> None:
    if name.endswith(".npy"):
        np.save(tmp_path / name, values)
    else:
        write(tmp_path / name, values)
    read = read_xray(tmp_path / name, "attenuation")
    np.testing.assert_array_equal(read.image, values.astype(np.float32))
    assert read.conversion == "line integrals as given (as stated)"


@pytest.mark.parametrize("name", ["ap.nrrd", "ap.mha", "ap.nii.gz", "ap.npy"])
def test_a_volume_of_one_slice_is_an_image(name: str, values: np.ndarray, tmp_path: Path) -> None:
    if name.endswith(".npy"):
        np.save(tmp_path / name, values[None])
    else:
        write(tmp_path / name, values[None])
    np.testing.assert_array_equal(read_xray(tmp_path / name, "attenuation").image, values.astype(np.float32))


def test_float32_line_integrals_come_in_exactly(tmp_path: Path) -> None:
    exact = np.random.default_rng(0).gamma(4.0, 0.7, (ROWS, COLUMNS)).astype(np.float32)
    for name in ("ap.nrrd", "ap.tif"):
        np.testing.assert_array_equal(read_xray(write(tmp_path / name, exact), "attenuation").image, exact)


def test_colours_become_luminance(values: np.ndarray, tmp_path: Path) -> None:
    grey = (values // 16).astype(np.uint8)
    for channels in (3, 4):
        coloured = np.stack([grey, grey, grey, np.full_like(grey, 255)][:channels], axis=-1)
        path = write(tmp_path / f"rgb{channels}.png", coloured, vector=True)
        np.testing.assert_array_equal(read_xray(path, "attenuation").image, grey)
    green = np.stack([np.zeros_like(grey), grey, np.zeros_like(grey)], axis=-1)
    path = write(tmp_path / "green.png", green, vector=True)
    np.testing.assert_allclose(read_xray(path, "attenuation").image, 0.7152 * grey, atol=0.51)


def test_the_pixel_type_decides_the_sense(values: np.ndarray, tmp_path: Path) -> None:
    path = write(tmp_path / "ap.nrrd", values)
    as_intensity, as_display = read_xray(path, "intensity"), read_xray(path, "display")
    assert np.corrcoef(as_intensity.image.ravel(), values.ravel())[0, 1] < -0.98
    assert np.corrcoef(as_display.image.ravel(), values.ravel())[0, 1] > 0.999
    assert "as stated" in as_intensity.conversion
    assert "as stated" in as_display.conversion


def test_auto_asks_where_it_cannot_tell(values: np.ndarray, tmp_path: Path) -> None:
    path = write(tmp_path / "ap.nrrd", values)
    with pytest.raises(InputFileError, match=r"ap\.nrrd: The image does not tell.*Which is it"):
        read_xray(path, "auto")


def nothing(folder: Path) -> Path:
    return folder / "missing.png"


def not_an_image(folder: Path) -> Path:
    (folder / "text.png").write_text("not an image")
    return folder / "text.png"


def a_broken_array(folder: Path) -> Path:
    (folder / "broken.npy").write_bytes(b"\x93NUMPY")
    return folder / "broken.npy"


def a_cine(folder: Path) -> Path:
    return write(folder / "cine.nrrd", np.random.default_rng(0).normal(size=(5, ROWS, COLUMNS)))


def a_constant(folder: Path) -> Path:
    return write(folder / "constant.nrrd", np.full((ROWS, COLUMNS), 7.0))


def with_nan(folder: Path) -> Path:
    image = np.random.default_rng(0).normal(size=(ROWS, COLUMNS))
    image[3, 4] = np.nan
    return write(folder / "nan.nrrd", image)


def a_thumbnail(folder: Path) -> Path:
    return write(folder / "thumb.nrrd", np.random.default_rng(0).normal(size=(8, 12)))


def complex_numbers(folder: Path) -> Path:
    np.save(folder / "complex.npy", np.ones((ROWS, COLUMNS), complex))
    return folder / "complex.npy"


def pickled_objects(folder: Path) -> Path:
    np.save(folder / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return folder / "objects.npy"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (nothing, r"There is no file .*missing\.png"),
        (not_an_image, r"text\.png is not an image that can be read"),
        (a_broken_array, r"broken\.npy is not a NumPy array"),
        (a_cine, r"cine\.nrrd: The file holds 5 x 48 x 64 values, not a single image"),
        (a_constant, r"constant\.nrrd: The image is empty"),
        (with_nan, r"nan\.nrrd: The image contains NaN"),
        (a_thumbnail, r"thumb\.nrrd: The image is only 12 x 8 pixels"),
        (complex_numbers, r"complex\.npy: The image does not hold real numbers"),
        (pickled_objects, r"objects\.npy is not a NumPy array"),
    ],
)
def test_what_is_no_xray_is_told_by_name(make: Callable[[Path], Path], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=said):
        read_xray(make(tmp_path), "intensity")


def test_an_unknown_pixel_type_is_told_with_those_there_are(values: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r'unknown pixel_type "log".*intensity, attenuation, display, auto'):
        read_xray(write(tmp_path / "ap.nrrd", values), "log")
