"""A registration's folder: whole or as it was, marked when it is out of date, never over an input."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

import radgs
from radgs.case import LevelResult, RegistrationCase, RegistrationResult
from radgs.cli import app
from radgs.geometry import RigidTransform
from radgs.io.folder_swap import OUTDATED_NAME, folder_to_be, is_outdated, listed_files
from radgs.pipeline.result_folder import result_folder

PACKAGE_PARENT = Path(radgs.__file__).resolve().parents[1]
#: Without a cache every process would compile kernels anew.
WITHOUT_CACHE = {"RADGS_CACHE": "off", "RADGS_KERNELS": "off"}
ENVIRONMENT = {**os.environ, **WITHOUT_CACHE, "PYTHONPATH": str(PACKAGE_PARENT), "OMP_NUM_THREADS": "1"}


def radgs_command(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return done.exit_code, done.stdout, " ".join(done.stderr.split())


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A folder that an earlier registration of L3 and L4 left."""
    level = LevelResult(ct_to_world=RigidTransform.identity(), verdict="accept")
    folder = tmp_path / "result"
    with folder_to_be(folder) as to_be:
        RegistrationResult({"L3": level, "L4": level}).save(to_be.aside)
        to_be.swap_in()
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != OUTDATED_NAME}


def test_after_a_refused_rerun_the_earlier_result_is_not_exported(earlier: Path, tmp_path: Path) -> None:
    before = content(earlier)
    assert radgs_command("export", earlier, "--format", "tfm", "--out", tmp_path / "sent")[0] == 0
    assert radgs_command("register", tmp_path / "no.json", "--out", earlier)[0] == 2
    assert content(earlier) == before
    shutil.rmtree(tmp_path / "sent")
    for named in (earlier, earlier / "result.json"):
        status, _, err = radgs_command("export", named, "--format", "tfm", "--out", tmp_path / "sent")
        assert status == 2
        assert "is of an earlier run" in err
    assert not (tmp_path / "sent").exists()
    (earlier / OUTDATED_NAME).unlink()
    assert radgs_command("export", earlier, "--format", "tfm", "--out", tmp_path / "sent")[0] == 0


def test_an_export_does_not_go_into_the_result(earlier: Path) -> None:
    before = content(earlier)
    status, _, err = radgs_command("export", earlier, "--format", "tfm", "--out", earlier)
    assert status == 2
    assert "is the folder of the result itself" in err
    assert content(earlier) == before


def test_a_result_of_an_earlier_version_is_known_by_its_files(earlier: Path) -> None:
    (earlier / ".radgs-files.json").unlink()
    (earlier / "L4_overlay.png").touch()
    with result_folder(earlier):
        assert is_outdated(earlier)
        assert set(listed_files(earlier) or ()) == set(content(earlier)) - {".radgs-files.json"}


def test_a_case_is_not_written_over(small_case: RegistrationCase, tmp_path: Path) -> None:
    case = small_case.save(tmp_path / "case")
    values = json.loads(case.read_text(encoding="utf-8"))
    (case.parent / "AP.nrrd").rename(case.parent / "L3_AP.png.nrrd")
    values["views"][0]["image"] = "L3_AP.png.nrrd"
    case.write_text(json.dumps(values), encoding="utf-8")
    before = content(case.parent)
    status, _, err = radgs_command("register", case, "--out", case.parent)
    assert status == 2
    assert "nothing there was touched" in err
    assert content(case.parent) == before


def test_a_result_that_is_an_input_is_not_replaced(small_case: RegistrationCase, earlier: Path, tmp_path: Path) -> None:
    case = small_case.save(tmp_path / "case")
    with folder_to_be(earlier) as to_be:
        shutil.copy(case.parent / "AP.nrrd", to_be.aside / "L3_reconstruction.nrrd")
        to_be.swap_in()
    values = json.loads(case.read_text(encoding="utf-8"))
    values["views"][0]["image"] = "../result/L3_reconstruction.nrrd"
    case.write_text(json.dumps(values), encoding="utf-8")
    status, _, err = radgs_command("register", case, "--out", earlier)
    assert status == 2
    assert "holds an input" in err
    assert (earlier / "L3_reconstruction.nrrd").exists()


def command(case: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "radgs", "register", str(case), "--out", str(out), "--device", "cpu", "--json"]


@pytest.mark.skipif(sys.platform == "win32", reason="the limit on a file's size is POSIX's")
@pytest.mark.slow
def test_a_full_disk_ends_with_one_sentence_and_the_pose(
    small_case: RegistrationCase, earlier: Path, tmp_path: Path
) -> None:
    import resource

    case, before = small_case.save(tmp_path / "case"), content(earlier)
    done = subprocess.run(
        command(case, earlier),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)),
    )
    assert done.returncode == 2, done.stderr
    answer = json.loads(done.stdout)
    assert answer["error"]["kind"] == "UnwrittenResultError"
    assert "cannot be written" in answer["error"]["problem"]
    assert RigidTransform.from_matrix(answer["result"]["levels"]["L3"]["ct_to_world"])
    assert "ct_to_world (RAS, mm):" in done.stderr
    assert "Traceback" not in done.stderr
    assert content(earlier) == before
    assert is_outdated(earlier)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["case", "result"]


#: Under nohup, what tests start ignores it as they do.
UNLESS_IGNORED = pytest.param(
    "SIGHUP",
    marks=pytest.mark.skipif(
        hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN, reason="SIGHUP is ignored here"
    ),
)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX's signals")
@pytest.mark.parametrize("asked", ["SIGTERM", UNLESS_IGNORED])
@pytest.mark.slow
def test_a_run_that_is_asked_to_end_takes_back_what_is_half_done(
    asked: str, small_case: RegistrationCase, earlier: Path, tmp_path: Path
) -> None:
    case, before = small_case.save(tmp_path / "case"), content(earlier)
    running = subprocess.Popen(
        command(case, earlier), env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    aside = tmp_path / ".result.radgs-new"
    until = time.monotonic() + 60.0
    while not aside.exists() and time.monotonic() < until:
        time.sleep(0.02)
    running.send_signal(getattr(signal, asked))
    out, err = running.communicate(timeout=60)
    assert running.returncode == 128 + getattr(signal, asked)
    assert json.loads(out)["error"]["kind"] == "Terminated"
    assert "Traceback" not in err
    assert content(earlier) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["case", "result"]
