"""Nothing of a patient stays in the folder for temporary files, not even after a crash."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from slicer_fixtures import PROJECT, in_full_slicer

from RadGSRegLib.engine.session_folder import LOCK, MAKING, PREFIX, SessionFolder, remove_abandoned

pytestmark = pytest.mark.skipif(in_full_slicer() or os.name == "nt", reason="kills processes")

#: Another Slicer: makes its folder, puts an image into it, says where, and waits.
ANOTHER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from RadGSRegLib.engine.session_folder import SessionFolder
session = SessionFolder(Path(sys.argv[2]))
(session.path / "ct.nrrd").write_bytes(b"a patient's")
print(session.path, flush=True)
time.sleep(600)
"""


@pytest.fixture
def another(tmp_path: Path) -> Any:
    """Another process with a session folder, and that folder."""
    command = [sys.executable, "-c", ANOTHER, str(PROJECT / "RadGSReg"), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def test_what_a_crash_left_is_removed_by_the_next_session(another: Any, tmp_path: Path) -> None:
    process, left = another
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert (left / "ct.nrrd").exists()
    session = SessionFolder(tmp_path)
    assert not left.exists()
    session.remove()
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_session_that_goes_on_stays(another: Any, tmp_path: Path) -> None:
    _process, theirs = another
    ours = SessionFolder(tmp_path)
    remove_abandoned(tmp_path)
    assert (theirs / "ct.nrrd").exists()
    assert ours.path.is_dir()
    ours.remove()


def test_only_the_user_can_look_into_it(tmp_path: Path) -> None:
    former = os.umask(0)
    try:
        session = SessionFolder(tmp_path)
    finally:
        os.umask(former)
    assert stat.S_IMODE(session.path.stat().st_mode) == 0o700
    session.remove()


def test_what_is_not_ours_or_only_being_made_stays(tmp_path: Path) -> None:
    others, elsewhere = tmp_path / "RadGSRegNotes", tmp_path / "elsewhere"
    making, forgotten = tmp_path / f"{PREFIX}new", tmp_path / f"{PREFIX}old"
    for folder in (others, elsewhere, making, forgotten):
        folder.mkdir()
    (elsewhere / LOCK).touch()
    (tmp_path / f"{PREFIX}link").symlink_to(elsewhere)
    os.utime(forgotten, (0, making.stat().st_mtime - 2 * MAKING))
    remove_abandoned(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["RadGSRegNotes", "elsewhere", f"{PREFIX}link", f"{PREFIX}new"]
    )


def test_the_modules_logic_has_one_and_takes_it_along(host: Any, a_scene: Any, the_module: Any) -> None:
    import slicer

    place = Path(slicer.app.temporaryPath)
    before = set(place.glob(f"{PREFIX}*"))
    logic = the_module.RadGSRegLogic()
    (made,) = set(place.glob(f"{PREFIX}*")) - before
    logic.cleanup()
    assert not made.exists()
