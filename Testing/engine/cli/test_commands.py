"""The command line as a person and as a program meet it; what it registers is in test_demo."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import radgs
from radgs.case import RegistrationCase
from radgs.cli import app
from radgs.cli.console import EXIT_OF_VERDICT
from radgs.io.cache_folder import CacheFolder
from radgs.ports import OPENIGTLINK_PORT

PACKAGE_PARENT = Path(radgs.__file__).resolve().parents[1]
DEMO_CASE = Path(radgs.__file__).resolve().parent / "data" / "demo" / "case.json"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(PACKAGE_PARENT), "PYTHONIOENCODING": "utf-8"}


def radgs_command(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.stdout, done.stderr


def test_the_port_in_the_help_is_the_one_that_is_used() -> None:
    status, printed, _ = radgs_command("export", "--help")
    assert status == 0
    assert str(OPENIGTLINK_PORT) in printed


def test_version_and_help_answer_without_loading_torch() -> None:
    program = """
import sys
from radgs.cli import app
for option in ("--version", "--help"):
    try:
        app([option])
    except SystemExit as end:
        assert not end.code
assert not {"torch", "SimpleITK", "scipy"} & set(sys.modules), "heavy modules were loaded"
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"radgs {radgs.__version__}" in done.stdout
    assert all(command in done.stdout for command in ("demo", "register", "export", "benchmark"))
    assert "not a medical device" in " ".join(done.stdout.replace("│", " ").split())


def test_training_has_its_stages_and_each_asks_for_what_it_needs() -> None:
    status, printed, _ = radgs_command("train", "--help")
    assert status == 0
    assert "--verse" in printed
    assert "adapt" in printed
    status, _, told = radgs_command("train", "--minutes", "1")
    assert status == 2
    assert "--out and --pairs are needed" in " ".join(told.replace("│", " ").split())
    status, _, told = radgs_command("train", "adapt", "case.json", "--out", "a.radgs.safetensors")
    assert status == 2
    assert "--base" in told


def test_each_verdict_has_its_exit_status() -> None:
    assert EXIT_OF_VERDICT == {"accept": 0, "check": 3, "reject": 4}


def test_bad_input_is_told_in_two_lines_with_status_2(tmp_path: Path) -> None:
    status, out, err = radgs_command("register", str(tmp_path / "no.json"), "--out", str(tmp_path / "result"))
    assert status == 2
    assert out == ""
    problem, remedy = err.strip().splitlines()[-2:]
    assert "no.json" in problem
    assert remedy.startswith("Check the path")
    assert "Traceback" not in err


def test_bad_input_is_one_json_object_where_json_is_asked_for(tmp_path: Path) -> None:
    status, out, _ = radgs_command("register", str(tmp_path / "no.json"), "--out", str(tmp_path / "result"), "--json")
    error = json.loads(out)["error"]
    assert status == 2
    assert error["kind"] == "InputFileError"
    assert "no.json" in error["problem"]
    assert error["remedy"]


