"""What is laid over an X-ray: nothing where both agree, the right sign where they do not, edges where edges are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from radgs.case import RegistrationCase
from radgs.colours import RESULT, rgb
from radgs.geometry import XRayView
from radgs.overlay import Contours, ViewCrop, crop_view, drr, projected_lines
from radgs.overlay.comparisons import difference_picture, edge_picture, unmeasured_picture
from radgs.overlay.pictures import DrawnAnatomy, drawn_anatomy


@pytest.fixture(scope="module")
def the_block(small_case: RegistrationCase) -> DrawnAnatomy:
    return drawn_anatomy(small_case.ct, small_case.labels, small_case.levels[0])


@pytest.fixture(scope="module")
def exact(small_case: RegistrationCase, the_block: DrawnAnatomy) -> ViewCrop:
    """The X-ray is the DRR at the truth, at another gain and on a slope."""
    truth, view = small_case.truth["L3"], small_case.views[0]
    image = drr(the_block, truth, view.geometry)
    slope = np.linspace(0.0, 0.3, image.shape[1], dtype=np.float32)
    return crop_view(XRayView("AP", 0.7 * image + slope, view.geometry), the_block, truth)


def test_no_difference_is_middle_grey_whatever_gain_and_slope(
    small_case: RegistrationCase, the_block: DrawnAnatomy, exact: ViewCrop
) -> None:
    image = drr(the_block, small_case.truth["L3"], exact.geometry)
    grey = difference_picture(exact, image)[20:-20, 20:-20]
    assert np.percentile(np.abs(grey - 0.5), 95) < 0.08


def test_what_only_the_xray_shows_is_bright_and_what_only_the_drr_shows_dark(
    small_case: RegistrationCase, the_block: DrawnAnatomy, exact: ViewCrop
) -> None:
    image = drr(the_block, small_case.truth["L3"], exact.geometry)
    spot = slice(100, 112), slice(120, 132)
    more = exact.image.copy()
    more[spot] += 0.6
    assert difference_picture(replace(exact, image=more), image)[spot].min() > 0.7
    more_in_drr = image.copy()
    more_in_drr[spot] += 0.9
    assert difference_picture(exact, more_in_drr)[spot].max() < 0.3


def test_the_drrs_edges_are_drawn_on_the_contour_in_its_colour(
    small_case: RegistrationCase, the_block: DrawnAnatomy, exact: ViewCrop
) -> None:
    truth = small_case.truth["L3"]
    picture = edge_picture(exact, drr(the_block, truth, exact.geometry), RESULT)
    contours = Contours.of(small_case.labels, small_case.levels[0].label, None)
    lines = [line.points for line in projected_lines(contours, truth, exact.geometry) if line.kind == "silhouette"]
    line = np.concatenate(lines)
    inside = line + 0.4 * (line.mean(axis=0) - line)
    on_line, off_line = (
        np.median(picture[rows, columns, 3]) for columns, rows in (np.rint(at).astype(int).T for at in (line, inside))
    )
    assert on_line > 0.4
    assert on_line > 2 * off_line
    np.testing.assert_allclose(picture[0, 0, :3], rgb(RESULT), atol=1e-6)


def test_stripes_lie_where_nothing_was_measured_and_nowhere_else(exact: ViewCrop) -> None:
    valid = exact.valid.copy()
    valid[:, :40] = 0.0
    alpha = unmeasured_picture(replace(exact, valid=valid))[..., 3]
    assert ((alpha > 0) == (valid <= 0.5)).all()
    assert len(np.unique(alpha[:, :40])) == 2
