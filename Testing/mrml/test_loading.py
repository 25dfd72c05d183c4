"""The module loads, and its panel opens, in a 3D Slicer that has nothing but what it brings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from slicer_fixtures import in_full_slicer

PROJECT = Path(__file__).resolve().parents[2]

#: A process that loads and opens everything, and says what it came to.
SCRIPT = """
import sys
sys.path[:0] = [{host!r}, {module!r}]
import bundled, slicerhost
from pathlib import Path
host = slicerhost.start()
bundled.find_only_bundled(["RadGSReg", "RadGSRegLib", "radgs"])
module = host.load(Path({module!r}) / "RadGSReg.py")
print("at start:", sorted({{"scipy", "SimpleITK", "pydicom"}} & set(sys.modules)))
panel = host.open_panel(module)
print("opened:", panel.panel is not None)
import importlib
for path in sorted(Path({module!r}, "RadGSRegLib").rglob("*.py")):
    parts = path.relative_to({module!r}).with_suffix("").parts
    importlib.import_module(".".join(parts).removesuffix(".__init__"))
panel.ui.demoButton.click()
panel.ui.confirmLevelsCheckBox.click()
print("button:", panel.ui.applyButton.text)
host.close_panel(panel)
print("failures:", host.failures.take())
"""


@pytest.fixture(scope="module")
def loaded() -> str:
    """What such a process prints."""
    if in_full_slicer():
        pytest.skip("the full Slicer is its own proof")
    script = SCRIPT.format(host=str(PROJECT / "Testing" / "host"), module=str(PROJECT / "RadGSReg"))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_the_panel_opens_where_slicer_brings_all_there_is(loaded: str) -> None:
    assert "opened: True\nbutton: Apply\nfailures: []" in loaded


def test_slicer_starts_without_the_numerical_libraries(loaded: str) -> None:
    assert "at start: []" in loaded
