"""`radgs export` as a person and as a program meet it: the verdicts, the question, the files, the stream."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import radgs
from radgs.case import LevelResult, Reason, RegistrationResult
from radgs.cli import app
from radgs.cli.commands import Format
from radgs.export import FILE_FORMATS
from radgs.geometry import RigidTransform

ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(Path(radgs.__file__).resolve().parents[1]),
    "PYTHONIOENCODING": "utf-8",
    "COLUMNS": "200",
}
POSE = RigidTransform.from_rotation_vector([0.31, -0.17, 0.53], [12.0, -34.0, 56.0])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A result with L3 accepted, L4 to be checked and L5 rejected."""
    result(check=POSE @ POSE).save(tmp_path / "result")
    return tmp_path


def result(accept: RigidTransform = POSE, check: RigidTransform = POSE) -> RegistrationResult:
    return RegistrationResult(
        {
            "L3": LevelResult(accept, "accept", {"surface_p95": 0.8}),
            "L4": LevelResult(check, "check", {}, (Reason("views", "The views disagree by 3 mm."),)),
            "L5": LevelResult(POSE, "reject", {}, (Reason("level", "The X-rays fit L4 better."),)),
        },
        case_sha256="ab" * 32,
    )


def export(folder: Path, *options: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["export", str(folder / "result"), *options])
    return done.exit_code, done.stdout, done.stderr


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_the_command_line_offers_every_format_there_is() -> None:
    assert {choice.value for choice in Format} == {known.name for known in FILE_FORMATS} | {"igtl", "tra"}


def test_an_accepted_level_leaves_and_its_verdict_is_said(folder: Path) -> None:
    status, out, _ = export(folder, "--level", "L3", "--format", "tfm", "--format", "csv", "--out", str(folder / "out"))
    assert status == 0
    assert "L3: accept, accepted by the program; predicted error 0.8 mm (95 % of the surface)." in out
    wanted = ["L3_ct_to_world.csv", "L3_ct_to_world.tfm"]
    assert files(folder / "out") == sorted([*wanted, *(f"{name}.about.txt" for name in wanted)])
    assert all(name in out for name in wanted)


@pytest.mark.parametrize(
    ("levels", "policy", "status"),
    [
        (["L3", "L4"], [], 3),
        (["L3", "L4"], ["--yes"], 0),
        (["L3", "L4"], ["--force"], 0),
        (["L4", "L5"], [], 4),
        (["L4", "L5"], ["--yes"], 4),
        (["L4", "L5"], ["--force"], 0),
        ([], [], 4),
    ],
)
def test_without_a_terminal_consent_is_an_option_and_the_status_names_the_verdict(
    folder: Path, levels: Sequence[str], policy: Sequence[str], status: int
) -> None:
    chosen = [part for level in levels for part in ("--level", level)]
    ended, _, err = export(folder, *chosen, *policy, "--format", "csv", "--out", str(folder / "out"))
    assert ended == status
    assert bool(files(folder / "out")) == (status == 0), "all or nothing"
    problem, remedy = (err.strip().splitlines() or ["", ""])[-2:]
    if status == 3:
        assert "L4: The views disagree by 3 mm." in problem
        assert "--yes" in remedy
    if status == 4:
        assert "L5: The X-rays fit L4 better." in problem
        assert "--force" in remedy


def test_a_program_gets_one_json_object_either_way(folder: Path) -> None:
    options = ["--format", "json", "--out", str(folder / "out"), "--json"]
    status, out, _ = export(folder, "--level", "L4", *options)
    assert (status, json.loads(out)["error"]["kind"]) == (3, "WithheldError")
    status, out, _ = export(folder, "--level", "L4", "--yes", *options)
    told = json.loads(out)
    assert status == 0
    assert told["levels"]["L4"] == {"verdict": "check", "release": "in doubt to the program, confirmed by a person"}
    assert told["files"] == [str(folder / "out" / "ct_to_world.json")]
    record = json.loads((folder / "out" / "ct_to_world.json").read_text(encoding="utf-8"))
    digest = subprocess.run(["sha256sum", folder / "result" / "result.json"], capture_output=True, check=True).stdout
    assert record["inputs"]["result_sha256"] == digest.decode().split()[0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--format", "csv"], "The folder for the files is not named."),
        (["--format", "csv", "--out", "out", "--level", "L9"], "The result has no level L9."),
        (["--format", "csv", "--out", "out", "--ct-dicom", "ct"], "--ct-dicom and --xray-dicom say nothing"),
        (["--format", "csv", "--out", "out", "--follow"], "--listen and --follow say nothing"),
        (["--format", "dicom", "--out", "out", "--ct-dicom", "nowhere"], "There is no file or folder nowhere."),
        (["--format", "pdf", "--out", "out"], "pdf"),
    ],
)
def test_what_does_not_fit_together_ends_with_2(folder: Path, options: list[str], said: str) -> None:
    status, _, err = export(folder, *options)
    assert status == 2
    assert said in " ".join(err.split())


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal is made in another way there")
@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("", 3)])
def test_at_a_terminal_a_pose_in_doubt_is_asked_about(folder: Path, answer: str, status: int) -> None:
    import pty

    command = [sys.executable, "-m", "radgs", "export", str(folder / "result"), "--level", "L4", "--format", "csv"]
    command += ["--out", str(folder / "out")]
    main, terminal = pty.openpty()
    process = subprocess.Popen(command, env=ENVIRONMENT, stdin=terminal, stdout=subprocess.PIPE, stderr=terminal)
    os.close(terminal)
    shown = ""
    while "Export it" not in shown:
        shown += os.read(main, 4096).decode()
    assert "The views disagree by 3 mm." in shown
    os.write(main, f"{answer}\n".encode())
    assert process.wait(timeout=30) == status
    os.close(main)
    assert process.stdout is not None
    process.stdout.close()
    assert files(folder / "out") == (["L4_ct_to_world.csv", "L4_ct_to_world.csv.about.txt"] if status == 0 else [])


