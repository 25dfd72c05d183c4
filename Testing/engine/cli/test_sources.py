"""`radgs import` and `radgs calibrate` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from radgs.cli import app
from radgs.geometry import triangulate
from radgs.geometry.c_arm import CArm
from radgs.io.calibrations.reading import read_calibration

SIZE = (800, 800)
VIEWS = {
    "AP": CArm(0.0, 0.0, 1000.0, 620.0, (0.4, 0.4), SIZE).view(),
    "LAT": CArm(90.0, 0.0, 1000.0, 620.0, (0.4, 0.4), SIZE).view(),
}


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, Path]:
    """A phantom's points, in axes of its own, and picks of them with one wrong."""
    random = np.random.default_rng(3)
    points = random.uniform(-60, 60, (24, 3))
    # The phantom's x is the patient's superior, its y right, its z anterior.
    lines = ["name,x,y,z", *(f"b{n},{p[2]},{p[0]},{p[1]}" for n, p in enumerate(points))]
    (tmp_path / "points.csv").write_text("\n".join(lines) + "\n")
    picks = ["view,name,column,row"]
    for name, view in VIEWS.items():
        for n, point in enumerate(points):
            column, row = view.project(point) + random.normal(0, 0.2, 2)
            picks.append(f"{name},b{n},{column + (30 if (name, n) == ('AP', 5) else 0)},{row}")
    (tmp_path / "picks.csv").write_text("\n".join(picks) + "\n")
    return tmp_path / "points.csv", tmp_path / "picks.csv"


def test_calibrate_writes_views_in_patient_axes_and_names_the_bad_pick(
    tables: tuple[Path, Path], tmp_path: Path
) -> None:
    points, picks = tables
    out = tmp_path / "calibration.json"
    arguments = ["calibrate", "--phantom", str(points), "--picks", str(picks), "--out", str(out)]
    arguments += ["--size", "800,800", "--pixel", "0.4", "--superior", "+x", "--anterior", "+z"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "Not used: b5 is " in done.output
    values = json.loads(out.read_text())
    assert values["patient_axes"] is True
    assert list(values["report"]["AP"]["bad_picks"]) == ["b5"]
    (calibration,) = read_calibration([out])
    assert calibration.views[0].sigma is not None
    assert calibration.views[0].sigma.covariance is not None  # source and film are uncertain together
    point = np.array([12.0, -20.0, 31.0])
    pixels = [view.project(point) for view in VIEWS.values()]
    found = triangulate([view.geometry for view in calibration.views], pixels).point
    np.testing.assert_allclose(found, point, atol=0.3)


def test_what_is_missing_ends_with_status_2_and_a_remedy(tables: tuple[Path, Path], tmp_path: Path) -> None:
    points, picks = tables
    out = str(tmp_path / "calibration.json")
    base = ["calibrate", "--phantom", str(points), "--picks", str(picks), "--out", out]
    for more, said in (
        (["--size", "800"], "cannot be understood"),
        (["--size", "PA=800,800"], "cannot be understood"),
        (["--size", "AP=800,800"], "how large the image of view LAT"),
        (["--size", "800,800", "--superior", "+x"], "is missing"),
    ):
        done = CliRunner().invoke(app, [*base, *more])
        assert done.exit_code == 2, done.output
        assert said in done.output
    assert CliRunner().invoke(app, ["import", str(tmp_path)]).exit_code == 2  # neither --out nor --dry-run


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "calib_cam01.txt").write_text(
        "image size\n800,800\n\ncamera matrix\n2500,0,400\n0,2500,400\n0,0,1\n\n"
        "rotation\n1,0,0\n0,1,0\n0,0,1\n\ntranslation\n0\n0\n900\n"
    )
    done = CliRunner().invoke(app, ["import", str(tmp_path / "a"), "--dry-run"])
    assert done.exit_code == 0, done.output
    assert "Calibration: MayaCam 2.0" in done.output
    assert "Asked:" in done.output
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["calib_cam01.txt"]


def test_calibrate_wants_a_phantom_or_a_patient_and_not_both(tables: tuple[Path, Path], tmp_path: Path) -> None:
    points, picks = tables
    out = ["--out", str(tmp_path / "calibration.json")]
    for more in (
        [],
        ["--phantom", str(points)],
        ["--phantom", str(points), "--picks", str(picks), "--case", "case.json"],
    ):
        done = CliRunner().invoke(app, ["calibrate", *out, *more])
        assert done.exit_code == 2, done.output
        assert "what to calibrate from" in done.output
    done = CliRunner().invoke(app, ["calibrate", *out, "--case", str(tmp_path / "nowhere.json")])
    assert done.exit_code == 2
    assert "nowhere.json" in done.output
