"""The worker as any program may use it: a real process, spoken to line by line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import radgs
from radgs.case import RegistrationCase, RegistrationResult
from radgs.geometry import Volume
from radgs.io.case_file import CaseFile, write_case_file
from radgs.io.model_header import read_model_summary, work_folder
from radgs.io.volumes import write_volume
from radgs.phantom import PhantomSpine

MODULE_FOLDER = Path(radgs.__file__).resolve().parents[1]


class RunningWorker:
    """A worker and its pipes."""

    def __init__(self, code: str | None = None) -> None:
        started = ["-m", "radgs.worker"] if code is None else ["-c", code]
        environment = {**os.environ, "PYTHONPATH": str(MODULE_FOLDER)}
        self.process = subprocess.Popen(
            [sys.executable, "-u", *started],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )

    def send(self, **request: Any) -> None:
        self.send_line(json.dumps(request))

    def send_line(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write((line + "\n").encode())
        self.process.stdin.flush()

    def next(self, *kinds: str) -> dict[str, Any]:
        """The next message of one of these kinds, or the next at all."""
        return self.until(*kinds)[-1]

    def until(self, *kinds: str) -> list[dict[str, Any]]:
        """All messages up to the next of one of these kinds, or to the next at all."""
        assert self.process.stdout is not None
        messages: list[dict[str, Any]] = []
        while not messages or (kinds and messages[-1]["type"] not in kinds):
            messages.append(json.loads(self.process.stdout.readline()))
        return messages

    def end(self) -> int:
        """Closes stdin, waits, and returns the exit status."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(10)


@pytest.fixture
def a_worker() -> Iterator[RunningWorker]:
    worker = RunningWorker()
    yield worker
    worker.process.kill()
    worker.process.wait()


@pytest.fixture(scope="module")
def a_case(small_case: RegistrationCase, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_case.save(tmp_path_factory.mktemp("case"))


def test_ready_comes_first_and_names_the_process(a_worker: RunningWorker) -> None:
    ready = a_worker.next()
    assert ready["type"] == "ready"
    assert ready["pid"] == a_worker.process.pid
    assert ready["versions"]["radgs"] == radgs.__version__


@pytest.mark.slow
def test_a_second_registration_builds_no_vertebra_though_the_first_was_cut_short(
    a_worker: RunningWorker, a_case: Path, tmp_path: Path
) -> None:
    a_worker.send(id=0, command="register", case=str(a_case), out="never-written")
    while a_worker.next("progress")["stage"] != "reconstruct":
        pass
    a_worker.send(command="cancel")
    assert a_worker.next("error", "result")["kind"] == "Cancelled"
    results = []
    for identifier in (1, 2):
        a_worker.send(id=identifier, command="register", case=str(a_case), out=str(tmp_path / f"out ü{identifier}"))
        seen = []
        while not seen or seen[-1]["type"] not in ("result", "error"):
            seen.append(a_worker.next("progress", "result", "error"))
        assert seen[-1]["type"] == "result", seen[-1]
        fractions = [message["fraction"] for message in seen[:-1]]
        assert fractions == sorted(fractions)
        assert {message["stage"] for message in seen[:-1]} == {"read", "model", "reconstruct", "refine", "judge"}
        results.append((seen[-1], RegistrationResult.load(tmp_path / f"out ü{identifier}")))
    assert [answer["models_reused"] for answer, _result in results] == [["L3"], ["L3"]]
    pose, again = (result.levels["L3"].ct_to_world for _answer, result in results)
    assert pose is not None
    assert again is not None
    assert pose.matrix.tolist() == again.matrix.tolist()


@pytest.mark.parametrize(
    "line",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"id": ' + "[" * 400 + "]" * 400 + ', "command": "overlay"}',
        '{"id": 1, "command": "register", "case": "' + "x" * 3_000_000 + '"}',
        '{"id": 1, "command": "prepare", "case": "c", "out": "o", "level": "L3", "minutes": Infinity}',
        "9" * 5000,
        "\x00nonsense",
        '{"id": 1, "command": "\\ud800"}',
    ],
    ids=["deep list", "deep object", "deep id", "long", "infinite", "large number", "no text", "half a letter"],
)
def test_no_line_makes_it_deaf(shared_worker: RunningWorker, line: str) -> None:
    shared_worker.send_line(line)
    assert shared_worker.next("error")["kind"] == "BadRequestError"
    shared_worker.send(id="after", command="nonsense")
    answer = shared_worker.next("error")
    assert (answer["id"], answer["kind"]) == ("after", "BadRequestError")


