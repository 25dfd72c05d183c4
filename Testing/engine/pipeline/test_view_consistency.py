"""What a view wants of an image: its moves and their derivatives, how sure it can be, and what is made of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from radgs.filters import blurred
from radgs.pipeline.edges import Likeness
from radgs.pipeline.view_consistency import (
    CHECK_ODDS,
    ViewWish,
    _covariance,
    _Plane,
    _wish,
    disagreement_mm,
    log_odds,
    view_findings,
)
from radgs.refine import Observation

SIZE = 96
PLANE = _Plane(np.array([44.0, 51.0]), pixel_mm=1.2, pixels=SIZE)
SHARP = np.zeros(2)


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


BONES = torch.zeros(2, SIZE, SIZE, dtype=torch.float64)
BONES[0, 40:60, 34:56] = 0.6
BONES[1, 15:32, 36:52] = 0.5
BONES = blurred(BONES, 1.2, 4) * (1.0 + 0.4 * smooth_image())
AROUND_THEM = 0.35 * blurred(smooth_image()[None], 1.0, 3)[0]
EVERYTHING = BONES.sum(dim=0) + AROUND_THEM


def seen(image: torch.Tensor, valid: torch.Tensor | None = None) -> Observation:
    noise = 0.002 * torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return Observation((image + noise)[None], torch.ones_like(image)[None] if valid is None else valid[None], (), 1.2)


def test_a_view_whose_image_lies_lower_wants_the_vertebra_lower() -> None:
    lower = PLANE.moved(EVERYTHING, np.array([0.0, 1.5, 0.0, 0.0]))
    wish = _wish("LAT", seen(lower), PLANE, BONES, AROUND_THEM, SHARP)
    assert wish.down_mm == pytest.approx(1.5, abs=0.15)
    assert abs(wish.turn_mm) < 0.1
    assert abs(wish.grow_mm) < 0.1
    assert wish.squares > 25.0
    assert wish.words.endswith("mm further down")


@pytest.mark.parametrize("lower", ["tissue", "bones"])
def test_what_one_witness_alone_wants_is_not_wanted(lower: str) -> None:
    """Tissue that has moved since the CT, or bones that did so alone, which their poses have followed."""
    bones = BONES.sum(dim=0)
    moved_mm = 1.5 if lower == "tissue" else -1.5  # a pose that has followed its bones down leaves tissue above
    shown = bones + PLANE.moved(AROUND_THEM, np.array([0.0, moved_mm, 0.0, 0.0]))
    wish = _wish("LAT", seen(shown), PLANE, BONES, AROUND_THEM, SHARP)
    assert wish.size_mm < 0.4
    assert disagreement_mm([wish]) < 0.4


def test_a_ct_that_explains_little_of_an_image_knows_little_of_it() -> None:
    lower = PLANE.moved(EVERYTHING, np.array([0.0, 1.5, 0.0, 0.0]))
    other = 0.5 * blurred(torch.randn(1, SIZE, SIZE, generator=torch.Generator().manual_seed(5)).double(), 2.0, 6)[0]
    clear = _wish("LAT", seen(lower), PLANE, BONES, AROUND_THEM, SHARP)
    unclear = _wish("LAT", seen(lower + 2.0 * other), PLANE, BONES, AROUND_THEM, SHARP)
    assert min(np.array(unclear.sigma_mm) / np.array(clear.sigma_mm)) > 2.0


def test_a_view_that_measured_nothing_wants_nothing() -> None:
    wish = _wish("AP", seen(EVERYTHING, torch.zeros(SIZE, SIZE, dtype=torch.float64)), PLANE, BONES, AROUND_THEM, SHARP)
    assert (wish.size_mm, wish.squares, wish.sure_mm) == (0.0, 0.0, 0.0)
    assert view_findings([wish], 0.9) == []


def wishes(apart_mm: float, sigmas: float, sigmas_of_all: float, lost: float = 0.0) -> tuple[ViewWish, ViewWish]:
    """Two views, of which the lateral one wants all; as many standard deviations as given."""
    sigma, edges = (apart_mm / sigmas,) * 3, Likeness(0.95, 0.95 - lost)
    return (
        ViewWish("AP", 0.0, 0.0, 0.0, sigma, edges=replace(edges, fine=0.95 - 0.9 * lost)),
        ViewWish("LAT", apart_mm, 0.0, 0.0, sigma, sigmas_of_all**2, edges=replace(edges, fine=0.95 - 1.1 * lost)),
    )


@pytest.mark.parametrize(
    ("apart_mm", "sigmas", "sigmas_of_all", "similarity", "lost", "expected"),
    [
        (0.26, 0.9, 3.7, 0.86, 0.00, []),  # T10 of a CT cut to 150 mm, right
        (0.32, 1.0, 9.2, 0.95, 0.01, []),  # T10, right, soft tissue displaced
        (0.26, 1.2, 4.8, 0.84, 0.02, ["check"]),  # T12 of a CT cut to 120 mm, right
        (0.02, 0.1, 13.0, 0.93, 0.029, ["check"]),  # T11, detector 5 mm off, tissue displaced: 3.7 mm
        (0.18, 0.5, 3.1, 0.75, 0.018, ["check"]),  # another patient's L4, strong scatter
        (0.27, 0.6, 1.9, 0.85, 0.06, ["reject"]),  # another patient's L2, everything at once
        (1.06, 3.6, 6.0, 0.83, 0.01, ["reject"]),  # T12 of a cut CT, the detector 10 mm off: 5.3 mm
        (2.5, 1.5, 6.1, 0.83, -0.045, ["check"]),  # an ulna on real X-rays, its bones alone in the CT, right
        (5.8, 1.4, 7.6, 0.78, -0.02, ["reject"]),  # the same, 11 mm off
    ],
)
def test_contradictions_are_judged_as_trials_with_a_known_truth_ask_for(
    apart_mm: float, sigmas: float, sigmas_of_all: float, similarity: float, lost: float, expected: list[str]
) -> None:
    found = view_findings(wishes(apart_mm, sigmas, sigmas_of_all, lost), similarity)
    assert [verdict for verdict, _ in found] == expected
    assert all("view LAT" in reason.message for _, reason in found)


def test_what_speaks_most_against_a_pose_is_said() -> None:
    ((_, by_place),) = view_findings(wishes(1.5, 4.0, 12.0, 0.02), 0.9)
    assert "contradict each other by 1.5 mm: view LAT wants the vertebra 1.5 mm further down" in by_place.message
    ((_, by_edges),) = view_findings(wishes(0.2, 1.0, 5.0, 0.10), 0.85)
    assert (
        "shape in view LAT better than its edges: gradient correlation 0.95 at 2 mm, 0.84 at 1 mm" in by_edges.message
    )


def test_doubt_grows_with_every_number_that_speaks_for_it() -> None:
    here = log_odds(wishes(1.0, 3.0, 6.0, 0.05), 0.9)
    assert log_odds(wishes(1.5, 3.0, 6.0, 0.05), 0.9) > here
    assert log_odds(wishes(1.0, 4.0, 6.0, 0.05), 0.9) > here
    assert log_odds(wishes(1.0, 3.0, 7.0, 0.05), 0.9) > here
    assert log_odds(wishes(1.0, 3.0, 6.0, 0.06), 0.9) > here
    assert log_odds(wishes(1.0, 3.0, 6.0, 0.05), 0.8) > here
    assert log_odds(wishes(1.0, 3.0, 6.0), 0.99) == log_odds(wishes(1.0, 3.0, 6.0), 1.0)
    assert log_odds(wishes(8.0, 3.0, 6.0), 0.9) == log_odds(wishes(3.0, 3.0, 6.0), 0.9)
    assert log_odds(wishes(0.1, 0.1, 0.1), 0.98) < CHECK_ODDS
