"""A 3D Slicer before 5.10 says that it is too old, in one sentence, and nothing else happens."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import slicer
from slicer_fixtures import PROJECT, in_full_slicer

pytestmark = pytest.mark.skipif(in_full_slicer(), reason="plays another application")

MODULE_FOLDER = PROJECT / "RadGSReg"
SENTENCE = "RadGS-Reg needs 3D Slicer 5.10 or newer, and this is 3D Slicer 5.8."

#: What 3D Slicer 5.8 reads before it is found to be too old.
LIBRARY = (
    *("__init__", "engine/__init__", "engine/level_pictures"),
    *("export/__init__", "export/level_exports", "logic", "parameters"),
    *("scene/__init__", "scene/sample_data", "slicer_version"),
)
READ_FIRST = ("RadGSReg.py", *(f"RadGSRegLib/{name}.py" for name in LIBRARY))

#: 3D Slicer 5.8 with Python 3.9, as far as the module meets it. Every name that is not here is an error.
OLD_SLICER = """
import sys, types

def module(name, **parts):
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(parts)
    return sys.modules[name]

class Base:
    def __init__(self, parent=None):
        self.parent, self.layout = parent, parent
    def setup(self): pass
    def cleanup(self): pass

class Mixin:
    def __init__(self): pass
    def removeObservers(self): pass

class Label:
    def __init__(self, text): self.text = text

class Layout(list):
    addWidget = list.append

class App:
    majorVersion, minorVersion, temporaryPath = 5, 8, "."
    def connect(self, signal, slot): self.slot = slot

kinds = "ScriptedLoadableModule ScriptedLoadableModuleWidget ScriptedLoadableModuleLogic ScriptedLoadableModuleTest"
module("qt", QLabel=Label)
module("vtk")
slicer = module("slicer", app=App(), __path__=[])
vars(slicer).update({f"vtkMRML{kind}Node": object for kind in ("LinearTransform", "ScalarVolume", "Segmentation")})
module("slicer.i18n", tr=str, translate=lambda context, text: text)
module("slicer.util", VTKObservationMixin=Mixin)
wrapper = module("slicer.parameterNodeWrapper", parameterNodeWrapper=lambda kind: kind)
wrapper.Choice = wrapper.WithinRange = lambda *allowed: allowed
module("slicer.ScriptedLoadableModule", **{kind: type(kind, (Base,), {}) for kind in kinds.split()})

sys.path.insert(0, sys.argv[1])
import RadGSReg
RadGSReg.RadGSReg(types.SimpleNamespace())
slicer.app.slot()
layout = Layout()
widget = RadGSReg.RadGSRegWidget(layout)
widget.setup()
for call in (widget.enter, widget.exit, widget.cleanup):
    call()
read = sorted(name for name in sys.modules if "RadGSReg" in name)
print(sys.version_info[:2], [label.text for label in layout], read)
"""


def python_3_9() -> str | None:
    """The Python of 3D Slicer 5.8, where this machine has it."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = sorted(root.glob("versions/3.9.*/bin/python"))
    return str(found[-1]) if found else shutil.which("python3.9")


def test_an_old_slicer_with_its_old_python_says_that_it_is_too_old() -> None:
    python = python_3_9()
    if python is None:
        pytest.skip("no Python 3.9 here")
    command = [python, "-B", "-W", "error", "-c", OLD_SLICER, str(MODULE_FOLDER)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    read = [name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in READ_FIRST]
    assert done.stdout == f"(3, 9) {[SENTENCE]} {sorted(read)}\n", done.stderr


@pytest.mark.parametrize("name", [*READ_FIRST, "RadGSRegDICOMPlugin.py"])
def test_what_an_old_slicer_reads_is_written_in_its_pythons_grammar(name: str) -> None:
    ast.parse((MODULE_FOLDER / name).read_text("utf-8"), name, feature_version=(3, 9))


def test_the_panel_of_an_old_slicer_is_that_sentence(
    host: Any, a_scene: Any, the_module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import qt

    monkeypatch.setattr(slicer.app, "minorVersion", 8)
    panel = host.open_panel(the_module)
    assert [label.text for label in panel.parent.findChildren(qt.QLabel)] == [SENTENCE]
    panel.exit()
    host.close_panel(panel)