@pytest.mark.parametrize("minutes", ["1e999", "-1", "0", "1e9", "1" + "0" * 400, "true"])
def test_a_budget_has_bounds(shared_worker: RunningWorker, minutes: str) -> None:
    shared_worker.send_line(
        f'{{"id": 1, "command": "prepare", "case": "c", "out": "o", "level": "L3", "minutes": {minutes}}}'
    )
    answer = shared_worker.next("error")
    assert answer["kind"] == "BadRequestError"
    assert "'minutes'" in answer["message"]


def test_a_pose_far_away_is_refused_with_a_sentence(shared_worker: RunningWorker, a_case: Path, tmp_path: Path) -> None:
    far = np.eye(4)
    far[:3, 3] = [5000.0, 0.0, 0.0]
    shared_worker.send(
        id=1, command="overlay", case=str(a_case), level="L3", out=str(tmp_path / "o"), poses={"result": far.tolist()}
    )
    answer = shared_worker.next("result", "error")
    assert answer["type"] == "error"
    assert answer["kind"] == "GeometryError"
    assert "cannot show it" in answer["message"]


def test_a_flood_of_requests_is_bounded(a_worker: RunningWorker) -> None:
    a_worker.next("ready")
    for number in range(300):
        a_worker.send(id=number, command="nonsense")
    answers = [a_worker.next("error") for _ in range(300)]
    assert {answer["kind"] for answer in answers} == {"BadRequestError"}


#: Under nohup, what tests start ignores it as they do.
UNLESS_IGNORED = pytest.param(
    "SIGHUP",
    marks=pytest.mark.skipif(
        hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN, reason="SIGHUP is ignored here"
    ),
)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX's signals")
@pytest.mark.parametrize("way", ["SIGTERM", UNLESS_IGNORED, "stdin"])
@pytest.mark.slow
def test_it_ends_at_once_and_takes_back_what_is_half_done(
    way: str, a_worker: RunningWorker, a_case: Path, tmp_path: Path
) -> None:
    a_worker.send(id=0, command="register", case=str(a_case), out=str(tmp_path / "out"))
    while a_worker.next("progress")["stage"] != "reconstruct":
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.radgs-lock", ".out.radgs-new"]
    if way == "stdin":
        assert a_worker.end() == 0
    else:
        a_worker.process.send_signal(getattr(signal, way))
        assert a_worker.process.wait(20) == 128 + getattr(signal, way)
    assert list(tmp_path.iterdir()) == []


def test_an_overlay_is_drawn_without_a_registration_and_again_with_its_pose(
    shared_worker: RunningWorker, a_case: Path, tmp_path: Path
) -> None:
    request: dict[str, Any] = {"command": "overlay", "case": str(a_case), "level": "L3"}
    shared_worker.send(id=1, out=str(tmp_path / "start"), **request)
    messages = shared_worker.until("result", "error")
    assert messages[-1]["type"] == "result", messages[-1]
    assert not any("fitting" in json.dumps(message) for message in messages), "a picture needs no Gaussians"
    described = json.loads((tmp_path / "start" / "overlay.json").read_text(encoding="utf-8"))
    assert [list(view["poses"]) for view in described["views"].values()] == [["start"], ["start"]]
    assert not any("reconstruction" in view for view in described["views"].values())
    write_volume(tmp_path / "made.nrrd", Volume(np.full((4, 4, 4), 900, np.int16), np.eye(4)))
    pose, made = np.eye(4).tolist(), str(tmp_path / "made.nrrd")
    shared_worker.send(id=2, out=str(tmp_path / "both"), poses={"result": pose}, reconstruction=made, **request)
    assert shared_worker.next("result", "error")["type"] == "result"
    described = json.loads((tmp_path / "both" / "overlay.json").read_text(encoding="utf-8"))
    assert [list(view["poses"]) for view in described["views"].values()] == [["start", "result"]] * 2
    assert all((tmp_path / "both" / view["reconstruction"]).is_file() for view in described["views"].values())


def test_a_pose_that_is_moved_is_drawn_without_reading_the_case_again(
    shared_worker: RunningWorker, a_case: Path, tmp_path: Path
) -> None:
    pose = np.eye(4)
    request: dict[str, Any] = {"command": "live", "case": str(a_case), "level": "L3", "around": pose.tolist()}
    for number in (1, 2, 3):
        pose[0, 3] = number
        out = tmp_path / str(number)
        shared_worker.send(id=number, out=str(out), pose=pose.tolist(), **request)
        answer = shared_worker.next("result", "error")
        assert answer["type"] == "result", answer
        described = json.loads((out / "live.json").read_text(encoding="utf-8"))
        assert described["ct_to_world"] == pose.tolist()
        assert set(described["views"]) == {"AP", "LAT"}
        if number == 2:
            os.utime(a_case)  # another case, as far as its file tells: read anew
    shared_worker.send(id=4, out=str(tmp_path / "4"), **request)
    assert shared_worker.next("result", "error")["kind"] == "BadRequestError"


