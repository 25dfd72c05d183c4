"""A sample of the damaged inputs: whatever a file holds, it is read right or refused with a sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

FUZZ = Path(__file__).with_name("fuzz.py")


def test_a_sample_of_damaged_files_is_read_right_or_refused() -> None:
    """The doors that need no worker; ``make fuzz`` knocks at all of them, ten thousand times."""
    doors = "case,images,CT,labels,result,.ply,REG"
    command = [sys.executable, str(FUZZ), "--n", "300", "--seed", "1", "--doors", doors]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert found.returncode == 0, found.stdout[-4000:] + found.stderr[-2000:]
