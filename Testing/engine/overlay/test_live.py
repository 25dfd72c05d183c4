"""A pose that is moved by hand is drawn like any other, only smaller and faster."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from radgs.case import RegistrationCase
from radgs.errors import GeometryError
from radgs.geometry import RigidTransform
from radgs.overlay import Contours
from radgs.overlay.live import BINNED, LivePictures
from radgs.overlay.pictures import PICTURE_PIXELS, DrawnAnatomy, save_pictures


@pytest.fixture(scope="module")
def live(small_case: RegistrationCase, the_block: DrawnAnatomy, the_contours: Contours) -> LivePictures:
    return LivePictures("L3", the_block, the_contours, small_case.views, small_case.truth["L3"])


def test_it_lies_where_the_overlay_puts_it(
    live: LivePictures,
    small_case: RegistrationCase,
    the_block: DrawnAnatomy,
    the_contours: Contours,
    tmp_path: Path,
) -> None:
    truth = small_case.truth["L3"]
    moved = truth.rotated_about(truth.apply(the_block.centre), [0.0, 0.1, 0.0], [3.0, -2.0, 4.0])
    files = live.save(tmp_path / "live", moved)
    assert [file.name for file in files] == ["live.json", "L3_1_live.png", "L3_2_live.png"]
    quick = json.loads((tmp_path / "live" / "live.json").read_text(encoding="utf-8"))
    np.testing.assert_allclose(quick["ct_to_world"], moved.matrix)
    poses = {"nudged": moved, "result": truth}
    save_pictures(tmp_path / "slow", "L3", the_block, the_contours, small_case.views, poses)
    slow = json.loads((tmp_path / "slow" / "overlay.json").read_text(encoding="utf-8"))
    for view in ("AP", "LAT"):
        found, wanted = quick["views"][view], slow["views"][view]["poses"]["nudged"]
        assert [line["kind"] for line in found["contour"]] == [line["kind"] for line in wanted["contour"]]
        for drawn, exact in zip(found["contour"], wanted["contour"], strict=True):
            np.testing.assert_allclose(drawn["points"], exact["points"], atol=0.06)
        small, large = (
            imread(path)[..., 0] for path in (tmp_path / "live" / found["drr"], tmp_path / "slow" / wanted["drr"])
        )
        assert small.shape == (PICTURE_PIXELS // BINNED,) * 2
        binned = large.reshape(len(small), BINNED, len(small), BINNED).mean(axis=(1, 3))
        assert np.corrcoef(small.ravel(), binned.ravel())[0, 1] > 0.98
        shifted = np.roll(binned, 3, axis=1)
        assert np.corrcoef(small.ravel(), shifted.ravel())[0, 1] < 0.97  # the measure sees where it lies


def test_a_vertebra_behind_the_source_is_refused(live: LivePictures, tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match="view AP cannot show it"):
        live.save(tmp_path, RigidTransform(np.eye(3), np.array([0.0, 5000.0, 0.0])))
