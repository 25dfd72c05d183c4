"""The picture of attention says how much of it lies inside the vertebra, and on what scale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from radgs.colours import RESULT
from radgs.overlay import ProjectedLine
from radgs.overlay.reconstruction_figure import ViewOfReconstruction, reconstruction_figure

PIXELS = 64


@pytest.fixture
def a_view() -> ViewOfReconstruction:
    """A vertebra in the middle quarter of the picture; attention of half the size, 2 on its left half, 1 elsewhere."""
    inside = np.zeros((PIXELS, PIXELS), dtype=bool)
    inside[16:48, 16:48] = True
    attention = np.ones((PIXELS // 2, PIXELS // 2), dtype=np.float32)
    attention[8:24, 8:16] = 2.0
    grey = np.random.default_rng(0).normal(size=(PIXELS, PIXELS)).astype(np.float32)
    square = np.array([[16.0, 16.0], [47.0, 16.0], [47.0, 47.0], [16.0, 47.0], [16.0, 16.0]])
    contour = (ProjectedLine("silhouette", "body", square),)
    valid = np.ones_like(inside)
    return ViewOfReconstruction("AP", grey, valid, attention, np.abs(grey), np.abs(grey), inside, contour)


def test_the_shares_are_of_the_attention_and_of_the_picture(a_view: ViewOfReconstruction) -> None:
    shares = a_view.attention_inside
    assert shares is not None
    # 512 pixels count 2 and 512 count 1 inside; 3072 count 1 outside.
    assert shares[0] == pytest.approx(1536 / 4608, abs=0.01)
    assert shares[1] == pytest.approx(0.25)


def test_attention_that_is_the_same_everywhere_favours_nothing(a_view: ViewOfReconstruction) -> None:
    even = replace(a_view, attention=np.full((32, 32), 0.7, dtype=np.float32))
    inside, area = even.attention_inside or (0.0, 1.0)
    assert inside == pytest.approx(area, abs=1e-6)


def test_only_what_was_measured_counts(a_view: ViewOfReconstruction) -> None:
    valid = a_view.valid.copy()
    valid[:, :32] = False
    inside, area = replace(a_view, valid=valid).attention_inside or (0.0, 0.0)
    assert area == pytest.approx(0.25)
    assert inside == pytest.approx(0.25, abs=0.02)


def test_the_picture_has_a_scale_the_outline_and_the_shares(a_view: ViewOfReconstruction) -> None:
    figure = reconstruction_figure("L3", [a_view])
    said = " | ".join(text.get_text() for text in figure.findobj(lambda part: hasattr(part, "get_text")))
    assert "33% of it inside the vertebra, which takes 25%" in said
    assert "attention 1" in said
    xray, attention, reconstruction = figure.axes[:3]
    for axis in (xray, attention):
        (line,) = [line for line in axis.lines if line.get_color() == RESULT]
        # Pixel centres: 16 is a quarter of the way across and half a pixel; rows count from above.
        np.testing.assert_allclose(line.get_xydata()[0], [16.5 / 64, 1 - 16.5 / 64])
    assert not reconstruction.lines


def test_without_attention_nothing_is_said_of_it(a_view: ViewOfReconstruction) -> None:
    plain = replace(a_view, attention=None)
    assert plain.attention_inside is None
    figure = reconstruction_figure("L3", [plain])
    assert len(figure.axes) == 4