def test_exposures_are_drawn_without_reading_the_ct_again(
    shared_worker: RunningWorker, small_case: RegistrationCase, tmp_path: Path
) -> None:
    write_volume(tmp_path / "ct.nrrd", small_case.ct)
    view = small_case.views[0]
    np.save(tmp_path / "ap.npy", view.image)
    exposure = {
        "image": str(tmp_path / "ap.npy"),
        "pixel_type": "attenuation",
        "source_ras": view.geometry.source_ras.tolist(),
        "detector_to_ras": view.geometry.detector_to_ras.tolist(),
        "ct_to_world": small_case.truth["L3"].matrix.tolist(),
    }
    request = {"command": "exposures", "ct": str(tmp_path / "ct.nrrd"), "out": str(tmp_path / "out")}
    read = []
    for number, pictures in enumerate(([[exposure]], [[exposure], [exposure, exposure]]), 1):
        shared_worker.send(id=number, pictures=[{"views": views} for views in pictures], **request)
        *before, answer = shared_worker.until("result", "error")
        assert answer["type"] == "result", answer
        assert [Path(file).name for file in answer["files"]] == ["1.png", "2.png"][: len(pictures)]
        assert all(Path(file).is_file() for file in answer["files"])
        read += [message["message"] for message in before if message["type"] == "progress"]
    assert read == ["reading the CT"]
    for wrong in ([], [{"views": []}], [{"views": [exposure] * 65}], [{"views": [{**exposure, "source_ras": [0, 0]}]}]):
        shared_worker.send(id=9, pictures=wrong, **request)
        assert shared_worker.next("result", "error")["kind"] == "BadRequestError"


@pytest.mark.slow
def test_a_preparation_is_cancelled_gently_and_can_be_taken_up(
    shared_worker: RunningWorker, phantom_spine: PhantomSpine, tmp_path: Path
) -> None:
    for name, volume in (("ct", phantom_spine.ct), ("labels", phantom_spine.labels)):
        write_volume(tmp_path / f"{name}.nrrd", volume)
    case = CaseFile(
        tmp_path / "anatomy.json",
        tmp_path / "ct.nrrd",
        tmp_path / "labels.nrrd",
        (("L3", phantom_spine.levels["L3"]),),
        (),
    )
    write_case_file(case)
    model = tmp_path / "L3.radgs.safetensors"
    request = {"command": "prepare", "case": str(case.path), "level": "L3", "out": str(model), "device": "cpu"}
    shared_worker.send(id=1, minutes=0.4, **request)
    seen = [shared_worker.next("progress", "error")]
    while seen[-1]["stage"] != "train":
        seen.append(shared_worker.next("progress", "error"))
    shared_worker.send(command="cancel")
    while seen[-1]["type"] == "progress":
        seen.append(shared_worker.next("progress", "result", "error"))
    *told, answer = seen
    assert [message["fraction"] for message in told] == sorted(message["fraction"] for message in told)
    assert all(0 <= message["seconds_left"] <= 24.0 for message in told)
    assert (answer["type"], answer["finished"], answer["model"]) == ("result", False, str(model))
    assert 0.5 < answer["accuracy"]["ssim_3d"] < 1.0
    assert read_model_summary(model).level == "L3"

    shared_worker.send(id=2, minutes=0.4, **request)
    while (message := shared_worker.next("progress", "result", "error"))["type"] == "progress":
        last = message
    assert (message["type"], message["finished"]) == ("result", True)
    assert last["fraction"] == 1.0
    assert not work_folder(model).exists()


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("{not json", "BadRequestError"),
        ('["a list"]', "BadRequestError"),
        ('{"id": 7, "command": "fly"}', "BadRequestError"),
        ('{"id": 7}', "BadRequestError"),
        ('{"id": 7, "command": "register", "case": "nowhere/case.json", "out": "out"}', "InputFileError"),
        ('{"id": 7, "command": "register", "case": "case.json"}', "BadRequestError"),
        ('{"id": 7, "command": "register", "case": "c", "out": "o", "models": "one"}', "BadRequestError"),
        ('{"id": 7, "command": "register", "case": "c", "out": "o", "overlays": "yes"}', "BadRequestError"),
        ('{"id": 7, "command": "overlay", "case": "c", "out": "o", "level": "L3", "poses": [1]}', "BadRequestError"),
        ('{"id": 7, "command": "overlay", "case": "c", "out": "o", "poses": {}}', "BadRequestError"),
        ('{"id": 7, "command": "prepare", "case": "c", "out": "o", "level": "L3"}', "BadRequestError"),
        ('{"id": 7, "command": "prepare", "case": "c", "out": "o", "level": "L3", "minutes": 0}', "BadRequestError"),
        ('{"id": 7, "command": "prepare", "case": "c", "out": "o", "level": "L3", "minutes": 1}', "OutputError"),
    ],
)
def test_a_bad_request_is_answered_and_survived(shared_worker: RunningWorker, line: str, kind: str) -> None:
    shared_worker.send_line(line)
    error = shared_worker.next("error", "result")
    assert error["type"] == "error"
    assert error["kind"] == kind
    assert error["message"].endswith((".", "'"))
    assert error["hint"]
    assert error["id"] == (7 if '"id": 7' in line else None)
    assert shared_worker.process.poll() is None


