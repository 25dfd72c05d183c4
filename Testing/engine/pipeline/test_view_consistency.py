"""What a view wants of an image: its moves and their derivatives, how sure it can be, and what is made of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from radgs.filters import blurred
from radgs.pipeline.view_consistency import (
    CHECK_ODDS,
    ViewWish,
    _covariance,
    _Plane,
    disagreement_mm,
    log_odds,
    view_findings,
)

SIZE = 96
PLANE = _Plane(np.array([44.0, 51.0]), pixel_mm=1.2, pixels=SIZE)


def smooth_image() -> torch.Tensor:
    noise = torch.randn(1, SIZE, SIZE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return blurred(noise, 6.0, 18)[0]


def test_an_image_is_moved_as_its_pixels_say() -> None:
    image = torch.zeros(SIZE, SIZE, dtype=torch.float64)
    image[51, 64] = 1.0  # 20 columns to the right of the centre
    across = PLANE.moved(image, np.array([2 * 1.2, 3 * 1.2, 0.0, 0.0]))
    assert across[54, 66] == pytest.approx(1.0)
    clockwise = PLANE.moved(image, np.array([0.0, 0.0, 25.0 * np.pi / 2, 0.0]))
    assert clockwise[71, 44] == pytest.approx(1.0, abs=1e-6)
    larger = PLANE.moved(image, np.array([0.0, 0.0, 0.0, 25.0 * 0.5]))
    assert larger[51, 74] == pytest.approx(1.0)


def test_derivatives_are_those_of_the_moves() -> None:
    image, wish = smooth_image(), np.array([1.2, -0.7, 2.0, 1.5])
    derivatives = PLANE.derivatives(PLANE.moved(image, wish), wish)
    inside = slice(12, -12)
    for one, axis in zip(derivatives, np.eye(4), strict=True):
        differences = PLANE.moved(image, wish + 0.5 * axis) - PLANE.moved(image, wish - 0.5 * axis)
        off = (one - differences)[inside, inside].norm() / differences[inside, inside].norm()
        assert off < 0.07


def test_residuals_that_tiles_share_make_a_wish_less_sure() -> None:
    """Least squares with a residual that is the same all over a tile: against the spread of 400 such fits."""
    rng = np.random.default_rng(1)
    tile, tiles = 8, 12
    side = tile * tiles
    jacobian = torch.from_numpy(rng.normal(1.0, 0.3, size=(4, side, side)))
    rows = jacobian.flatten(1).numpy()
    normal = rows @ rows.T
    found, predicted = [], []
    for _ in range(400):
        shared = torch.from_numpy(np.kron(rng.normal(size=(tiles, tiles)), np.ones((tile, tile))))
        found.append(np.linalg.solve(normal, rows @ shared.flatten().numpy()))
        predicted.append(np.diag(_covariance(normal, jacobian * shared, tile)))
    assert np.sqrt(np.mean(predicted, axis=0)) == pytest.approx(np.std(found, axis=0), rel=0.15)


def wishes(apart_mm: float, sigma_mm: float) -> tuple[ViewWish, ViewWish]:
    sigmas = (sigma_mm, sigma_mm, sigma_mm)
    return ViewWish("AP", 0.0, 0.0, 0.0, sigmas), ViewWish("LAT", apart_mm, 0.0, 0.0, sigmas)


@pytest.mark.parametrize(
    ("apart_mm", "sigma_mm", "distinction", "expected"),
    [
        (0.3, 0.08, 0.3, []),  # T10 of a CT cut to 150 mm, right
        (0.25, 0.03, 2.5, []),  # T12, right, its geometry off by what is usual
        (1.1, 0.1, 0.97, ["check"]),  # T12 of a cut CT, an X-ray that lost columns: it lies 18 mm off
        (1.5, 0.1, 0.5, ["reject"]),  # T12, the detector 10 mm off: 5.3 mm
    ],
)
def test_contradictions_are_judged_as_trials_with_a_known_truth_ask_for(
    apart_mm: float, sigma_mm: float, distinction: float, expected: list[str]
) -> None:
    found = view_findings(wishes(apart_mm, sigma_mm), distinction)
    assert [verdict for verdict, _ in found] == expected
    assert all("view LAT wants the vertebra" in reason.message for _, reason in found)


def test_views_reject_no_right_pose_of_a_forearms_bone() -> None:
    """On real X-rays, its bones alone in their CT: up to 7.6 mm; where it lies 11 mm off, 8.5 to 13 mm."""
    ((verdict, reason),) = view_findings(wishes(6.8, 0.45), 1.1, of_vertebra=False)
    assert (verdict, reason.code) == ("check", "views")
    assert [verdict for verdict, _ in view_findings(wishes(8.5, 0.5), 0.9, of_vertebra=False)] == ["reject"]
    assert disagreement_mm(wishes(6.8, 0.45)) == pytest.approx(6.8)
    assert disagreement_mm(wishes(6.8, 0.45), of_vertebra=False) == 0.0


def test_doubt_grows_with_every_number_that_speaks_for_it() -> None:
    here = log_odds(1.0, 40.0, 0.5)
    assert log_odds(1.5, 40.0, 0.5) > here
    assert log_odds(1.0, 50.0, 0.5) > here
    assert log_odds(1.0, 40.0, 0.3) > here
    assert log_odds(1.0, 40.0, 0.0) == log_odds(1.0, 40.0, -0.5) > here
    assert log_odds(8.0, 40.0, 0.5) == log_odds(3.0, 40.0, 0.5)
    assert log_odds(0.1, 0.0, 3.0) < CHECK_ODDS
