"""The worked examples of the geometry's pages are what the code computes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from radgs.geometry.c_arm import CArm
from radgs.geometry.projection import Convention, Pinhole, view_of_projection
from radgs.io.calibrations.autoscoper_tracking import model_volume

PROJECT = Path(__file__).resolve().parents[4]
PAGES = sorted((PROJECT / "docs" / "geometry").glob("*.md"))


def example(page: str, name: str) -> dict[str, Any]:
    text = (PROJECT / "docs" / "geometry" / f"{page}.md").read_text(encoding="utf-8")
    found = re.search(rf"```json {name}\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_the_camera_sees_the_point_at_its_pixel() -> None:
    camera = example("matrices", "camera")
    for rows, pixels, key in (("down", "centre", "pixel"), ("down", "corner", "corner")):
        k = np.array(camera["K"], dtype=float)
        k[:2, 2] += 0.5 if pixels == "corner" else 0.0
        pinhole = Pinhole((1000, 1000), np.array(camera["R|t"], dtype=float), k)
        convention = Convention("world-to-camera", rows, pixels)
        view = view_of_projection(pinhole.projection(convention), pinhole.size)
        np.testing.assert_allclose(view.project(camera["point"]), camera["pixel"])
        shift = 0.5 if pixels == "corner" else 0.0
        np.testing.assert_allclose(camera[key], np.array(camera["pixel"]) + shift)
    np.testing.assert_allclose(camera["up"], [camera["pixel"][0], 999 - camera["pixel"][1]])


def test_the_voxel_lies_where_the_page_says() -> None:
    voxel = example("biplane", "voxel")
    volume = model_volume(np.zeros((8, voxel["rows"], 12)), tuple(voxel["voxel_size"]))
    np.testing.assert_allclose(volume.to_ras(voxel["voxel"]), voxel["model"])


def test_the_exposure_stands_where_the_page_says() -> None:
    stated = example("dicom", "exposure")
    c_arm = CArm(
        stated["primary"],
        stated["secondary"],
        stated["sdd"],
        stated["sod"],
        (stated["spacing"], stated["spacing"]),
        tuple(stated["size"]),
    )
    view = c_arm.view()
    np.testing.assert_allclose(view.source_ras, stated["source_ras"], atol=1e-4)
    np.testing.assert_allclose(view.centre_ras, stated["middle_ras"], atol=1e-4)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_name_pictures_and_pages_that_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (page.parent / target).is_file(), target


def test_options_that_pages_name_exist() -> None:
    from typer.main import get_command

    from radgs.cli import app

    known = {
        option
        for command in get_command(app).commands.values()  # type: ignore[attr-defined]
        for parameter in command.params
        for option in parameter.opts
    }
    for page in PAGES:
        assert set(re.findall(r"(?<![\w-])(--[a-z][\w-]+)", page.read_text(encoding="utf-8"))) <= known
