"""A Python of our own finds the engine, and nothing of the folder that it runs in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import radgs
from radgs.child_processes import child_environment


def test_it_imports_this_engine_and_no_file_of_the_folder_it_runs_in(tmp_path: Path) -> None:
    (tmp_path / "SimpleITK.py").write_text("raise SystemExit('a file of the folder that one works in was run')")
    program = "import SimpleITK, radgs; print(radgs.__file__)"
    found = subprocess.check_output([sys.executable, "-c", program], cwd=tmp_path, env=child_environment(), text=True)
    assert Path(found.strip()) == Path(radgs.__file__)


def test_it_is_given_settings_of_its_own() -> None:
    assert child_environment(RADGS_KERNELS="off")["RADGS_KERNELS"] == "off"
