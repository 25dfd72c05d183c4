"""Comparisons over the whole film: brightness and contrast are the X-ray's, edges are thin, the unmeasured is told."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from radgs.case import RegistrationCase
from radgs.geometry import RigidTransform
from radgs.overlay import Contours, ViewCrop, drr, projected_lines
from radgs.overlay.films import binned_film, film_comparisons, film_of, like_film
from radgs.overlay.pictures import DrawnAnatomy


@pytest.fixture(scope="module")
def film(small_case: RegistrationCase, the_block: DrawnAnatomy) -> ViewCrop:
    view = small_case.views[0]
    binned, _geometry = binned_film(view.geometry)
    return film_of(view, binned, small_case.truth["L3"].apply(the_block.centre))


def test_a_film_is_its_xray_with_pixels_taken_together(small_case: RegistrationCase) -> None:
    view = small_case.views[0]
    half = film_of(view, 2, np.zeros(3))
    np.testing.assert_allclose(half.image[3, 5], view.image[6:8, 10:12].mean(), atol=1e-5)
    np.testing.assert_allclose(half.geometry.pixel_to_ras([5, 3]), view.geometry.pixel_to_ras([10.5, 6.5]), atol=1e-9)
    blind = np.ones(view.image.shape, dtype=bool)
    blind[6:8, 10:12] = False
    assert film_of(replace(view, field=blind), 2, np.zeros(3)).valid[3, 5] == 0.0


def test_a_drr_takes_the_xrays_brightness_and_contrast_and_keeps_its_own_shapes(
    small_case: RegistrationCase, the_block: DrawnAnatomy, film: ViewCrop
) -> None:
    truth = small_case.truth["L3"]
    image = drr(the_block, truth, film.geometry)
    bright = replace(film, image=(3.0 * image + 2.0).astype(np.float32), valid=np.ones_like(film.valid))
    np.testing.assert_allclose(like_film(bright, image), bright.image, rtol=0.02, atol=0.02)
    # What lies elsewhere in the X-ray takes no contrast from the DRR's own edges.
    moved = drr(the_block, RigidTransform(truth.rotation, truth.translation + [0.0, 0.0, 4.0]), film.geometry)
    shown = like_film(bright, moved)
    assert shown.std() == pytest.approx(bright.image.std(), rel=0.1)


def test_edges_are_thin_and_lie_on_the_contour(
    small_case: RegistrationCase, the_block: DrawnAnatomy, the_contours: Contours, film: ViewCrop
) -> None:
    truth = small_case.truth["L3"]
    edges = film_comparisons(film, drr(the_block, truth, film.geometry), the_block, truth, [])["edges"]
    strong = np.argwhere(edges > 128)[:, ::-1]
    lines = [line.points for line in projected_lines(the_contours, truth, film.geometry) if line.kind == "silhouette"]
    contour = np.concatenate([np.linspace(a, b, 20) for line in lines for a, b in itertools.pairwise(line)])
    away = cKDTree(strong).query(contour)[0]
    assert np.median(away) < 2.0
    sides = np.lib.stride_tricks.sliding_window_view(edges > 0, (4, 4)).all(axis=(2, 3))
    assert sides.mean() < 0.01  # nowhere a patch


def test_what_was_not_measured_has_no_difference(
    small_case: RegistrationCase, the_block: DrawnAnatomy, film: ViewCrop
) -> None:
    truth = small_case.truth["L3"]
    valid = film.valid.copy()
    valid[:, :8] = 0.0
    image = drr(the_block, truth, film.geometry)
    found = film_comparisons(replace(film, image=image, valid=valid), image, the_block, truth, [])["difference"]
    assert (found[:, :8] == 0).all()
    assert (found[:, 8:] > 0).all()
    assert np.percentile(np.abs(found[:, 20:].astype(int) - 128), 95) < 12


def test_agreement_lies_along_the_contour_and_falls_where_it_does_not_fit(
    small_case: RegistrationCase, the_block: DrawnAnatomy, the_contours: Contours, film: ViewCrop
) -> None:
    truth = small_case.truth["L3"]
    seen = drr(the_block, truth, film.geometry)
    xray = replace(film, image=seen, valid=np.ones_like(film.valid))

    def agreement(down_pixels: float) -> np.ndarray:
        pose = RigidTransform(truth.rotation, truth.translation - [0.0, 0.0, down_pixels * film.pixel_mm])
        lines = projected_lines(the_contours, pose, film.geometry)
        return film_comparisons(xray, drr(the_block, pose, film.geometry), the_block, pose, lines)["agreement"]

    right, off = agreement(0.0), agreement(1.5)
    assert np.median(right[right > 0]) == 255
    assert np.mean(off[off > 0]) < 200
    lines = [line.points for line in projected_lines(the_contours, truth, film.geometry) if line.kind != "neighbour"]
    contour = np.concatenate([np.linspace(a, b, 20) for line in lines for a, b in itertools.pairwise(line)])
    shown = np.argwhere(right > 0)[:, ::-1]
    assert cKDTree(contour).query(shown)[0].max() < 4.0 / film.pixel_mm


def test_a_vertebra_beyond_the_film_has_no_agreement(
    small_case: RegistrationCase, the_block: DrawnAnatomy, the_contours: Contours, film: ViewCrop
) -> None:
    truth = small_case.truth["L3"]
    beside = RigidTransform(truth.rotation, truth.translation + [0.0, 0.0, 2000.0])
    lines = projected_lines(the_contours, beside, film.geometry)
    image = drr(the_block, truth, film.geometry)
    assert not film_comparisons(film, image, the_block, beside, lines)["agreement"].any()
