"""Runs the module's tests inside the full 3D Slicer, with its own views, widgets and process launcher.

    Slicer --testing --additional-module-paths RadGSReg --python-script Testing/slicer/run_in_slicer.py

The module's self-test needs nothing and always runs. The tests of nodes and panel need pytest in Slicer's Python
(``PythonSlicer -m pip install pytest``), and the libraries of RadGSReg/Resources/requirements.txt and torch, because
they make their data with the engine. A build of the extension has no pytest: there they are left out, which is said
and is no failure.
"""

import sys
import unittest
from pathlib import Path

import slicer

TESTING = Path(__file__).resolve().parents[1]

NO_PYTEST = """
The module's self-test passed. The tests of nodes and panel were NOT run: pytest is not installed in Slicer's Python.
To run them: PythonSlicer -m pip install pytest
"""


def main(arguments: list[str]) -> int:
    """Runs the self-test, then pytest on the tests that need a scene; returns the first exit status that is not 0."""
    if not hasattr(slicer.modules, "radgsreg"):
        print("Slicer has not loaded the module RadGSReg. Add its folder: --additional-module-paths RadGSReg")
        return 2
    if not self_test():
        return 1
    try:
        import pytest
    except ImportError:
        print(NO_PYTEST)
        return 0
    # The engine next to the module that Slicer loaded, which in a build is a copy.
    engine = Path(slicer.modules.radgsreg.path).resolve().parent
    options = ["-p", "no:cacheprovider", "-o", f"pythonpath={engine}", "--rootdir", str(TESTING.parent)]
    return int(pytest.main([*options, str(TESTING / "mrml"), str(TESTING / "panel"), *arguments]))


def self_test() -> bool:
    """Whether the module's self-test passes; unittest says what ran."""
    import RadGSReg

    test = unittest.FunctionTestCase(RadGSReg.RadGSRegTest().runTest, description="The module's self-test")
    return unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(test).wasSuccessful()


if __name__ == "__main__":
    slicer.util.exit(main(sys.argv[1:]))
