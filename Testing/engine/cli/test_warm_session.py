"""``radgs register --worker`` as a person meets it: real processes, and none of them left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import radgs
from radgs.worker.warm_place import NoWorkerError, WarmPlace, engine_key

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no sockets for it")

DEMO_CASE = Path(radgs.__file__).resolve().parent / "data" / "demo" / "case.json"


@dataclass(frozen=True)
class Home:
    """A user's cache of its own, and what is run there."""

    cache: Path
    environment: dict[str, str]

    def command(self, *arguments: str, cwd: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-u", "-m", "radgs", *arguments],
            env=self.environment,
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell that starts tests in the background has them ignore Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def run(self, *arguments: str, cwd: Path) -> tuple[int, str, str]:
        process = self.command(*arguments, cwd=cwd)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    def sockets(self) -> list[Path]:
        return list((self.cache / "worker").glob("*.socket"))

    def pid(self) -> int:
        """Of the one worker that listens."""
        (path,) = self.sockets()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(str(path))
            greeting: dict[str, Any] = json.loads(connection.makefile("rb").readline())
        return int(greeting["pid"])

    def end(self) -> None:
        """Ends the worker, if there is one."""
        if self.sockets():
            try:
                pid = self.pid()
            except OSError:
                return
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not is_running(pid))


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # Where nobody collects orphans, what has ended still has a number.
    stat = Path(f"/proc/{pid}/stat")
    return not stat.is_file() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def wait_until(done: Any, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, "it did not come to pass"
        time.sleep(0.05)


def a_home(**settings: str) -> Home:
    cache = Path(tempfile.mkdtemp(prefix="radgs-"))  # short: a socket's path has a limit
    module_folder = str(Path(radgs.__file__).resolve().parents[1])
    environment = {**os.environ, "PYTHONPATH": module_folder, "PYTHONIOENCODING": "utf-8", "RADGS_CACHE": str(cache)}
    return Home(cache, {**environment, "RADGS_WORKER_IDLE": "120", **settings})


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    made = a_home()
    yield made
    made.end()
    shutil.rmtree(made.cache)


@pytest.fixture
def cold_home() -> Iterator[Home]:
    made = a_home(RADGS_KERNELS="off")  # nothing is compiled beside it that would outlive it
    yield made
    made.end()
    shutil.rmtree(made.cache)


def test_the_caller_loads_neither_torch_nor_numpy() -> None:
    program = "import sys, radgs.cli, radgs.cli.warm_session; print({'torch', 'numpy', 'scipy'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "set()"


def test_another_setting_is_another_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    before = engine_key()
    assert engine_key() == before
    monkeypatch.setenv("RADGS_KERNELS", "off")
    assert engine_key() != before


def test_without_a_cache_there_is_no_worker_and_that_is_said(tmp_path: Path) -> None:
    nowhere = a_home(RADGS_CACHE="off")
    status, out, err = nowhere.run("register", "no/case.json", "--out", "out", "--worker", cwd=tmp_path)
    assert (status, out) == (2, "")
    assert "No warm worker is to be had (there is no cache folder for its socket): registering here." in err
    assert "no/case.json" in err
    shutil.rmtree(nowhere.cache)


def test_what_stands_in_the_sockets_place_is_not_spoken_to_unless_it_is_the_users_alone(tmp_path: Path) -> None:
    place = WarmPlace.named(Path(tempfile.mkdtemp(prefix="radgs-")) / "a.socket")
    assert not place.is_mine()
    place.socket.write_text("no socket")
    assert not place.is_mine()
    place.socket.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(place.socket))
        place.socket.chmod(0o666)
        assert not place.is_mine()
        place.socket.chmod(0o600)
        assert place.is_mine()
    shutil.rmtree(place.socket.parent)


def test_a_path_that_is_too_long_for_a_socket_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADGS_CACHE", str(tmp_path / ("x" * 90)))
    with pytest.raises(NoWorkerError, match="too long"):
        WarmPlace.of_this_engine()


@pytest.mark.slow
def test_what_is_refused_is_refused_in_the_same_words_by_one_worker(home: Home, tmp_path: Path) -> None:
    asked = ["register", "no/case.json", "--out", "out"]
    told = [home.run(*asked, *more, cwd=tmp_path) for more in ([], ["--worker"], ["--worker"])]
    for status, out, err in told:
        assert (status, out) == (2, "")
        assert err.splitlines()[-2:] == told[0][2].splitlines()[-2:]
    first, again = (home.run(*asked, "--json", *more, cwd=tmp_path)[1] for more in ([], ["--worker"]))
    assert json.loads(first) == json.loads(again)
    assert list(tmp_path.iterdir()) == []
    (path,) = home.sockets()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.slow
def test_a_dead_worker_is_replaced(home: Home, tmp_path: Path) -> None:
    arguments = ["register", "no/case.json", "--out", "out", "--worker"]
    home.run(*arguments, cwd=tmp_path)
    killed = home.pid()
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: not is_running(killed))
    assert home.sockets(), "it could not clear its socket away"
    status, _, err = home.run(*arguments, cwd=tmp_path)
    assert status == 2
    assert "No warm worker" not in err
    assert home.pid() != killed


@pytest.mark.slow
def test_a_worker_nobody_asks_ends(tmp_path: Path) -> None:
    home = a_home(RADGS_WORKER_IDLE="1.5", RADGS_KERNELS="off")  # nothing is compiled beside it that would outlive it
    home.run("register", "no/case.json", "--out", "out", "--worker", cwd=tmp_path)
    wait_until(lambda: not home.sockets())
    shutil.rmtree(home.cache)


@pytest.mark.slow
def test_ctrl_c_ends_what_was_asked_for_and_another_caller_does_not_wait(cold_home: Home, tmp_path: Path) -> None:
    home = cold_home  # where the vertebra was at hand, the first call might end before it is interrupted
    first = home.command("register", str(DEMO_CASE), "--out", "first", "--worker", cwd=tmp_path)
    assert first.stderr is not None
    said = []
    for line in first.stderr:
        said.append(line)
        if "separating" in line:
            break
    busy = home.pid()
    status, _, err = home.run("register", "no/case.json", "--out", "second", "--worker", cwd=tmp_path)
    assert status == 2
    assert "it serves another call" in err
    first.send_signal(signal.SIGINT)
    said += first.stderr.readlines()
    assert first.wait(60) == 130
    assert "Stopped before the end." in said[-2]
    assert "Traceback" not in "".join(said)
    wait_until(lambda: list(tmp_path.iterdir()) == [])  # what was half done is taken back
    status, _, err = home.run("register", "no/case.json", "--out", "third", "--worker", cwd=tmp_path)
    assert status == 2
    assert "No warm worker" not in err
    assert home.pid() == busy


@pytest.mark.slow
def test_the_result_is_the_one_that_is_made_without_a_worker(home: Home, tmp_path: Path) -> None:
    outcomes = []
    for name, more in (("here", []), ("there", ["--worker"])):
        folder = tmp_path / name
        folder.mkdir()
        status, out, err = home.run("register", str(DEMO_CASE), "--out", "out", "--json", *more, cwd=folder)
        assert "No warm worker" not in err
        files = sorted(path.name for path in (folder / "out").iterdir())
        saved = (folder / "out" / "result.json").read_text(encoding="utf-8")
        outcomes.append((status, without_seconds(out), without_seconds(saved), files))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] == 0


def without_seconds(text: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(text)
    for level in values["levels"].values():
        assert level.pop("seconds") > 0
    return values