@pytest.fixture(scope="module")
def shared_worker() -> Iterator[RunningWorker]:
    worker = RunningWorker()
    yield worker
    worker.process.kill()
    worker.process.wait()


def test_what_a_library_prints_does_not_reach_the_messages() -> None:
    code = """
import os, sys
from radgs.worker import process
class Printing(process.Worker):
    def _prepare(self):
        print("by Python")
        os.write(1, b"by a library in C\\n")
        os.system("echo by a child")
process.Worker = Printing
process.main()
"""
    worker = RunningWorker(code)
    assert worker.next()["type"] == "ready"
    worker.send(id=1, command="fly")
    assert worker.next()["type"] == "error"
    assert worker.process.stdin is not None
    worker.process.stdin.close()
    assert worker.process.stderr is not None
    printed = worker.process.stderr.read().decode()
    worker.process.wait(10)
    assert all(by in printed for by in ("by Python", "by a library in C", "by a child"))


def test_a_job_is_cancelled_within_two_seconds_and_the_worker_serves_on(
    shared_worker: RunningWorker, a_case: Path
) -> None:
    shared_worker.send(id=1, command="register", case=str(a_case), out="never-written")
    assert shared_worker.next("progress")["stage"] == "read"
    while shared_worker.next("progress")["stage"] != "model":
        pass
    began = time.monotonic()
    shared_worker.send(command="cancel")
    answer = shared_worker.next("error", "result")
    assert (answer["kind"], answer["id"]) == ("Cancelled", 1)
    assert time.monotonic() - began < 2.0
    shared_worker.send(id=2, command="fly")
    assert shared_worker.next("error")["kind"] == "BadRequestError"


def test_a_request_cancelled_before_its_turn_never_runs(shared_worker: RunningWorker, a_case: Path) -> None:
    shared_worker.send_line(
        '{"id": 1, "command": "register", "case": ' + json.dumps(str(a_case)) + ', "out": "x"}\n{"command": "cancel"}'
    )
    assert shared_worker.next("error", "result")["kind"] == "Cancelled"


def test_a_cancellation_with_nothing_to_cancel_is_forgotten(shared_worker: RunningWorker) -> None:
    shared_worker.send(command="cancel")
    shared_worker.send(id=3, command="register", case="nowhere", out="x")
    assert shared_worker.next("error")["kind"] == "InputFileError"


@pytest.mark.slow
def test_the_worker_ends_with_its_stdin_whatever_it_is_doing(a_worker: RunningWorker, a_case: Path) -> None:
    a_worker.next("ready")
    a_worker.send(id=1, command="register", case=str(a_case), out="never-written")
    a_worker.next("progress")
    began = time.monotonic()
    assert a_worker.end() == 0
    assert time.monotonic() - began < 2.0


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_control_c_ends_it_loudly(a_worker: RunningWorker) -> None:
    a_worker.next("ready")
    a_worker.send(id=1, command="fly")
    a_worker.next("error")
    a_worker.send(id=2, command="fly")
    a_worker.next("error")
    a_worker.process.send_signal(signal.SIGINT)
    assert a_worker.process.wait(10) == 1
    assert a_worker.process.stderr is not None
    assert b"KeyboardInterrupt" in a_worker.process.stderr.read()
