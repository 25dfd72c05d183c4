"""The page about a registration, as text: what it says, in which order, and that it needs nothing else."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from scipy.spatial import cKDTree
from typer.testing import CliRunner

from radgs.anatomy import surface_mesh
from radgs.case import Level, LevelResult, RegistrationCase, RegistrationResult
from radgs.cli import app
from radgs.errors import CaseError, InputFileError
from radgs.geometry import FloatArray
from radgs.io.folder_swap import LIST_NAME, folder_to_be, listed_files
from radgs.overlay.arrays import crop_view
from radgs.overlay.pictures import drawn_anatomy
from radgs.report import case_of, check_same_case, write_report
from radgs.report.films import FILM_PIXELS
from radgs.report.scene import CELL_MM, simplified


class _Read(HTMLParser):
    """What a page holds: its words in order, its elements, and its scripts' data."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.data: dict[str, str] = {}
        self._script: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._script = tag if tag in ("script", "style") else None
        if tag == "script" and dict(attrs).get("type") == "application/json":
            self._script = str(dict(attrs)["id"])

    def handle_endtag(self, tag: str) -> None:
        self._script = None

    def handle_data(self, data: str) -> None:
        if self._script is None:
            self.words.append(data)
        else:
            self.data[self._script] = data

    def lines(self) -> list[tuple[str, FloatArray]]:
        """Per contour, the pose that it is of and all its points (column, row)."""
        found: list[tuple[str, list[FloatArray]]] = []
        for tag, values in self.elements:
            if tag == "g" and values.get("class") == "contour":
                found.append((str(values["data-pose"]), []))
            if tag == "path" and values.get("class") in ("silhouette", "crest"):
                points = re.findall(r"[-\d.]+", str(values["d"]))
                found[-1][1].append(np.array(points, dtype=float).reshape(-1, 2))
        return [(pose, np.concatenate(lines)) for pose, lines in found]

    def all(self, tag: str, kind: str = "") -> Iterator[dict[str, str | None]]:
        return (values for name, values in self.elements if name == tag and kind in str(values.get("class", "")))


@pytest.fixture(scope="module")
def read(report: Path) -> _Read:
    return _Read(report.read_text(encoding="utf-8"))


def picture(address: str) -> FloatArray:
    return imread(BytesIO(base64.b64decode(address.removeprefix("data:image/png;base64,"))))[..., 0]


