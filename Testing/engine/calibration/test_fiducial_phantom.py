"""A phantom's picks give back the C-arm that made them, say how well, and name the picks that are wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from radgs.calibration import Pick, calibrate_phantom, read_phantom, read_picks
from radgs.calibration.view_moves import numbers_between
from radgs.errors import GeometryError, InputFileError
from radgs.geometry import FloatArray, ViewGeometry, XRayView, triangulate
from radgs.geometry.c_arm import CArm, FilmTurn
from radgs.geometry.sigma import GeometrySigma
from radgs.pipeline.geometry_uncertainty import geometry_covariance
from radgs.refine.solver import TWIST_SCALE

SIZE = (1024, 1024)
PIXEL_MM = 0.3
VIEWS = {
    "AP": CArm(3.0, -4.0, 1000.0, 620.0, (PIXEL_MM, PIXEL_MM), SIZE, (520.0, 500.0)).view(),
    "LAT": CArm(92.0, 5.0, 1030.0, 640.0, (PIXEL_MM, PIXEL_MM), SIZE, (505.0, 515.0)).view([4.0, -3.0, 2.0]),
}
NOISE_PX = 0.3


def phantom(count: int = 60, seed: int = 4) -> dict[str, FloatArray]:
    """Beads through a block of 160 mm a side."""
    places = np.random.default_rng(seed).uniform(-80, 80, (count, 3))
    return {f"bead {number}": place for number, place in enumerate(places)}


def picks_of(
    beads: dict[str, FloatArray], noise_px: float, seed: int, views: dict[str, ViewGeometry] | None = None
) -> list[Pick]:
    random = np.random.default_rng(seed)
    made = []
    for view, geometry in (views or VIEWS).items():
        for name, place in beads.items():
            column, row = geometry.project(place) + random.normal(0, noise_px, 2)
            made.append(Pick(view, name, (float(column), float(row))))
    return made


def angle_deg(first: FloatArray, second: FloatArray) -> float:
    unit = [axis / np.linalg.norm(axis) for axis in (first, second)]
    return float(np.degrees(np.arccos(np.clip(unit[0] @ unit[1], -1, 1))))


@pytest.mark.parametrize("seed", range(4))
def test_a_known_c_arm_is_recovered(seed: int) -> None:
    """At 0.3 px of noise: what it places within 0.2 mm, its rays within 0.1 degree; with K known, all of it."""
    pixel, sizes = dict.fromkeys(VIEWS, PIXEL_MM), dict.fromkeys(VIEWS, SIZE)
    picks = picks_of(phantom(), NOISE_PX, seed)
    distances = {name: view.source_to_detector_mm for name, view in VIEWS.items()}
    middles = {
        name: tuple(view.project(view.source_ras + view.normal * view.source_to_detector_mm).tolist())
        for name, view in VIEWS.items()
    }
    for known in (False, True):
        solved = calibrate_phantom(
            phantom(),
            picks,
            sizes,
            pixel_mm=pixel,
            source_to_detector_mm=distances if known else None,
            middle_px=middles if known else None,
        )
        found = {view.name: view.geometry for view in solved.views}
        for point in np.random.default_rng(9).uniform(-60, 60, (50, 3)):
            pixels = [view.project(point) for view in VIEWS.values()]
            assert np.linalg.norm(triangulate(list(found.values()), pixels).point - point) < 0.2
            for view, pixel_of_point in zip(VIEWS, pixels, strict=True):
                rays = [geometry.back_project(pixel_of_point) for geometry in (found[view], VIEWS[view])]
                assert angle_deg(*rays) < 0.1
        assert all(view.bad_picks == {} for view in solved.views)
        assert all(view.pick_sigma_px == pytest.approx(NOISE_PX, rel=0.3) for view in solved.views)
    for name, truth in VIEWS.items():
        for axis in ("normal", "column_step", "row_step"):
            assert angle_deg(getattr(found[name], axis), getattr(truth, axis)) < 0.1
        sigma = next(view.sigma for view in solved.views if view.name == name)  # some 0.1 mm: 0.01 degree at 640 mm
        assert (np.abs(found[name].source_ras - truth.source_ras) < 4 * sigma.source_mm).all()
        assert (np.abs(found[name].centre_ras - truth.centre_ras) < 4 * sigma.detector_mm).all()


def test_without_noise_everything_comes_back() -> None:
    beads, sizes, pixel = phantom(8), dict.fromkeys(VIEWS, SIZE), dict.fromkeys(VIEWS, PIXEL_MM)
    solved = calibrate_phantom(beads, picks_of(beads, 0.0, 0), sizes, pixel_mm=pixel)
    for view in solved.views:
        np.testing.assert_allclose(view.geometry.source_ras, VIEWS[view.name].source_ras, atol=1e-4)
        np.testing.assert_allclose(view.geometry.detector_to_ras, VIEWS[view.name].detector_to_ras, atol=1e-4)


def test_the_stated_uncertainty_is_that_of_repetitions() -> None:
    """Over 40 draws of the noise, source and film scatter by what one calibration states, within a third or so."""
    beads, pixel, sizes = phantom(30), {"AP": PIXEL_MM}, {"AP": SIZE}
    sources, centres, stated = [], [], []
    for seed in range(40):
        picks = picks_of(beads, NOISE_PX, seed, {"AP": VIEWS["AP"]})
        (view,) = calibrate_phantom(beads, picks, sizes, pixel_mm=pixel).views
        sources.append(view.geometry.source_ras)
        centres.append(view.geometry.centre_ras)
        stated.append(np.concatenate([view.sigma.source_mm, view.sigma.detector_mm]))
    scatter = np.concatenate([np.std(sources, axis=0), np.std(centres, axis=0)])
    np.testing.assert_allclose(np.median(stated, axis=0), scatter, rtol=0.35)


def test_source_and_film_are_uncertain_together() -> None:
    """Picks tell rays, not how far away the source is: errors of 60 draws are as likely as the covariance has them."""
    beads, pixel, sizes = phantom(30), {"AP": PIXEL_MM}, {"AP": SIZE}
    squares = []
    for seed in range(60):
        picks = picks_of(beads, NOISE_PX, 100 + seed, {"AP": VIEWS["AP"]})
        (view,) = calibrate_phantom(beads, picks, sizes, pixel_mm=pixel).views
        error = numbers_between(VIEWS["AP"], view.geometry)
        covariance = view.sigma.as_covariance
        squares.append(error @ np.linalg.solve(covariance, error))
        assert not np.allclose(covariance, np.diag(np.diag(covariance)))
    assert np.mean(squares) == pytest.approx(9.0, abs=2.0)  # chi-squared of nine numbers


def test_what_two_views_triangulate_is_as_sure_as_it_turns_out_to_be() -> None:
    """The pose's uncertainty from a phantom's calibration: that of repetitions, not ten times as much."""
    beads, sizes, pixel = phantom(), dict.fromkeys(VIEWS, SIZE), dict.fromkeys(VIEWS, PIXEL_MM)
    bone = np.random.default_rng(5).uniform(-20, 20, (40, 3))
    seen = [view.project(bone) for view in VIEWS.values()]
    middles, stated, alone = [], [], []
    for seed in range(20):
        solved = calibrate_phantom(beads, picks_of(beads, NOISE_PX, 300 + seed), sizes, pixel_mm=pixel).views
        geometries = [view.geometry for view in solved]
        points = [triangulate(geometries, pair).point for pair in zip(*seen, strict=True)]
        middles.append(np.mean(points, axis=0) - bone.mean(axis=0))
        for said, sigmas in (
            (stated, [view.sigma for view in solved]),
            (alone, [GeometrySigma(s.source_mm, s.detector_mm, s.detector_deg) for s in (v.sigma for v in solved)]),
        ):
            views = [
                XRayView(view.name, np.zeros(SIZE), view.geometry, geometry_sigma=sigma)
                for view, sigma in zip(solved, sigmas, strict=True)
            ]
            said.append(np.sqrt(np.diag(geometry_covariance(views, bone, bone.mean(axis=0))))[3:] * TWIST_SCALE[3:])
    scatter = np.sqrt(np.mean(np.square(middles), axis=0))
    np.testing.assert_allclose(np.median(stated, axis=0), scatter, rtol=0.6, atol=0.003)
    assert (np.median(alone, axis=0) > 3 * np.median(stated, axis=0)).any()


def test_a_distance_that_is_held_leaves_a_prior_that_can_be_inverted() -> None:
    """A source-detector distance that is known takes a direction out of the covariance; self-calibration inverts it."""
    beads, sizes, pixel = phantom(), dict.fromkeys(VIEWS, SIZE), dict.fromkeys(VIEWS, PIXEL_MM)
    distances = {name: view.source_to_detector_mm for name, view in VIEWS.items()}
    solved = calibrate_phantom(
        beads, picks_of(beads, NOISE_PX, 1), sizes, pixel_mm=pixel, source_to_detector_mm=distances
    )
    for view in solved.views:
        assert np.linalg.eigvalsh(view.sigma.as_covariance)[0] < 1e-9
        prior = view.sigma.as_invertible_covariance
        assert (np.diag(np.linalg.cholesky(prior)) > 0).all()
        np.testing.assert_allclose(np.sqrt(np.diag(prior)), np.sqrt(np.diag(view.sigma.as_covariance)), atol=0.02)


@pytest.mark.parametrize("turn", [FilmTurn(0, True), FilmTurn(1), FilmTurn(3, True)])
def test_turned_and_mirrored_images_are_calibrated_alike(turn: FilmTurn) -> None:
    views = {"AP": CArm(20.0, 10.0, 1000.0, 620.0, (PIXEL_MM, PIXEL_MM), SIZE, turn=turn).view()}
    beads = phantom(20)
    (view,) = calibrate_phantom(beads, picks_of(beads, 0.0, 0, views), {"AP": SIZE}, pixel_mm={"AP": PIXEL_MM}).views
    np.testing.assert_allclose(view.geometry.detector_to_ras[:3, :2], views["AP"].detector_to_ras[:3, :2], atol=1e-6)
    np.testing.assert_allclose(view.geometry.source_ras, views["AP"].source_ras, atol=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_wrong_picks_are_named_and_do_no_harm(seed: int) -> None:
    beads = phantom(24)
    picks = picks_of(beads, NOISE_PX, seed)
    swapped = {("AP", "bead 3"): (140.0, -60.0), ("AP", "bead 11"): (3.5, 0.0), ("LAT", "bead 7"): (0.0, 25.0)}
    spoilt = [
        Pick(p.view, p.point, (p.pixel[0] + shift[0], p.pixel[1] + shift[1]))
        for p in picks
        for shift in [swapped.get((p.view, p.point), (0.0, 0.0))]
    ]
    solved = calibrate_phantom(beads, spoilt, dict.fromkeys(VIEWS, SIZE), pixel_mm=dict.fromkeys(VIEWS, PIXEL_MM))
    assert {view.name: set(view.bad_picks) for view in solved.views} == {"AP": {"bead 3", "bead 11"}, "LAT": {"bead 7"}}
    assert next(iter(solved.views[0].bad_picks)) == "bead 3"  # the worst comes first
    found = [view.geometry for view in solved.views]
    seen = triangulate(found, [view.project([10.0, 20.0, -30.0]) for view in VIEWS.values()])
    assert np.linalg.norm(seen.point - [10.0, 20.0, -30.0]) < 0.3


def test_beads_off_their_stated_places_are_adjusted_with_the_views() -> None:
    """With beads 0.3 mm off, adjusting them too explains the picks, and triangulates better than not."""
    stated = phantom(40)
    random = np.random.default_rng(2)
    true = {name: place + random.normal(0, 0.3, 3) for name, place in stated.items()}
    picks = picks_of(true, 0.1, 1)
    pixel, sizes = dict.fromkeys(VIEWS, PIXEL_MM), dict.fromkeys(VIEWS, SIZE)
    free = calibrate_phantom(stated, picks, sizes, pixel_mm=pixel, point_sigma_mm=0.3)
    held = calibrate_phantom(stated, picks, sizes, pixel_mm=pixel)
    gaps = []
    for solved in (free, held):
        pixels = [[view.project(p) for view in VIEWS.values()] for p in true.values()]
        gaps.append(np.mean([triangulate([v.geometry for v in solved.views], p).gap_mm for p in pixels]))
    assert gaps[0] < 0.8 * gaps[1]


def test_what_cannot_be_calibrated_is_told() -> None:
    beads = phantom(12)
    flat = {name: place * [1, 1, 0.01] for name, place in beads.items()}
    few = dict(list(beads.items())[:5])
    sizes = dict.fromkeys(VIEWS, SIZE)
    for points, shapes, said in (
        (few, sizes, "has 5 picks"),
        (flat, sizes, "one plane"),
        (beads, {"AP": SIZE}, "how large the image of view LAT"),
    ):
        with pytest.raises(GeometryError, match=said):
            calibrate_phantom(points, picks_of(points, 0.0, 0), shapes)
    with pytest.raises(GeometryError, match="no picks"):
        calibrate_phantom(beads, [], sizes)
    with pytest.raises(GeometryError, match="no pixel size"):
        calibrate_phantom(beads, picks_of(beads, 0.0, 0), sizes, source_to_detector_mm={"AP": 1000.0})


def test_tables_are_read_with_and_without_headings(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("name,x,y,z\na,1,2,3\n\n# comment\nb, 4 ,5,6.5\n")
    points = read_phantom(tmp_path / "points.csv")
    np.testing.assert_array_equal(points["b"], [4, 5, 6.5])
    (tmp_path / "picks.csv").write_text("AP,a,10.5,20\nLAT,b,1,2\n")
    assert read_picks(tmp_path / "picks.csv", points)[0] == Pick("AP", "a", (10.5, 20.0))
    for text, said in (
        ("AP,c,1,2\n", "no point c"),
        ("AP,a,1,2\nAP,a,1,3\n", "picked twice"),
        ("view,name,column,row\nAP,a,1,2\nAP,b,one,2\n", "row 3"),
        ("AP,a,1,nan\nAP,b,1,2\nx\n", "row 3"),
        ("view,name\n", "holds no row"),
    ):
        (tmp_path / "picks.csv").write_text(text)
        with pytest.raises(InputFileError, match=said):
            read_picks(tmp_path / "picks.csv", points)
    (tmp_path / "points.csv").write_text("a,1,2,3\na,4,5,6\n")
    with pytest.raises(InputFileError, match="stands twice"):
        read_phantom(tmp_path / "points.csv")
