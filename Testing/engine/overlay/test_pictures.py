"""The files that a panel mixes: pictures, outlines and whole DRRs of a block of bone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from radgs.case import RegistrationCase
from radgs.drr import SOFT_TISSUE, WATER, hu_from_attenuation
from radgs.errors import OutputError
from radgs.geometry import FloatArray, RigidTransform, Volume
from radgs.overlay import Contours, drr
from radgs.overlay.films import film_of, like_film
from radgs.overlay.pictures import PICTURE_PIXELS, DrawnAnatomy, save_pictures


@pytest.fixture(scope="module")
def the_pictures(
    small_case: RegistrationCase,
    the_block: DrawnAnatomy,
    the_contours: Contours,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    folder = tmp_path_factory.mktemp("pictures") / "new"
    poses = {"start": RigidTransform.identity(), "result": small_case.truth["L3"]}
    files = save_pictures(folder, "L3", the_block, the_contours, small_case.views, poses)
    assert all(file.is_file() for file in files)
    assert files[0] == folder / "overlay.json"
    return folder


def described(folder: Path, view: str) -> dict:
    return json.loads((folder / "overlay.json").read_text(encoding="utf-8"))["views"][view]


def points_of(view: dict, pose: str) -> FloatArray:
    return np.concatenate([line["points"] for line in view["poses"][pose]["contour"]])


def test_xray_and_drr_have_one_frame_that_the_contour_lies_in(the_pictures: Path) -> None:
    for view in ("AP", "LAT"):
        found = described(the_pictures, view)
        pictures = [imread(the_pictures / name) for name in (found["xray"], found["poses"]["result"]["drr"])]
        assert [picture.shape[:2] for picture in pictures] == [(PICTURE_PIXELS, PICTURE_PIXELS)] * 2
        contour = points_of(found, "result")
        middle = (contour.min(axis=0) + contour.max(axis=0)) / 2
        np.testing.assert_allclose(middle, PICTURE_PIXELS / 2, atol=10)  # the crop lies around the result
        drr_at = pictures[1][..., 0]
        inside = drr_at[tuple(middle.round().astype(int)[::-1])]
        assert inside > drr_at[5, 5] + 0.2  # bone is bright


def test_a_reconstruction_is_cast_where_it_stands_at_whatever_pose(
    small_case: RegistrationCase, the_block: DrawnAnatomy, the_contours: Contours, tmp_path: Path
) -> None:
    truth = small_case.truth["L3"]
    hu = np.full((20, 20, 20), hu_from_attenuation(SOFT_TISSUE), dtype=np.float32)
    hu[5:15, 5:15, 5:15] = 1000.0
    index_to_ras = np.eye(4)
    index_to_ras[:3, 3] = truth.apply(the_block.centre) - 9.5
    poses = {"result": truth}
    views = small_case.views
    save_pictures(tmp_path / "with", "L3", the_block, the_contours, views, poses, Volume(hu, index_to_ras))
    for view in views:
        found = described(tmp_path / "with", view.name)
        whole = np.load(tmp_path / "with" / found["whole_reconstruction"])
        inside = np.argwhere(whole > 0.5 * whole.max())[:, ::-1].mean(axis=0)
        centre = view.geometry.binned(found["binned"]).project(truth.apply(the_block.centre))
        np.testing.assert_allclose(inside, centre, atol=1.0)
        # 10 mm of 1000 HU, over soft tissue, seen at right angles or a little obliquely.
        assert whole.max() == pytest.approx(10.0 * (2.0 * WATER - SOFT_TISSUE), rel=0.3)
        near = imread(tmp_path / "with" / found["reconstruction"])[..., 0]
        assert near[PICTURE_PIXELS // 2, PICTURE_PIXELS // 2] > 0.5 > near[3, 3]


def test_before_and_after_are_told_apart(the_pictures: Path) -> None:
    found = described(the_pictures, "AP")
    before, after = (points_of(found, name).mean(axis=0) for name in ("start", "result"))
    assert np.linalg.norm(before - after) > 5


def test_the_whole_drr_lies_on_the_xrays_own_pixels(
    small_case: RegistrationCase, the_block: DrawnAnatomy, the_pictures: Path
) -> None:
    view = small_case.views[0]
    found = described(the_pictures, "AP")
    image = np.load(the_pictures / found["poses"]["result"]["whole"])
    factor = found["binned"]
    assert image.shape == (view.geometry.shape[0] // factor, view.geometry.shape[1] // factor)
    whole = drr(the_block, small_case.truth["L3"], view.geometry.binned(factor))
    film = film_of(view, factor, small_case.truth["L3"].apply(the_block.centre))
    np.testing.assert_allclose(image, like_film(film, whole), atol=1e-5)
    for kind in ("edges", "difference"):
        bytes_ = np.load(the_pictures / found["poses"]["result"][f"whole_{kind}"])
        assert (bytes_.shape, bytes_.dtype) == (image.shape, np.uint8)


def test_a_folder_that_cannot_be_made_is_told(
    small_case: RegistrationCase, the_block: DrawnAnatomy, the_contours: Contours, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    poses = {"start": RigidTransform.identity()}
    with pytest.raises(OutputError, match="cannot be written"):
        save_pictures(tmp_path / "taken", "L3", the_block, the_contours, small_case.views, poses)