@pytest.mark.parametrize("command", [["demo"], ["register", str(DEMO_CASE)], ["benchmark"]])
def test_a_file_is_not_taken_for_the_result_folder(command: list[str], tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("keep me", encoding="utf-8")
    status, _, err = radgs_command(*command, "--out", str(file))
    assert status == 2
    assert f"{file} is a file, not a folder." in " ".join(err.split("\n"))
    assert file.read_text(encoding="utf-8") == "keep me"


def test_a_device_that_is_not_there_is_told_before_the_work_begins(tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    status, _, err = radgs_command("demo", "--device", "cuda", "--out", str(tmp_path))
    assert status == 2
    assert "no CUDA device" in err
    assert not (tmp_path / "result.json").exists()


def test_an_unknown_option_ends_with_status_2(tmp_path: Path) -> None:
    status, _, err = radgs_command("register", str(tmp_path), "--out", str(tmp_path), "--sideways")
    assert status == 2
    assert "--sideways" in err


def test_a_case_that_does_not_fit_together_is_refused(small_case: RegistrationCase, tmp_path: Path) -> None:
    path = small_case.save(tmp_path)
    case = json.loads(path.read_text(encoding="utf-8"))
    case["levels"][0]["label"] = 77
    path.write_text(json.dumps(case), encoding="utf-8")
    status, _, err = radgs_command("register", str(path), "--out", str(tmp_path / "result"))
    assert status == 2
    assert "77" in err


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent in another way there")
@pytest.mark.slow
def test_ctrl_c_stops_cleanly_with_status_130(tmp_path: Path) -> None:
    command = [sys.executable, "-u", "-m", "radgs", "demo", "--out", str(tmp_path)]
    process = subprocess.Popen(
        command,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts tests in the background has them ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if "fitting" in line:
            process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert "Stopped before the end." in said[-2]
    assert "Traceback" not in "".join(said)
    assert not (tmp_path / "result.json").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        *(
            ["prepare", "case", "--level", "L3", "--out", "a", "--minutes", n]
            for n in ("nan", "inf", "-inf", "-1", "1e9")
        ),
        *(["train", "--out", "a", "--pairs", "b", "--minutes", n] for n in ("nan", "inf", "0")),
        ["train", "--out", "a", "--pairs", "b", "--spines", "99999999999"],
        ["prepare", "case", "--level", "L3", "--out", "a", "--seed", "-1"],
        ["benchmark", "--out", "a", "--seed", "-1"],
        ["benchmark", "--out", "a", "--trials", "99999999999"],
        *(["benchmark", "--full", "--out", "a", "--minutes", n] for n in ("nan", "inf", "0")),
        ["experiment", "offsets", "--out", "a", "--steps", "0"],
        *(["export", "result", "--format", "igtl", "--timeout", number] for number in ("nan", "inf", "0")),
        ["export", "result", "--format", "igtl", "--port", "65536"],
    ],
)
def test_every_number_has_bounds(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, err = radgs_command(*arguments)
    assert status == 2
    assert "Invalid value" in err
    assert list(tmp_path.iterdir()) == []


def test_a_share_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, err = radgs_command("benchmark", "--full", "--out", "a", "--share", "5/4")
    assert status == 2
    assert '"5/4" is no share.' in err


def test_the_cache_is_shown_and_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADGS_CACHE", str(tmp_path / "cache"))
    CacheFolder(tmp_path / "cache").put("hashes", "key", b"content")
    status, out, _ = radgs_command("cache")
    assert status == 0
    assert "1 entries" in out
    assert json.loads(radgs_command("cache", "clear", "--json")[1])["entries"] == 1
    assert json.loads(radgs_command("cache", "show", "--json")[1])["entries"] == 0
    monkeypatch.setenv("RADGS_CACHE", "off")
    assert "off" in radgs_command("cache")[1]


@pytest.mark.slow
def test_a_level_that_cannot_be_registered_is_told_beside_the_others_and_not_exported(tmp_path: Path) -> None:
    folder, out = tmp_path / "case", tmp_path / "result"
    shutil.copytree(DEMO_CASE.parent, folder)
    case = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    case["levels"].append({"name": "L4", "label": 23})
    case["initial"]["L4"] = {"clicks": {"AP": [-40.0, 170.0], "LAT": [170.0, 170.0]}}
    (folder / "case.json").write_text(json.dumps(case), encoding="utf-8")
    status, printed, _ = radgs_command("register", str(folder / "case.json"), "--out", str(out), "--device", "cpu")
    assert status == EXIT_OF_VERDICT["reject"]
    assert "L4: Level L4's click in view AP lies outside the image" in printed
    assert (out / "L3_ct_to_world.tfm").is_file()
    assert not (out / "L4_ct_to_world.tfm").exists()
    levels = json.loads((out / "result.json").read_text(encoding="utf-8"))["levels"]
    assert [(name, level["verdict"]) for name, level in levels.items()] == [("L3", "accept"), ("L4", "reject")]

    status, _, err = radgs_command("export", str(out), "--format", "tfm", "--out", str(tmp_path / "all"), "--force")
    assert status != 0
    assert "L4 has no pose to export: Level L4's click" in err
    assert radgs_command("export", str(out), "--format", "tfm", "--out", str(tmp_path / "one"), "--level", "L3")[0] == 0
    assert radgs_command("report", str(out))[0] == 0
