"""Registered, solved for, registered again; what changed is told, and too much of it is not accepted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from radgs.anatomy import body_centre
from radgs.case import Level, RegistrationCase, RegistrationResult
from radgs.cli import app
from radgs.errors import CaseError
from radgs.geometry import RigidTransform, ViewGeometry
from radgs.io.calibrations.calibration_file import read_calibration_file
from radgs.pipeline import patient_calibration, self_calibration
from radgs.pipeline.patient_calibration import calibrate_case


def test_a_level_or_view_that_is_not_there_is_refused_before_any_work(small_case: RegistrationCase) -> None:
    with pytest.raises(CaseError, match="no view PA"):
        calibrate_case(small_case, view="PA")
    with pytest.raises(CaseError, match="has a level L9"):
        calibrate_case(small_case, ["L9"])
    with pytest.raises(CaseError, match="is not a level"):
        calibrate_case(small_case, ["L3=x"])


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's case, its second view turned by 4 degrees against its calibration."""
    from importlib.resources import as_file, files

    with as_file(files("radgs").joinpath("data", "demo", "case.json")) as path:
        case = RegistrationCase.load(path)
    second = case.views[1]
    turn = RigidTransform.identity().rotated_about(second.geometry.centre_ras, np.radians(4) * second.geometry.normal)
    wrong = ViewGeometry(
        second.geometry.source_ras, turn.matrix @ second.geometry.detector_to_ras, second.geometry.shape
    )
    folder = tmp_path_factory.mktemp("turned")
    replace(case, views=(case.views[0], replace(second, geometry=wrong))).save(folder)
    return folder


def test_the_label_of_a_level_that_could_not_be_registered_tells_nothing_of_a_view(
    demo_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[int] = []

    def build(_ct: Any, _labels: Any, level: Level) -> Any:
        built.append(level.label)
        return SimpleNamespace(to=lambda _device: level)

    monkeypatch.setattr(self_calibration, "build_vertebra_anatomy", build)
    case = RegistrationCase.load(demo_folder)
    level = case.level("L3")
    registered: Any = SimpleNamespace(level=level, centre=body_centre(case.labels, level.label), device="cpu")
    self_calibration.neighbours_seen(case, [registered])
    assert built == [21, 23]
    built.clear()
    failed = replace(case, levels=(level, Level("L4", 23)))
    self_calibration.neighbours_seen(failed, [registered])
    assert built == [21]


def test_a_level_that_cannot_be_used_keeps_no_other_from_telling_where_a_view_stands(
    demo_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its label is a sliver; asked for by name it is refused, and with it the calibration."""
    seen: list[list[str]] = []

    def solve(views: Any, vertebrae: Any, starts: Any, **_: Any) -> Any:
        seen.append([one.level.name for one in vertebrae])
        assert set(starts) == {"L3"}
        return SimpleNamespace(found=SimpleNamespace(applied=lambda views: views))

    def build(_ct: Any, _labels: Any, level: Level, _progress: Any) -> Any:
        return SimpleNamespace(to=lambda _device: SimpleNamespace(level=level, centre=np.zeros(3)))

    monkeypatch.setattr(patient_calibration, "calibrate_from_patient", solve)
    monkeypatch.setattr(patient_calibration, "build_vertebra_anatomy", build)
    case = RegistrationCase.load(demo_folder)
    array = case.labels.array.copy()
    array[tuple(np.argwhere(array == 23)[0])] = 99
    sliver = replace(
        case,
        labels=replace(case.labels, array=array),
        levels=(*case.levels, Level("L9", 99)),
        initial={**case.initial, "L9": case.initial["L3"]},
    )
    made = calibrate_case(sliver)
    assert seen == [["L3"]]
    assert len(made.left_out) == 1
    assert made.left_out[0].startswith("L9 is left out: ")
    with pytest.raises(CaseError, match="L9"):
        calibrate_case(sliver, ["L3", "L9"])


@pytest.mark.slow
def test_a_turned_view_is_turned_back_told_and_not_accepted(demo_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "result"
    done = CliRunner().invoke(app, ["register", str(demo_folder), "--self-calibrate", "--out", str(out)])
    assert done.exit_code in (3, 4), done.output
    assert "Self-calibration: the source of view LAT" in done.output
    assert "the turn about the beam by" in done.output
    result = RegistrationResult.load(out)
    found, level = result.self_calibration, result.levels["L3"]
    assert found is not None
    assert found.beyond_sigma
    assert "self_calibrated" in {reason.code for reason in level.reasons}
    roll = next(move for move in found.moves if move.name == "roll")
    assert abs(abs(roll.change) - 4.0) < 0.5
    assert "views" not in {reason.code for reason in level.reasons}  # they agree now
    reported = CliRunner().invoke(app, ["report", str(out)])
    assert reported.exit_code == 0, reported.output
    assert "Self-calibration: the source of view LAT" in (out / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_calibrate_from_the_patient_writes_what_import_reads(demo_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "calibration.json"
    done = CliRunner().invoke(app, ["calibrate", "--case", str(demo_folder), "--levels", "L3", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "Self-calibration" in done.output
    views = read_calibration_file(out).views
    assert [view.name for view in views] == ["AP", "LAT"]
    assert views[0].sigma is None
    assert views[1].sigma is not None
    assert views[1].sigma.covariance is not None
    moves = json.loads(out.read_text())["report"]["self_calibration"]["moves"]
    assert abs(abs(next(move["change"] for move in moves if move["name"] == "roll")) - 4.0) < 0.5