def test_verdict_error_and_reasons_come_before_any_picture(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    first_picture = text.index("<img")
    for said in (
        "? check",
        "95 % of the surface within 1.8 mm",
        "The views disagree about the depth.",
        "not a medical",
    ):
        assert 0 < text.index(said) < first_picture, said


def test_it_says_poses_geometry_versions_and_hashes(read: _Read, loaded_case: RegistrationCase) -> None:
    words = " ".join(read.words)
    for said in ("did not run, or failed", "Mean distance", "SDD", "1000.0", "radgs 0.1.0", str(loaded_case.sha256)):
        assert said in words, said
    assert "AP and LAT look along directions" in words


def test_nothing_is_loaded_from_anywhere(read: _Read) -> None:
    for tag, values in read.elements:
        assert tag not in ("link", "iframe", "object", "embed"), tag
        for name in ("src", "href", "srcset", "data"):
            assert str(values.get(name, "data:")).startswith("data:"), (tag, name)
    (policy,) = [values["content"] for values in read.all("meta") if values.get("http-equiv")]
    assert str(policy).startswith("default-src 'none'")


def test_text_from_files_stays_text(read: _Read, hostile: str) -> None:
    assert f"The views disagree about the depth. {hostile}" in "".join(read.words)
    assert not [values for values in read.all("script") if values.get("type") not in (None, "application/json")]
    assert not any("alert(" in script for script in read.data.values())
    assert len(list(read.all("script"))) == 3


def test_contours_lie_where_the_pose_puts_the_bone(
    read: _Read, loaded_case: RegistrationCase, result: RegistrationResult
) -> None:
    anatomy = drawn_anatomy(loaded_case.ct, loaded_case.labels, loaded_case.levels[0])
    level, groups = result.levels["L3"], read.lines()
    poses = {"start": level.stages["start"], "result": level.ct_to_world}
    assert len(groups) == 4
    for number, (when, line) in enumerate(groups):
        view, pose = loaded_case.views[number // 2], poses[when]
        assert pose is not None
        assert level.ct_to_world is not None
        crop = crop_view(view, anatomy, level.ct_to_world, FILM_PIXELS)
        bone = crop.geometry.project(pose.apply(anatomy.surface))
        for end in (np.min, np.max):
            np.testing.assert_allclose(end(line, axis=0), end(bone, axis=0), atol=1.0 / crop.pixel_mm)


def test_the_scene_holds_surface_sources_and_films_where_they_are(
    read: _Read, loaded_case: RegistrationCase, result: RegistrationResult
) -> None:
    scene = json.loads(read.data["scene-data"])
    (mesh,) = scene["vertebrae"]
    packed = np.frombuffer(base64.b64decode(mesh["vertices"]), "<i2").reshape(-1, 3)
    vertices = np.array(mesh["origin"]) + packed * scene["unit"]
    surface, _ = surface_mesh(loaded_case.labels, 29)
    pose = result.levels["L3"].ct_to_world
    assert pose is not None
    away, _ = cKDTree(pose.apply(surface)).query(vertices)
    assert away.max() < CELL_MM
    for shown, view in zip(scene["views"], loaded_case.views, strict=True):
        np.testing.assert_allclose(shown["source"], view.geometry.source_ras, atol=0.01)
        across = np.array(shown["corners"][1]) - shown["corners"][0]
        np.testing.assert_allclose(across, view.geometry.column_step * 128, atol=0.05)
        # The picture covers its corners: its middle is the film's.
        middle = np.array(shown["corners"][1]) / 2 + np.array(shown["corners"][2]) / 2
        np.testing.assert_allclose(middle, view.geometry.centre_ras, atol=0.05)


def test_a_simplified_mesh_is_smaller_closed_and_turned_outwards(loaded_case: RegistrationCase) -> None:
    vertices, triangles = surface_mesh(loaded_case.labels, 29)
    fewer, kept = simplified(vertices, triangles, 4.0)
    assert len(kept) < len(triangles) / 3
    corners = fewer[kept]
    volume = np.einsum("ti,ti->t", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
    exact = np.einsum("ti,ti->t", *_cones(vertices[triangles])).sum() / 6
    assert volume == pytest.approx(exact, rel=0.05)


def _cones(corners: FloatArray) -> tuple[FloatArray, FloatArray]:
    return corners[:, 0], np.cross(corners[:, 1], corners[:, 2])


def test_a_level_without_a_pose_has_a_page_that_says_so(
    result: RegistrationResult, loaded_case: RegistrationCase, saved_case: Path, tmp_path: Path
) -> None:
    nothing = replace(result.levels["L3"], ct_to_world=None, verdict="reject", predicted_error_mm={}, stages={})
    page = write_report(tmp_path / "r.html", replace(result, levels={"L3": nothing}), loaded_case, saved_case)
    read = _Read(page.read_text(encoding="utf-8"))
    assert "no pose" in read.words
    assert json.loads(read.data["scene-data"])["vertebrae"] == []


def test_a_level_that_could_not_be_registered_says_why_beside_the_others(
    result: RegistrationResult, loaded_case: RegistrationCase, saved_case: Path, tmp_path: Path
) -> None:
    error = CaseError("L4 is not in the label map.", "Its labels are 29.")
    levels = {"L4": LevelResult.failed(error), **result.levels}
    case = replace(loaded_case, levels=(Level("L4", 77), *loaded_case.levels))
    page = write_report(tmp_path / "r.html", replace(result, levels=levels), case, saved_case)
    read = _Read(page.read_text(encoding="utf-8"))
    assert str(error) in read.words
    assert "L3 on the X-rays" in read.words
    assert "L4 on the X-rays" not in read.words


def test_another_case_is_refused(result: RegistrationResult, loaded_case: RegistrationCase, saved_case: Path) -> None:
    check_same_case(result, loaded_case, saved_case)
    with pytest.raises(InputFileError, match="is not the case that was registered"):
        check_same_case(replace(result, case_sha256="0" * 64), loaded_case, saved_case)


def test_a_result_that_names_no_case_asks_for_it(result: RegistrationResult, tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="does not say which case"):
        case_of(replace(result, case=None), tmp_path)
    with pytest.raises(InputFileError, match="is not there"):
        case_of(result, tmp_path)


@pytest.mark.slow
def test_the_command_writes_beside_the_result_and_the_next_run_clears_it_away(
    result: RegistrationResult, saved_case: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "result"
    with folder_to_be(folder) as to_be:
        result.save(to_be.aside)
        to_be.swap_in()
    done = CliRunner().invoke(app, ["report", str(folder), "--case", str(saved_case)])
    assert done.exit_code == 0, done.output
    assert (folder / "report.html").is_file()
    assert "report.html" in (listed_files(folder) or {})
    with folder_to_be(folder) as to_be:
        result.save(to_be.aside)
        to_be.swap_in()
    assert sorted(path.name for path in folder.iterdir()) == [LIST_NAME, "L3_ct_to_world.tfm", "result.json"]


@pytest.mark.slow
def test_the_command_finds_the_case_that_the_result_names(
    result: RegistrationResult, saved_case: Path, tmp_path: Path
) -> None:
    replace(result, case=str(saved_case)).save(tmp_path)
    out = tmp_path / "page.html"
    done = CliRunner().invoke(app, ["report", str(tmp_path / "result.json"), "--out", str(out), "--json"])
    assert json.loads(done.stdout) == {"report": str(out)}
    assert out.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
