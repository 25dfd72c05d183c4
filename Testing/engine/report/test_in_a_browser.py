"""The page in a real browser: the slider, before and after, the contour, the 3D view, light and dark, on paper."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from headless_browser import Page, browser, chromium
from matplotlib.image import imread
from skimage.transform import resize

from radgs.geometry import FloatArray

PROGRAM = chromium()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="No Chromium is installed: apt install chromium"),
]

FILM = "#level1-view1"


@pytest.fixture(scope="module")
def chromium_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(str(PROGRAM), tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(chromium_page: Page, report: Path) -> Page:
    chromium_page.open(report)
    return chromium_page


def seen(page: Page, tmp_path: Path, selector: str) -> FloatArray:
    return imread(page.screenshot(tmp_path / "seen.png", selector))[..., :3]


def picture(page: Page, selector: str) -> FloatArray:
    address = page.value(f"document.querySelector('{selector}').src")
    return imread(BytesIO(base64.b64decode(address.removeprefix("data:image/png;base64,"))))[..., 0]


def alike(image: FloatArray, other: FloatArray) -> float:
    return float(np.corrcoef(image.ravel(), other.ravel())[0, 1])


def test_nothing_goes_wrong_and_nothing_is_asked_of_the_network(page: Page) -> None:
    assert page.errors == []
    assert page.requested
    assert all(address.startswith(("file:", "data:")) for address in page.requested)


def test_the_slider_moves_the_split_between_xray_and_drr(page: Page, tmp_path: Path) -> None:
    left, top, width, height = page.box(f"{FILM} .mix")
    page.drag((left + width / 2, top + height / 2), (left + 0.7 * width, top + height / 2))
    share = int(page.value(f"document.querySelector('{FILM} .mix').value"))
    assert 65 <= share <= 75
    page.click(f"{FILM} .show-contour")
    shown = seen(page, tmp_path, f"{FILM} .stack")[..., 0]
    drr, xray = (resize(picture(page, f"{FILM} {kind}"), shown.shape, order=1) for kind in (".drr.chosen", ".xray"))
    seam = round(share / 100 * shown.shape[1])
    rows = slice(40, -60)  # between the letters and the bar
    assert alike(shown[rows, 40 : seam - 5], drr[rows, 40 : seam - 5]) > 0.95
    assert alike(shown[rows, seam + 5 : -40], xray[rows, seam + 5 : -40]) > 0.95
    assert alike(shown[rows, seam + 5 : -40], drr[rows, seam + 5 : -40]) < 0.5


def test_the_split_can_be_taken_in_the_picture(page: Page) -> None:
    left, top, width, height = page.box(f"{FILM} .stack")
    page.drag((left + width / 2, top + height / 2), (left + width / 4, top + height / 2))
    assert int(page.value(f"document.querySelector('{FILM} .mix').value")) == 25


def test_a_blend_mixes_the_two(page: Page, tmp_path: Path) -> None:
    page.click(f"{FILM} input[value=blend]")
    page.click(f"{FILM} .show-contour")
    shown = seen(page, tmp_path, f"{FILM} .stack")[..., 0]
    drr, xray = (resize(picture(page, f"{FILM} {kind}"), shown.shape, order=1) for kind in (".drr.chosen", ".xray"))
    inside = slice(60, -60), slice(60, -60)
    np.testing.assert_allclose(shown[inside], (0.5 * drr + 0.5 * xray)[inside], atol=0.08)


def test_before_and_after_swap_drr_and_contour(page: Page) -> None:
    shown = f"[...document.querySelectorAll('{FILM} [data-pose]')]"
    visible = f"{shown}.filter(e => getComputedStyle(e).visibility === 'visible').map(e => e.dataset.pose)"
    assert page.value(visible) == ["result", "result"]
    page.click(f"{FILM} input[value=start]")
    assert page.value(visible) == ["start", "start"]
    page.click(f"{FILM} .show-contour")
    assert page.value(visible) == ["start"]  # the DRR alone


def test_the_contour_is_drawn_in_the_results_colour(page: Page, tmp_path: Path) -> None:
    with_contour = seen(page, tmp_path, f"{FILM} .stack")
    page.click(f"{FILM} .show-contour")
    without = seen(page, tmp_path, f"{FILM} .stack")
    changed = np.abs(with_contour - without).max(axis=-1) > 0.3
    assert 200 < changed.sum() < 20_000
    colour = np.median(with_contour[changed], axis=0)
    assert colour[2] > colour[0] + 0.2  # sky blue


def test_the_3d_view_turns(page: Page, tmp_path: Path) -> None:
    page.click("[data-look=vertebra]")
    before = seen(page, tmp_path, "#scene")
    blue = (before[..., 2] > before[..., 0] + 0.15).mean()
    assert blue > 0.05  # the vertebra fills a part of it
    assert int(page.value("document.getElementById('scene').dataset.drawn")) > 100
    left, top, width, height = page.box("#scene")
    page.drag((left + width / 2, top + height / 2), (left + width / 2 + 90, top + height / 2))
    after = seen(page, tmp_path, "#scene")
    assert (np.abs(after - before).max(axis=-1) > 0.1).mean() > 0.02


def test_it_is_dark_where_the_reader_wants_it_dark(chromium_page: Page, report: Path) -> None:
    luminance = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).reduce((a, b) => a + Number(b), 0)"
    chromium_page.open(report, dark=True)
    assert chromium_page.value(luminance) < 150
    chromium_page.open(report)
    assert chromium_page.value(luminance) > 700


def test_it_prints_without_controls_and_fits_a_narrow_screen(chromium_page: Page, report: Path) -> None:
    chromium_page.open(report, width=390, height=800)
    assert chromium_page.value("document.documentElement.scrollWidth") <= 390
    chromium_page.ask("Emulation.setEmulatedMedia", media="print")
    shown = "getComputedStyle(document.querySelector('.controls')).display"
    assert chromium_page.value(shown) == "none"
    pdf = base64.b64decode(chromium_page.ask("Page.printToPDF", printBackground=True)["data"])
    assert pdf.startswith(b"%PDF")