def test_a_pose_is_sent_once_to_a_server_and_who_took_it_is_told(folder: Path, pyigtl: Any) -> None:
    server = pyigtl.OpenIGTLinkServer(port=0, local_server=True)
    port = server.server_address[1]
    try:
        status, out, _ = export(folder, "--level", "L3", "--format", "igtl", "--port", str(port), "--json")
        assert status == 0
        assert json.loads(out)["sent"] == {"devices": ["L3CTToWorld"], "peers": [f"127.0.0.1:{port}"]}
        assert server.wait_for_message("L3Verdict", timeout=20).string.startswith("accept: predicted error 0.8 mm")
        np.testing.assert_allclose(server.wait_for_message("L3CTToWorld", timeout=20).matrix, POSE.matrix, atol=1e-5)
    finally:
        server.stop()


@pytest.mark.parametrize("listen", [[], ["--listen"]])
def test_nobody_there_ends_with_2_in_time(folder: Path, listen: list[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = 0 if listen else taken.getsockname()[1]
        started = time.monotonic()
        options = ["--format", "igtl", "--level", "L3", "--port", str(port), "--timeout", "0.3", *listen]
        status, _, err = export(folder, *options)
    assert status == 2
    assert time.monotonic() - started < 10
    assert "within 0.3 s" in err
    assert err.strip().splitlines()[-1].startswith("Connect the navigation" if listen else "Start the navigation")


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent in another way there")
def test_following_a_result_sends_each_change_until_ctrl_c(folder: Path, pyigtl: Any) -> None:
    command = [sys.executable, "-u", "-m", "radgs", "export", str(folder / "result"), "--format", "igtl"]
    process = subprocess.Popen(
        [*command, "--listen", "--follow", "--port", "0"],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr is not None
    port = int(process.stderr.readline().strip().rstrip(".").rsplit(":", 1)[1])
    client = pyigtl.OpenIGTLinkClient("127.0.0.1", port)
    try:
        np.testing.assert_allclose(client.wait_for_message("L3CTToWorld", timeout=20).matrix, POSE.matrix, atol=1e-5)
        assert client.wait_for_message("L4Verdict", timeout=20).string.startswith("withheld: verdict check")
        assert client.wait_for_message("L4CTToWorld", timeout=0) is None
        moved = POSE @ POSE
        result(accept=moved).save(folder / "result")
        np.testing.assert_allclose(client.wait_for_message("L3CTToWorld", timeout=20).matrix, moved.matrix, atol=1e-5)
    finally:
        client.stop()
        process.send_signal(signal.SIGINT)
        ended = process.wait(timeout=20)
    said = process.stderr.read()
    process.stderr.close()
    assert ended == 0
    assert "Stopped." in said
    assert "L3 goes out as L3CTToWorld: accept" in said
    assert "L5 is withheld: verdict reject. The X-rays fit L4 better." in said
    assert "Traceback" not in said


def test_exporting_from_a_program_needs_no_torch(folder: Path) -> None:
    program = """
import sys
from radgs.export import FILE_FORMATS, export_files, release
from radgs.export.live import LivePoses
from radgs.export.igtl.link import Link
from radgs.case import RegistrationResult
released = release(RegistrationResult.load(sys.argv[1]), levels=["L3"])
for chosen in FILE_FORMATS:
    export_files(released, chosen, sys.argv[2])
assert "torch" not in sys.modules, "torch was loaded"
"""
    command = [sys.executable, "-c", program, str(folder / "result"), str(folder / "out")]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(files(folder / "out")) == 11
