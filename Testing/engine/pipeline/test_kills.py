"""A sample of what ``Testing/benchmarks/kills.py`` does at length."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import radgs

pytestmark = pytest.mark.slow

PACKAGE_PARENT = Path(radgs.__file__).resolve().parents[1]
SCRIPT = PACKAGE_PARENT.parent / "Testing" / "benchmarks" / "kills.py"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the script forks")
def test_killed_at_any_moment_and_written_by_two_a_folder_is_whole_or_absent() -> None:
    command = [sys.executable, str(SCRIPT), "--kills", "8", "--rounds", "8", "--no-overlays", "--seed", "1"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(PACKAGE_PARENT),
        "OMP_NUM_THREADS": "1",
        "RADGS_CACHE": "off",
        "RADGS_KERNELS": "off",
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
