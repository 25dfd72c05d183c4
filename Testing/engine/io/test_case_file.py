"""case.json is read to the letter, and what is wrong with it is told with its place in the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from radgs.case.checks.views import check_geometry
from radgs.errors import CaseError, GeometryError, InputFileError, RadgsError
from radgs.geometry import ViewGeometry, triangulate
from radgs.io.case_file import read_case_file, write_case_file

IDENTITY = np.eye(4).tolist()


def contract() -> dict[str, Any]:
    """The example of the format's documentation."""
    view = {"pixel_type": "intensity", "source_ras": [0, 0, 0], "detector_to_ras": IDENTITY}
    return {
        "schema": "radgs.case/1",
        "ct": "ct.nii.gz",
        "labels": "labels.nii.gz",
        "levels": [{"name": "L3", "label": 29}],
        "views": [{"name": "AP", "image": "ap.nrrd", **view}, {"name": "LAT", "image": "images/lat.nrrd", **view}],
        "initial": {"L3": {"clicks": {"AP": [261.5, 240.0], "LAT": [250.1, 255.7]}}},
        "truth": {"L3": {"ct_to_world": IDENTITY}},
    }


def write(folder: Path, values: object) -> Path:
    path = folder / "case.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def test_the_contracts_example_is_read(tmp_path: Path) -> None:
    case = read_case_file(write(tmp_path, contract()))
    assert case.ct == tmp_path / "ct.nii.gz"
    assert case.views[1].image == tmp_path / "images" / "lat.nrrd"
    assert case.levels == (("L3", 29),)
    assert case.clicks == {"L3": {"AP": (261.5, 240.0), "LAT": (250.1, 255.7)}}
    assert case.initial_poses == {}
    np.testing.assert_array_equal(case.truth["L3"].matrix, np.eye(4))
    assert case.world_orientation is None


def test_what_is_read_can_be_written_and_read_again(tmp_path: Path) -> None:
    values = contract() | {"world_orientation": {"superior": [0, 0.1, 1], "anterior": [0, 1, 0]}}
    values["initial"]["L3"]["ct_to_world"] = [[0, -1, 0, 1.5], [1, 0, 0, -2], [0, 0, 1, 3], [0, 0, 0, 1]]
    values["initial"]["L3"]["sigma_mm"] = 3.0
    case = read_case_file(write(tmp_path, values))
    assert case.start_sigmas_mm == {"L3": 3.0}
    write_case_file(case)
    assert json.loads(case.path.read_text()) == values
    assert "[261.5, 240.0]" in case.path.read_text()  # a pixel on one line, for people


def test_several_levels_have_starts_of_their_own(tmp_path: Path) -> None:
    values = contract() | {"levels": [{"name": "L3", "label": 29}, {"name": "L4", "label": 28}]}
    values["initial"]["L4"] = {"ct_to_world": IDENTITY}
    case = read_case_file(write(tmp_path, values))
    assert set(case.clicks) == {"L3"}
    assert set(case.initial_poses) == {"L4"}


def test_clicks_without_a_level_are_the_only_levels(tmp_path: Path) -> None:
    values = contract()
    values["initial"] = values["initial"]["L3"]
    assert read_case_file(write(tmp_path, values)).clicks == read_case_file(write(tmp_path, contract())).clicks


def spoiled(place: str, value: Any) -> dict[str, Any]:
    """The contract's example with one member replaced; ``...`` removes it."""
    values = contract()
    *path, last = [int(key) if key.isdigit() else key for key in place.split("/")]
    holder: Any = values
    for key in path:
        holder = holder[key]
    if value is ...:
        del holder[last]
    else:
        holder[last] = value
    return values


