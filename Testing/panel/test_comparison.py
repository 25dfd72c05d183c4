"""What each way to compare shows, pixel by pixel: of an X-ray that is dark and a DRR that is bright."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imsave

from radgs.geometry import RigidTransform, ViewGeometry

SIZE = 192
#: Greys of the pictures, of 255; the file's pictures are half as large as what is painted.
XRAY, DRR, DIFFERENCE = 40, 200, 120

#: What the picture is a view of: pixels of 1 mm half way between a source 200 mm in front and nothing behind it.
CROP = ViewGeometry(
    np.array([0.0, 200.0, 0.0]),
    np.array([[-1.0, 0, 0, 48.0], [0, 0, 1.0, 0], [0, -1.0, 0, 48.0], [0, 0, 0, 1.0]]),
    (SIZE // 2, SIZE // 2),
)
MOVED = RigidTransform(np.eye(3), np.array([5.0, 0.0, -3.0]))


@pytest.fixture(scope="module")
def a_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the engine writes of one view, with everything of one grey."""
    folder = tmp_path_factory.mktemp("overlay")
    shape = (SIZE // 2, SIZE // 2)
    for name, grey in (("xray", XRAY), ("drr", DRR), ("difference", DIFFERENCE)):
        imsave(folder / f"{name}.png", np.full(shape, grey / 255), cmap="gray", vmin=0, vmax=1)
    line = np.zeros((*shape, 4))
    line[:, 40:44] = (1.0, 0.0, 0.0, 1.0)
    imsave(folder / "edges.png", line)
    blue = np.zeros((*shape, 4))
    blue[20:24] = (0.0, 0.0, 1.0, 1.0)
    imsave(folder / "agreement.png", blue)
    striped = np.zeros((*shape, 4))
    striped[:, 90:] = (0.5, 0.5, 0.5, 0.5)
    imsave(folder / "unmeasured.png", striped)
    drawn = {
        "ct_to_world": MOVED.matrix.tolist(),
        "drr": "drr.png",
        "edges": "edges.png",
        "difference": "difference.png",
        "agreement": {"picture": "agreement.png", "mean": 0.75},
        "contour": [
            {"kind": "silhouette", "part": "body", "points": [[10.0, 10.0], [60.0, 10.0]]},
            {"kind": "neighbour", "part": "bone", "points": [[10.0, 80.0], [60.0, 80.0]]},
        ],
        "whole": "none.npy",
    }
    borders = dict.fromkeys(("left", "right", "top", "bottom"), "")
    view = {"xray": "xray.png", "unmeasured": "unmeasured.png", "borders": borders, "binned": 1}
    view |= {"source_ras": CROP.source_ras.tolist(), "detector_to_ras": CROP.detector_to_ras.tolist()}
    views = {"AP": {**view, "poses": {"result": drawn}}}
    described = {"schema": "radgs.overlay/2", "level": "L3", "landmarks": {}, "views": views}
    (folder / "overlay.json").write_text(json.dumps(described), encoding="utf-8")
    return folder


@pytest.fixture
def painted(a_folder: Path, the_module: Any, host: Any) -> Any:
    """Paints in a mode and returns what is seen (H, W, 3)."""
    from RadGSRegLib.engine.overlay_pictures import OverlayPictures
    from RadGSRegLib.review.comparison import Comparison

    pictures = OverlayPictures(a_folder)

    def paint(contour: bool = False, plans: Any = (), **how: Any) -> np.ndarray:
        image = pictures.compared("AP", "result", Comparison(**how), contour, SIZE, plans).toImage()
        image = image.convertToFormat(image.Format.Format_RGB888)
        rows = np.frombuffer(image.constBits(), np.uint8).reshape(SIZE, image.bytesPerLine())
        return rows[:, : SIZE * 3].reshape(SIZE, SIZE, 3)[:, : SIZE - 16].astype(int)  # without the stripes

    return paint


def test_a_blend_mixes_by_the_sliders_share(painted: Any) -> None:
    for amount in (0.0, 0.25, 1.0):
        expected = (1 - amount) * XRAY + amount * DRR
        assert np.abs(painted(mode="blend", amount=amount) - expected).max() <= 2


def test_a_split_shows_the_drr_left_of_the_line_and_the_xray_right_of_it(painted: Any) -> None:
    for amount in (0.25, 0.6):
        seen, line = painted(mode="split", amount=amount)[..., 0], round(amount * SIZE)
        assert (seen[:, : line - 1] == DRR).all()
        assert (seen[:, line + 2 :] == XRAY).all()
        assert seen[:, line].mean() > 150 or seen[:, line - 1].mean() > 220  # the line itself is white


def test_cells_alternate_and_have_the_size_that_the_slider_says(painted: Any) -> None:
    from RadGSRegLib.review.comparison import Comparison

    for amount in (0.0, 1.0):
        cells = Comparison("checkerboard", amount).cells
        seen = painted(mode="checkerboard", amount=amount)[..., 0]
        side = SIZE / cells
        for row in range(cells):
            for column in range(cells - 2):
                middle = seen[int((row + 0.5) * side), int((column + 0.5) * side)]
                assert middle == (DRR if (row + column) % 2 == 0 else XRAY)
    assert Comparison("checkerboard", 0.0).cells > Comparison("checkerboard", 1.0).cells


def test_a_flicker_shows_one_and_then_the_other_and_its_rate_follows_the_slider(painted: Any) -> None:
    from RadGSRegLib.review.comparison import RATES_HZ, Comparison

    assert (painted(mode="flicker", second=False) == XRAY).all()
    assert (painted(mode="flicker", second=True) == DRR).all()
    for amount, rate in ((0.0, RATES_HZ[0]), (1.0, RATES_HZ[1])):
        assert Comparison("flicker", amount).period_ms == round(1000 / rate)
    assert Comparison("blend", 0.5).period_ms is None


def test_edges_and_agreement_are_laid_over_the_xray_alone(painted: Any) -> None:
    edges = painted(mode="edges", amount=1.0)
    assert (edges[50, 10] == XRAY).all()
    assert edges[50, 84].tolist() == [255, 0, 0]  # twice as large as the file, pixel 42 lies about 84
    agreement = painted(mode="agreement", amount=1.0)
    assert agreement[44, 100].tolist() == [0, 0, 255]
    assert (agreement[100, 100] == XRAY).all()


def test_the_difference_takes_the_xrays_place(painted: Any) -> None:
    assert (painted(mode="difference", amount=1.0) == DIFFERENCE).all()


def test_what_was_not_measured_is_shaded_in_every_mode(a_folder: Path, painted: Any) -> None:
    from RadGSRegLib.engine.overlay_pictures import OverlayPictures
    from RadGSRegLib.review.comparison import MODES, Comparison

    for mode in MODES:
        image = OverlayPictures(a_folder).compared("AP", "result", Comparison(mode, 0.0), False, SIZE).toImage()
        shaded, plain = (image.pixelColor(column, SIZE - 5).red() for column in (SIZE - 4, SIZE - 24))
        assert shaded != plain


def test_the_contour_lies_half_a_pixel_beside_the_files_numbers_in_the_poses_colour(painted: Any) -> None:
    """A pixel's centre is a whole number in the file; row 10 of it is painted from 20 to 22."""
    from radgs.colours import NEIGHBOUR, RESULT, rgb

    plain, drawn = painted(mode="blend", amount=0.0), painted(contour=True, mode="blend", amount=0.0)
    changed = np.abs(drawn - plain).max(axis=-1)
    rows = np.flatnonzero(changed[:, 60] > 60)
    assert rows.min() >= 19
    assert np.average(np.arange(SIZE)[:60], weights=changed[:60, 60]) + 0.5 == pytest.approx(21.0, abs=0.25)
    np.testing.assert_allclose(drawn[20, 60] / 255, rgb(RESULT), atol=0.05)
    assert changed[161, 60] > 30  # the neighbour, faintly
    assert np.abs(drawn[161, 60] / 255 - rgb(NEIGHBOUR)).max() < 0.4


def test_two_live_poses_keep_a_drr_each(a_folder: Path, tmp_path: Path, the_module: Any, host: Any) -> None:
    from RadGSRegLib.engine.overlay_pictures import OverlayPictures
    from RadGSRegLib.review.comparison import Comparison

    pictures = OverlayPictures(a_folder)
    for pose, grey in (("nudged", 90), ("compared", 160)):
        imsave(tmp_path / "drr.png", np.full((8, 8), grey / 255), cmap="gray", vmin=0, vmax=1)
        live = {"ct_to_world": MOVED.matrix.tolist(), "views": {"AP": {"drr": "drr.png", "contour": []}}}
        (tmp_path / "live.json").write_text(json.dumps(live), encoding="utf-8")
        pictures.put_live(pose, tmp_path)
    for pose, grey in (("nudged", 90), ("compared", 160)):
        image = pictures.compared("AP", pose, Comparison("blend", 1.0), False, SIZE).toImage()
        assert image.pixelColor(50, 50).red() == pytest.approx(grey, abs=2), pose


def test_what_lies_over_a_film_is_seen_as_far_as_the_mode_says(painted: Any) -> None:
    from RadGSRegLib.review.comparison import MODES, Comparison

    shares = {mode: Comparison(mode, 0.7, second=True).share for mode in MODES}
    mixed = dict.fromkeys(("blend", "edges", "difference", "agreement", "reconstruction"), 0.7)
    assert shares == {**mixed, **dict.fromkeys(("split", "checkerboard", "flicker"), 1.0)}


def test_films_show_the_drr_where_the_picture_does(painted: Any) -> None:
    from RadGSRegLib.review.comparison import Comparison

    rows, columns = (np.indices((SIZE, SIZE))[:, :, : SIZE - 16] + 0.5) / SIZE
    for mode in ("split", "checkerboard"):
        for amount in (0.2, 0.45, 0.9):
            seen = painted(mode=mode, amount=amount)[..., 0]
            same = (seen > (XRAY + DRR) / 2) == Comparison(mode, amount).shows_drr(columns, rows)
            assert same.mean() > 0.98  # but for the line, and cells' borders of less than a pixel


def test_a_screws_tip_is_painted_where_its_point_in_the_ct_projects(painted: Any) -> None:
    screw = np.array([[-20.0, 10.0, 12.0], [8.0, -30.0, 4.0]])  # head and tip, the CT's RAS
    seen = painted(plans=[screw], mode="blend", amount=0.0)[..., 0]
    columns, rows = ((CROP.project(MOVED.apply(screw)) + 0.5) * 2).T  # painted twice as large
    white = np.argwhere(seen > 200)
    assert len(white) > 30
    for column, row in zip(columns, rows, strict=True):
        assert np.linalg.norm(white - [row - 0.5, column - 0.5], axis=1).min() < 1.5
    low, high = np.sort(columns), np.sort(rows)
    assert white[:, 1].min() > low[0] - 3.5
    assert white[:, 1].max() < low[1] + 3.5
    assert white[:, 0].min() > high[0] - 3.5
    assert white[:, 0].max() < high[1] + 3.5
