"""A registered pose goes back into the poses that Autoscoper tracked, in the world of its cameras."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from radgs.case import LevelResult, RegistrationResult
from radgs.cli import app
from radgs.geometry import RigidTransform
from radgs.io.calibrations.autoscoper_tracking import MODEL_TO_RAS, read_tracking

#: Where the bone truly was in the cameras' world, and where it was tracked before.
TRUE = RigidTransform.from_rotation_vector([0.4, -1.1, 2.0], [31.0, -12.0, 705.0])
TRACKED = RigidTransform.from_rotation_vector([0.02, 0.03, -0.01], [1.0, -2.0, 1.5]) @ TRUE
OTHER = RigidTransform.from_rotation_vector([0.1, 0.2, 0.3], [4.0, 5.0, 6.0])
ROW = 2


@pytest.fixture
def tracking(tmp_path: Path) -> Path:
    lost = np.full(16, np.nan)
    np.savetxt(tmp_path / "radius.tra", [OTHER.matrix.ravel(), lost, TRACKED.matrix.ravel()], delimiter=",")
    return tmp_path / "radius.tra"


@pytest.fixture
def registered(tmp_path: Path) -> Path:
    """As an import has the world: turned so that the bone lay in it as in its CT at the tracked pose."""
    turn = RigidTransform((TRACKED @ MODEL_TO_RAS.inverse()).rotation.T, np.zeros(3))
    pose = turn @ TRUE @ MODEL_TO_RAS.inverse()
    levels = {"radius": LevelResult(pose, "accept", {"surface_p95": 0.5})}
    RegistrationResult(levels=levels, case_sha256="ab" * 32, versions={}).save(tmp_path / "result")
    return tmp_path / "result"


def export(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["export", *map(str, arguments)])
    return done.exit_code, done.output


def test_the_row_is_the_result_s_in_the_cameras_world_and_the_others_stay(
    tracking: Path, registered: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    status, said = export(registered, "--format", "tra", "--tracking", tracking, "--tracking-row", ROW, "--out", out)
    assert status == 0, said
    (frames,) = read_tracking(out / "radius.tra")
    assert list(frames) == [0, ROW]
    np.testing.assert_allclose(frames[ROW].matrix, TRUE.matrix, atol=1e-9)
    np.testing.assert_allclose(frames[0].matrix, OTHER.matrix, atol=1e-9)
    about = (out / "radius.tra.about.txt").read_text(encoding="utf-8")
    assert "Row 2 (counted from 0) is the result's" in about


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--format", "tra"), "in which world"),
        (("--format", "csv", "--tracking", "x.tra"), "say nothing to these formats"),
        (("--format", "tra", "--tracking", "radius.tra", "--tracking-row", "1"), "its tracked rows are 0, 2"),
        (("--format", "tra", "--tracking", "none.tra", "--tracking-row", "1"), "There is no file"),
    ],
)
def test_what_is_missing_is_told(
    more: tuple[str, ...], said: str, tracking: Path, registered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, output = export(registered, *more, "--out", tmp_path / "out")
    assert status == 2
    assert said in " ".join(output.split())


def test_the_tracking_is_not_written_over(tracking: Path, registered: Path, tmp_path: Path) -> None:
    before = tracking.read_bytes()
    status, _said = export(
        registered, "--format", "tra", "--tracking", tracking, "--tracking-row", ROW, "--out", tmp_path
    )
    assert status == 2
    assert tracking.read_bytes() == before
