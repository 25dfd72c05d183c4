"""Runs the tests of nodes and panel inside the full 3D Slicer, with its own views, widgets and process launcher.

    Slicer --testing --additional-module-paths RadGSReg --python-script Testing/slicer/run_in_slicer.py

pytest has to be installed in Slicer's Python (``PythonSlicer -m pip install pytest``), and so have the libraries of
RadGSReg/Resources/requirements.txt and torch, because the tests make their data with the engine.
"""

import sys
from pathlib import Path

import slicer

TESTING = Path(__file__).resolve().parents[1]


def main(arguments: list[str]) -> int:
    """Runs pytest on the tests that need a scene; returns its exit status."""
    try:
        import pytest
    except ImportError:
        print("pytest is not installed in Slicer's Python. Install it: PythonSlicer -m pip install pytest")
        return 2
    if not hasattr(slicer.modules, "radgsreg"):
        print("Slicer has not loaded the module RadGSReg. Add its folder: --additional-module-paths RadGSReg")
        return 2
    # The engine next to the module that Slicer loaded, which in a build is a copy.
    engine = Path(slicer.modules.radgsreg.path).resolve().parent
    options = ["-p", "no:cacheprovider", "-o", f"pythonpath={engine}", "--rootdir", str(TESTING.parent)]
    return int(pytest.main([*options, str(TESTING / "mrml"), str(TESTING / "panel"), *arguments]))


slicer.util.exit(main(sys.argv[1:]))
