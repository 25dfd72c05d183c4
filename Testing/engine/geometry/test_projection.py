"""Where a bone probably is, before anything is registered."""

from __future__ import annotations

import numpy as np
import pytest

from radgs.geometry.c_arm import CArm
from radgs.geometry.projection import USUAL_MAGNIFICATION, likely_point

FRONTAL, LATERAL = (CArm(angle, 0.0, 1000.0, 650.0, (0.5, 0.5), (400, 300)).view() for angle in (0.0, 90.0))
BONE = np.array([12.0, -20.0, 35.0])


def test_on_both_clicks_it_is_where_their_rays_meet() -> None:
    clicks = [view.project(BONE) for view in (FRONTAL, LATERAL)]
    np.testing.assert_allclose(likely_point([FRONTAL, LATERAL], clicks), BONE, atol=1e-6)


def test_without_clicks_it_is_where_the_films_middles_meet() -> None:
    """Of a C-arm that turned about its isocentre, that."""
    np.testing.assert_allclose(likely_point([FRONTAL, LATERAL], [None, None]), np.zeros(3), atol=1e-6)


@pytest.mark.parametrize("clicked", [0, 1])
def test_one_click_is_kept_to(clicked: int) -> None:
    views = [FRONTAL, LATERAL]
    clicks = [view.project(BONE) if number == clicked else None for number, view in enumerate(views)]
    np.testing.assert_allclose(views[clicked].project(likely_point(views, clicks)), clicks[clicked], atol=1e-6)


@pytest.mark.parametrize("click", [None, FRONTAL.project(BONE)])
def test_of_one_view_it_is_where_patients_usually_are(click: np.ndarray | None) -> None:
    point = likely_point([FRONTAL], [click])
    depth = float(FRONTAL.normal @ (point - FRONTAL.source_ras))
    assert depth == pytest.approx(1000.0 / USUAL_MAGNIFICATION)
    np.testing.assert_allclose(FRONTAL.project(point), (199.5, 149.5) if click is None else click, atol=1e-6)