@pytest.mark.parametrize(
    ("place", "value", "kind", "said"),
    [
        ("schema", "radgs.case/2", CaseError, 'has the schema "radgs.case/2"'),
        ("schema", ..., CaseError, "has the schema null"),
        ("ct", ..., CaseError, "'ct' is missing"),
        ("ct", 5, CaseError, "'ct' should be a text but is 5"),
        ("labels", "", CaseError, "'labels' should be a text"),
        ("levels", {"L3": 29}, CaseError, "'levels' should be a list of objects"),
        ("levels/0/label", "29", CaseError, r"'levels\[0\].label' should be a whole number but is \"29\""),
        ("levels/0/label", 29.5, CaseError, "should be a whole number but is 29.5"),
        ("levels/0/label", 10**400, CaseError, "should be a whole number but is 1000"),
        ("views/0/source_ras", [1.5, 2, 10**400], CaseError, "should be 3 finite numbers but is"),
        ("views/0/source_ras", [1.5, 2, 1e300], CaseError, "should be 3 finite numbers but is"),
        ("levels/0/label", True, CaseError, "should be a whole number but is true"),
        ("levels/0/name", None, CaseError, r"'levels\[0\].name' should be a text but is null"),
        ("views/1/image", ..., CaseError, r"'views\[1\].image' is missing"),
        ("views/0/source_ras", ..., CaseError, r"'views\[0\].source_ras' is missing; it should be 3 finite numbers"),
        ("views/0/source_ras", [1, 2], CaseError, "should be 3 finite numbers but is"),
        ("views/0/source_ras", [1, 2, "3"], CaseError, "should be 3 finite numbers but is"),
        ("views/0/detector_to_ras", [[1, 2], [3]], CaseError, "should be 4 x 4 finite numbers"),
        ("views/0/detector_to_ras", ..., CaseError, "detector_to_ras' is missing"),
        ("initial", [], CaseError, "'initial' should be an object"),
        ("initial/L3", [1, 2], CaseError, "'initial.L3' should be an object"),
        ("initial/L3/clicks", [[1, 2], [3, 4]], CaseError, "'initial.L3.clicks' should be an object"),
        ("initial/L3/clicks/AP", [1, 2, 3], CaseError, "'initial.L3.clicks.AP' should be 2 finite numbers"),
        ("initial/L3/ct_to_world", [1, 2, 3], CaseError, "'initial.L3.ct_to_world' should be 4 x 4"),
        ("initial/L3/sigma_mm", 0, CaseError, "'initial.L3.sigma_mm' should be"),
        ("initial/L3/sigma_mm", "3 mm", CaseError, "'initial.L3.sigma_mm' should be"),
        ("truth/L3", {}, CaseError, "'truth.L3.ct_to_world' is missing"),
        ("truth/L3/ct_to_world", np.diag([1, 1, -1, 1]).tolist(), GeometryError, "'truth.L3.ct_to_world': .*not rigid"),
        ("world_orientation", "unknown", CaseError, "orientation of the world is unknown.*superior and anterior"),
        ("world_orientation", None, CaseError, "orientation of the world is unknown"),
        ("world_orientation", "HFS", CaseError, "'world_orientation' should be an object"),
        ("world_orientation", {"superior": [0, 0, 1]}, CaseError, "'world_orientation.anterior' is missing"),
    ],
)
def test_a_wrong_member_is_told_with_its_place(
    place: str, value: object, kind: type[RadgsError], said: str, tmp_path: Path
) -> None:
    path = write(tmp_path, spoiled(place, value))
    with pytest.raises(kind, match=said) as told:
        read_case_file(path)
    assert str(path) in told.value.problem


def test_clicks_for_no_level_in_particular_are_refused_where_there_are_two(tmp_path: Path) -> None:
    values = contract() | {"levels": [{"name": "L3", "label": 29}, {"name": "L4", "label": 28}]}
    values["initial"] = {"clicks": {"AP": [1, 2], "LAT": [3, 4]}}
    with pytest.raises(CaseError, match="does not say for which of the 2 levels"):
        read_case_file(write(tmp_path, values))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not readable as JSON"),
        ("", "not readable as JSON"),
        ("[1, 2]", "does not hold a JSON object"),
        ('{"schema": "radgs.case/1", "ct": NaN}', "NaN is not a JSON number"),
        ('{"schema": "radgs.case/1", "initial": {"L3": 1, "L3": 2}}', 'the name "L3" stands twice'),
        ("\x89PNG\r\n\x1a\n\udc00", "not readable as JSON"),
        ("[" * 100_000, "nested too deep"),
        ('{"schema":' * 100_000, "nested too deep"),
        ('{"schema": "radgs.case/1", "ct": ' + "9" * 5000 + "}", "not readable as JSON"),
        ('{"schema": "radgs.case/1", "levels": [{"name": "L3", "label": 1e999}]}', "should be a whole number"),
    ],
)
def test_what_is_not_json_is_told(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "case.json"
    path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
    with pytest.raises(RadgsError, match=said):
        read_case_file(path)


def test_a_case_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r"There is no file .*case\.json"):
        read_case_file(tmp_path)


def test_the_documented_example_is_a_case(tmp_path: Path) -> None:
    documentation = (Path(__file__).parents[3] / "docs" / "file-formats.md").read_text(encoding="utf-8")
    example = documentation.split("```json case\n")[1].split("```")[0]
    (tmp_path / "case.json").write_text(example)
    case = read_case_file(tmp_path)
    assert [view.name for view in case.views] == ["AP", "LAT"]

    geometries = [ViewGeometry(view.source_ras, view.detector_to_ras, (512, 512)) for view in case.views]
    for view, geometry in zip(case.views, geometries, strict=True):
        check_geometry(view.name, geometry)
        np.testing.assert_allclose(geometry.project([0.0, 0.0, 0.0]), [255.5, 255.5])
    assert triangulate(geometries, list(case.clicks["L3"].values())).gap_mm < 15.0
