"""An X-ray beside the DRR of its own geometry looks alike, beside that of another it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

import radgs
from radgs.case import RegistrationCase
from radgs.errors import GeometryError, InputFileError
from radgs.geometry import ViewGeometry
from radgs.io.xray_images import read_xray
from radgs.overlay.arrays import FloatImage
from radgs.overlay.exposures import BETWEEN_VIEWS, GAP, PICTURE_PIXELS, Exposure, ExposurePictures


@pytest.fixture(scope="module")
def the_demo() -> RegistrationCase:
    """The bundled phantom: whole X-rays of what its CT shows."""
    return RegistrationCase.load(Path(radgs.__file__).resolve().parent / "data" / "demo")


@pytest.fixture(scope="module")
def pictures(the_demo: RegistrationCase) -> ExposurePictures:
    return ExposurePictures(the_demo.ct)


@pytest.fixture(scope="module")
def right(the_demo: RegistrationCase, tmp_path_factory: pytest.TempPathFactory) -> list[Exposure]:
    """The demo's views, as they are, its CT where it truly stood."""
    folder = tmp_path_factory.mktemp("films")
    exposures = []
    for view in the_demo.views:
        path = folder / f"{view.name}.npy"
        np.save(path, view.image)
        geometry = view.geometry
        pose = the_demo.truth["L3"]
        exposures.append(Exposure(path, "attenuation", geometry.source_ras, geometry.detector_to_ras, pose))
    return exposures


def alike(pair: tuple[FloatImage, FloatImage]) -> float:
    xray, drr = (image[20:-20, 20:-20] for image in pair)
    return float(np.corrcoef(xray.ravel(), drr.ravel())[0, 1])


def upside_down(view: ViewGeometry) -> ViewGeometry:
    """Rows counted from the other end: what a wrong convention does."""
    flipped = view.detector_to_ras.copy()
    flipped[:3, 1] *= -1
    flipped[:3, 3] = view.pixel_to_ras([0, view.shape[0] - 1])
    return ViewGeometry(view.source_ras, flipped, view.shape)


def mirrored(view: ViewGeometry) -> ViewGeometry:
    flipped = view.detector_to_ras.copy()
    flipped[:3, 0] *= -1
    flipped[:3, 3] = view.pixel_to_ras([view.shape[1] - 1, 0])
    return ViewGeometry(view.source_ras, flipped, view.shape)


def from_behind(view: ViewGeometry) -> ViewGeometry:
    """Seen against its own direction: source and film mirrored in the origin."""
    through = view.detector_to_ras.copy()
    through[:3] *= -1
    return ViewGeometry(-view.source_ras, through, view.shape)


@pytest.mark.parametrize("wrong", [upside_down, mirrored, from_behind])
def test_an_eye_tells_the_right_geometry_from_a_wrong_one(
    pictures: ExposurePictures,
    right: list[Exposure],
    the_demo: RegistrationCase,
    wrong: Callable[[ViewGeometry], ViewGeometry],
) -> None:
    for exposure, view in zip(right, the_demo.views, strict=True):
        geometry = wrong(view.geometry)
        other = replace(exposure, source_ras=geometry.source_ras, detector_to_ras=geometry.detector_to_ras)
        assert alike(pictures.drawn(exposure)) > 0.7
        assert alike(pictures.drawn(other)) < alike(pictures.drawn(exposure)) - 0.15


def test_a_picture_holds_the_views_side_by_side(
    pictures: ExposurePictures, right: list[Exposure], tmp_path: Path
) -> None:
    files = pictures.save(tmp_path / "ü", [right, right[:1]])
    assert [file.name for file in files] == ["1.png", "2.png"]
    both, alone = (imread(file)[..., 0] for file in files)
    pair = 2 * PICTURE_PIXELS + GAP
    assert both.shape == (PICTURE_PIXELS, 2 * pair + BETWEEN_VIEWS)
    np.testing.assert_array_equal(alone, both[:, :pair])
    xray, drr = pictures.drawn(right[0])
    np.testing.assert_allclose(alone[:, :PICTURE_PIXELS], xray, atol=0.008)
    np.testing.assert_allclose(alone[:, -PICTURE_PIXELS:], drr, atol=0.008)


def test_a_film_that_is_not_square_keeps_its_shape(
    pictures: ExposurePictures, right: list[Exposure], the_demo: RegistrationCase, tmp_path: Path
) -> None:
    """Its left half: the DRR is that of the same half."""
    view = the_demo.views[0]
    columns = view.image.shape[1] // 2
    np.save(tmp_path / "half.npy", view.image[:, :columns])
    xray, drr = pictures.drawn(replace(right[0], image=tmp_path / "half.npy"))
    assert xray.shape == drr.shape == (PICTURE_PIXELS, round(PICTURE_PIXELS * columns / view.image.shape[0]))
    assert alike((xray, drr)) > 0.6


def test_an_image_that_does_not_tell_bright_bone_from_dark_is_drawn_as_it_is(
    pictures: ExposurePictures, right: list[Exposure], tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).random((90, 80)).astype(np.float32)
    np.save(tmp_path / "noise.npy", noise)
    with pytest.raises(InputFileError, match="bright or dark"):
        read_xray(tmp_path / "noise.npy", "auto")
    xray, drr = pictures.drawn(replace(right[0], image=tmp_path / "noise.npy", pixel_type="auto"))
    assert xray.shape == drr.shape == noise.shape
    assert np.corrcoef(xray.ravel(), noise.ravel())[0, 1] > 0.8


def test_what_cannot_be_drawn_is_told(pictures: ExposurePictures, right: list[Exposure], tmp_path: Path) -> None:
    in_film = replace(right[0], source_ras=right[0].detector_to_ras[:3, 3])
    with pytest.raises(GeometryError):
        pictures.drawn(in_film)
    with pytest.raises(InputFileError, match=r"none\.npy"):
        pictures.drawn(replace(right[0], image=tmp_path / "none.npy"))
